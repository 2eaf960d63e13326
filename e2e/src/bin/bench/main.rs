//! Throughput, latency and memory of the product, beside a ceiling that thinks nothing and two baselines that do the same,
//! all in one run on one machine. The workers run in a process of their own, so that what is measured of it is theirs.

mod agreement;
mod audit;
mod baseline;
mod door;
mod http;
mod load;
mod processor;
mod rls;
mod start;
mod steady;
mod streams;
mod versus;
mod workers;

use anyhow::{Result, ensure};
use baseline::{WAYS, Way};
use clap::Parser;
use e2e::stage::{Entry, Stage};
use e2e::supervisor::become_defaultx_if_asked;
use e2e::traffic::Traffic;
use load::WARM;
use runtime::kafka::KafkaConfig;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use workers::{AS_CEILING, DECIDING, Models};

/// Measure the product against its ceiling and a Python baseline.
#[derive(Parser)]
struct Args {
    /// Applications of each round
    #[arg(long, default_value_t = 60_000)]
    applications: usize,
    /// Rounds of everything that is timed for its throughput, in turns; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Applications of the Python baseline in each round and way; 0 leaves it out
    #[arg(long, default_value_t = 15_000)]
    baseline_applications: usize,
    /// Only these parts; all without it
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Part>,
    /// Applications a second of the steady loads; where throughput is measured, half of what everything reaches comes to them
    #[arg(long, value_delimiter = ',', default_value = "20,200,2000")]
    rates: Vec<f64>,
    /// Seconds of each steady load
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Seconds of load before anything is measured, for Java's compiler
    #[arg(long, default_value_t = 300.0)]
    warm_up_seconds: f64,
    /// Values of `pace_ms`, which trades latency for processor time: each at 200 a second, after the steady loads
    #[arg(long, value_delimiter = ',', default_value = "10,40,80")]
    paces: Vec<u64>,
    /// Partitions of each topic under the steady loads, one count after another; the default of one machine without it
    #[arg(long, value_delimiter = ',')]
    partitions: Vec<i32>,
    /// More of the workers' configuration under the steady loads, as TOML
    #[arg(long, default_value = "")]
    settings: String,
    /// Another binary of the product, beside this one under the steady loads and for the audit log, in as many `--pairs`
    #[arg(long, value_name = "BINARY")]
    binary: Option<PathBuf>,
    /// Start the broker as tests do, with Java's quick compiler alone
    #[arg(long)]
    quick_compiler: bool,
    /// Another binary of the product, measured against this one and nothing else; it gets the settings it knows of those that a run needs
    #[arg(long, value_name = "BINARY")]
    versus: Option<PathBuf>,
    /// The product on a broker that asks for logins and rights against the same on one that does not, and nothing else
    #[arg(long, conflicts_with_all = ["versus", "tls", "rls", "guarded"])]
    logins: bool,
    /// The product on a broker that asks for logins over TLS against the same in the clear, and nothing else
    #[arg(long, conflicts_with_all = ["versus", "rls", "guarded"])]
    tls: bool,
    /// read-api under row-level security against the same with a login that passes it, and nothing else
    #[arg(long, conflicts_with_all = ["versus", "guarded"])]
    rls: bool,
    /// Everything on a broker that asks for logins and rights; only parts without a baseline or a ceiling
    #[arg(long, conflicts_with = "versus")]
    guarded: bool,
    /// Pairs of rounds
    #[arg(long, default_value_t = 8)]
    pairs: usize,
    #[command(flatten)]
    streams: streams::Args,
    /// Where the result goes
    #[arg(long, default_value = "target/bench.json")]
    out: PathBuf,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Throughput of the workers and of a ceiling that thinks nothing
    Throughput,
    /// The Python baseline, and what it is compared with
    Python,
    /// The Kafka Streams baseline, and the product beside it
    Streams,
    /// Throughput with the audit log
    Audited,
    /// What the audit log costs by itself
    AuditLog,
    /// Latency and processor time at steady rates with every worker running
    Steady,
    /// The HTTP door
    Door,
    /// From the start to the first decision
    Start,
    /// Memory after many applications
    Memory,
}

