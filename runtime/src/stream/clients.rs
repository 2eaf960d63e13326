//! How the loop's consumer is configured: what exactly once asks of it; and how long to poll one. The producer's settings stand in
//! `producer.rs`.

use super::spec::LoopSpec;
use crate::kafka::{Isolation, reader};
use crate::service::ServiceContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use std::time::Duration;

/// A wait in whole milliseconds, rounded up. The client waits for whole ones and spins through a fraction that is left, which costs
/// half a millisecond of processor time whenever nothing comes.
pub(crate) fn whole_ms(wait: Duration) -> Duration {
    Duration::from_millis(wait.as_micros().div_ceil(1000).try_into().unwrap_or(u64::MAX))
}

/// The member of the worker's group. Offsets are committed by the transactions alone.
pub(crate) fn consumer(service: &ServiceContext, spec: &LoopSpec) -> ClientConfig {
    let mut config = reader(&service.kafka.client(), &service.kafka.topic(spec.worker), Isolation::Committed);
    config
        .set("group.instance.id", format!("{}-{}", spec.worker, service.instance))
        // A place that is lost is a gap, and never made good by reading on somewhere else (ADR 15).
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "1000")
        .set("fetch.queue.backoff.ms", "10")
        // Records come at once all the same; what is asked of the cluster meanwhile goes through `ServiceContext::asking`.
        .set("fetch.wait.max.ms", "500")
        .set("queued.max.messages.kbytes", spec.tuning.fetch_ahead_kb.to_string())
        .set("statistics.interval.ms", "2000")
        // The loop reads in it that a session ran out, whatever the logs are filtered by.
        .set_log_level(RDKafkaLogLevel::Info);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_milliseconds() {
        for (micros, milliseconds) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (99_999, 100)] {
            assert_eq!(whole_ms(Duration::from_micros(micros)), Duration::from_millis(milliseconds), "{micros} µs");
        }
    }
}
