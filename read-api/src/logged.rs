//! PURE. What a logged event says of what a detail shows in brief: the same fields as the row that leads to it, out of the event itself. Of an
//! event of another application, of another kind or that cannot be read it is nothing.

use crate::application_detail_events::{DecisionDetail, Delivery, ReplyDetail, ScoreDetail, Withdrawal};
use crate::application_detail_parts::{DecisionParts, ReplyParts, ScoreParts};
use crate::applications::{DecisionSummary, ScoreSummary, Summary};
use crate::log::Logged;
use runtime::clock::{rfc3339, time_of_ms};
use schemas::Topic;
use schemas::application::WITHDRAWN;
use schemas::control::ACTIVATED;
use schemas::logged::{self, Decided, Model, Scored};
use schemas::notification::Receipt;
use schemas::reply::Reply;
use schemas::risk::{ApplicationRef, Score};
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Whose detail is shown, and under which prefix its topics are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Of<'a> {
    pub tenant: &'a str,
    pub application_id: &'a str,
    pub revision: i32,
    pub topic_prefix: &'a str,
}

impl Of<'_> {
    fn is(&self, tenant: &str, application_id: &str) -> bool {
        (self.tenant, self.application_id) == (tenant, application_id)
    }

    fn is_revision(&self, of: &ApplicationRef) -> bool {
        self.is(&of.tenant, &of.application_id) && i32::try_from(of.revision) == Ok(self.revision)
    }
}

/// The application in brief. What stands beside its own fields is that of `row`.
pub(crate) fn application(event: &Logged, of: Of<'_>, row: &Summary) -> Option<Summary> {
    let body: logged::Application = body(event, Topic::Applications)?;
    let is_accepted = ![WITHDRAWN, ACTIVATED].contains(&event.kind.as_str());
    if !is_accepted || !of.is(&body.tenant, &body.application_id) || body.revision != of.revision {
        return None;
    }
    let received = event.received_ms.map_or(event.time, time_of_ms);
    Some(Summary {
        tenant: body.tenant,
        application_id: body.application_id,
        revision: body.revision,
        product: body.product,
        intent: body.intent,
        request_type: body.request_type,
        channel: body.channel,
        jurisdiction: body.jurisdiction,
        amount_minor: body.requested.amount.amount_minor,
        currency: body.requested.amount.currency,
        term_months: body.requested.term_months.and_then(|months| months.try_into().ok()),
        purpose: body.requested.purpose,
        as_of: logged::day(&body.as_of).map(|day| day.to_string()),
        submitted_at: time(&body.submitted_at),
        completed_at: body.completed_at.as_deref().and_then(time),
        received_at: rfc3339(received),
        score: row.score.clone(),
        decision: row.decision.clone(),
        position: row.position,
        key: row.key.clone(),
    })
}

/// A score event, without what is not in its row.
pub(crate) fn score(event: &Logged, of: Of<'_>) -> Option<ScoreDetail> {
    let text = text(event, &[Topic::Risk, Topic::Shadow])?;
    let body: Scored<'_> = serde_json::from_str(&text).ok()?;
    if [WITHDRAWN, ACTIVATED].contains(&event.kind.as_str()) || !of.is_revision(&body.application) {
        return None;
    }
    let (model, model_version, model_role) = named(body.model);
    Some(ScoreDetail {
        event_id: id(event, of),
        shadow: event.at.topic == Topic::Shadow.base_name(),
        summary: summary(body.status, (model, model_version), body.score),
        unscorable: listed(&body.unscorable),
        model_role,
        scored_at: rfc3339(event.time),
        parts: ScoreParts::default(),
        audit: None,
    })
}

/// A decision, without what is not in its row.
pub(crate) fn decision(event: &Logged, of: Of<'_>) -> Option<DecisionDetail> {
    let body: Decided = body(event, Topic::Decisions)?;
    if !of.is_revision(&body.application) {
        return None;
    }
    Some(DecisionDetail {
        event_id: id(event, of),
        summary: DecisionSummary {
            decision_number: body.decision_number,
            outcome: body.outcome.to_string(),
            is_final: body.is_final,
            automation: body.automation,
            step: body.step,
            referral: body.referral,
            policy: body.policy.name,
            policy_version: body.policy.version,
            decided_at: time(&body.decided_at).unwrap_or_else(|| rfc3339(event.time)),
        },
        policy_digest: body.policy.digest,
        parts: DecisionParts::default(),
        audit: None,
    })
}