fn main() -> Result<()> {
    become_defaultx_if_asked();
    let words: Vec<String> = std::env::args().collect();
    if let [_, mode, bootstrap, prefix, shapes] = words.as_slice()
        && mode == AS_CEILING
    {
        return workers::run_ceiling(bootstrap, prefix, shapes);
    }
    let args = Args::parse();
    let dir = tempfile::tempdir()?;
    let traffic = Traffic::load(1)?;
    // The baselines know nothing of logins, and neither does an older binary.
    let entry = if args.guarded || args.tls || args.rls { Entry::Login } else { Entry::Open };
    let stage = Stage::measured(dir.path(), entry, !args.quick_compiler)?;
    let mut bench = Bench { stage, traffic, args, rates: BTreeMap::new(), peak_mb: 0.0, steadies: 0, disagreed: false };
    let result = bench.asked()?;
    if let Some(folder) = bench.args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let result = Value::Object(result);
    std::fs::write(&bench.args.out, serde_json::to_vec_pretty(&result)?)?;
    println!("{result:#}");
    ensure!(!bench.disagreed, "product and baseline do not say the same: see agreement");
    Ok(())
}

/// A stage, and what was seen on it so far.
struct Bench {
    stage: Stage,
    traffic: Traffic,
    args: Args,
    /// Applications a second in each round, by what was measured.
    rates: BTreeMap<String, Vec<f64>>,
    peak_mb: f64,
    /// Steady loads so far.
    steadies: usize,
    /// Product and baseline did not say the same.
    disagreed: bool,
}

impl Bench {
    /// Measures one comparison by itself, or the parts.
    fn asked(&mut self) -> Result<Map<String, Value>> {
        let args = &self.args;
        match args.versus.clone() {
            Some(other) => self.versus(&other),
            None if args.logins => self.entries(Entry::Login, ["guarded", "open"]),
            None if args.tls => self.entries(Entry::LoginOverTls, ["encrypted", "readable"]),
            None if args.rls => self.row_level_security(),
            None => {
                let mut result = self.run()?;
                result.extend(self.figures());
                Ok(result)
            }
        }
    }

    /// Measures everything that was asked for; what is no throughput is in the answer.
    fn run(&mut self) -> Result<Map<String, Value>> {
        let mut result = Map::new();
        let open_only = [Part::Throughput, Part::Python, Part::Streams];
        ensure!(
            !self.args.guarded || open_only.into_iter().all(|part| !self.asks_for(part)),
            "--guarded wants --only with other parts than throughput, python and streams: baselines and ceiling have no login"
        );
        let with_baseline = self.asks_for(Part::Python) && self.args.baseline_applications > 0;
        if with_baseline {
            baseline::prepare()?;
        }
        result.insert("warm_up".into(), self.warm_broker()?);
        for round in 0..self.args.rounds {
            if with_baseline || self.asks_for(Part::Throughput) {
                self.product_and_ceiling(round, &mut result)?;
            }
            if with_baseline {
                self.baseline(round, &mut result)?;
            }
        }
        if self.asks_for(Part::Streams) {
            result.extend(self.streams()?);
        }
        if self.asks_for(Part::Audited) {
            self.audited()?;
        }
        if self.asks_for(Part::Throughput) {
            self.half_load(&mut result)?;
        }
        if self.asks_for(Part::AuditLog) {
            let other = self.args.binary.clone();
            result.extend(self.audit(other.as_deref(), if other.is_some() { self.args.pairs } else { 1 })?);
        }
        if self.asks_for(Part::Steady) {
            result.extend(match self.args.binary.clone() {
                Some(other) => self.steady_pairs(&other)?,
                None => self.steady()?,
            });
        }
        if self.asks_for(Part::Door) {
            result.extend(self.door()?);
        }
        if self.asks_for(Part::Start) {
            result.extend(self.start()?);
        }
        if self.asks_for(Part::Memory) {
            self.memory(&mut result)?;
        }
        Ok(result)
    }

