//! A stage, and what was seen on it so far: what every part of the benchmark is a method of.

use crate::args::{Args, Part};
use crate::workers;
use anyhow::Result;
use e2e::stage::Stage;
use e2e::traffic::Traffic;
use runtime::kafka::KafkaConfig;
use std::collections::BTreeMap;
use std::path::Path;

/// A stage, and what was seen on it so far.
pub struct Bench {
    pub stage: Stage,
    pub traffic: Traffic,
    pub args: Args,
    /// Applications a second in each round, by what was measured.
    pub rates: BTreeMap<String, Vec<f64>>,
    pub peak_mb: f64,
    /// Steady loads so far.
    pub steadies: usize,
    /// Product and baseline did not say the same.
    pub disagreed: bool,
}

impl Bench {
    /// Whether a part is to be measured.
    pub fn asks_for(&self, part: Part) -> bool {
        self.args.only.is_empty() || self.args.only.contains(&part)
    }

    /// Topics of their own for a measurement.
    pub fn deploy(&mut self, name: &str, round: usize) -> Result<()> {
        self.stage.deploy(&prefix(name, round))
    }

    /// The same with a count of partitions, 0 for the default of one machine; another binary makes its own tables.
    pub fn deploy_with(&mut self, partitions: i32, name: &str, round: usize, other: Option<&Path>) -> Result<()> {
        let usual = std::mem::replace(&mut self.stage.kafka.partitions, partitions);
        let prefix = prefix(name, round);
        let deployed = match other {
            None => self.stage.deploy(&prefix),
            Some(binary) => self.stage.deploy_bare(&prefix).and_then(|()| workers::migrate(&self.stage, binary)),
        };
        self.stage.kafka.partitions = usual;
        deployed
    }

    /// The topics that [`Self::deploy`] makes under that name.
    pub fn deployment(&self, name: &str, round: usize) -> KafkaConfig {
        KafkaConfig { topic_prefix: prefix(name, round), ..self.stage.kafka.clone() }
    }

    /// Keeps a rate of a round, applications a second.
    pub fn keep(&mut self, name: &str, rate: f64) {
        eprintln!("{name}: {rate:.0}/s");
        self.rates.entry(name.to_owned()).or_default().push(rate);
    }

    /// The middle one of the rates that were kept.
    pub fn median(&self, name: &str) -> Option<f64> {
        let mut rates = self.rates.get(name)?.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    }
}

fn prefix(name: &str, round: usize) -> String {
    // Kafka takes dots and underscores in names for the same in its metrics.
    format!("{}-{round}.", name.replace('_', "-"))
}
