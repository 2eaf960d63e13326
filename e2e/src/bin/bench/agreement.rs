//! Whether product and baseline say the same of the same applications: a comparison of speeds is worth nothing where they do not.

use anyhow::{Context, Result, ensure};
use defaultx::reader;
use domain::reason::MAX_PRINCIPAL_REASONS;
use e2e::watch::number_of;
use rdkafka::message::Message;
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Applications that are compared.
pub const COMPARED: usize = 2_000;
/// How far margins and contributions may be apart: one of the baseline's libraries reckons in single precision.
const NEAR: f64 = 1e-5;
/// Codes whose contributions are this near may stand in either order.
const TIE: f64 = 3e-6;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Agreement {
    applications: usize,
    scored: usize,
    greatest_margin_difference: f64,
    greatest_contribution_difference: f64,
    /// Lists of reasons that differ, but for ties.
    reasons_differ: usize,
    outcomes_differ: usize,
}

#[derive(Debug, Deserialize)]
struct Risk {
    status: String,
    score: Option<Score>,
    #[serde(default)]
    features: Vec<Feature>,
    #[serde(default)]
    reasons: Vec<Reason>,
}

#[derive(Debug, Deserialize)]
struct Score {
    margin: f64,
    pd: f64,
    score: i64,
}

#[derive(Debug, Deserialize)]
struct Feature {
    name: String,
    /// One writes as many digits as single precision needs, the other all of the double's.
    value: Option<f32>,
    contribution: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Reason {
    code: String,
    contribution: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Decision {
    outcome: String,
    step: String,
}

/// Compares the first applications of two deployments.
///
/// # Errors
/// When a topic lacks one, or the answers are not the same.
pub fn between(product: &KafkaConfig, baseline: &KafkaConfig) -> Result<Agreement> {
    let mut found = Agreement { applications: COMPARED, ..Agreement::default() };
    let (own, theirs) = (first::<Risk>(product, Topic::Risk)?, first::<Risk>(baseline, Topic::Risk)?);
    for (own, theirs) in own.iter().zip(&theirs) {
        found.compare(own, theirs).with_context(|| format!("product: {own:?}\nbaseline: {theirs:?}"))?;
    }
    let (own, theirs) = (first::<Decision>(product, Topic::Decisions)?, first::<Decision>(baseline, Topic::Decisions)?);
    found.outcomes_differ = own.iter().zip(&theirs).filter(|(own, theirs)| own != theirs).count();
    ensure!(found.scored > 0, "nothing was scored");
    ensure!(found.reasons_differ + found.outcomes_differ == 0, "product and baseline decide differently: {found:?}");
    Ok(found)
}

impl Agreement {
    fn compare(&mut self, own: &Risk, theirs: &Risk) -> Result<()> {
        ensure!(own.status == theirs.status, "status");
        let (Some(score), Some(other)) = (&own.score, &theirs.score) else { return Ok(()) };
        self.scored += 1;
        // Both round to 1e-6, from margins that may differ in their last bit.
        ensure!(
            (score.pd - other.pd).abs() <= 1.5e-6 && (score.score - other.score).abs() <= 1,
            "points or probability"
        );
        keep(&mut self.greatest_margin_difference, score.margin, other.margin);
        ensure!(own.features.len() == theirs.features.len(), "number of features");
        for (feature, other) in own.features.iter().zip(&theirs.features) {
            ensure!((&feature.name, feature.value) == (&other.name, other.value), "{}", feature.name);
            keep(&mut self.greatest_contribution_difference, feature.contribution, other.contribution);
        }
        ensure!(self.greatest_margin_difference.max(self.greatest_contribution_difference) <= NEAR, "numbers");
        self.reasons_differ += usize::from(!same_reasons(&own.reasons, &theirs.reasons));
        Ok(())
    }
}

fn keep(greatest: &mut f64, own: f64, other: f64) {
    *greatest = greatest.max((own - other).abs());
}

/// The same codes in the same order. Where the numbers are as good as equal, two may have changed places, or the last of a
/// full list may be another.
fn same_reasons(own: &[Reason], theirs: &[Reason]) -> bool {
    let near = |a: &Reason, b: &Reason, most: f64| (a.contribution - b.contribution).abs() <= most;
    let same = |(at, (here, other)): (usize, (&Reason, &Reason))| match own.iter().find(|own| own.code == other.code) {
        Some(own) => near(own, other, NEAR) && (own.code == here.code || near(own, here, TIE)),
        None => at + 1 == MAX_PRINCIPAL_REASONS && near(here, other, TIE),
    };
    own.len() == theirs.len() && own.iter().zip(theirs).enumerate().all(same)
}

/// What a topic holds of the first applications, in their order.
fn first<T: serde::de::DeserializeOwned>(kafka: &KafkaConfig, topic: Topic) -> Result<Vec<T>> {
    let mut found = BTreeMap::new();
    let name = topic.name(&kafka.topic_prefix);
    reader::read_to_end(kafka, [name.as_str()], |message| {
        if let Some(number) = number_of(message.key()).filter(|number| *number < COMPARED) {
            found.insert(number, serde_json::from_slice(message.payload().context("a tombstone")?)?);
        }
        Ok(())
    })?;
    ensure!(found.len() == COMPARED, "{name} holds {} of the first {COMPARED} applications", found.len());
    Ok(found.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: &[(&str, f64)], theirs: &[(&str, f64)], expected: bool) {
        let reasons = |list: &[(&str, f64)]| -> Vec<Reason> {
            list.iter()
                .map(|(code, contribution)| Reason { code: (*code).into(), contribution: *contribution })
                .collect()
        };
        assert_eq!(same_reasons(&reasons(own), &reasons(theirs)), expected, "{own:?} {theirs:?}");
    }

    #[test]
    fn only_ties_may_change_places() {
        let own = [("a", 0.5), ("b", 0.25)];
        check(&own, &own, true);
        check(&own, &[("a", 0.500_004), ("b", 0.25)], true);
        check(&own, &[("a", 0.51), ("b", 0.25)], false);
        check(&own, &[("b", 0.25), ("a", 0.5)], false);
        check(&own, &[("b", 0.5), ("a", 0.25)], false);
        check(&own, &[("a", 0.5), ("c", 0.25)], false);
        check(&own, &own[..1], false);
        let tied = [("a", 0.5), ("b", 0.25), ("c", 0.25), ("d", 0.125)];
        check(&tied, &[("a", 0.5), ("c", 0.25), ("b", 0.25), ("d", 0.125)], true);
        check(&tied, &[("a", 0.5), ("b", 0.25), ("c", 0.25), ("e", 0.125)], true);
        check(&tied, &[("a", 0.5), ("b", 0.25), ("e", 0.25), ("d", 0.125)], false);
    }
}
