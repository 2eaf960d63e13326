//! What ingest writes: intake, identities, protected, applications and replies, as Kafka records. The only place that knows
//! which header goes where; decides nothing.

use crate::data_digest::{DataDigest, Told};
use crate::id_form::form_of;
use crate::receive::{Content, Received};
use crate::refusal::{Fault, Reason, Refusal};
use domain::{Channel, ReplyStatus};
use runtime::kafka::KafkaConfig;
use runtime::stream::{Offset, Output, Route};
use schemas::envelope::Envelope;
use schemas::event_id::{coordinates_id, event_id};
use schemas::intake::{self, header};
use schemas::reply::{self, Coordinates, Problem, REPLIED, Reply, Warning};
use schemas::{Topic, application};
use std::sync::Arc;

/// `ce_source` of every event that ingest writes.
pub const SOURCE: &str = "/defaultx/ingest";

/// Topics with their prefix.
#[derive(Debug, Clone)]
pub struct Topics {
    /// `credit.intake.v1`.
    pub intake: Arc<str>,
    /// `credit.identities.v1`.
    pub identities: Arc<str>,
    /// `credit.protected.v1`.
    pub protected: Arc<str>,
    /// `credit.applications.v1`.
    pub applications: Arc<str>,
    /// `loan.replies.v1`.
    pub replies: Arc<str>,
    /// `credit.dead-letters.v1`.
    pub dead_letters: Arc<str>,
    prefix: String,
}

impl Topics {
    /// The topics of a deployment.
    pub fn new(kafka: &KafkaConfig) -> Self {
        let topic = |topic: Topic| kafka.topic(topic.base_name());
        Self {
            intake: topic(Topic::Intake),
            identities: topic(Topic::Identities),
            protected: topic(Topic::Protected),
            applications: topic(Topic::Applications),
            replies: topic(Topic::LoanReplies),
            dead_letters: topic(Topic::DeadLetters),
            prefix: kafka.topic_prefix.clone(),
        }
    }

    /// A topic's name without the prefix.
    pub fn base<'t>(&self, name: &'t str) -> &'t str {
        name.strip_prefix(&self.prefix).unwrap_or(name)
    }
}

/// Where a received record stands, or `http` and `batch` with no place.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// How it came.
    pub channel: Channel,
    /// Topic without prefix, partition, offset; a batch gives its row as offset.
    pub place: Option<(&'a str, i32, Offset)>,
    /// Milliseconds since 1970 at which a sender's topic took it; none where intake is the first topic.
    pub received_at_ms: Option<i64>,
    /// Subject and id of the token that it came with.
    pub token: Option<(&'a str, &'a str)>,
}

/// The records that a received application or withdrawal becomes.
pub fn received(received: Received, origin: Origin<'_>, topics: &Topics) -> Vec<Output> {
    let Received { envelope, key, tenant, application_id, content, warnings } = received;
    let number = match &content {
        Content::Application { revision, .. } => revision.get(),
        Content::Withdrawal { .. } => 0,
    };
    let record = |topic: &Arc<str>, event_type: &str, payload: Vec<u8>, digest: Option<&Told>| {
        let id = match origin.place {
            Some((topic, partition, offset)) if origin.channel == Channel::Kafka => {
                coordinates_id(event_type, topic, partition, offset.get())
            }
            // The sender's own id stands for the coordinates that the record does not have.
            _ => {
                let ordinal = format!("{}:{}", origin.channel.as_str(), envelope.id);
                event_id(event_type, &tenant, &application_id, number, &ordinal)
            }
        };
        let mut child = envelope.child(SOURCE, event_type, id);
        child.subject = Some(application_id.clone());
        child.partition_key = Some(key.to_string());
        let mut headers = child.to_headers();
        headers.push((header::TENANT, tenant.clone().into_bytes()));
        if let Some(digest) = digest {
            headers.push((header::REVISION, number.to_string().into_bytes()));
            headers.push((header::DATA_DIGEST, digest.digest.as_bytes().to_vec()));
            headers.push((header::DATA_DIGEST_KEY, digest.key_id.as_bytes().to_vec()));
        }
        let key = Some(key.as_str().as_bytes().to_vec());
        Output { topic: topic.clone(), route: Route::ByKey, key, payload: Some(payload), headers }
    };
    let (mut records, mut intake) = match content {
        Content::Withdrawal { body } => (Vec::new(), record(&topics.intake, application::WITHDRAWN, body, None)),
        Content::Application { digest, stripped, .. } => {
            let record = |topic, event_type, body| record(topic, event_type, body, Some(&digest.sent.kept));
            let identities = record(&topics.identities, intake::IDENTITY, stripped.identities);
            let protected = stripped.protected.map(|body| record(&topics.protected, intake::PROTECTED, body));
            let records = std::iter::once(identities).chain(protected).collect();
            let mut intake = record(&topics.intake, intake::RECEIVED, stripped.body);
            push_digests(&mut intake.headers, &digest);
            (records, intake)
        }
    };
    if let Some(warnings) = warnings {
        let told = serde_json::to_vec(&warnings.told).expect("warnings are plain data");
        intake.headers.push((header::ATTRIBUTE_WARNINGS, told));
    }
    push_origin(&mut intake.headers, &envelope.id, origin);
    records.push(intake);
    records
}

