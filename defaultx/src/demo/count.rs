//! Fills the ledger from the topics, from their beginning to their end, with plain `read_committed` consumers.

use super::ledger::{Ledger, Triple};
use crate::letters::Letter;
use crate::reader::{header, read_to_end};
use anyhow::Result;
use domain::{Automation, DeliveryStatus, Outcome};
use rdkafka::message::{BorrowedMessage, Message};
use runtime::kafka::KafkaConfig;
use schemas::decision::{Decision, MADE};
use schemas::envelope::header as ce;
use schemas::intake::{ACCEPTED, header as ext};
use schemas::notification::Receipt;
use schemas::reply::Reply;
use schemas::risk::COMPUTED;
use schemas::{Topic, notification};

/// Counts everything under a prefix. Blocks.
///
/// # Errors
/// When the cluster cannot be read.
pub fn count(kafka: &KafkaConfig) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    for topic in Topic::ALL.iter().copied().filter(|topic| topic.is_audited()) {
        let name = topic.name(&kafka.topic_prefix);
        let records = read_to_end(kafka, [name.as_str()], |message| {
            if enter(&mut ledger, topic, message, &kafka.topic_prefix).is_none() {
                ledger.unreadable += 1;
            }
            Ok(())
        })?;
        ledger.audited += records;
    }
    Ok(ledger)
}

/// `None`: not what its topic promises.
fn enter(ledger: &mut Ledger, topic: Topic, message: &BorrowedMessage<'_>, prefix: &str) -> Option<()> {
    let kind = header(message, ce::TYPE);
    let body = message.payload().unwrap_or_default();
    match topic {
        Topic::LoanReplies => {
            let reply: Reply = serde_json::from_slice(body).ok()?;
            let origin = reply.origin;
            ledger.reply(&reply.status, (origin.topic, origin.partition, origin.offset));
        }
        Topic::Applications if kind == Some(ACCEPTED) => ledger.accept(triple(message)?),
        Topic::Risk if kind == Some(COMPUTED) => {
            ledger.score(header(message, ce::ID)?);
            ledger.explained.enter(&serde_json::from_slice(body).ok()?);
        }
        Topic::Shadow => ledger.explained.shadows += 1,
        Topic::Decisions if kind == Some(MADE) => {
            let decision: Decision = serde_json::from_slice(body).ok()?;
            if decision.automation.is(Automation::Automatic) && !decision.outcome.is(Outcome::Withdrawn) {
                let of = &decision.application;
                ledger.decide((of.tenant.clone(), of.application_id.clone(), of.revision), &decision.outcome);
            }
            ledger.stand(&decision);
            ledger.risk.enter(&decision);
        }
        Topic::Notifications if kind == Some(notification::DELIVERED) => {
            let receipt: Receipt = serde_json::from_slice(body).ok()?;
            if receipt.status.is(DeliveryStatus::Delivered) {
                ledger.deliver(&receipt.delivery_id);
            }
        }
        Topic::DeadLetters => match Letter::of(message) {
            Letter::Dead(letter) => {
                let origin = Topic::of_name(prefix, &letter.origin.topic);
                let is_before = matches!(origin, Some(Topic::LoanApplications | Topic::Intake));
                ledger.dead(&letter.stage, &letter.reason, is_before);
            }
            Letter::Mark(_) => {}
            Letter::Foreign => return None,
        },
        _ => {}
    }
    Some(())
}

/// Accepted applications say in headers who they are.
fn triple(message: &BorrowedMessage<'_>) -> Option<Triple> {
    let tenant = header(message, ext::TENANT)?.to_owned();
    let application_id = header(message, ce::SUBJECT)?.to_owned();
    Some((tenant, application_id, header(message, ext::REVISION)?.parse().ok()?))
}
