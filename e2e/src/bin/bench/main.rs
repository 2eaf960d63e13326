//! Throughput, latency and memory of the house, beside a ceiling that thinks nothing and a Python peer that does the same,
//! all in one run on one machine. The rooms run in a process of their own, so that what is measured of it is theirs.

mod agreement;
mod audit;
mod load;
mod peer;
mod rooms;
mod versus;

use anyhow::{Result, ensure};
use clap::Parser;
use e2e::stage::Stage;
use e2e::supervisor::become_defaultx_if_asked;
use e2e::traffic::Traffic;
use load::WARM;
use peer::{WAYS, Way};
use rooms::{AS_CEILING, DECIDING, Models};
use runtime::kafka::KafkaConfig;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Measure the house against its ceiling and a Python peer.
#[derive(Parser)]
struct Args {
    /// Applications of each round
    #[arg(long, default_value_t = 60_000)]
    applications: usize,
    /// Rounds of everything that is timed for its throughput, in turns; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Applications of the Python peer in each round and way; 0 leaves it out
    #[arg(long, default_value_t = 15_000)]
    peer_applications: usize,
    /// Only the ceiling, the peer, and what the peer is compared with
    #[arg(long)]
    peer_only: bool,
    /// Another binary of the product, measured against this one and nothing else
    #[arg(long, value_name = "BINARY")]
    versus: Option<PathBuf>,
    /// Pairs of rounds against it
    #[arg(long, default_value_t = 8)]
    pairs: usize,
    /// Only what the audit log costs by itself, against the binary of `--versus` where one is named, in as many `--pairs`
    #[arg(long)]
    audit_only: bool,
    /// Where the result goes
    #[arg(long, default_value = "target/bench.json")]
    out: PathBuf,
}

fn main() -> Result<()> {
    become_defaultx_if_asked();
    let words: Vec<String> = std::env::args().collect();
    if let [_, mode, bootstrap, prefix, shapes] = words.as_slice()
        && mode == AS_CEILING
    {
        return rooms::run_ceiling(bootstrap, prefix, shapes);
    }
    let args = Args::parse();
    let dir = tempfile::tempdir()?;
    let traffic = Traffic::load(1)?;
    let stage = Stage::start(dir.path(), true)?;
    let mut bench = Bench { stage, traffic, args, rates: BTreeMap::new(), peak_mb: 0.0, disagreed: false };
    let result = match bench.args.versus.clone() {
        other if bench.args.audit_only => bench.audit(other.as_deref(), bench.args.pairs)?,
        Some(other) => bench.versus(&other, bench.args.pairs)?,
        None => {
            let mut result = bench.run()?;
            result.extend(bench.figures());
            result
        }
    };
    if let Some(folder) = bench.args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let result = Value::Object(result);
    std::fs::write(&bench.args.out, serde_json::to_vec_pretty(&result)?)?;
    println!("{result:#}");
    ensure!(!bench.disagreed, "house and peer do not say the same: see agreement");
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
    /// House and peer did not say the same.
    disagreed: bool,
}

impl Bench {
    /// Measures everything that was asked for; what is no throughput is in the answer.
    fn run(&mut self) -> Result<Map<String, Value>> {
        let mut result = Map::new();
        let with_peer = self.args.peer_applications > 0;
        if with_peer {
            peer::prepare()?;
        }
        for round in 0..self.args.rounds {
            self.house_and_ceiling(round, &mut result)?;
            if with_peer {
                self.peer(round, &mut result)?;
            }
        }
        if !self.args.peer_only {
            self.audited()?;
            self.half_load(&mut result)?;
            self.memory(&mut result)?;
        }
        Ok(result)
    }