/// What is for deduplication alone: it goes no further than `admit`.
fn push_digests(headers: &mut Vec<(&'static str, Vec<u8>)>, digest: &DataDigest) {
    let mut put = |name, value: String| headers.push((name, value.into_bytes()));
    if let Some(also) = &digest.sent.also {
        put(header::DATA_DIGEST_ALSO, also.joined());
    }
    if let Some(meant) = &digest.meant {
        put(header::MEANING_DIGEST, meant.kept.joined_with_form());
        if let Some(also) = &meant.also {
            put(header::MEANING_DIGEST_ALSO, also.joined_with_form());
        }
    }
}

fn push_origin(headers: &mut Vec<(&'static str, Vec<u8>)>, sender_id: &str, origin: Origin<'_>) {
    let mut put = |name, value: &str| headers.push((name, value.as_bytes().to_vec()));
    put(header::ORIGIN_ID, sender_id);
    put(header::ORIGIN_CHANNEL, origin.channel.as_str());
    if let Some(at_ms) = origin.received_at_ms {
        put(header::RECEIVED_AT, &at_ms.to_string());
    }
    if let Some((actor, id)) = origin.token {
        put(header::ACTOR, actor);
        put(header::TOKEN_ID, id);
    }
    if let Some((topic, partition, offset)) = origin.place {
        put(header::ORIGIN_TOPIC, topic);
        put(header::ORIGIN_PARTITION, &partition.to_string());
        put(header::ORIGIN_OFFSET, &offset.to_string());
    }
}

/// The answer to a refused record that stands at `at`: words and pointers, never values. `answers` makes the reply's id.
pub(crate) fn rejection(refusal: &Refusal, at: Coordinates, answers: &Coordinates, topics: &Topics) -> Output {
    let who = &refusal.who;
    let cause = Envelope {
        id: who.event_id.clone().unwrap_or_default(),
        subject: who.application_id.clone(),
        correlation_id: who.correlation_id.clone(),
        traceparent: who.traceparent.clone(),
        ..Envelope::default()
    };
    let body = Reply {
        status: ReplyStatus::Rejected.into(),
        tenant: Some(who.tenant.clone()),
        application_id: who.application_id.clone(),
        revision: who.revision,
        origin_id: who.event_id.clone(),
        problem: Some(Problem {
            kind: refusal.reason.as_str().to_owned(),
            pointers: refusal.pointers.clone(),
            attributes: refusal.attributes.iter().map(|name| (*name).to_owned()).collect(),
            faults: refusal.faults.iter().map(Fault::told).collect(),
        }),
        origin: at,
        accepted: None,
        warnings: warnings(who.application_id.as_deref()),
        warning_details: Vec::new(),
    };
    reply(&body, &cause, answers, topics)
}

/// The one fault of a record that is refused as a whole; none of one that is not refused, such as `superseded`.
pub(crate) fn faults_of(word: &str) -> Vec<reply::Fault> {
    let reason = Reason::ALL.iter().find(|reason| reason.as_str() == word);
    reason.map(|reason| Fault::new(*reason, String::new()).told()).into_iter().collect()
}

/// What a sender should look at in an id that is taken all the same.
pub fn warnings(application_id: Option<&str>) -> Vec<String> {
    application_id.and_then(form_of).map(|form| form.warning().to_owned()).into_iter().collect()
}

/// The same, with what is told of attributes: each kind once.
pub(crate) fn warnings_with(application_id: &str, told: &[Warning]) -> Vec<String> {
    let mut words = warnings(Some(application_id));
    for warning in told {
        if !words.contains(&warning.kind) {
            words.push(warning.kind.clone());
        }
    }
    words
}

/// A reply as a record, keyed where the application is known. `answers` is the record that makes the reply's id.
pub fn reply(body: &Reply, cause: &Envelope, answers: &Coordinates, topics: &Topics) -> Output {
    let id = coordinates_id(REPLIED, &answers.topic, answers.partition, answers.offset);
    let mut envelope = cause.child(SOURCE, REPLIED, id);
    envelope.causation_id = envelope.causation_id.filter(|cause| !cause.is_empty());
    let key = body.tenant.as_ref().zip(body.application_id.as_ref()).map(|(tenant, id)| format!("{tenant}|{id}"));
    envelope.partition_key = key.clone();
    let mut headers = envelope.to_headers();
    if let Some(tenant) = &body.tenant {
        headers.push((header::TENANT, tenant.clone().into_bytes()));
    }
    Output {
        topic: topics.replies.clone(),
        route: if key.is_some() { Route::ByKey } else { Route::Same },
        key: key.map(String::into_bytes),
        payload: Some(serde_json::to_vec(body).expect("a reply is plain data")),
        headers,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_who_sent_it_through_the_door_and_nobody_says_it_for_a_topic() {
        let origin = |token| Origin { channel: Channel::Http, place: None, received_at_ms: None, token };
        let said = |token, name: &str| {
            let mut headers = Vec::new();
            push_origin(&mut headers, "e-1", origin(token));
            headers.into_iter().find(|header| header.0 == name).map(|header| String::from_utf8(header.1).unwrap())
        };
        assert_eq!(said(Some(("los-1", "t-1")), header::ACTOR).as_deref(), Some("los-1"));
        assert_eq!(said(Some(("los-1", "t-1")), header::TOKEN_ID).as_deref(), Some("t-1"));
        assert_eq!((said(None, header::ACTOR), said(None, header::TOKEN_ID)), (None, None));
    }
}
