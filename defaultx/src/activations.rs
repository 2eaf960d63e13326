//! What the stream knows of versions: which are in force, which digest each has had, what the instances that run hold; and that
//! somebody passes an activation by that nobody can serve. Puts nothing in force.

use crate::gaps;
use crate::reader::read_to_end;
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use rdkafka::message::Message;
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::position::unhandled;
use runtime::stream::{Input, Output, Route, Stored, Transactions};
use schemas::control::{ACTIVATED, Activation, ActivationPassed, PASSED};
use schemas::envelope::header;
use schemas::event_id::event_id;
use schemas::instance::{Announcement, LIVES_MS};
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
pub fn digests_of(kafka: &KafkaConfig, kind: &str, label: &str) -> Result<BTreeSet<String>> {
    let mut newest: BTreeMap<(i32, Vec<u8>), Option<String>> = BTreeMap::new();
    let (topic, read): (Topic, fn(&[u8], &[u8]) -> Option<Known>) = match kind {
        "policy" => (Topic::DecisionState, of_decision),
        _ => (Topic::ScorerState, of_scorer),
    };
    let name = topic.name(&kafka.topic_prefix);
    read_to_end(kafka, [name.as_str()], |message| {
        let (key, value) = (message.key().unwrap_or_default(), message.payload());
        let place = (message.partition(), key.to_vec());
        match value.map(|value| read(key, value)) {
            Some(Some(known)) => {
                let is_it = known.kind == kind && known.label == label;
                newest.insert(place, is_it.then_some(known.digest));
            }
            Some(None) => {}
            None => drop(newest.remove(&place)),
        }
        Ok(())
    })?;
    Ok(newest.into_values().flatten().collect())
}

/// What an entry of a changelog says of a version.
struct Known {
    kind: String,
    label: String,
    digest: String,
}

fn of_decision(key: &[u8], value: &[u8]) -> Option<Known> {
    use decision::in_force::{InForce, Kept, POLICY};
    Kept::decode(key)?;
    let value = InForce::decode(value)?;
    Some(Known { kind: POLICY.to_owned(), label: value.label(), digest: value.digest })
}

fn of_scorer(key: &[u8], value: &[u8]) -> Option<Known> {
    use scorer::in_force::{InForce, MODEL, ROUTE, Switch};
    let InForce { version, digest, .. } = InForce::decode(value)?;
    let (kind, label) = match Switch::decode(key)? {
        Switch::Route => (ROUTE.to_owned(), version),
        Switch::Model(name) => (MODEL.to_owned(), format!("{name}@{version}")),
        Switch::Version(known) => known.split_once(':').map(|(kind, label)| (kind.to_owned(), label.to_owned()))?,
    };
    Some(Known { kind, label, digest })
}

/// The instances of the scorer that run, as they have announced themselves within the last half minute. Blocks.
///
/// # Errors
/// When the cluster cannot be read, or its clock is far from this machine's, so that nobody can tell who runs.
pub fn live_scorers(kafka: &KafkaConfig) -> Result<Vec<Announcement>> {
    let mut newest: BTreeMap<Vec<u8>, (i64, Announcement)> = BTreeMap::new();
    let name = Topic::Instances.name(&kafka.topic_prefix);
    read_to_end(kafka, [name.as_str()], |message| {
        let input = Input::of(message);
        let body = serde_json::from_slice::<Announcement>(input.payload.unwrap_or_default()).ok();
        if let (Some(key), Some(body)) = (input.key, body.filter(|body| body.worker == "scorer")) {
            newest.insert(key.to_vec(), (input.timestamp_ms, body));
        }
        Ok(())
    })?;
    let now = clock::now_ms();
    if newest.values().any(|(at, _)| *at > now + LIVES_MS) {
        bail!(
            "the broker's clock is more than half a minute ahead of this machine's: nobody can tell which scorers run"
        );
    }
    Ok(newest.into_values().filter(|(at, _)| *at + LIVES_MS >= now).map(|(_, body)| body).collect())
}

/// Who lacks which of these packages, `name@version` with digests, in words.
pub fn lacking(live: &[Announcement], packages: &BTreeMap<String, String>) -> Vec<String> {
    let mut lacking = Vec::new();
    for Announcement { instance, packages: held, .. } in live {
        for (package, digest) in packages.iter().filter(|(package, digest)| held.get(*package) != Some(*digest)) {
            lacking.push(match held.get(package) {
                None => format!("scorer {instance} does not hold {package}"),
                Some(other) => format!("scorer {instance} holds {package} with the digest {other}, not {digest}"),
            });
        }
    }
    lacking
}

/// An activation that is passed by, and by whom.
#[derive(Debug, Clone)]
pub struct Passing {
    /// `policy`, `route` or `model`.
    pub kind: String,
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
    let worker = match passing.kind.as_str() {
        decision::in_force::POLICY => "decision",
        scorer::in_force::ROUTE | scorer::in_force::MODEL => "scorer",
        other => bail!("{other:?} is no kind of activation: there are policy, route and model"),
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
    (activation.kind == *kind && activation.label() == *label).then(|| ActivationPassed {
        group: group.to_owned(),
        topic: record.topic.to_owned(),
        partition: record.partition,
        offset: record.offset,
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

    #[test]
    fn whoever_lacks_a_package_is_named_with_it() {
        let announced = |instance: &str, packages: &[(&str, &str)]| Announcement {
            worker: "scorer".to_owned(),
            instance: instance.to_owned(),
            packages: packages.iter().map(|(package, digest)| ((*package).to_owned(), (*digest).to_owned())).collect(),
            announced_at: String::new(),
        };
        let wanted = [("a@1.0.0".to_owned(), "11".to_owned()), ("b@1.0.0".to_owned(), "22".to_owned())].into();
        let whole = announced("0", &[("a@1.0.0", "11"), ("b@1.0.0", "22"), ("c@1.0.0", "33")]);
        assert_eq!(lacking(std::slice::from_ref(&whole), &wanted), Vec::<String>::new());
        assert_eq!(lacking(&[], &wanted), Vec::<String>::new(), "nobody runs");
        let other = announced("1", &[("a@1.0.0", "12")]);
        assert_eq!(
            lacking(&[whole, other], &wanted),
            ["scorer 1 holds a@1.0.0 with the digest 12, not 11", "scorer 1 does not hold b@1.0.0"]
        );
    }
}
