//! Each changelog against its input handled a second time: what a worker restores must be what was handled.

use crate::oracle::Findings;
use crate::oracle::tables::Table;
use crate::truth::deployment::Deployment;
use anyhow::Result;
use decision::in_force::{Kept, POLICY};
use defaultx::reader;
use ingest::admit::Key;
use ingest::{AdmitHandler, Metrics};
use prometheus::Registry;
use rdkafka::message::Message;
use runtime::stream::harness::Harness;
use runtime::stream::position::STATE_POSITION;
use runtime::stream::{Input, OwnedInput, Stored};
use schemas::Topic;
use schemas::control::Activation;
use scorer::in_force::{Asked, Carried};

/// The changelogs of a deployment and what should be in them.
pub struct State {
    admit: Table,
    scorer: Table,
    decision: Table,
}

impl State {
    /// Empty tables.
    pub(super) fn new() -> Self {
        let same = |expected: &[u8], restored: &[u8]| expected == restored;
        // A later version may keep more of an activation than its version; what is in force is its front.
        let begins = |expected: &[u8], restored: &[u8]| restored.starts_with(expected);
        Self {
            admit: Table::new(Topic::AdmitState.base_name(), same),
            scorer: Table::new(Topic::ScorerState.base_name(), begins),
            decision: Table::new(Topic::DecisionState.base_name(), same_policy),
        }
    }

    /// An activation stands on the applications' topic. That a route takes back versions of models that were activated alone is
    /// not followed: a run here activates either.
    pub(super) fn activated_for_scorer(&mut self, partition: i32, activation: Activation) {
        let Some(Asked { switch, remembered, in_force }) = Asked::of(activation) else { return };
        let known = scorer::in_force::InForce { carried: Carried::default(), ..in_force.clone() };
        self.scorer.expect(partition, &switch.encode(), Some(&in_force.encode()));
        self.scorer.expect(partition, &remembered.encode(), Some(&known.encode()));
    }

    /// An activation stands on the score events' topic.
    pub(super) fn activated_for_decision(&mut self, partition: i32, activation: Activation) {
        if activation.kind == POLICY {
            let in_force = decision::in_force::InForce::from(activation);
            let known = decision::in_force::InForce { document: None, ..in_force.clone() };
            self.decision.expect(partition, &Kept::Policy.encode(), Some(&in_force.encode()));
            self.decision.expect(partition, &Kept::Version(in_force.label()).encode(), Some(&known.encode()));
        }
    }

    /// Reads the changelogs, and hands intake to a handler of its own.
    pub(super) fn read(&mut self, from: &Deployment) -> Result<()> {
        let kafka = &from.kafka;
        let uncounted: Vec<_> = from.uncounted.iter().map(|tenant| Key::of_quota(tenant).encode()).collect();
        let changelogs = [
            (Topic::AdmitState, &mut self.admit),
            (Topic::ScorerState, &mut self.scorer),
            (Topic::DecisionState, &mut self.decision),
        ];
        for (topic, table) in changelogs {
            let name = kafka.topic(topic.base_name());
            reader::read_to_end(kafka, [name.as_ref()], |message| {
                let key = message.key().unwrap_or_default();
                if key != STATE_POSITION && !uncounted.iter().any(|counter| counter == key) {
                    table.restore(message.partition(), key, message.payload());
                }
                Ok(())
            })?;
        }
        let mut admit = Harness::new(AdmitHandler::new(&from.ingest, kafka, Metrics::new(&Registry::new())?)?);
        let intake = kafka.topic(Topic::Intake.base_name());
        reader::read_to_end(kafka, [intake.as_ref()], |message| {
            admit.feed(&[OwnedInput::from(&Input::of(message))]).map_err(|error| anyhow::anyhow!("{error}"))?;
            Ok(())
        })?;
        for (partition, key, value) in admit.state().filter(|(_, key, _)| !uncounted.contains(key)) {
            self.admit.expect(partition, &key, Some(&value));
        }
        Ok(())
    }

    /// Entries of the changelogs' tables.
    pub fn entries(&self) -> usize {
        [&self.admit, &self.scorer, &self.decision].map(Table::entries).iter().sum()
    }

    /// Holds each table against the other.
    pub(super) fn judge(&self, findings: &mut Findings) {
        [&self.admit, &self.scorer, &self.decision].into_iter().for_each(|table| table.judge(findings));
    }
}

/// Members that a later version adds are its own.
fn same_policy(expected: &[u8], restored: &[u8]) -> bool {
    decision::in_force::InForce::decode(restored).is_some_and(|found| found.encode() == expected)
}