    fn asks_for(&self, part: Part) -> bool {
        self.args.only.is_empty() || self.args.only.contains(&part)
    }

    fn product_and_ceiling(&mut self, round: usize, result: &mut Map<String, Value>) -> Result<()> {
        let all = [Models::Scorecards, Models::Xgboost, Models::Shipped];
        // The last is not compared with the baseline.
        for models in &all[..all.len() - usize::from(!self.asks_for(Part::Throughput))] {
            self.deploy(models.name(), round)?;
            let mut workers = workers::product(&self.stage, *models, DECIDING)?;
            let taken = load::throughput(&self.stage, &self.traffic, self.args.applications, &workers)?;
            self.keep(models.name(), taken.rate);
            self.peak_mb = self.peak_mb.max(workers.peak_mb()?);
            workers.stop()?;
        }
        let shapes = workers::shapes(&self.deployment(Models::Scorecards.name(), 0))?;
        self.deploy("ceiling", round)?;
        let mut workers = workers::ceiling(&self.stage, &shapes)?;
        let taken = load::throughput(&self.stage, &self.traffic, self.args.applications, &workers)?;
        self.keep("ceiling", taken.rate);
        result.insert("bytes".into(), json!(shapes));
        workers.stop()
    }

    fn baseline(&mut self, round: usize, result: &mut Map<String, Value>) -> Result<()> {
        for way in WAYS {
            self.deploy(way.name(), round)?;
            let rate = baseline::throughput(&self.stage, &self.traffic, *way, self.args.baseline_applications)?;
            self.keep(way.name(), rate);
        }
        let product = self.deployment(Models::Xgboost.name(), round);
        let mut agreed = Map::new();
        for way in [Way::Woodelf, Way::Shap] {
            let found = agreement::between(&product, &self.deployment(way.name(), round));
            // What was measured is still worth writing down.
            self.disagreed |= found.is_err();
            let told = found.map_or_else(|error| json!(format!("{error:#}")), |found| json!(found));
            agreed.insert(way.name().into(), told);
        }
        result.insert("agreement".into(), Value::Object(agreed));
        Ok(())
    }

    fn audited(&mut self) -> Result<()> {
        self.deploy("audited", 0)?;
        let mut workers = workers::product(&self.stage, Models::Scorecards, &[DECIDING, &["audit-sink"]].concat())?;
        let rate = load::audited(&self.stage, &self.traffic, self.args.applications)?;
        self.keep("audited", rate);
        workers.stop()
    }

    /// Latency of the three workers by themselves, at half of what they reach, on the default count of partitions.
    fn half_load(&mut self, result: &mut Map<String, Value>) -> Result<()> {
        self.deploy_with(0, "half", 0, None)?;
        let mut workers = workers::product(&self.stage, Models::Scorecards, DECIDING)?;
        let taken = load::throughput(&self.stage, &self.traffic, self.args.applications, &workers)?;
        workers.stop()?;
        self.deploy_with(0, "half", 1, None)?;
        let mut workers = workers::product(&self.stage, Models::Scorecards, DECIDING)?;
        let rate = (taken.rate / 2.0).round();
        let (p50, p99) = load::half_load(&self.stage, &self.traffic, rate)?;
        eprintln!("half load, {rate}/s: p50 {p50:.0} ms, p99 {p99:.0} ms");
        result.insert("latency_half_load_ms".into(), json!({ "p50": p50, "p99": p99, "rate": rate }));
        workers.stop()
    }

    fn memory(&mut self, result: &mut Map<String, Value>) -> Result<()> {
        let n = self.args.applications;
        self.deploy("memory", 0)?;
        let mut workers = workers::product(&self.stage, Models::Scorecards, DECIDING)?;
        load::throughput(&self.stage, &self.traffic, n, &workers)?;
        let after_one = workers.resident_mb()?;
        load::more(&self.stage, &self.traffic, WARM + n, 9 * n)?;
        let after_ten = workers.resident_mb()?;
        self.peak_mb = self.peak_mb.max(workers.peak_mb()?);
        eprintln!("memory: {after_one:.0} MB after {n} applications, {after_ten:.0} MB after {}", 10 * n);
        result.insert("rss_after_one_mb".into(), json!(after_one));
        result.insert("rss_after_ten_times_mb".into(), json!(after_ten));
        workers.stop()
    }

