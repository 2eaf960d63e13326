//! Gaps: partitions that a worker's group cannot read on where it left off. Which there are, and that somebody takes one as it is.

use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use audit_sink::Sources;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::pg::{PgGroup, open_gaps as open_pg_gaps};
use runtime::stream::position::{Gap, Group, Lost, begin_at_zero, open_gaps};
use runtime::stream::{NextOffset, Output, Route, Transactions};
use schemas::event_id::event_id;
use schemas::gap::{ACCEPTED, GapAccepted};
use schemas::logins::VERIFIER;
use schemas::{Envelope, Topic};
use std::time::{Duration, Instant};

const SOURCE: &str = "/defaultx/gaps";
const TIMEOUT: Duration = Duration::from_secs(30);
/// Between two tries of what is not there yet.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
const TIMEOUT_MS: u64 = 10_000;

/// The group of each worker that reads Kafka into Kafka.
pub(crate) fn groups(kafka: &KafkaConfig, senders: &[String]) -> [Group; 4] {
    let topic = |topic: Topic| kafka.topic(topic.base_name());
    let group = |name: &str, input: Topic, changelog: Topic| Group {
        name: kafka.topic(name),
        inputs: vec![topic(input)],
        changelog: Some(topic(changelog)),
        in_transactions: true,
    };
    let received = senders.iter().map(|topic| kafka.topic(topic)).collect();
    [
        Group { name: kafka.topic(ingest::start::RECEIVE), inputs: received, changelog: None, in_transactions: false },
        group(ingest::start::ADMIT, Topic::Intake, Topic::AdmitState),
        group("scorer", Topic::Applications, Topic::ScorerState),
        group("decision", Topic::Risk, Topic::DecisionState),
    ]
}

/// Commits offset 0 for every group and partition that is empty and has none; gives how many there were. From then on a group
/// without an offset has lost one.
///
/// # Errors
/// When the cluster does not answer, or a topic is missing.
pub fn begin(kafka: &KafkaConfig, senders: &[String]) -> Result<usize> {
    let mut senders = senders.to_vec();
    let usual = Topic::LoanApplications.base_name();
    if senders.iter().all(|topic| topic != usual) {
        senders.push(usual.to_owned()); // it is made in any case
    }
    let mut begun = 0;
    for group in groups(kafka, &senders) {
        let started = Instant::now();
        begun += loop {
            match begin_at_zero(kafka, &group, TIMEOUT) {
                Err(error) if is_not_yet(&error) && started.elapsed() < TIMEOUT => std::thread::sleep(AGAIN_AFTER),
                begin => break begin.with_context(|| format!("the first offsets of group {}", group.name))?,
            }
        };
    }
    Ok(begun)
}

/// A broker that has just started is nobody's coordinator yet, and a topic that was just made has no leader.
fn is_not_yet(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        CoordinatorLoadInProgress, CoordinatorNotAvailable, LeaderNotAvailable, NotCoordinator, NotLeaderForPartition,
    };
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(
            CoordinatorLoadInProgress
                | CoordinatorNotAvailable
                | LeaderNotAvailable
                | NotCoordinator
                | NotLeaderForPartition
        )
    )
}

/// The workers that keep their offsets in PostgreSQL. The log reads the senders' topics too, which stand in the section of ingest.
fn database_groups(settings: &Settings) -> [PgGroup; 3] {
    let kafka = &settings.kafka;
    let group = |name, topics, goes_back| PgGroup { name: kafka.topic(name), topics, plain: Vec::new(), goes_back };
    let one = |topic: Topic| vec![kafka.topic(topic.base_name())];
    let sources = Sources::new(&kafka.topic_prefix, &settings.ingest.sender_topics());
    let log = group(audit_sink::WORKER, sources.names().collect(), false);
    [
        PgGroup { plain: sources.plain().collect(), ..log },
        group(audit_sink::identity::WORKER, one(Topic::Identities), true),
        group(notifier::WORKER, one(Topic::Decisions), true),
    ]
}

/// Every gap that nobody has accepted; those of the workers that write PostgreSQL too, where one is named.
///
/// # Errors
/// When the cluster or the database does not answer, or a topic is missing.
pub async fn list(settings: &Settings) -> Result<Vec<Gap>> {
    find(settings, None).await
}