    fn house_and_ceiling(&mut self, round: usize, result: &mut Map<String, Value>) -> Result<()> {
        let all = [Models::Scorecards, Models::Xgboost, Models::Shipped];
        // The last is not compared with the peer.
        for models in &all[..all.len() - usize::from(self.args.peer_only)] {
            self.deploy(models.name(), round)?;
            let mut rooms = rooms::house(&self.stage, *models, DECIDING)?;
            let taken = load::throughput(&self.stage, &self.traffic, self.args.applications, &rooms)?;
            self.keep(models.name(), taken.rate);
            self.peak_mb = self.peak_mb.max(rooms.peak_mb()?);
            rooms.stop()?;
        }
        let shapes = rooms::shapes(&self.deployment(Models::Scorecards.name(), 0))?;
        self.deploy("ceiling", round)?;
        let mut rooms = rooms::ceiling(&self.stage, &shapes)?;
        let taken = load::throughput(&self.stage, &self.traffic, self.args.applications, &rooms)?;
        self.keep("ceiling", taken.rate);
        result.insert("bytes".into(), json!(shapes));
        rooms.stop()
    }

    fn peer(&mut self, round: usize, result: &mut Map<String, Value>) -> Result<()> {
        for way in WAYS {
            self.deploy(way.name(), round)?;
            let rate = peer::throughput(&self.stage, &self.traffic, *way, self.args.peer_applications)?;
            self.keep(way.name(), rate);
        }
        let house = self.deployment(Models::Xgboost.name(), round);
        let mut agreed = Map::new();
        for way in [Way::Woodelf, Way::Shap] {
            let found = agreement::between(&house, &self.deployment(way.name(), round));
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
        let mut rooms = rooms::house(&self.stage, Models::Scorecards, &[DECIDING, &["audit-sink"]].concat())?;
        let rate = load::audited(&self.stage, &self.traffic, self.args.applications)?;
        self.keep("audited", rate);
        rooms.stop()
    }

    fn half_load(&mut self, result: &mut Map<String, Value>) -> Result<()> {
        let rate = self.median(Models::Scorecards.name()).unwrap_or_default() / 2.0;
        self.deploy("half", 0)?;
        let mut rooms = rooms::house(&self.stage, Models::Scorecards, DECIDING)?;
        let (p50, p99) = load::half_load(&self.stage, &self.traffic, rate)?;
        eprintln!("half load: p50 {p50:.0} ms, p99 {p99:.0} ms");
        result.insert("latency_half_load_ms".into(), json!({ "p50": p50, "p99": p99 }));
        rooms.stop()
    }

    fn memory(&mut self, result: &mut Map<String, Value>) -> Result<()> {
        let n = self.args.applications;
        self.deploy("memory", 0)?;
        let mut rooms = rooms::house(&self.stage, Models::Scorecards, DECIDING)?;
        load::throughput(&self.stage, &self.traffic, n, &rooms)?;
        let after_one = rooms.resident_mb()?;
        load::more(&self.stage, &self.traffic, WARM + n, 9 * n)?;
        let after_ten = rooms.resident_mb()?;
        self.peak_mb = self.peak_mb.max(rooms.peak_mb()?);
        eprintln!("memory: {after_one:.0} MB after {n} applications, {after_ten:.0} MB after {}", 10 * n);
        result.insert("rss_after_one_mb".into(), json!(after_one));
        result.insert("rss_after_ten_times_mb".into(), json!(after_ten));
        rooms.stop()
    }

    /// Topics of their own for a measurement.
    fn deploy(&mut self, name: &str, round: usize) -> Result<()> {
        self.stage.deploy(&prefix(name, round))
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

    /// Throughputs, and what they are to each other. Ratios are to the peer's fastest way of doing what the house does.
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
        found.insert("peer_applications".into(), json!(self.args.peer_applications));
        found.insert("rounds_per_s".into(), json!(self.rates));
        found
    }
}

fn prefix(name: &str, round: usize) -> String {
    // Kafka takes dots and underscores in names for the same in its metrics.
    format!("{}-{round}.", name.replace('_', "-"))
}
