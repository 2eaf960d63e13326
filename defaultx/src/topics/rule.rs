//! PURE. The settings that keep a topic's promises: what each must be at least, at most or exactly, and what is lost otherwise.

use runtime::kafka::{KafkaConfig, MESSAGE_MAX_BYTES, RECORD_MAX_BYTES};
use schemas::Topic;
use schemas::topics::Keep;

/// Bytes of the largest record that a sender may publish; what is larger than ingest's limit is refused by name, not by Kafka.
const SENDER_MAX_BYTES: u32 = 16 << 20;
const DAY_MS: u64 = 24 * 3600 * 1000;
/// Kafka's name of the setting that depends on how many copies a topic has.
pub(super) const MIN_INSYNC: &str = "min.insync.replicas";

/// Whose topic it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In the table of topics.
    Ours(Topic),
    /// A sender's own, beside `loan.applications.v1`.
    Sender,
    /// Kafka's, in which offsets and transactions stand.
    Internal,
}

/// On which side of the wanted value a setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Exactly,
    /// More keeps more. `-1` is without a limit.
    AtLeast,
    /// Less keeps more.
    AtMost,
}

/// What a setting must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Kafka's name of it.
    pub name: &'static str,
    /// The value that is set where it is weaker.
    pub wanted: String,
    /// What happens otherwise.
    pub because: &'static str,
    side: Side,
}

impl Rule {
    fn new(name: &'static str, side: Side, wanted: impl ToString, because: &'static str) -> Self {
        Self { name, wanted: wanted.to_string(), because, side }
    }

    /// Whether a value is as good as the wanted one, or better.
    pub fn holds(&self, found: Option<&str>) -> bool {
        let Some(found) = found else { return false };
        match (self.side, number(found), number(&self.wanted)) {
            (Side::AtLeast, Some(found), Some(wanted)) => found >= wanted,
            (Side::AtMost, Some(found), Some(wanted)) => found <= wanted,
            _ => found == self.wanted,
        }
    }
}

/// −1 means without a limit, wherever Kafka takes it.
fn number(value: &str) -> Option<i64> {
    value.parse().ok().map(|number: i64| if number == -1 { i64::MAX } else { number })
}

/// Every rule of a topic that has `copies`.
pub(super) fn rules(kind: Kind, kafka: &KafkaConfig, copies: i32) -> Vec<Rule> {
    let mut rules = match kind {
        Kind::Ours(topic) => of_content(topic, kafka),
        Kind::Sender => vec![broker_time(), whole()],
        Kind::Internal => vec![compacted()],
    };
    rules.push(Rule::new(
        MIN_INSYNC,
        Side::AtLeast,
        min_insync(kafka, copies),
        "what one broker alone has acknowledged is gone with it",
    ));
    if !kafka.unclean_leader_election {
        rules.push(Rule::new(
            "unclean.leader.election.enable",
            Side::Exactly,
            false,
            "a copy that lags may become the leader, and records that were acknowledged are gone",
        ));
    }
    if kafka.flush_every_record {
        rules.push(Rule::new("flush.messages", Side::AtMost, 1, "a power cut takes what is not on the disk yet"));
    }
    rules
}

/// How many copies must have a record before it is acknowledged.
fn min_insync(kafka: &KafkaConfig, copies: i32) -> i32 {
    let wanted = match kafka.min_insync_replicas {
        0 if copies >= 3 => 2,
        0 => 1,
        set => set,
    };
    wanted.min(copies.max(1))
}

fn of_content(topic: Topic, kafka: &KafkaConfig) -> Vec<Rule> {
    let max_bytes = match topic {
        Topic::LoanApplications => SENDER_MAX_BYTES,
        Topic::DeadLetters => MESSAGE_MAX_BYTES,
        _ => RECORD_MAX_BYTES,
    };
    let fits = Rule::new("max.message.bytes", Side::AtLeast, max_bytes, "a record within the contract may not fit");
    match topic.keep() {
        Keep::Days(days) => {
            let ms = u64::from(days) * DAY_MS;
            let bytes = kafka.retention_bytes;
            vec![
                broker_time(),
                fits,
                whole(),
                Rule::new("retention.ms", Side::AtLeast, ms, "records go before an outage may end"),
                Rule::new("retention.bytes", Side::AtLeast, bytes, "a full partition drops records before their time"),
            ]
        }
        Keep::Compacted => {
            // A restore reads the whole changelog: small segments let compaction begin early.
            let small = Rule::new("segment.bytes", Side::AtMost, 64 << 20, "a restore reads more than it needs");
            vec![broker_time(), fits, compacted(), small]
        }
    }
}

