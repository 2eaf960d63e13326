//! The Kafka Streams baseline, on topics of its own, beside the product with the same models: throughput in turns at each of its settings, and
//! how late decisions are at steady rates. Both sides are warmed by as many applications, more than Java's compiler asks for.

use crate::agreement;
use crate::bench::Bench;
use crate::load;
use crate::workers::{self, DECIDING, Models, Workers};
use anyhow::{Result, bail};
use e2e::stage::{Stage, root};
use e2e::traffic::{Sender, Traffic};
use e2e::watch::{Schedule, Watch};
use runtime::kafka::KafkaConfig;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

const SCRIPT: &str = "e2e/baselines/streams/run";
/// Applications before the clock starts.
const WARM: usize = 20_000;
/// Seconds without load between the warm-up and a steady rate.
const REST: Duration = Duration::from_secs(3);
/// What Kafka's own default is with exactly once; it is not set then.
const DEFAULT_INTERVAL_MS: u32 = 100;
/// Applications a second of the steady loads.
const RATES: [f64; 2] = [20.0, 200.0];

/// One way of running it.
#[derive(Debug, Clone)]
struct Setting {
    contributions: String,
    interval_ms: u32,
}

impl Setting {
    fn exact(interval_ms: u32) -> Self {
        Self { contributions: "exact".into(), interval_ms }
    }

    /// A word for keys and topics.
    fn name(&self) -> String {
        format!("streams-{}-{}", self.contributions, self.interval_ms)
    }

    fn start(&self, stage: &Stage, more: &str) -> Result<Workers> {
        let mut command = Command::new(root().join(SCRIPT));
        command.args(["--bootstrap", &stage.kafka.bootstrap, "--prefix", &stage.kafka.topic_prefix]);
        command.args(["--contributions", &self.contributions]);
        if self.interval_ms != DEFAULT_INTERVAL_MS {
            command.args(["--commit-interval", &self.interval_ms.to_string()]);
        }
        command.args(more.split_whitespace());
        Workers::start(command, &stage.dir().join("streams.log"))
    }
}

impl Bench {
    /// Everything about it, under keys of its own.
    pub fn streams(&mut self) -> Result<Map<String, Value>> {
        if !Command::new(root().join(SCRIPT)).arg("--prepare").status()?.success() {
            bail!("the Streams baseline could not be built");
        }
        let usual = self.stage.kafka.partitions;
        self.stage.kafka.partitions = self.args.partitions.first().copied().unwrap_or(usual);
        let mut found = Map::new();
        let measured = self.streams_throughput(&mut found).and_then(|()| self.streams_latency(&mut found));
        self.stage.kafka.partitions = usual;
        measured.map(|()| found)
    }

    fn settings(&self) -> Vec<Setting> {
        let said = &self.args.streams;
        let others = said.streams_contributions.iter().filter(|word| *word != "exact");
        let others = others.zip(said.streams_intervals.iter().take(1).cycle());
        let exact = said.streams_intervals.iter().map(|interval| Setting::exact(*interval));
        exact
            .chain(others.map(|(word, interval)| Setting { contributions: word.clone(), interval_ms: *interval }))
            .collect()
    }

    fn streams_throughput(&mut self, found: &mut Map<String, Value>) -> Result<()> {
        let (settings, count) = (self.settings(), self.args.streams.streams_applications);
        let mut rates: BTreeMap<String, Vec<Taken>> = BTreeMap::new();
        for round in 0..self.args.rounds {
            self.stage.deploy(&format!("streams-product-{round}."))?;
            let product = self.stage.kafka.clone();
            let mut workers = workers::product(&self.stage, Models::Xgboost, DECIDING)?;
            let taken = throughput(&self.stage, &self.traffic, count, &workers)?;
            told("product", taken);
            rates.entry("product".into()).or_default().push(taken);
            workers.stop()?;
            for setting in &settings {
                let taken = self.streams_round(setting, round, count)?;
                rates.entry(setting.name()).or_default().push(taken);
            }
            if round == 0 {
                self.streams_agreement(&product, &settings, found);
            }
        }
        found.extend(figures(&rates, &settings));
        Ok(())
    }

    fn streams_round(&mut self, setting: &Setting, round: usize, count: usize) -> Result<Taken> {
        self.stage.deploy(&format!("{}-{round}.", setting.name()))?;
        let mut workers = setting.start(&self.stage, &self.args.streams.streams_arguments)?;
        let taken = throughput(&self.stage, &self.traffic, count, &workers);
        if taken.is_err() {
            eprintln!("{}", std::fs::read_to_string(self.stage.dir().join("streams.log"))?);
        }
        workers.stop()?;
        told(&setting.name(), *taken.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?);
        taken
    }

