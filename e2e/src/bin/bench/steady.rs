//! A steady rate with every worker running: how late decisions are, and what processor time they cost where.

use crate::args::Part;
use crate::bench::Bench;
use crate::load::{self, WARM};
use crate::processor::{of_process, of_tree};
use crate::versus::median;
use crate::workers::{self, Models, Workers};
use anyhow::{Context, Result};
use defaultx::place::Keys;
use e2e::watch::{Schedule, Watch};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Everything that a lender runs.
pub const EVERYTHING: &[&str] = &["all"];
/// Applications a second that warm the broker: few in a transaction, so that there are many of those.
const WARMING_RATE: f64 = 200.0;
/// Sections of the configuration with the knobs of a loop.
const LOOPS: [&str; 4] = ["ingest.receive", "ingest.admit", "scorer.tuning", "decision.tuning"];
/// Seconds without load between the warm-up and the measurement: what the log and the broker still had to do is done.
const REST: Duration = Duration::from_secs(4);

/// What a steady rate showed. Times are milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Steady {
    /// Applications a second.
    rate: f64,
    /// Partitions of each topic.
    partitions: i32,
    applications: usize,
    p50: f64,
    p99: f64,
    /// Processor time of each side for each application.
    workers_cpu_ms_per_application: f64,
    broker_cpu_ms_per_application: f64,
    database_cpu_ms_per_application: f64,
    transactions_per_s: Option<f64>,
    partitions_per_transaction: Option<f64>,
}

impl Steady {
    /// Milliseconds of workers, broker and database for each application.
    fn processor(&self) -> f64 {
        self.workers_cpu_ms_per_application + self.broker_cpu_ms_per_application + self.database_cpu_ms_per_application
    }
}

/// Processor time of everything that runs, and what the workers have counted.
struct Reading {
    at: Instant,
    workers: Duration,
    broker: Duration,
    database: Duration,
    counters: BTreeMap<String, f64>,
}

