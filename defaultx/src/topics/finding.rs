//! What is not as it should be, in words of what to do about it.

use runtime::kafka::acl::Acl;
use std::fmt;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A topic is not there.
    Missing {
        /// With prefix.
        topic: String,
        /// Whether `topics apply` makes it.
        by_apply: bool,
    },
    /// It has another partition count than its prefix.
    Partitions {
        /// With prefix.
        topic: String,
        /// As configured.
        wanted: i32,
        /// As it is.
        found: i32,
    },
    /// A setting is weaker than it should be.
    Setting {
        /// With prefix.
        topic: String,
        /// Kafka's name of it.
        name: &'static str,
        /// As it should be.
        wanted: String,
        /// As it is.
        found: String,
        /// What happens otherwise.
        because: &'static str,
        /// Whether `topics apply` sets it.
        by_apply: bool,
    },
    /// It has fewer copies than it should.
    Copies {
        /// With prefix.
        topic: String,
        /// As configured, or as the cluster can.
        wanted: i32,
        /// As it is.
        found: i32,
    },
    /// It asks for more copies in sync than it has, so that nobody can write to it.
    Refusing {
        /// With prefix.
        topic: String,
        /// Its copies.
        copies: i32,
        /// As it is.
        min_insync: i32,
    },
    /// A setting of a broker is weaker than it should be.
    Broker {
        /// Its id.
        id: i32,
        /// Kafka's name of it.
        name: &'static str,
        /// As it should be.
        wanted: String,
        /// As it is.
        found: String,
        /// What happens otherwise.
        because: &'static str,
    },
    /// The cluster does not show it to this client.
    Hidden {
        /// What was asked for.
        what: String,
        /// In Kafka's words.
        why: String,
    },
    /// The cluster asks nobody for a right.
    Open,
    /// The cluster does not show its rights to this client.
    Unshown {
        /// In Kafka's words.
        why: String,
    },
    /// A worker may not do what it has to.
    Lacking {
        /// As Kafka writes it.
        principal: String,
        /// What it lacks, in words.
        rights: Vec<String>,
    },
    /// Somebody may write or read a topic that is not his.
    TooMany {
        /// With prefix.
        topic: String,
        /// `write` or `read`.
        verb: &'static str,
        /// Who should be able to.
        only: Vec<String>,
        /// What lets somebody else.
        acl: Acl,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { topic, by_apply: true } => write!(f, "{topic}: missing; `defaultx topics apply` makes it"),
            Self::Missing { topic, by_apply: false } => write!(
                f,
                "{topic}: missing, and [ingest] tenant_of_topic names it; make it with message.timestamp.type=LogAppendTime, \
                 or set [kafka] manage_sender_topics = true and `defaultx topics apply` makes it"
            ),
            Self::Partitions { topic, wanted, found } => write!(
                f,
                "{topic}: has {found} partitions, configured are {wanted}; the count is fixed for the life of a prefix, because \
                 every key would move: set [kafka] partitions = {found}, or take a new prefix"
            ),
            Self::Setting { topic, name, wanted, found, because, by_apply: true } => {
                write!(f, "{topic}: {name} is {found}: {because}; `defaultx topics apply` sets {wanted}")
            }
            Self::Setting { topic, name, wanted, found, because, by_apply: false } => write!(
                f,
                "{topic}: {name} is {found}: {because}; kafka-configs.sh --alter --entity-type topics --entity-name {topic} \
                 --add-config {name}={wanted}"
            ),
            Self::Copies { topic, wanted, found } => write!(
                f,
                "{topic}: has {found} of {wanted} copies: with them its records are gone; kafka-reassign-partitions.sh adds \
                 copies, or say with [kafka] replication_factor = {found} that it is meant"
            ),
            Self::Refusing { topic, copies, min_insync } => write!(
                f,
                "{topic}: takes no record: min.insync.replicas is {min_insync}, and it has {copies} copies; \
                 kafka-reassign-partitions.sh adds copies, or kafka-configs.sh --alter --entity-type topics --entity-name {topic} \
                 --add-config min.insync.replicas={copies}"
            ),
            Self::Broker { id, name, wanted, found, because } => write!(
                f,
                "broker {id}: {name} is {found}: {because}; set {name}={wanted} in its server.properties and restart it"
            ),
            Self::Hidden { what, why } => {
                write!(f, "{what}: not shown to this client ({why}); it needs the right DescribeConfigs")
            }
            Self::Open => f.write_str(
                "the cluster has no authorizer: whoever reaches a broker may read identities and write decisions; set \
                 authorizer.class.name and allow.everyone.if.no.acl.found=false at its brokers (docs/OPERATIONS.md, \"Who may do \
                 what\")",
            ),
            Self::Unshown { why } => write!(
                f,
                "the rights of the cluster: not shown to this client ({why}); it needs Describe on the cluster"
            ),
            Self::Lacking { principal, rights } => {
                let first = rights.first().map_or("", String::as_str);
                write!(
                    f,
                    "{principal}: lacks {} rights, the first is \"{first}\"; `defaultx topics apply --acls` gives them",
                    rights.len()
                )
            }
            Self::TooMany { topic, verb, only, acl } => write!(
                f,
                "{topic}: {} may {verb} it, and only {} should; kafka-acls.sh --remove {}",
                acl.principal,
                only.join(", "),
                acl.options()
            ),
        }
    }
}
