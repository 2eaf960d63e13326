//! What is true, by a plain reader of committed records: who was accepted, who was decided, how often.

use anyhow::{Context, Result};
use defaultx::reader;
use rdkafka::message::{BorrowedMessage, Message};
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use schemas::reply::Reply;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// (application id, revision).
pub type Application = (String, u32);

/// Counts of a run.
#[derive(Debug, Default)]
pub struct Truth {
    /// Replies by status.
    pub replies: BTreeMap<String, u64>,
    /// Reasons of refusals.
    pub problems: BTreeMap<String, u64>,
    /// How often each application was accepted.
    pub accepted: HashMap<Application, u32>,
    /// How often each application was decided automatically.
    pub decided: HashMap<Application, u32>,
    /// Outcomes of decisions.
    pub outcomes: BTreeMap<String, u64>,
}

/// The few fields of a decision that are counted.
#[derive(Deserialize)]
struct Decided {
    application: schemas::risk::ApplicationRef,
    decision_number: u32,
    outcome: String,
}

impl Truth {
    /// Reads replies and decisions to their present end.
    ///
    /// # Errors
    /// When a record is not of the contract.
    pub fn read(kafka: &KafkaConfig) -> Result<Self> {
        let mut truth = Self::default();
        let replies = Topic::LoanReplies.name(&kafka.topic_prefix);
        reader::read_to_end(kafka, [replies.as_str()], |message| truth.take_reply(message))?;
        let decisions = Topic::Decisions.name(&kafka.topic_prefix);
        reader::read_to_end(kafka, [decisions.as_str()], |message| truth.take_decision(message))?;
        Ok(truth)
    }

    /// Accepted and never decided.
    pub fn lost(&self) -> usize {
        self.accepted.keys().filter(|key| !self.decided.contains_key(*key)).count()
    }

    /// Accepted or decided more than once.
    pub fn doubled(&self) -> usize {
        self.accepted.values().chain(self.decided.values()).filter(|count| **count > 1).count()
    }

    fn take_reply(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let reply: Reply = serde_json::from_slice(message.payload().context("a reply without a body")?)?;
        if reply.status == "accepted" {
            let id = reply.application_id.context("accepted without an id")?;
            *self.accepted.entry((id, reply.revision.unwrap_or(0))).or_default() += 1;
        }
        if let Some(problem) = reply.problem {
            *self.problems.entry(problem.kind).or_default() += 1;
        }
        *self.replies.entry(reply.status).or_default() += 1;
        Ok(())
    }

    fn take_decision(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let decided: Decided = serde_json::from_slice(message.payload().context("a decision without a body")?)?;
        if decided.decision_number == 1 {
            let key = (decided.application.application_id, decided.application.revision);
            *self.decided.entry(key).or_default() += 1;
        }
        *self.outcomes.entry(decided.outcome).or_default() += 1;
        Ok(())
    }
}