/// The applicant's end of it.
pub(crate) fn withdrawal(event: &Logged, of: Of<'_>) -> Option<Withdrawal> {
    let body: logged::Withdrawal = body(event, Topic::Applications)?;
    let is_of = event.kind == WITHDRAWN && of.is(&body.tenant, &body.application_id);
    let withdrawn_at = time(&body.withdrawn_at);
    is_of.then(|| Withdrawal { withdrawn_at, accepted_at: rfc3339(event.time), audit: None })
}

/// A delivery that ended. What the queue says beside it is that of `row`.
pub(crate) fn delivery(event: &Logged, of: Of<'_>, row: &Delivery) -> Option<Delivery> {
    let body: Receipt = body(event, Topic::Notifications)?;
    if !of.is(&body.tenant, &body.application_id) || i32::try_from(body.revision) != Ok(of.revision) {
        return None;
    }
    Some(Delivery {
        delivery_id: body.delivery_id,
        subscription: body.subscription,
        event_id: body.event_id,
        status: body.status.to_string(),
        attempts: body.attempts.try_into().ok()?,
        http_status: body.http_status.map(i32::from).or(row.http_status),
        next_at: row.next_at.clone(),
        ended_at: Some(time(&body.at).unwrap_or_else(|| rfc3339(event.time))),
        audit: None,
    })
}

/// Whether a part of a delivery that ended can only be the queue's.
pub(crate) fn is_of_queue(event: &Logged, row: &Delivery) -> bool {
    let answered = body::<Receipt>(event, Topic::Notifications).is_some_and(|body| body.http_status.is_some());
    row.next_at.is_some() || (row.http_status.is_some() && !answered)
}

/// The answer to a record of the sender, of whatever revision.
pub(crate) fn reply(event: &Logged, of: Of<'_>) -> Option<ReplyDetail> {
    let body: Reply = body(event, Topic::LoanReplies)?;
    if !of.is(body.tenant.as_deref()?, body.application_id.as_deref()?) {
        return None;
    }
    Some(ReplyDetail {
        status: body.status.to_string(),
        revision: body.revision.and_then(|revision| revision.try_into().ok()),
        problem: body.problem.map(|problem| problem.kind),
        origin_topic: body.origin.topic,
        origin_partition: body.origin.partition,
        origin_offset: body.origin.offset,
        replied_at: rfc3339(event.time),
        parts: ReplyParts::default(),
        audit: None,
    })
}

/// The text of an event of one of these topics, as its row has it.
fn text<'e>(event: &'e Logged, topics: &[Topic]) -> Option<Cow<'e, str>> {
    topics.iter().find(|topic| topic.base_name() == event.at.topic)?;
    logged::text(event.body.as_deref()?)
}

/// The body of an event of that topic.
fn body<T: DeserializeOwned>(event: &Logged, topic: Topic) -> Option<T> {
    serde_json::from_str(&text(event, &[topic])?).ok()
}

/// The event's id: its own, or that of its coordinates.
fn id(event: &Logged, of: Of<'_>) -> String {
    let topic = format!("{}{}", of.topic_prefix, event.at.topic);
    logged::id(event.id.as_deref(), &event.kind, (&topic, event.at.partition, event.at.offset)).to_string()
}

fn summary(
    status: String,
    (model, model_version): (Option<String>, Option<String>),
    score: Option<Score>,
) -> ScoreSummary {
    ScoreSummary {
        status,
        model,
        model_version,
        pd: score.as_ref().map(|score| score.pd),
        score: score.as_ref().map(|score| score.score),
        class: score.as_ref().map(|score| i16::from(score.class)),
        band: score.as_ref().map(|score| score.band.clone()),
        scale_id: score.map(|score| score.scale_id),
    }
}

/// Name, version and role.
fn named(model: Option<Model>) -> (Option<String>, Option<String>, Option<String>) {
    model.map_or((None, None, None), |model| (Some(model.name), Some(model.version), Some(model.role)))
}

/// Words as their row has them: joined by commas, and taken apart again.
fn listed(words: &[String]) -> Vec<String> {
    let joined = words.join(",");
    if joined.is_empty() { Vec::new() } else { joined.split(',').map(str::to_owned).collect() }
}

