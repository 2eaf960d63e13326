//! What a client of ours reads and writes by, whoever makes it: isolation, commits and the partitioner are set here and nowhere else
//! (`e2e/tests/it/tidy.rs` looks). Pure.

use rdkafka::ClientConfig;

/// Which records a reader sees, and which end of a partition it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of transactions that have committed.
    Committed,
    /// All, so that the end is that of open transactions too. Only ends are asked this way; no record is believed.
    Uncommitted,
}

impl Isolation {
    const fn word(self) -> &'static str {
        match self {
            Self::Committed => "read_committed",
            Self::Uncommitted => "read_uncommitted",
        }
    }
}

/// A reader on top of [`super::KafkaConfig::client`]. It commits nothing by itself: offsets belong to the transaction of what was
/// made of the records. librdkafka wants a group even of a client that never joins one.
#[must_use]
pub fn reader(client: &ClientConfig, group: &str, isolation: Isolation) -> ClientConfig {
    let mut config = client.clone();
    config.set("group.id", group).set("isolation.level", isolation.word());
    config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    config
}

/// A writer on top of [`super::KafkaConfig::client`]: without duplicates of its own, acknowledged by every replica in sync, and to
/// the partition that Java's default partitioner takes, so that a key has one home whoever writes it.
#[must_use]
pub fn writer(client: &ClientConfig) -> ClientConfig {
    let mut config = client.clone();
    config.set("enable.idempotence", "true").set("acks", "all").set("partitioner", "murmur2_random");
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_property_of_an_operator_changes_what_exactly_once_rests_on() {
        let rests_on = ["isolation.level", "enable.auto.commit", "enable.auto.offset.store"];
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", "127.0.0.1:9092").set("acks", "0").set("partitioner", "random");
        rests_on.iter().for_each(|name| _ = client.set(*name, "true"));
        let pinned = |config: ClientConfig, names: &[&str]| {
            names.iter().map(|name| config.get(name).unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let rows = [
            (reader(&client, "g", Isolation::Committed), &rests_on[..], &["read_committed", "false", "false"][..]),
            (reader(&client, "g", Isolation::Uncommitted), &rests_on[..], &["read_uncommitted", "false", "false"][..]),
            (
                writer(&client),
                &["enable.idempotence", "acks", "partitioner"][..],
                &["true", "all", "murmur2_random"][..],
            ),
        ];
        for (config, names, expected) in rows {
            assert_eq!(config.get("bootstrap.servers"), Some("127.0.0.1:9092"));
            assert_eq!(pinned(config, names), expected, "{names:?}");
        }
    }
}