    fn streams_agreement(&mut self, product: &KafkaConfig, settings: &[Setting], found: &mut Map<String, Value>) {
        let Some(exact) = settings.first() else { return };
        let baseline = KafkaConfig { topic_prefix: format!("{}-0.", exact.name()), ..product.clone() };
        let agreed = agreement::between(product, &baseline);
        self.disagreed |= agreed.is_err();
        let told = agreed.map_or_else(|error| json!(format!("{error:#}")), |agreed| json!(agreed));
        found.insert("streams_agreement".into(), told);
    }

    fn streams_latency(&mut self, found: &mut Map<String, Value>) -> Result<()> {
        let mut intervals = self.args.streams.streams_steady_intervals.clone();
        intervals.retain(|interval| *interval > 0);
        if intervals.is_empty() {
            return Ok(());
        }
        let mut seen = Vec::new();
        for rate in RATES {
            self.stage.deploy(&format!("streams-steady-product-{rate:.0}."))?;
            let mut workers = workers::product(&self.stage, Models::Xgboost, DECIDING)?;
            let late = latency(&self.stage, &self.traffic, rate, self.args.seconds);
            workers.stop()?;
            seen.push(late_at("product", rate, late?));
            for interval in &intervals {
                let setting = Setting::exact(*interval);
                self.stage.deploy(&format!("streams-steady-{interval}-{rate:.0}."))?;
                let mut workers = setting.start(&self.stage, &self.args.streams.streams_arguments)?;
                let late = latency(&self.stage, &self.traffic, rate, self.args.seconds);
                workers.stop()?;
                seen.push(late_at(&setting.name(), rate, late?));
            }
        }
        found.insert("streams_latency_ms".into(), Value::Array(seen));
        Ok(())
    }
}

/// What a load took.
type Taken = load::Taken;

fn told(name: &str, taken: Taken) {
    eprintln!("{name}: {taken}");
}

fn late_at(name: &str, rate: f64, (p50, p99): (f64, f64)) -> Value {
    let value = json!({ "who": name, "rate": rate, "p50": p50, "p99": p99 });
    eprintln!("{value}");
    value
}

/// Medians, and what they are to each other: ratios are to its fastest interval.
fn figures(rates: &BTreeMap<String, Vec<Taken>>, settings: &[Setting]) -> Map<String, Value> {
    let median = |name: &str| {
        let mut all: Vec<f64> = rates.get(name)?.iter().map(|taken| taken.rate).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    };
    let best = |contributions: &str| {
        let of = settings.iter().filter(|setting| setting.contributions == contributions);
        of.filter_map(|setting| median(&setting.name())).reduce(f64::max)
    };
    let (product, exact) = (median("product"), best("exact"));
    let default = median(&Setting::exact(DEFAULT_INTERVAL_MS).name());
    let ratio = |theirs: Option<f64>| Some(product? / theirs?);
    let figures = [
        ("streams_product_per_s", product),
        ("streams_per_s", exact),
        ("streams_default_interval_per_s", default),
        ("streams_without_contributions_per_s", best("none")),
        ("streams_path_dependent_per_s", best("path-dependent")),
        ("ratio_to_streams", ratio(exact)),
        ("ratio_to_streams_default_interval", ratio(default)),
        ("ratio_to_streams_without_contributions", ratio(best("none"))),
    ];
    let mut found: Map<_, _> = figures.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    found.insert("streams_rounds".into(), json!(rates));
    found
}

/// From the first send to the last decision that a reader of committed records sees.
fn throughput(stage: &Stage, traffic: &Traffic, count: usize, workers: &Workers) -> Result<Taken> {
    let events = traffic.events("bench", 0..WARM + count)?;
    let watch = Watch::start(&stage.kafka, Schedule::default())?;
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    load::send(&sender, &events[..WARM])?;
    watch.wait(WARM)?;
    let (started, before) = (Instant::now(), workers.processor()?);
    load::send(&sender, &events[WARM..])?;
    let last = watch.wait(WARM + count)?;
    let processor = workers.processor()?.saturating_sub(before);
    watch.stop()?;
    Ok(Taken {
        rate: count as f64 / last.duration_since(started).as_secs_f64(),
        processor_us: processor.as_secs_f64() * 1e6 / count as f64,
    })
}

/// Milliseconds from the moment that an application was due to its decision, of half of them and of 99 in a hundred.
fn latency(stage: &Stage, traffic: &Traffic, rate: f64, seconds: f64) -> Result<(f64, f64)> {
    let schedule = Schedule::default();
    let watch = Watch::start(&stage.kafka, schedule.clone())?;
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    load::send(&sender, &traffic.events("warm", 0..WARM)?)?;
    watch.wait(WARM)?;
    std::thread::sleep(REST);
    let count = (rate * seconds).ceil() as usize;
    load::at_rate(stage, traffic, rate, count, &schedule)?;
    watch.wait(WARM + count)?;
    let late = (watch.latency_ms(0.5), watch.latency_ms(0.99));
    watch.stop()?;
    Ok(late)
}