impl Bench {
    /// Every rate at every count of partitions, each with topics of its own; where throughput is measured too, also half of what
    /// everything together reaches.
    pub fn steady(&mut self) -> Result<Map<String, Value>> {
        let (mut found, mut reached) = (Vec::new(), Vec::new());
        for partitions in self.counts() {
            let mut rates = self.args.rates.clone();
            if self.asks_for(Part::Throughput) {
                let rate = self.throughput_of_everything(partitions)?;
                rates.push((rate / 2.0).round());
                reached.push(json!(rate));
            }
            for rate in rates {
                let seen = self.steady_at(rate, partitions, None)?;
                eprintln!("{}", serde_json::to_string(&seen)?);
                found.push(json!(seen));
            }
        }
        let keys = [
            ("steady", Value::Array(found)),
            ("curve", self.curve()?),
            ("throughput_everything_per_s", Value::Array(reached)),
        ];
        Ok(keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// What each `pace_ms` gives, which is the setting that trades latency for processor time.
    fn curve(&mut self) -> Result<Value> {
        let (mut found, usual) = (Vec::new(), self.args.settings.clone());
        for pace_ms in self.args.paces.clone() {
            let tuning = |section: &str| format!("[{section}]\npace_ms = {pace_ms}\n");
            self.args.settings = usual.clone() + &LOOPS.map(tuning).concat();
            let seen = self.steady_at(WARMING_RATE, None, None)?;
            eprintln!("pace {pace_ms} ms: {}", serde_json::to_string(&seen)?);
            found.push(json!({ "pace_ms": pace_ms, "seen": seen }));
        }
        self.args.settings = usual;
        Ok(Value::Array(found))
    }

    /// Every rate at every count of partitions under this binary and another one, in pairs that take turns (A B B A …).
    pub fn steady_pairs(&mut self, other: &Path) -> Result<Map<String, Value>> {
        let mut found = Vec::new();
        for partitions in self.counts() {
            for rate in self.args.rates.clone() {
                let mut pairs = Vec::new();
                for pair in 0..self.args.pairs {
                    let turn = |ours: bool| (!ours).then_some(other);
                    let first = self.steady_at(rate, partitions, turn(pair % 2 == 0))?;
                    let second = self.steady_at(rate, partitions, turn(pair % 2 != 0))?;
                    let (ours, theirs) = if pair % 2 == 0 { (first, second) } else { (second, first) };
                    eprintln!("pair {pair}: ours {}", serde_json::to_string(&ours)?);
                    eprintln!("pair {pair}: theirs {}", serde_json::to_string(&theirs)?);
                    pairs.push((ours, theirs));
                }
                let ratio = |of: fn(&Steady) -> f64| {
                    median(&pairs.iter().map(|(ours, theirs)| of(ours) / of(theirs)).collect::<Vec<_>>())
                };
                found.push(json!({
                    "rate": rate,
                    "processor_ratio": ratio(Steady::processor),
                    "p50_ratio": ratio(|seen| seen.p50),
                    "p99_ratio": ratio(|seen| seen.p99),
                    "pairs": pairs,
                }));
            }
        }
        Ok(Map::from_iter([("steady_pairs".to_owned(), Value::Array(found))]))
    }

    fn counts(&self) -> Vec<Option<i32>> {
        match self.args.partitions.as_slice() {
            [] => vec![None],
            counts => counts.iter().copied().map(Some).collect(),
        }
    }

    /// Decisions a second with every worker running, when all applications are there at once.
    fn throughput_of_everything(&mut self, partitions: Option<i32>) -> Result<f64> {
        self.deploy_with(partitions.unwrap_or_default(), "everything", partitions.unwrap_or_default() as usize, None)?;
        let settings = everything(self.stage.dir(), "127.0.0.1:0")? + &self.args.settings;
        let mut workers = workers::product_with(&self.stage, Models::Shipped, EVERYTHING, &settings)?;
        let taken = load::throughput(&self.stage, &self.traffic, self.args.applications, &workers)?;
        eprintln!("everything: {taken}");
        workers.stop()?;
        Ok(taken.rate)
    }

    /// Lets Java's compiler see many transactions: what a broker costs in its first minutes says little of what it costs for months.
    pub fn warm_broker(&mut self) -> Result<Value> {
        let usual = std::mem::replace(&mut self.args.seconds, self.args.warm_up_seconds);
        let seen = (self.args.seconds > 0.0).then(|| self.steady_at(WARMING_RATE, None, None)).transpose();
        self.args.seconds = usual;
        let seen = json!(seen?);
        eprintln!("warm-up: {seen}");
        Ok(seen)
    }

    fn steady_at(&mut self, rate: f64, partitions: Option<i32>, other: Option<&Path>) -> Result<Steady> {
        let name = partitions.map_or_else(|| "default".to_owned(), |count| count.to_string());
        self.steadies += 1;
        let name = format!("steady-{name}-{rate:.0}");
        let settings = everything(self.stage.dir(), "127.0.0.1:0")?;
        self.deploy_with(partitions.unwrap_or_default(), &name, self.steadies, other)?;
        let mut workers = match other {
            // Settings that the other may not know are left out.
            Some(binary) => workers::other(&self.stage, Models::Shipped, EVERYTHING, binary, &settings)?,
            None => workers::product_with(&self.stage, Models::Shipped, EVERYTHING, &(settings + &self.args.settings))?,
        };
        let seen = self.measure(rate, &workers);
        workers.stop()?;
        seen
    }

    fn measure(&self, rate: f64, workers: &Workers) -> Result<Steady> {
        let stage = &self.stage;
        let schedule = Schedule::default();
        let watch = Watch::start(&stage.kafka, schedule.clone())?;
        load::warm_up(stage, &self.traffic, &watch)?;
        load::settled(stage, WARM)?;
        std::thread::sleep(REST);
        let count = (rate * self.args.seconds).ceil() as usize;
        let before = self.read(workers)?;
        load::at_rate(stage, &self.traffic, rate, count, &schedule)?;
        watch.wait(WARM + count)?;
        let seconds = before.at.elapsed().as_secs_f64();
        load::settled(stage, WARM + count)?;
        let after = self.read(workers)?;
        let (p50, p99) = (watch.latency_ms(0.5), watch.latency_ms(0.99));
        watch.stop()?;
        let each = |which: fn(&Reading) -> Duration| {
            which(&after).saturating_sub(which(&before)).as_secs_f64() * 1000.0 / count as f64
        };
        let counted = |name: &str| Some(after.counters.get(name)? - before.counters.get(name)?);
        let transactions = counted(TRANSACTIONS);
        Ok(Steady {
            rate,
            partitions: stage.partitions()?,
            applications: count,
            p50,
            p99,
            workers_cpu_ms_per_application: each(|reading| reading.workers),
            broker_cpu_ms_per_application: each(|reading| reading.broker),
            database_cpu_ms_per_application: each(|reading| reading.database),
            transactions_per_s: transactions.map(|count| count / seconds),
            partitions_per_transaction: counted(PARTITIONS).zip(transactions).map(|(sum, count)| sum / count),
        })
    }

    fn read(&self, workers: &Workers) -> Result<Reading> {
        let [broker, database] = self.stage.stack.pids()[..] else { anyhow::bail!("the stage has two servers") };
        Ok(Reading {
            at: Instant::now(),
            workers: workers.processor()?,
            broker: of_process(broker)?,
            database: of_tree(database)?,
            counters: workers.counters().context("the workers' metrics")?,
        })
    }
}

/// Configuration of everything, with a door, and neither quota nor limits to a rate.
pub fn everything(dir: &Path, door: &str) -> Result<String> {
    let key = Keys::of(dir)?.token_public;
    Ok(format!(
        "[read-api]\nlisten = \"127.0.0.1:0\"\ntoken_key = {key:?}\n\n\
         [ingest]\ntenant_quota_per_day = 0\ndoor_requests_per_second = 0\ndoor_records_per_second_per_tenant = 0\n\
         door_address = {door:?}\n\n"
    ))
}

/// Transactions of the stream, and the sum of partitions that they wrote to, over all workers.
const TRANSACTIONS: &str = "defaultx_transaction_partitions_count";
const PARTITIONS: &str = "defaultx_transaction_partitions_sum";