/// RFC 3339 as answers have it: UTC, milliseconds.
fn time(text: &str) -> Option<String> {
    logged::time(text).map(rfc3339)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::log::AuditPosition;
    use schemas::event_id::coordinates_id;
    use serde_json::{Value, json};
    use std::path::{Path, PathBuf};

    const OF: Of<'_> = Of { tenant: "bank", application_id: "L-1", revision: 2, topic_prefix: "t." };

    fn logged(topic: Topic, body: Value) -> Logged {
        let at = AuditPosition {
            log: 0,
            seq: 7,
            topic: topic.base_name().to_owned(),
            partition: 1,
            offset: 3,
            at: String::new(),
            leaf: String::new(),
            intact: Some(true),
            not_intact: None,
        };
        Logged {
            at,
            kind: "k".to_owned(),
            id: None,
            time: time_of_ms(1_000),
            received_ms: None,
            body: Some(body.to_string().into_bytes()),
            data_digest: None,
        }
    }

    fn decided() -> Value {
        json!({"application": {"tenant": "bank", "application_id": "L-1", "revision": 2}, "decision_number": 1, "outcome": "decline",
               "final": true, "automation": "automatic", "step": "cutoff\u{0}", "policy": {"name": "p", "version": "1", "digest": "d"},
               "product": "cards", "intent": "decide", "channel": "web", "jurisdiction": "SE", "adverse_action": true,
               "decided_at": "2026-09-21T14:13:21.5+02:00"})
    }

    #[test]
    fn a_decision_is_out_of_its_event() {
        let said = decision(&logged(Topic::Decisions, decided()), OF);
        let id = coordinates_id("k", "t.credit.decisions.v1", 1, 3).to_string();
        let told = said.map(|said| (said.event_id, said.summary.outcome, said.summary.step, said.summary.decided_at));
        let expected = (id, "decline".to_owned(), "cutoff\u{fffd}".to_owned(), "2026-09-21T12:13:21.500Z".to_owned());
        assert_eq!(told, Some(expected));
    }

    /// Every good and edge example of the contract says what a detail shows, and says it of its own application alone.
    #[test]
    fn every_example_of_the_contract_is_told() {
        type Tells = fn(&Logged, Of<'_>) -> bool;
        let rows: [(&str, Topic, Tells); 4] = [
            ("score.computed.v1", Topic::Risk, |event, of| score(event, of).is_some()),
            ("decision.made.v1", Topic::Decisions, |event, of| decision(event, of).is_some()),
            ("application.withdrawn.v1", Topic::Applications, |event, of| withdrawal(event, of).is_some()),
            ("application.replied.v1", Topic::LoanReplies, |event, of| reply(event, of).is_some()),
        ];
        for (kind, topic, tells) in rows {
            let mut told = 0;
            for body in examples(kind) {
                let named = body.get("application").unwrap_or(&body);
                let text = |name: &str| named.get(name).and_then(Value::as_str).map(str::to_owned);
                // An answer to what could not be read is of nobody.
                let (Some(tenant), Some(id)) = (text("tenant"), text("application_id")) else { continue };
                let revision = named.get("revision").and_then(Value::as_i64).unwrap_or(1) as i32;
                let event = Logged { kind: kind.to_owned(), ..logged(topic, body.clone()) };
                let of = Of { tenant: &tenant, application_id: &id, revision, topic_prefix: "" };
                assert!(tells(&event, of), "{kind}: {body}");
                assert!(!tells(&event, Of { application_id: "another", ..of }), "{kind}: {body}");
                told += 1;
            }
            assert!(told > 0, "{kind} has no example");
        }
    }

    fn examples(kind: &str) -> Vec<Value> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/examples").join(kind);
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_good = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("good") || name.starts_with("edge")
        };
        files.filter(is_good).map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }

    #[test]
    fn another_event_says_nothing() {
        let change = |pointer: &str, value: Value| {
            let mut body = decided();
            if let Some(place) = body.pointer_mut(pointer) {
                *place = value;
            }
            body
        };
        let rows = [
            ("of another tenant", Topic::Decisions, change("/application/tenant", json!("other"))),
            ("of another application", Topic::Decisions, change("/application/application_id", json!("L-2"))),
            ("of another revision", Topic::Decisions, change("/application/revision", json!(1))),
            ("of another topic", Topic::Risk, decided()),
            ("not a decision", Topic::Decisions, change("/outcome", json!(7))),
        ];
        for (what, topic, body) in rows {
            assert_eq!(decision(&logged(topic, body), OF), None, "{what}");
        }
        let digest = Logged { body: None, ..logged(Topic::Decisions, decided()) };
        assert_eq!(decision(&digest, OF), None, "a digest");
    }
}
