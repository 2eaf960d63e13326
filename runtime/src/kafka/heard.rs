//! What clients tell of themselves, in one place: that no broker is reached is an outage, which is told once and not by each of them.

use crate::outage::{BROKERS, KAFKA};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::ProducerContext;
use rdkafka::{ClientContext, Statistics};
use std::sync::atomic::{AtomicU32, Ordering};

/// Of an outage: there is one cluster for all workers.
const CLUSTER: &str = "brokers";
/// The library's name for a connection that failed, in its log.
const CONNECTION_FAILED: &str = "FAIL";
/// So many statistics in a row without a broker that is up: one alone may fall between two connections.
const CUT_OFF: u32 = 2;

/// An error of a client that is not an answer to a call.
pub(crate) fn error(worker: &str, error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        // An answer to a poll.
        Some(RDKafkaErrorCode::PartitionEOF) => {}
        _ if is_broken_off(reason) => tracing::debug!(worker, %error, reason, "kafka client"),
        Some(RDKafkaErrorCode::AllBrokersDown) => KAFKA.failed(CLUSTER, reason),
        Some(code) if is_of_the_way(code) => broker_failed(reason),
        _ => tracing::warn!(worker, %error, reason, "kafka client"),
    }
}

/// The same of a client that is asked for its errors only when it is used: what it tells of an outage may be long over, and others have told it.
pub(crate) fn late_error(told: &KafkaError, reason: &str) {
    match told.rdkafka_error_code() {
        Some(code) if is_of_the_way(code) => tracing::debug!(error = %told, reason, "kafka client"),
        _ => error("", told, reason),
    }
}

/// A line of a client's own log.
pub(crate) fn line(worker: &str, level: RDKafkaLogLevel, fac: &str, message: &str) {
    use RDKafkaLogLevel as Level;
    if fac == CONNECTION_FAILED && !is_broken_off(message) {
        return broker_failed(message);
    }
    match level {
        _ if fac == CONNECTION_FAILED => tracing::debug!(worker, fac, message, "kafka client"),
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(worker, fac, message, "kafka client");
        }
        Level::Warning => tracing::warn!(worker, fac, message, "kafka client"),
        Level::Notice | Level::Info => tracing::info!(worker, fac, message, "kafka client"),
        Level::Debug => tracing::debug!(worker, fac, message, "kafka client"),
    }
}

/// One broker was not reached. Others may be: of a cluster nothing follows from that, and in an outage of all it is no news.
fn broker_failed(reason: &str) {
    match KAFKA.lasts() {
        true => tracing::debug!(reason, "kafka client"),
        false => BROKERS.failed(broker_of(reason), reason),
    }
}

/// Host and port of the broker that a line of a client, or a name in its statistics, is about: `[thrd:…]: ssl://HOST:PORT/ID: …`.
fn broker_of(text: &str) -> &str {
    let text = text.split_once("]: ").filter(|(thread, _)| thread.starts_with("[thrd:")).map_or(text, |(_, rest)| rest);
    let name = text.split(": ").next().unwrap_or_default();
    let name = name.split_once("://").map_or(name, |(_, name)| name);
    name.split('/').next().unwrap_or_default()
}

/// A connection that ended while a client introduced itself, as at the close of either side: it says nothing of its login.
fn is_broken_off(reason: &str) -> bool {
    reason.contains("SASL authentication error") && reason.contains("Broker transport failure")
}

fn is_of_the_way(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::AllBrokersDown | Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut)
}

/// Whether a client has a broker, as its statistics say.
#[derive(Debug, Default)]
pub(crate) struct Reach(AtomicU32);

impl Reach {
    pub(crate) fn tell(&self, statistics: &Statistics) {
        let up = statistics.brokers.values().filter(|broker| broker.state == "UP");
        up.clone()
            .flat_map(|broker| [broker_of(&broker.name), &broker.nodename])
            .for_each(|place| BROKERS.works(place));
        self.note(up.count() > 0);
    }

    /// No broker has been up for a while, as far as the clients know.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= CUT_OFF
    }

    fn note(&self, is_up: bool) {
        if is_up {
            self.0.store(0, Ordering::Relaxed);
            KAFKA.works(CLUSTER);
        } else {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Somebody reached a broker who has no statistics.
pub(crate) fn reached() {
    KAFKA.works(CLUSTER);
}

/// The context of a client that only asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asker;

impl ClientContext for Asker {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        line("", level, fac, message);
    }

    fn error(&self, told: KafkaError, reason: &str) {
        late_error(&told, reason);
    }
}

impl ProducerContext for Asker {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::message::DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_cut_off_after_two_looks_and_back_after_one() {
        let reach = Reach::default();
        let after = |ups: &[bool]| {
            ups.iter().for_each(|up| reach.note(*up));
            reach.is_cut_off()
        };
        assert!(!after(&[true]) && !after(&[false]), "one may fall between two connections");
        assert!(after(&[false]) && after(&[false]) && !after(&[true]) && !after(&[false]));
    }

    #[test]
    fn a_line_names_its_broker_however_it_is_reached() {
        let rows = [
            (
                "[thrd:sasl_ssl://kafka-1:9092/1]: sasl_ssl://kafka-1:9092/1: Connect to ipv4#10.0.0.1:9092 failed",
                "kafka-1:9092",
            ),
            ("127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused", "127.0.0.1:9092"),
            ("ssl://[::1]:9093/2", "[::1]:9093"),
            ("GroupCoordinator: 127.0.0.1:9092: Disconnected", "GroupCoordinator"),
            ("", ""),
        ];
        for (line, broker) in rows {
            assert_eq!(broker_of(line), broker, "{line}");
        }
    }

    /// One of several brokers that is away is told, and silences nothing that workers say.
    #[test]
    fn one_broker_that_is_away_is_no_outage_of_the_cluster() {
        let reason = "ssl://one-of-three:9092/1: Connect to ipv4#10.9.9.9:9092 failed: Connection refused";
        line("w", RDKafkaLogLevel::Error, CONNECTION_FAILED, reason);
        error("w", &KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), reason);
        assert!(BROKERS.lasts() && !KAFKA.lasts());
    }

    #[test]
    fn a_connection_that_breaks_off_says_nothing_of_a_login() {
        let reason = "sasl_plaintext://127.0.0.1:9092/1: SASL authentication error: SaslAuthenticateRequest failed: Local: Broker \
                      transport failure (after 0ms in state AUTH_REQ)";
        assert!(is_broken_off(reason));
        assert!(!is_broken_off(
            "SASL authentication error: Authentication failed during authentication due to invalid credentials"
        ));
    }
}
