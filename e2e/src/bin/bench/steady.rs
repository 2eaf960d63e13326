//! A steady rate with every worker running: how late decisions are, and what processor time they cost where.

use crate::Bench;
use crate::load::{self, WARM};
use crate::processor::{of_process, of_tree};
use crate::rooms::{self, Models, Rooms};
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

/// Processor time of everything that runs, and what the workers have counted.
struct Reading {
    at: Instant,
    workers: Duration,
    broker: Duration,
    database: Duration,
    counters: BTreeMap<String, f64>,
}

impl Bench {
    /// Every rate at every count of partitions, each with topics of its own.
    pub fn steady(&mut self, half: Option<f64>) -> Result<Map<String, Value>> {
        let mut found = Vec::new();
        let counts = self.args.partitions.clone();
        for partitions in counts.into_iter().map(Some).chain(self.args.partitions.is_empty().then_some(None)) {
            let mut rates = self.args.rates.clone();
            rates.extend(half);
            for rate in rates {
                let seen = self.steady_at(rate, partitions)?;
                eprintln!("{}", serde_json::to_string(&seen)?);
                found.push(json!(seen));
            }
        }
        Ok(Map::from_iter([("steady".to_owned(), Value::Array(found))]))
    }

    fn steady_at(&mut self, rate: f64, partitions: Option<i32>) -> Result<Steady> {
        let name = partitions.map_or_else(|| "default".to_owned(), |count| count.to_string());
        self.deploy_with(partitions.unwrap_or_default(), &format!("steady-{name}-{rate:.0}"), self.steadies)?;
        self.steadies += 1;
        let settings = everything(self.stage.dir(), "127.0.0.1:0")? + &self.args.settings;
        let mut rooms = match &self.args.binary {
            Some(binary) => rooms::other(&self.stage, Models::Shipped, EVERYTHING, binary, &settings)?,
            None => rooms::house_with(&self.stage, Models::Shipped, EVERYTHING, &settings)?,
        };
        let seen = self.measure(rate, &rooms);
        rooms.stop()?;
        seen
    }

    fn measure(&self, rate: f64, rooms: &Rooms) -> Result<Steady> {
        let stage = &self.stage;
        let schedule = Schedule::default();
        let watch = Watch::start(&stage.kafka, schedule.clone())?;
        load::warm_up(stage, &self.traffic, &watch)?;
        std::thread::sleep(REST);
        let count = (rate * self.args.seconds).ceil() as usize;
        let before = self.read(rooms)?;
        load::at_rate(stage, &self.traffic, rate, count, &schedule)?;
        watch.wait(WARM + count)?;
        let after = self.read(rooms)?;
        let (p50, p99) = (watch.latency_ms(0.5), watch.latency_ms(0.99));
        watch.stop()?;
        let each = |which: fn(&Reading) -> Duration| {
            which(&after).saturating_sub(which(&before)).as_secs_f64() * 1000.0 / count as f64
        };
        let counted = |name: &str| Some(after.counters.get(name)? - before.counters.get(name)?);
        let transactions = counted(TRANSACTIONS);
        let seconds = after.at.duration_since(before.at).as_secs_f64();
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

    fn read(&self, rooms: &Rooms) -> Result<Reading> {
        let [broker, database] = self.stage.house.pids()[..] else { anyhow::bail!("the stage has two servers") };
        Ok(Reading {
            at: Instant::now(),
            workers: rooms.processor()?,
            broker: of_process(broker)?,
            database: of_tree(database)?,
            counters: rooms.counters().context("the workers' metrics")?,
        })
    }
}

/// Configuration of everything, with a door that asks for no token, and no quota.
pub fn everything(dir: &Path, door: &str) -> Result<String> {
    let key = Keys::of(dir)?.token_public;
    Ok(format!(
        "[read-api]\nlisten = \"127.0.0.1:0\"\ntoken_key = {key:?}\n\n\
         [ingest]\ntenant_quota_per_day = 0\ndoor_address = {door:?}\n\n"
    ))
}

/// Transactions of the stream, and the sum of partitions that they wrote to, over all workers.
const TRANSACTIONS: &str = "defaultx_transaction_partitions_count";
const PARTITIONS: &str = "defaultx_transaction_partitions_sum";
