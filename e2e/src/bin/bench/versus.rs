//! This version against another binary, or with logins against without, in pairs that take turns (A B B A …): processor time for
//! each application, and throughput.
//! Single rounds differ by a third on a small machine; the median of the pairs' ratios does not.

use crate::Bench;
use crate::load::{self, Taken};
use crate::processor::of_tree;
use crate::workers::{self, DECIDING, Models};
use anyhow::{Context, Result};
use e2e::stage::Stage;
use serde_json::{Map, Value, json};
use std::path::Path;

impl Bench {
    /// Runs the pairs; what is reported is this version's figure over the other's.
    pub fn versus(&mut self, other: &Path, pairs: usize) -> Result<Map<String, Value>> {
        let round = |bench: &mut Self, which: usize, pair: usize| -> Result<Taken> {
            bench.deploy(["ours", "theirs"][which], pair)?;
            let mut workers = match which {
                // Settings that the other may not know are left out: a tenth of its quota is what a round needs.
                0 => workers::product_with(&bench.stage, Models::Shipped, DECIDING, "")?,
                _ => workers::other(&bench.stage, Models::Shipped, DECIDING, other, "")?,
            };
            let load = load::throughput(&bench.stage, &bench.traffic, bench.args.applications, &workers)?;
            workers.stop()?;
            Ok(load)
        };
        self.pairs(pairs, round)
    }

    /// Runs the pairs on two stages, of which one asks for logins; what is reported is its figure over the other's.
    pub fn logins(&mut self, pairs: usize) -> Result<Map<String, Value>> {
        let dir = tempfile::tempdir()?;
        let mut guarded = Stage::start(dir.path(), true)?;
        let round = |bench: &mut Self, which: usize, pair: usize| -> Result<Taken> {
            let is_guarded = which == 0;
            if is_guarded {
                std::mem::swap(&mut bench.stage, &mut guarded);
            }
            let load = bench.round_of_logins(["guarded", "open"][which], pair);
            if is_guarded {
                std::mem::swap(&mut bench.stage, &mut guarded);
            }
            load
        };
        self.pairs(pairs, round)
    }

    /// The broker's processor time counts too: the asking is its work.
    fn round_of_logins(&mut self, name: &str, pair: usize) -> Result<Taken> {
        self.deploy(name, pair)?;
        let mut workers = workers::product_with(&self.stage, Models::Shipped, DECIDING, "")?;
        let broker = *self.stage.stack.pids().first().context("no broker")?;
        let before = of_tree(broker)?;
        let load = load::throughput(&self.stage, &self.traffic, self.args.applications, &workers)?;
        let broker_us = (of_tree(broker)? - before).as_secs_f64() * 1e6 / (self.args.applications + load::WARM) as f64;
        workers.stop()?;
        Ok(Taken { processor_us: load.processor_us + broker_us, ..load })
    }

    fn pairs(
        &mut self,
        pairs: usize,
        mut round: impl FnMut(&mut Self, usize, usize) -> Result<Taken>,
    ) -> Result<Map<String, Value>> {
        let (mut processor, mut rates, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..pairs {
            let mut found = [None; 2];
            let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
            for which in order {
                found[which] = Some(round(self, which, pair)?);
            }
            let [Some(ours), Some(theirs)] = found else { continue };
            eprintln!("pair {pair}: ours {ours}, theirs {theirs}");
            processor.push(ours.processor_us / theirs.processor_us);
            rates.push(ours.rate / theirs.rate);
            told.push(json!({ "ours": ours, "theirs": theirs }));
        }
        let figures = [
            ("pairs", json!(told)),
            ("processor_ratio", json!(median(&processor))),
            ("processor_ratios", json!(processor)),
            ("throughput_ratio", json!(median(&rates))),
            ("applications", json!(self.args.applications)),
        ];
        Ok(figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
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
