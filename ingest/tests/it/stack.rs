//! `receive` and `admit` in a row, as one worker: what a test sends goes through both.

use crate::corpus::Record;
use ingest::{AdmitHandler, Config, Metrics, ReceiveHandler};
use runtime::kafka::KafkaConfig;
use runtime::stream::harness::Harness;
use runtime::stream::{Offset, Output, OwnedInput, RecordOutcome};
use serde_json::Value;

/// 2026-11-20T00:00:00Z.
pub const NOW_MS: i64 = 1_795_132_800_000;
pub const DAY_MS: i64 = 86_400_000;

/// Both handlers with their state, and the next offsets.
pub struct Stack {
    receive: Harness<ReceiveHandler>,
    admit: Harness<AdmitHandler>,
    received: i64,
    admitted: i64,
    pub now_ms: i64,
}

/// What became of one record.
#[derive(Debug)]
pub struct Outcome {
    /// The last outcome: of `receive` when it refused, otherwise of `admit`.
    pub outcome: RecordOutcome,
    /// Everything that was written, by base topic.
    pub outputs: Vec<Output>,
}

impl Outcome {
    pub fn on(&self, topic: &str) -> Vec<&Output> {
        self.outputs.iter().filter(|output| &*output.topic == topic).collect()
    }

    /// The one reply.
    pub fn reply(&self) -> Value {
        let replies = self.on("t.loan.replies.v1");
        assert_eq!(replies.len(), 1, "exactly one reply");
        serde_json::from_slice(replies[0].payload.as_deref().unwrap()).unwrap()
    }

    pub fn is_accepted(&self) -> bool {
        self.outcome == RecordOutcome::Done("accepted")
    }
}

pub fn header<'o>(output: &'o Output, name: &str) -> Option<&'o str> {
    let found = output.headers.iter().find(|header| header.0 == name)?;
    Some(std::str::from_utf8(&found.1).unwrap())
}

pub fn kafka() -> KafkaConfig {
    KafkaConfig { topic_prefix: "t.".to_owned(), ..KafkaConfig::default() }
}

impl Stack {
    pub fn new() -> Self {
        Self::with(&Config::default())
    }

    pub fn with(config: &Config) -> Self {
        Self::counted(config, &prometheus::Registry::new())
    }

    /// One whose metrics somebody looks at.
    pub fn counted(config: &Config, registry: &prometheus::Registry) -> Self {
        let metrics = Metrics::new(registry).unwrap();
        Self {
            receive: Harness::new(ReceiveHandler::new(config, &kafka(), metrics.clone()).unwrap()),
            admit: Harness::new(AdmitHandler::new(config, &kafka(), metrics).unwrap()),
            received: 0,
            admitted: 0,
            now_ms: NOW_MS,
        }
    }

    /// Sends a record through both steps.
    pub fn send(&mut self, record: &Record) -> Outcome {
        let input = OwnedInput {
            topic: "t.loan.applications.v1".to_owned(),
            partition: 3,
            offset: Offset::new(self.received),
            timestamp_ms: self.now_ms,
            key: None,
            payload: record.body.clone(),
            headers: record.headers.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
        };
        self.received += 1;
        let (outcomes, written) = self.receive.feed(&[input]).unwrap();
        let mut outputs: Vec<Output> = written.into_iter().map(|(_, output)| output).collect();
        let mut outcome = outcomes.into_iter().next().unwrap();
        let intake: Vec<Output> = outputs.iter().filter(|o| &*o.topic == "t.credit.intake.v1").cloned().collect();
        assert_eq!(intake.len(), usize::from(matches!(outcome, RecordOutcome::Done(_))), "intake means received");
        for record in intake {
            let (admitted, written) = self.admit_record(&as_input(&record, 0));
            outcome = admitted;
            outputs.extend(written);
        }
        Outcome { outcome, outputs }
    }

    /// What `receive` says of a sender's record whose intake record no broker takes.
    pub fn receive_unproducible(&mut self, record: &OwnedInput) -> Outcome {
        told(self.receive.unproducible(record).unwrap())
    }

    /// What `admit` says of an intake record that the applications' topic does not take.
    pub fn admit_unproducible(&mut self, record: &OwnedInput) -> Outcome {
        told(self.admit.unproducible(record).unwrap())
    }

    /// What deduplication remembers, as its changelog has it.
    pub fn remembered(&self) -> Vec<(i32, Vec<u8>, Vec<u8>)> {
        self.admit.state().collect()
    }

    /// Takes over an entry of the changelog.
    pub fn restore(&mut self, partition: i32, key: &[u8], value: &[u8]) -> bool {
        self.admit.restore(partition, key, value)
    }

    /// Feeds an intake record to `admit` at the deployment's time.
    pub fn admit_record(&mut self, record: &OwnedInput) -> (RecordOutcome, Vec<Output>) {
        let input = OwnedInput { offset: Offset::new(self.admitted), timestamp_ms: self.now_ms, ..record.clone() };
        self.admitted += 1;
        let (outcomes, written) = self.admit.feed(&[input]).unwrap();
        (outcomes.into_iter().next().unwrap(), written.into_iter().map(|(_, output)| output).collect())
    }
}

fn told((outcomes, written): runtime::stream::harness::Fed) -> Outcome {
    let outcome = outcomes.into_iter().next().unwrap();
    Outcome { outcome, outputs: written.into_iter().map(|(_, output)| output).collect() }
}

/// A written record as the next step reads it.
pub fn as_input(output: &Output, partition: i32) -> OwnedInput {
    OwnedInput {
        topic: output.topic.to_string(),
        partition,
        offset: Offset::default(),
        timestamp_ms: 0,
        key: output.key.clone(),
        payload: output.payload.clone(),
        headers: output.headers.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect(),
    }
}
