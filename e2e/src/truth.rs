//! What is true, by a plain reader of committed records: what was published and answered, who was accepted and decided.

use crate::oracle::chain::Chain;
use crate::oracle::replies::Replies;
use crate::oracle::{Findings, Place};
use anyhow::{Context, Result};
use defaultx::reader;
use rdkafka::message::{BorrowedMessage, Message};
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use schemas::reply::{Coordinates, Reply};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// (application id, revision).
pub type Application = (String, u32);

/// The stages of [`Truth::applications`].
const ACCEPTED: usize = 0;
const DECIDED: usize = 1;

/// What plain readers saw of a run, held by what names it.
pub struct Truth {
    /// Published records and the replies that name them.
    pub replies: Replies,
    /// Each application from its acceptance to its automatic decision.
    pub applications: Chain<Application>,
    /// Replies by status.
    pub statuses: BTreeMap<String, u64>,
    topics: HashMap<String, Arc<str>>,
}

/// The few fields of a decision that are counted.
#[derive(Deserialize)]
struct Decided {
    application: schemas::risk::ApplicationRef,
    decision_number: u32,
}

impl Truth {
    /// Reads what senders published, replies and decisions to their present end.
    ///
    /// # Errors
    /// When a record is not of the contract.
    pub fn read(kafka: &KafkaConfig) -> Result<Self> {
        let mut truth = Self {
            replies: Replies::default(),
            applications: Chain::new("application", &["accepted", "decided"]),
            statuses: BTreeMap::new(),
            topics: HashMap::new(),
        };
        // Replies first: what was answered by then had been published before.
        let replies = Topic::LoanReplies.name(&kafka.topic_prefix);
        reader::read_to_end(kafka, [replies.as_str()], |message| truth.take_reply(message))?;
        let decisions = Topic::Decisions.name(&kafka.topic_prefix);
        reader::read_to_end(kafka, [decisions.as_str()], |message| truth.take_decision(message))?;
        let published = Topic::LoanApplications.name(&kafka.topic_prefix);
        reader::read_to_end(kafka, [published.as_str()], |message| {
            let place = truth.place(Topic::LoanApplications.base_name(), message.partition(), message.offset());
            truth.replies.published(place);
            Ok(())
        })?;
        Ok(truth)
    }

    /// Whether every published record has its reply and every accepted application its decision.
    pub fn is_complete(&self) -> bool {
        self.replies.are_complete() && self.applications.has_reached(DECIDED)
    }

    /// How many different applications were accepted.
    pub fn accepted(&self) -> usize {
        self.applications.distinct(ACCEPTED)
    }

    /// How many different applications were decided.
    pub fn decided(&self) -> usize {
        self.applications.distinct(DECIDED)
    }

    /// Everything that does not fit.
    pub fn judge(&self) -> Findings {
        let mut findings = Findings::default();
        self.replies.judge(&mut findings);
        self.applications.judge(&mut findings);
        findings
    }

    fn place(&mut self, topic: &str, partition: i32, offset: i64) -> Place {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_owned(), topic.into());
        }
        Place::new(&self.topics[topic], partition, offset)
    }

    fn take_reply(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let reply: Reply = serde_json::from_slice(message.payload().context("a reply without a body")?)?;
        let Coordinates { topic, partition, offset } = reply.origin;
        let place = self.place(&topic, partition, offset);
        self.replies.answered(place);
        if reply.status == "accepted" {
            let id = reply.application_id.context("accepted without an id")?;
            self.applications.seen(ACCEPTED, (id, reply.revision.unwrap_or(0)));
        }
        *self.statuses.entry(reply.status).or_default() += 1;
        Ok(())
    }

    fn take_decision(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let decided: Decided = serde_json::from_slice(message.payload().context("a decision without a body")?)?;
        if decided.decision_number == 1 {
            self.applications.seen(DECIDED, (decided.application.application_id, decided.application.revision));
        }
        Ok(())
    }
}
