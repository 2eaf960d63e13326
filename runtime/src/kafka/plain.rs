//! A consumer that belongs to no loop, and its context.

use super::heard;
use crate::task;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientConfig, ClientContext};
use std::ops::Deref;

/// A consumer that belongs to no loop: whoever reads a topic to its end, or along with others.
///
/// Closing one takes the client library a tenth of a second, which it waits in a poll. Nobody waits for that here: it is
/// closed on a thread of its own.
pub struct PlainConsumer(Option<BaseConsumer<Plain>>);

impl FromClientConfigAndContext<Plain> for PlainConsumer {
    fn from_config_and_context(config: &ClientConfig, context: Plain) -> KafkaResult<Self> {
        BaseConsumer::from_config_and_context(config, context).map(|consumer| Self(Some(consumer)))
    }
}

impl Deref for PlainConsumer {
    type Target = BaseConsumer<Plain>;

    fn deref(&self) -> &BaseConsumer<Plain> {
        self.0.as_ref().expect("it is there until the drop")
    }
}

impl Drop for PlainConsumer {
    fn drop(&mut self) {
        let consumer = self.0.take();
        if let Err(error) = task::thread("reader-close", move || drop(consumer)) {
            // What cannot be moved to a thread was dropped here.
            tracing::debug!(%error, "a reader was closed in place");
        }
    }
}

/// The context of every [`PlainConsumer`]. The end of a partition comes as an error of the client; the default context would
/// log it as one, each time. It is an answer to `poll` and nothing else. An outage is told once, and not by every client.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl ClientContext for Plain {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        heard::line("", level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        heard::error("", &error, reason);
    }
}

impl ConsumerContext for Plain {}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::error::RDKafkaErrorCode;
    use std::sync::{Arc, Mutex};

    /// Takes what is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("one thread").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_end_of_a_partition_is_no_line_in_the_log() {
        let rows = [(RDKafkaErrorCode::PartitionEOF, 0), (RDKafkaErrorCode::Authentication, 1)];
        for (code, expected) in rows {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
            tracing::subscriber::with_default(subscriber, || Plain.error(KafkaError::Global(code), "as told"));
            let logged = lines.0.lock().expect("one thread").iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(logged, expected, "{code:?}");
        }
    }
}
