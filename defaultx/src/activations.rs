//! What the stream knows of versions: which digest each has had; and that somebody passes an activation by that nobody can serve.
//! Puts nothing in force.

use crate::gaps;
use crate::reader::{ends, read_to_end};
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use catalog::{InForce, Kind, Label, Slot};
use rdkafka::message::Message;
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::position::unhandled;
use runtime::stream::{Input, Output, Route, Transactions};
use schemas::control::{ACTIVATED, Activation, ActivationPassed, PASSED};
use schemas::envelope::header;
use schemas::event_id::event_id;
use schemas::{Envelope, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SOURCE: &str = "/defaultx/activations";
const TIMEOUT: Duration = Duration::from_secs(30);
const TIMEOUT_MS: u64 = 10_000;

/// The digests that a version has had, by what the workers that switch it remember; none where it was never activated, or none
/// of them has come to it yet. Blocks.
///
/// # Errors
/// When the cluster cannot be read.
pub(crate) fn digests_of(kafka: &KafkaConfig, kind: Kind, label: &Label) -> Result<BTreeSet<String>> {
    let mut newest: BTreeMap<(i32, Vec<u8>), Option<String>> = BTreeMap::new();
    let (topic, codec) = match kind {
        Kind::Policy => (Topic::DecisionState, decision::in_force::CODEC),
        Kind::Route | Kind::Model => (Topic::ScorerState, scorer::in_force::CODEC),
    };
    let name = topic.name(&kafka.topic_prefix);
    read_to_end(kafka, [name.as_str()], |message| {
        let (key, value) = (message.key().unwrap_or_default(), message.payload());
        let place = (message.partition(), key.to_vec());
        match value.map(|value| codec.told(key, value)) {
            Some(Some((its_kind, its_label, digest))) => {
                let is_it = (its_kind, &its_label) == (kind, label);
                newest.insert(place, is_it.then_some(digest));
            }
            Some(None) => {}
            None => drop(newest.remove(&place)),
        }
        Ok(())
    })?;
    Ok(newest.into_values().flatten().collect())
}

/// A version in force, by what the workers that switch it remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its name and version.
    pub label: Label,
    /// What stands there, with what its activation carried.
    pub in_force: InForce,
    /// In so many partitions.
    pub partitions: usize,
}

/// The versions of a kind that were activated and are in force, and how many partitions there are. Where an activation is on its way
/// there is more than one; a partition that no activation has reached has what its worker's configuration names. Blocks.
///
/// # Errors
/// When the cluster cannot be read.
pub(crate) fn standing(kafka: &KafkaConfig, kind: Kind) -> Result<(Vec<Standing>, usize)> {
    let (topic, codec) = match kind {
        Kind::Policy => (Topic::DecisionState, decision::in_force::CODEC),
        Kind::Route | Kind::Model => (Topic::ScorerState, scorer::in_force::CODEC),
    };
    let name = topic.name(&kafka.topic_prefix);
    let mut newest: BTreeMap<(i32, Vec<u8>), Option<(Label, InForce)>> = BTreeMap::new();
    read_to_end(kafka, [name.as_str()], |message| {
        let (key, value) = (message.key().unwrap_or_default(), message.payload());
        let read = value.and_then(|value| of_kind(kind, codec.read_slot(key)?, codec.read(value)?));
        newest.insert((message.partition(), key.to_vec()), read);
        Ok(())
    })?;
    let partitions = ends(kafka, [name.as_str()])?.len();
    Ok((together(newest.into_values().flatten()), partitions))
}

/// What a slot has in force, where it is of that kind.
fn of_kind(kind: Kind, slot: Slot, in_force: InForce) -> Option<(Label, InForce)> {
    let label = match (kind, slot) {
        (Kind::Policy, Slot::Policy) | (Kind::Route, Slot::Route) => Label::parse(&in_force.version).ok()?,
        (Kind::Model, Slot::Model(name)) => Label::new(name, &in_force.version),
        _ => return None,
    };
    Some((label, in_force))
}

/// The same version of several partitions, the one of most first.
fn together(all: impl Iterator<Item = (Label, InForce)>) -> Vec<Standing> {
    let mut found: Vec<Standing> = Vec::new();
    for (label, in_force) in all {
        match found.iter_mut().find(|known| known.label == label && known.in_force.digest == in_force.digest) {
            Some(known) => known.partitions += 1,
            None => found.push(Standing { label, in_force, partitions: 1 }),
        }
    }
    found.sort_by(|a, b| b.partitions.cmp(&a.partitions).then_with(|| a.label.cmp(&b.label)));
    found
}

