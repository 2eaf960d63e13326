//! A batch that the client cannot unpack: it would unpack to too much, or its bytes are damaged. The client reads it again for ever
//! and says only that it cannot, so that the partition stands; who asks here hears which one, and where it goes on.

use crate::ffi::{Polled, poll_offset};
use crate::kafka::{Isolation, Plain, PlainConsumer, reader};
use crate::stream::offset::{NextOffset, Offset};
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::{Duration, Instant};

/// Whether an error of a consumer says that it cannot unpack what it has read.
pub(crate) fn is_unreadable(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BadCompression
            | Code::BadMessage
            | Code::InvalidMessage
            | Code::NotImplemented
            | Code::UnsupportedCompressionType
    )
}

/// Most batches that one gap holds.
const BATCHES_MAX: usize = 100;

/// Longest search; what it has found by then is a gap, and the next one begins there.
const WALK_MAX: Duration = Duration::from_secs(10);

/// Reads single places.
pub(crate) struct Probe {
    consumer: PlainConsumer,
    timeout: Duration,
}

impl Probe {
    /// `timeout` is for each place.
    pub fn connect(client: &ClientConfig, timeout: Duration) -> Result<Self, KafkaError> {
        let mut config = reader(client, "probe", Isolation::Committed);
        config.set("enable.partition.eof", "true").set("auto.offset.reset", "error");
        // One batch at a time, and no pause after one that cannot be unpacked.
        // What was damaged on a disk is named, too: nothing is read on behind the first error.
        config.set("check.crcs", "true");
        config.set("fetch.message.max.bytes", "1").set("fetch.wait.max.ms", "10").set("fetch.error.backoff.ms", "0");
        Ok(Self { consumer: config.create_with_context(Plain)?, timeout })
    }

    /// Where it goes on behind the batch at an offset, if that cannot be unpacked, and behind those of the kind that follow it. What
    /// comes there may be another one, because no more than [`BATCHES_MAX`] are passed at once.
    pub(crate) fn behind_unreadable(
        &self,
        topic: &str,
        partition: i32,
        at: NextOffset,
    ) -> Result<Option<NextOffset>, KafkaError> {
        let (mut behind, until) = (at, Instant::now() + WALK_MAX);
        for _ in 0..BATCHES_MAX {
            if behind > at && Instant::now() > until {
                break;
            }
            match self.unreadable(topic, partition, behind)? {
                Some(batch) => behind = self.behind(topic, partition, behind, batch)?,
                None => break,
            }
        }
        Ok((behind > at).then_some(behind))
    }

    /// Whether what stands at an offset can be unpacked now.
    pub(crate) fn is_readable(&self, topic: &str, partition: i32, at: NextOffset) -> Result<bool, KafkaError> {
        Ok(self.unreadable(topic, partition, at)?.is_none())
    }

    /// The first offset behind `at` that is not of the batch that begins with `batch`.
    fn behind(&self, topic: &str, partition: i32, at: NextOffset, batch: Offset) -> Result<NextOffset, KafkaError> {
        // A place that gives nothing lies behind an open transaction, and so behind the batch.
        let is_in_it = |offset| match self.unreadable(topic, partition, offset) {
            Ok(found) => Ok(found == Some(batch)),
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut) => Ok(false),
            Err(error) => Err(error),
        };
        let (mut inside, mut step) = (at, 1);
        while is_in_it(at.further(step))? {
            inside = at.further(step);
            step *= 2;
        }
        let mut behind = at.further(step);
        while behind - inside > 1 {
            let middle = inside.further((behind - inside) / 2);
            if is_in_it(middle)? { inside = middle } else { behind = middle }
        }
        Ok(behind)
    }

    /// The first offset of the batch that stands at an offset, if it cannot be unpacked.
    fn unreadable(&self, topic: &str, partition: i32, at: NextOffset) -> Result<Option<Offset>, KafkaError> {
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(topic, partition, at.to_kafka())?;
        self.consumer.assign(&place)?;
        let until = Instant::now() + self.timeout;
        while Instant::now() < until {
            match poll_offset(&self.consumer, Duration::from_millis(100)) {
                Some(Polled::Error(code, batch)) if is_unreadable(code) => return Ok(Some(batch)),
                // Beyond the end is behind every batch.
                Some(
                    Polled::Record(_)
                    | Polled::Error(
                        RDKafkaErrorCode::PartitionEOF
                        | RDKafkaErrorCode::AutoOffsetReset
                        | RDKafkaErrorCode::OffsetOutOfRange,
                        _,
                    ),
                ) => return Ok(None),
                Some(Polled::Error(..)) | None => {}
            }
        }
        Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut))
    }
}
