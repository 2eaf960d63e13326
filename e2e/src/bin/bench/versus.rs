//! This version against another binary, or one way of taking clients against another, in pairs that take turns (A B B A …): processor
//! time for each application, and throughput.
//! Single rounds differ by a third on a small machine; the median of the pairs' ratios does not.

use crate::bench::Bench;
use crate::load::{self, WARM};
use crate::processor::of_tree;
use crate::workers::{self, DECIDING, Models};
use anyhow::{Context, Result};
use e2e::stage::{Entry, Stage};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What one round showed of one side.
#[derive(Debug, Clone, Serialize)]
pub struct Round {
    /// Applications or requests a second.
    pub rate: f64,
    /// Microseconds of processor time for each of them, by who used it.
    pub processor_us: BTreeMap<&'static str, f64>,
}

impl Round {
    fn sum(&self) -> f64 {
        self.processor_us.values().sum()
    }
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0}/s at {:.0} µs each {:.0?}", self.rate, self.sum(), self.processor_us)
    }
}

impl Bench {
    /// Runs the pairs; what is reported is this version's figure over the other's.
    pub fn versus(&mut self, other: &Path) -> Result<Map<String, Value>> {
        let round = |bench: &mut Self, which: usize, pair: usize| -> Result<Round> {
            bench.deploy(["ours", "theirs"][which], pair)?;
            let mut workers = match which {
                // Settings that the other may not know are left out: a tenth of its quota is what a round needs.
                0 => workers::product_with(&bench.stage, Models::Shipped, DECIDING, "")?,
                _ => workers::other(&bench.stage, Models::Shipped, DECIDING, other, "")?,
            };
            let load = load::throughput(&bench.stage, &bench.traffic, bench.args.applications, &workers)?;
            workers.stop()?;
            Ok(Round { rate: load.rate, processor_us: [("workers", load.processor_us)].into() })
        };
        self.pairs(round)
    }

    /// Runs the pairs on this stage and on one whose broker takes clients in another way, which is asked of it; what is reported is
    /// that one's figure over this one's. Both brokers are warm before.
    pub fn entries(&mut self, asked: Entry, names: [&str; 2]) -> Result<Map<String, Value>> {
        let dir = tempfile::tempdir()?;
        let mut other = Stage::measured(dir.path(), asked, !self.args.quick_compiler)?;
        let mut warm_ups = Vec::new();
        for _ in 0..2 {
            std::mem::swap(&mut self.stage, &mut other);
            warm_ups.push(self.warm_broker()?);
        }
        let round = |bench: &mut Self, which: usize, pair: usize| -> Result<Round> {
            let is_asked = which == 0;
            if is_asked {
                std::mem::swap(&mut bench.stage, &mut other);
            }
            let seen = bench.with_the_brokers(names[which], pair);
            if is_asked {
                std::mem::swap(&mut bench.stage, &mut other);
            }
            seen
        };
        let mut found = self.pairs(round)?;
        found.insert("warm_ups".into(), Value::Array(warm_ups));
        Ok(found)
    }

    /// The broker's processor time counts too: it asks, and it encrypts as much as its clients do.
    fn with_the_brokers(&mut self, name: &str, pair: usize) -> Result<Round> {
        self.deploy(name, pair)?;
        let mut workers = workers::product_with(&self.stage, Models::Shipped, DECIDING, "")?;
        let broker = *self.stage.stack.pids().first().context("no broker")?;
        let before = of_tree(broker)?;
        let load = load::throughput(&self.stage, &self.traffic, self.args.applications, &workers)?;
        let broker_us = (of_tree(broker)? - before).as_secs_f64() * 1e6 / (self.args.applications + WARM) as f64;
        workers.stop()?;
        Ok(Round { rate: load.rate, processor_us: [("workers", load.processor_us), ("broker", broker_us)].into() })
    }

    fn pairs(&mut self, mut round: impl FnMut(&mut Self, usize, usize) -> Result<Round>) -> Result<Map<String, Value>> {
        let mut pairs = Vec::new();
        for pair in 0..self.args.pairs {
            let [ours, theirs] = in_turns(pair, |which| round(self, which, pair))?;
            eprintln!("pair {pair}: ours {ours}, theirs {theirs}");
            pairs.push((ours, theirs));
        }
        let mut found = ratios(&pairs);
        found.insert("applications".into(), json!(self.args.applications));
        Ok(found)
    }
}

/// One round of each side, 0 and 1: the first of them begins in even pairs, the second in odd ones.
pub fn in_turns<T>(pair: usize, mut round: impl FnMut(usize) -> Result<T>) -> Result<[T; 2]> {
    if pair.is_multiple_of(2) {
        let first = round(0)?;
        return Ok([first, round(1)?]);
    }
    let second = round(1)?;
    Ok([round(0)?, second])
}

/// What the first side's figures are to the second's: medians of the pairs' ratios, and every round.
pub fn ratios(pairs: &[(Round, Round)]) -> Map<String, Value> {
    let each =
        |of: &dyn Fn(&Round) -> f64| -> Vec<f64> { pairs.iter().map(|(ours, theirs)| of(ours) / of(theirs)).collect() };
    let processor = each(&Round::sum);
    let names = pairs.first().into_iter().flat_map(|(ours, _)| ours.processor_us.keys());
    let parts = names.map(|part| {
        let of_part = |round: &Round| round.processor_us.get(part).copied().unwrap_or_default();
        ((*part).to_owned(), json!(median(&each(&of_part))))
    });
    let told = pairs.iter().map(|(ours, theirs)| json!({ "ours": ours, "theirs": theirs }));
    let figures = [
        ("processor_ratio", json!(median(&processor))),
        ("processor_ratios", json!(processor)),
        ("processor_ratio_by_part", Value::Object(parts.collect())),
        ("throughput_ratio", json!(median(&each(&|round| round.rate)))),
        ("pairs", Value::Array(told.collect())),
    ];
    figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The median; of an even number of values the mean of the two in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => Some(sorted[middle]),
        _ => Some((sorted.get(middle.checked_sub(1)?)? + sorted[middle]) / 2.0),
    }
}