/// The gaps of one group, or of all. One of them is asked for without the others, which may be in worse trouble.
async fn find(settings: &Settings, only: Option<&str>) -> Result<Vec<Gap>> {
    let is_meant = |name: &str| only.is_none_or(|only| only == name);
    let (kafka, topic) = (settings.kafka.clone(), settings.kafka.topic(Topic::Gaps.base_name()));
    let groups = groups(&kafka, &settings.ingest.sender_topics()).into_iter();
    let groups: Vec<_> = groups.filter(|group| is_meant(&group.name)).collect();
    let asked = topic.clone();
    let ask = move || -> Result<Vec<Gap>> {
        let mut gaps = Vec::new();
        for group in groups {
            let found = open_gaps(&kafka, &group, &asked, TIMEOUT);
            gaps.extend(found.with_context(|| format!("where group {} stands", group.name))?);
        }
        Ok(gaps)
    };
    let mut gaps = tokio::task::spawn_blocking(ask).await??;
    if settings.database.url.is_empty() {
        return Ok(gaps);
    }
    let database = settings.database.of(VERIFIER);
    for group in database_groups(settings).into_iter().filter(|group| is_meant(&group.name)) {
        let name = group.name.clone();
        let found = open_pg_gaps(&settings.kafka, &database, group, topic.clone(), TIMEOUT).await;
        gaps.extend(found.with_context(|| format!("where {name} stands"))?);
    }
    Ok(gaps)
}

/// Whose gap is accepted, and by whom.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// Group and topic with prefix, and the partition.
    pub at: (String, String, i32),
    /// The offset at which to go on, where it is not the first that the topic holds.
    pub to: Option<i64>,
    /// Who accepts.
    pub by: String,
    /// Why.
    pub why: Option<String>,
}

/// Puts on record that a gap is accepted; gives it. The worker goes on within seconds.
///
/// # Errors
/// When there is no such gap, or the cluster does not take the record.
pub async fn accept(settings: &Settings, acceptance: Acceptance) -> Result<GapAccepted> {
    let Acceptance { at: (group, topic, partition), to, by, why } = acceptance;
    let to = to.map(NextOffset::new);
    let gaps = find(settings, Some(&group)).await?;
    let is_meant = |gap: &&Gap| (&gap.group, &gap.topic, gap.partition) == (&group, &topic, partition);
    let Some(gap) = gaps.iter().find(is_meant) else {
        bail!("group {group} has no gap in {topic}/{partition}: `defaultx gaps list` shows those that there are");
    };
    if to.is_some_and(|to| gap.kind == Lost::Unreadable && Some(to) <= gap.from) {
        bail!("--to must lie behind what cannot be unpacked: {} or more", gap.to);
    }
    let log_group = settings.kafka.topic(audit_sink::WORKER);
    let goes_back = to.zip(gap.from).is_some_and(|(to, from)| to < from);
    if *group == *log_group && (goes_back || matches!(gap.kind, Lost::Recreated | Lost::BeyondEnd)) {
        bail!(
            "{}: the log takes each place once; bring the topic back, or begin a deployment under another prefix",
            gap.what()
        );
    }
    let accepted = GapAccepted {
        group,
        topic,
        partition,
        kind: gap.kind.as_str().to_owned(),
        from: gap.from.map(NextOffset::get),
        to: to.unwrap_or(gap.to).get(),
        topic_id: gap.topic_id.clone(),
        accepted_by: by,
        accepted_at: clock::rfc3339(clock::now()),
        why,
    };
    let (kafka, record) = (settings.kafka.clone(), record(&settings.kafka, &accepted));
    let write = move || Transactions::connect(&kafka, "gaps", TIMEOUT_MS)?.write([(None, &record)]);
    tokio::task::spawn_blocking(write).await??;
    Ok(accepted)
}

fn record(kafka: &KafkaConfig, accepted: &GapAccepted) -> Output {
    let GapAccepted { group, topic, partition, accepted_at, .. } = accepted;
    let envelope = Envelope {
        id: event_id(ACCEPTED, group, topic, 0, &format!("{partition}:{accepted_at}")).to_string(),
        source: SOURCE.to_owned(),
        event_type: ACCEPTED.to_owned(),
        time: Some(accepted_at.clone()),
        ..Envelope::default()
    };
    Output {
        topic: kafka.topic(Topic::Gaps.base_name()),
        route: Route::ByKey,
        key: Some(format!("{group}|{topic}|{partition}").into_bytes()),
        payload: Some(serde_json::to_vec(accepted).expect("strings and numbers are JSON")),
        headers: envelope.to_headers(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_asked_about_a_senders_own_topic() {
        let mut settings = Settings::default();
        settings.kafka.topic_prefix = "t.".to_owned();
        settings.ingest.tenant_of_topic.insert("bank-b.v1".to_owned(), "bank-b".to_owned());
        let [log, identities, _] = database_groups(&settings);
        for topics in [&log.topics, &log.plain] {
            assert!(topics.iter().any(|topic| **topic == *"t.bank-b.v1"), "{topics:?}");
        }
        assert_eq!(identities.topics.len(), 1, "nobody else reads it");
        let [receive, ..] = groups(&settings.kafka, &settings.ingest.sender_topics());
        assert!(receive.inputs.iter().any(|topic| **topic == *"t.bank-b.v1"));
    }
}
