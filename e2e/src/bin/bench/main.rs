//! Throughput, latency and memory of the product, beside a ceiling that thinks nothing and two baselines that do the same,
//! all in one run on one machine. The workers run in a process of their own, so that what is measured of it is theirs.

mod agreement;
mod args;
mod audit;
mod baseline;
mod bench;
mod door;
mod http;
mod load;
mod processor;
mod rls;
mod session;
mod start;
mod steady;
mod streams;
mod versus;
mod workers;

use anyhow::{Result, ensure};
use args::{Args, Part};
use baseline::{WAYS, Way};
use bench::Bench;
use clap::Parser;
use e2e::stage::{Entry, Stage};
use e2e::supervisor::become_defaultx_if_asked;
use e2e::traffic::Traffic;
use load::WARM;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use workers::{AS_CEILING, DECIDING, Models};

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