fn broker_time() -> Rule {
    let because = "whoever writes may choose when its record was received";
    Rule::new("message.timestamp.type", Side::Exactly, "LogAppendTime", because)
}

fn whole() -> Rule {
    Rule::new("cleanup.policy", Side::Exactly, "delete", "compaction drops all but a key's last record")
}

fn compacted() -> Rule {
    Rule::new("cleanup.policy", Side::Exactly, "compact", "what was remembered for a key expires")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_stronger_holds() {
        let days = Rule::new("retention.ms", Side::AtLeast, 7, "");
        let flush = Rule::new("flush.messages", Side::AtMost, 1, "");
        let unlimited = Rule::new("retention.bytes", Side::AtLeast, -1, "");
        let kind = Rule::new("cleanup.policy", Side::Exactly, "compact", "");
        let rows = [
            (&days, Some("6"), false),
            (&days, Some("7"), true),
            (&days, Some("8"), true),
            (&days, Some("-1"), true),
            (&days, Some("many"), false),
            (&days, None, false),
            (&unlimited, Some("1000000000"), false),
            (&unlimited, Some("-1"), true),
            (&flush, Some("9223372036854775807"), false),
            (&flush, Some("1"), true),
            (&kind, Some("compact,delete"), false),
            (&kind, Some("compact"), true),
        ];
        for (rule, found, expected) in rows {
            assert_eq!(rule.holds(found), expected, "{rule:?} {found:?}");
        }
    }

    #[test]
    fn copies_that_must_agree_never_exceed_the_copies_there_are() {
        for (configured, copies, expected) in
            [(0, 1, 1), (0, 2, 1), (0, 3, 2), (0, 5, 2), (2, 1, 1), (2, 2, 2), (3, 5, 3)]
        {
            let kafka = KafkaConfig { min_insync_replicas: configured, ..KafkaConfig::default() };
            assert_eq!(min_insync(&kafka, copies), expected, "{configured} of {copies}");
        }
    }

    #[test]
    fn every_topic_keeps_the_brokers_time_and_what_a_person_set_is_followed() {
        let plain = KafkaConfig::default();
        let daring = KafkaConfig {
            unclean_leader_election: true,
            flush_every_record: true,
            retention_bytes: 5,
            ..KafkaConfig::default()
        };
        let wanted = |kind, kafka: &KafkaConfig, name| {
            rules(kind, kafka, 3).into_iter().find(|rule| rule.name == name).map(|rule| rule.wanted)
        };
        for topic in Topic::ALL.iter().copied() {
            let kind = Kind::Ours(topic);
            assert_eq!(wanted(kind, &plain, "message.timestamp.type").as_deref(), Some("LogAppendTime"));
            let compacted = wanted(kind, &plain, "cleanup.policy").as_deref() == Some("compact");
            assert_eq!(compacted, topic.keep() == Keep::Compacted);
            let bytes = (!compacted).then(|| "5".to_owned());
            assert_eq!(wanted(kind, &daring, "retention.bytes"), bytes, "a changelog has no end to cut");
        }
        for kind in [Kind::Ours(Topic::Risk), Kind::Sender, Kind::Internal] {
            assert_eq!(wanted(kind, &plain, MIN_INSYNC).as_deref(), Some("2"));
            assert_eq!(wanted(kind, &plain, "flush.messages"), None);
            assert_eq!(wanted(kind, &daring, "flush.messages").as_deref(), Some("1"));
            assert_eq!(wanted(kind, &plain, "unclean.leader.election.enable").as_deref(), Some("false"));
            assert_eq!(wanted(kind, &daring, "unclean.leader.election.enable"), None);
        }
    }
}
