//! The service layer of `receive`: a Kafka record in, the records it becomes out, one outcome. Holds no state.

use crate::config::Config;
use crate::error::Error;
use crate::headers::RecordHeaders;
use crate::metrics::Metrics;
use crate::outputs::{self, Origin, Topics};
use crate::receive::{Arrival, receive};
use crate::refusal::{Reason, Refusal, Who};
use crate::rules::{Rules, Tenants};
use domain::{Channel, ReplyStatus};
use runtime::kafka::KafkaConfig;
use runtime::stream::{HandleError, Handler, Input, NoState, Outbox, RecordOutcome, View};
use schemas::reply::Coordinates;

/// The longest event id that the answer to a record that is too large repeats, in bytes.
const MAX_EVENT_ID: usize = 256;

/// The outcome of a record that is taken.
pub const RECEIVED: &str = "received";

/// Turns senders' records into intake.
pub struct ReceiveHandler {
    rules: Rules,
    tenants: Tenants,
    topics: Topics,
    metrics: Metrics,
}

impl ReceiveHandler {
    /// A handler for the topics of a configuration.
    ///
    /// # Errors
    /// [`Error::Config`] when a key or a binding is no good.
    pub fn new(config: &Config, kafka: &KafkaConfig, metrics: Metrics) -> Result<Self, Error> {
        let tenants = Tenants::new(config, &kafka.topic_prefix)?;
        Ok(Self { rules: Rules::new(config)?, tenants, topics: Topics::new(kafka), metrics })
    }

    fn one(&self, input: &Input<'_>, out: &mut Outbox) -> Result<RecordOutcome, HandleError> {
        let topic = self.topics.base(input.topic);
        let Some(tenant) = self.tenants.of_topic(input.topic) else {
            return Err(HandleError::NotReady(format!("no tenant is bound to {topic}")));
        };
        let headers = RecordHeaders::new(input.headers());
        let arrival = Arrival {
            channel: Channel::Kafka,
            at_ms: input.timestamp_ms,
            header_of: &headers,
            body: input.payload,
            tenant,
        };
        match receive(&self.rules, &arrival) {
            Ok(taken) => {
                self.metrics.warned(&taken);
                let place = Some((topic, input.partition, input.offset));
                let origin =
                    Origin { channel: Channel::Kafka, place, received_at_ms: Some(input.timestamp_ms), token: None };
                outputs::received(taken, origin, &self.topics).into_iter().for_each(|record| out.emit(input, record));
                Ok(RecordOutcome::Done(RECEIVED))
            }
            Err(refusal) => Ok(self.refused(input, topic, &refusal, out)),
        }
    }

    fn refused(&self, input: &Input<'_>, topic: &str, refusal: &Refusal, out: &mut Outbox) -> RecordOutcome {
        let reason = refusal.reason.as_str();
        self.metrics.rejected(reason, Some(Channel::Kafka));
        self.metrics.replied(ReplyStatus::Rejected);
        let at = Coordinates { topic: topic.to_owned(), partition: input.partition, offset: input.offset.get() };
        out.emit(input, outputs::rejection(refusal, at.clone(), &at, &self.topics));
        refusal.reason.outcome(refusal.detail())
    }
}

impl Handler for ReceiveHandler {
    type Key = NoState;
    type Value = NoState;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        _: &mut View<'_, NoState, NoState>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        for input in block {
            let outcome = self.one(input, out)?;
            out.outcome(outcome);
        }
        Ok(())
    }

    /// Taken, but no topic of ours takes it: the sender is told that it is too large, by what stands outside of the body.
    fn unproducible(
        &mut self,
        record: &Input<'_>,
        _: &mut View<'_, NoState, NoState>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        let topic = self.topics.base(record.topic);
        let tenant =
            self.tenants.of_topic(record.topic).map_or_else(String::new, |rule| rule.tenant().as_str().to_owned());
        let event_id = record.header_str(schemas::envelope::header::ID).filter(|id| id.len() <= MAX_EVENT_ID);
        let who = Who { tenant, event_id: event_id.map(str::to_owned), ..Who::default() };
        let refusal = Refusal::whole(Reason::BodyTooLarge, who);
        let outcome = self.refused(record, topic, &refusal, out);
        out.outcome(outcome);
        Ok(())
    }
}