    /// Topics of their own for a measurement.
    fn deploy(&mut self, name: &str, round: usize) -> Result<()> {
        self.stage.deploy(&prefix(name, round))
    }

    /// The same with a count of partitions, 0 for the default of one machine; another binary makes its own tables.
    fn deploy_with(&mut self, partitions: i32, name: &str, round: usize, other: Option<&Path>) -> Result<()> {
        let usual = std::mem::replace(&mut self.stage.kafka.partitions, partitions);
        let prefix = prefix(name, round);
        let deployed = match other {
            None => self.stage.deploy(&prefix),
            Some(binary) => self.stage.deploy_bare(&prefix).and_then(|()| workers::migrate(&self.stage, binary)),
        };
        self.stage.kafka.partitions = usual;
        deployed
    }

    fn deployment(&self, name: &str, round: usize) -> KafkaConfig {
        KafkaConfig { topic_prefix: prefix(name, round), ..self.stage.kafka.clone() }
    }

    fn keep(&mut self, name: &str, rate: f64) {
        eprintln!("{name}: {rate:.0}/s");
        self.rates.entry(name.to_owned()).or_default().push(rate);
    }

    fn median(&self, name: &str) -> Option<f64> {
        let mut rates = self.rates.get(name)?.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    }

    /// Throughputs, and what they are to each other. Ratios are to the baseline's fastest way of doing what the product does.
    fn figures(&self) -> Map<String, Value> {
        let [scorecards, xgboost, shipped] =
            [Models::Scorecards, Models::Xgboost, Models::Shipped].map(|models| self.median(models.name()));
        let (ceiling, audited) = (self.median("ceiling"), self.median("audited"));
        let python = |way: Way| self.median(way.name());
        let (woodelf, shap) = (python(Way::Woodelf), python(Way::Shap));
        let exact = woodelf.into_iter().chain(shap).reduce(f64::max);
        let ratio = |ours: Option<f64>, theirs: Option<f64>| Some(ours? / theirs?);
        let figures = [
            ("ceiling_per_s", ceiling),
            ("throughput_per_s", scorecards),
            ("throughput_xgboost_per_s", xgboost),
            ("throughput_trees_and_shadows_per_s", shipped),
            ("throughput_audited_per_s", audited),
            ("ratio_to_ceiling", ratio(scorecards, ceiling)),
            ("ratio_trees_and_shadows_to_scorecards", ratio(shipped, scorecards)),
            ("python_scorecards_per_s", python(Way::Scorecards)),
            ("python_xgboost_per_s", exact),
            ("python_xgboost_woodelf_per_s", woodelf),
            ("python_xgboost_shap_per_s", shap),
            ("python_xgboost_path_dependent_per_s", python(Way::PathDependent)),
            ("ratio_to_python", ratio(xgboost, exact)),
            ("ratio_to_python_shap", ratio(xgboost, shap)),
            ("ratio_to_python_path_dependent", ratio(xgboost, python(Way::PathDependent))),
            ("ratio_to_python_scorecards", ratio(scorecards, python(Way::Scorecards))),
            ("peak_rss_mb", Some(self.peak_mb)),
        ];
        let mut found: Map<_, _> = figures.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        found.insert("applications".into(), json!(self.args.applications));
        found.insert("baseline_applications".into(), json!(self.args.baseline_applications));
        found.insert("rounds_per_s".into(), json!(self.rates));
        found
    }
}

fn prefix(name: &str, round: usize) -> String {
    // Kafka takes dots and underscores in names for the same in its metrics.
    format!("{}-{round}.", name.replace('_', "-"))
}