/// An activation that is passed by, and by whom.
#[derive(Debug, Clone)]
pub struct Passing {
    /// Of what.
    pub kind: Kind,
    /// `name@version`.
    pub label: String,
    /// Who passes it by.
    pub by: String,
    /// Why.
    pub why: Option<String>,
}

/// Puts on record that an activation is passed by wherever a worker has it before it; gives the records. The workers that stand
/// there go on within seconds.
///
/// # Errors
/// When no worker has it before it, or the cluster does not take the records.
pub async fn pass(settings: &Settings, passing: Passing) -> Result<Vec<ActivationPassed>> {
    let worker = match passing.kind {
        Kind::Policy => "decision",
        Kind::Route | Kind::Model => "scorer",
    };
    if passing.by.trim().is_empty() {
        bail!("--by must say who passes it by");
    }
    let (kafka, senders) = (settings.kafka.clone(), settings.ingest.sender_topics());
    tokio::task::spawn_blocking(move || -> Result<Vec<ActivationPassed>> {
        let name = kafka.topic(worker);
        let group = gaps::groups(&kafka, &senders).into_iter().find(|group| group.name == name);
        let group = group.with_context(|| format!("no group {name}"))?;
        let at = clock::rfc3339(clock::now());
        let mut passed = Vec::new();
        unhandled(&kafka, &group, TIMEOUT, |record| passed.extend(passed_at(&passing, &name, &record, &at)))
            .with_context(|| format!("what group {name} has before it"))?;
        if passed.is_empty() {
            bail!(
                "{worker} has no activation of {} {} before it: there is nothing to pass by",
                passing.kind,
                passing.label
            );
        }
        let records: Vec<Output> = passed.iter().map(|one| record_of(&kafka, one)).collect();
        Transactions::connect(&kafka, "gaps", TIMEOUT_MS)?.write(records.iter().map(|record| (None, record)))?;
        Ok(passed)
    })
    .await?
}

fn passed_at(passing: &Passing, group: &str, record: &Input<'_>, at: &str) -> Option<ActivationPassed> {
    let Passing { kind, label, by, why } = passing;
    if record.header_str(header::TYPE) != Some(ACTIVATED) {
        return None;
    }
    let activation: Activation = serde_json::from_slice(record.payload?).ok()?;
    (activation.kind == kind.as_str() && activation.label() == *label).then(|| ActivationPassed {
        group: group.to_owned(),
        topic: record.topic.to_owned(),
        partition: record.partition,
        offset: record.offset.get(),
        kind: activation.kind,
        name: activation.name,
        version: activation.version,
        digest: activation.digest,
        passed_by: by.clone(),
        passed_at: at.to_owned(),
        why: why.clone(),
    })
}

fn record_of(kafka: &KafkaConfig, passed: &ActivationPassed) -> Output {
    let ActivationPassed { group, topic, partition, offset, passed_at, .. } = passed;
    let envelope = Envelope {
        id: event_id(PASSED, group, topic, 0, &format!("{partition}:{offset}:{passed_at}")).to_string(),
        source: SOURCE.to_owned(),
        event_type: PASSED.to_owned(),
        time: Some(passed_at.clone()),
        ..Envelope::default()
    };
    Output {
        topic: kafka.topic(Topic::Gaps.base_name()),
        route: Route::ByKey,
        key: Some(format!("{group}|{topic}|{partition}").into_bytes()),
        payload: Some(serde_json::to_vec(passed).expect("strings and numbers are JSON")),
        headers: envelope.to_headers(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::Carried;

    #[test]
    fn what_is_in_force_is_told_once_for_all_its_partitions() {
        let of = |slot: Slot, version: &str, digest: &str| {
            let (version, digest) = (version.to_owned(), digest.to_owned());
            (slot, InForce { version, digest, carried: Carried::default() })
        };
        let model = |name: &str| Slot::Model(name.to_owned());
        let all = [
            of(Slot::Route, "r@1.0.0", "00"),
            of(Slot::Route, "r@1.1.0", "11"),
            of(Slot::Route, "r@1.1.0", "11"),
            of(model("m"), "2.0.0", "22"),
            of(Slot::Version(Kind::Route, Label::new("r", "1.0.0")), "r@1.0.0", "00"),
        ];
        let told = |kind: Kind| -> Vec<String> {
            let of_kind = all.iter().cloned().filter_map(|(slot, in_force)| of_kind(kind, slot, in_force));
            together(of_kind).iter().map(|one| format!("{} {}", one.label, one.partitions)).collect()
        };
        assert_eq!(told(Kind::Route), ["r@1.1.0 2", "r@1.0.0 1"]);
        assert_eq!(told(Kind::Model), ["m@2.0.0 1"]);
        assert_eq!(told(Kind::Policy), Vec::<String>::new());
    }
}
