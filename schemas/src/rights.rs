//! PURE. Who may do what on the brokers: one principal for each worker, and the rights that it needs, which are all that it has.
//! `topics apply --acls` gives them, `topics check` compares, `docs/OPERATIONS.md` shows them.

use crate::Topic;
use crate::topics::Keep;

/// Somebody whom the brokers know by a login of his own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// Both steps of ingest, `receive` and `admit`.
    Ingest,
    /// The HTTP door.
    Door,
    /// The scorer.
    Scorer,
    /// The decision worker.
    Decision,
    /// The notifier.
    Notifier,
    /// The writer of the audit log.
    AuditSink,
    /// The signer of the log's checkpoints.
    AuditSigner,
    /// The store of identities.
    IdentityStore,
    /// What people and dashboards ask.
    ReadApi,
    /// Origination and servicing systems.
    Sender,
    /// The client of each process that only asks what is there.
    Observer,
    /// Whoever makes topics and rights, puts versions in force, accepts gaps, sends files and dead letters again.
    Operator,
}

/// What a right is on, names with prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// One topic.
    Topic(String),
    /// One consumer group.
    Group(String),
    /// Every group whose name begins so.
    Groups(String),
    /// Every transactional id that begins so.
    TransactionalIds(String),
    /// The cluster itself.
    Cluster,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Kafka's words
pub enum Operation {
    All,
    Read,
    Write,
    Describe,
    DescribeConfigs,
    Create,
    Alter,
}

/// One right.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Right {
    /// Who.
    pub principal: Principal,
    /// On what.
    pub resource: Resource,
    /// What he may.
    pub operation: Operation,
}

/// Group of the readers that people and counts use; nothing is committed under it.
pub(crate) const READER_GROUP: &str = "defaultx-reader";
/// Group of those who follow what tokens were called back; nothing is committed under it.
pub(crate) const REVOCATIONS_GROUP: &str = "defaultx-revocations";
/// Group of whoever looks at single places; nothing is committed under it.
pub(crate) const PROBE_GROUP: &str = "probe";

impl Principal {
    /// Everybody.
    pub const ALL: [Self; 12] = [
        Self::Ingest,
        Self::Door,
        Self::Scorer,
        Self::Decision,
        Self::Notifier,
        Self::AuditSink,
        Self::AuditSigner,
        Self::IdentityStore,
        Self::ReadApi,
        Self::Sender,
        Self::Observer,
        Self::Operator,
    ];

    /// The name in `[kafka.principals]`, and of the user where none is configured.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Door => "door",
            Self::Scorer => "scorer",
            Self::Decision => "decision",
            Self::Notifier => "notifier",
            Self::AuditSink => "audit-sink",
            Self::AuditSigner => "audit-signer",
            Self::IdentityStore => "identity-store",
            Self::ReadApi => "read-api",
            Self::Sender => "sender",
            Self::Observer => "observer",
            Self::Operator => "operator",
        }
    }

    /// Its consumer groups begin so; none has another's.
    fn groups(self) -> Option<&'static str> {
        match self {
            Self::Ingest => Some("ingest-"),
            Self::Scorer | Self::Decision | Self::Notifier | Self::AuditSink | Self::IdentityStore => Some(self.name()),
            Self::Door | Self::AuditSigner | Self::ReadApi | Self::Sender | Self::Observer | Self::Operator => None,
        }
    }

    /// Its transactional ids begin so.
    fn transactional_ids(self) -> &'static [&'static str] {
        match self {
            Self::Ingest => &["ingest-receive-", "ingest-admit-"],
            Self::Door => &["ingest-door-"],
            Self::Scorer => &["scorer-"],
            Self::Decision => &["decision-"],
            Self::Notifier | Self::AuditSink | Self::AuditSigner | Self::IdentityStore => &[],
            Self::ReadApi | Self::Sender | Self::Observer | Self::Operator => &[],
        }
    }
}

/// Who may write a topic: one worker, beside the operator; the door is the other way in, and dead letters are anybody's who reads.
/// `topics check` counts anybody else as a finding.
pub fn writers(topic: Topic) -> Vec<Principal> {
    use Principal as P;
    match topic {
        Topic::Intake | Topic::Identities | Topic::Protected => vec![P::Ingest, P::Door],
        Topic::LoanApplications => vec![P::Sender],
        Topic::DeadLetters => vec![P::Ingest, P::Scorer, P::Decision],
        _ => P::ALL.into_iter().filter(|principal| principal.name() == topic.writer()).collect(),
    }
}

/// Who may read a topic, beside the operator.
pub fn readers(topic: Topic) -> Vec<Principal> {
    use Principal as P;
    let mut readers = match topic {
        Topic::LoanApplications | Topic::Intake | Topic::AdmitState => vec![P::Ingest],
        Topic::Identities => vec![P::IdentityStore],
        Topic::LoanReplies => vec![P::Sender],
        Topic::Applications | Topic::ScorerState => vec![P::Scorer],
        Topic::Risk | Topic::DecisionState => vec![P::Decision],
        Topic::Decisions => vec![P::Notifier, P::Sender],
        Topic::Gaps => vec![P::Ingest, P::Scorer, P::Decision, P::Notifier, P::IdentityStore],
        Topic::Revocations => vec![P::Door, P::ReadApi],
        _ => Vec::new(),
    };
    if topic.is_audited() {
        readers.push(P::AuditSink); // of what is personal it keeps coordinates and a keyed digest
    }
    readers
}

/// Every right of a deployment. `senders` are the topics of senders, without prefix.
pub fn rights(prefix: &str, senders: &[String]) -> Vec<Right> {
    let mut rights = Vec::new();
    for topic in Topic::ALL {
        rights.extend(of_topic(&topic.name(prefix), *topic));
    }
    for sender in senders.iter().filter(|name| Topic::of_name("", name).is_none()) {
        rights.extend(of_topic(&format!("{prefix}{sender}"), Topic::LoanApplications));
    }
    for principal in Principal::ALL {
        rights.extend(of_principal(principal, prefix));
    }
    // Kafka's own topics are looked at, as every other of the deployment is.
    for topic in ["__consumer_offsets", "__transaction_state"] {
        rights.extend(looks(&Resource::Topic(topic.to_owned())));
    }
    rights.sort_unstable();
    rights.dedup();
    rights
}

fn of_topic(name: &str, topic: Topic) -> Vec<Right> {
    let resource = Resource::Topic(name.to_owned());
    let right = |principal, operation| Right { principal, resource: resource.clone(), operation };
    let mut rights: Vec<Right> = looks(&resource).into();
    rights.extend(writers(topic).into_iter().map(|principal| right(principal, Operation::Write)));
    rights.push(right(Principal::Operator, Operation::All));
    for reader in readers(topic) {
        rights.push(right(reader, Operation::Read));
        // Whoever reads a changelog or the gaps to the end is in a group by that name, which never commits.
        let groups = if topic.keep() == Keep::Compacted { "restore" } else { "reader" };
        if topic == Topic::Gaps || topic.keep() == Keep::Compacted {
            let resource = Resource::Group(format!("{name}-{groups}"));
            rights.push(Right { principal: reader, resource, operation: Operation::Describe });
        }
    }
    rights
}

fn looks(resource: &Resource) -> [Right; 2] {
    let right = |operation| Right { principal: Principal::Observer, resource: resource.clone(), operation };
    [right(Operation::Describe), right(Operation::DescribeConfigs)]
}

fn of_principal(principal: Principal, prefix: &str) -> Vec<Right> {
    let right = |resource, operation| Right { principal, resource, operation };
    let mut rights: Vec<Right> = Vec::new();
    if let Some(groups) = principal.groups() {
        rights.push(right(Resource::Groups(format!("{prefix}{groups}")), Operation::Read));
        rights.push(right(Resource::Group(PROBE_GROUP.to_owned()), Operation::Describe));
    }
    for ids in principal.transactional_ids() {
        rights.push(right(Resource::TransactionalIds(format!("{prefix}{ids}")), Operation::Write));
    }
    match principal {
        Principal::Observer => {
            rights.push(right(Resource::Cluster, Operation::Describe));
            rights.push(right(Resource::Cluster, Operation::DescribeConfigs));
        }
        Principal::Operator => {
            for operation in [Operation::Create, Operation::Alter, Operation::Describe, Operation::DescribeConfigs] {
                rights.push(right(Resource::Cluster, operation));
            }
            for group in [READER_GROUP, PROBE_GROUP] {
                rights.push(right(Resource::Group(group.to_owned()), Operation::Describe));
            }
            // An empty prefix would name every group of the cluster, so each kind is named.
            for group in ["ingest-", "scorer", "decision", "notifier", "audit-sink", "identity-store", "credit."] {
                rights.push(right(Resource::Groups(format!("{prefix}{group}")), Operation::All));
            }
            for id in ["token", "ingest-activate", "ingest-batch-", "redrive", "gaps", "topics-apply"] {
                rights.push(right(Resource::TransactionalIds(format!("{prefix}{id}")), Operation::Write));
            }
        }
        Principal::Door | Principal::ReadApi => {
            rights.push(right(Resource::Group(REVOCATIONS_GROUP.to_owned()), Operation::Describe));
        }
        Principal::Sender => rights.push(right(Resource::Groups(format!("{prefix}sender-")), Operation::Read)),
        _ => {}
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(principal: Principal, operation: Operation, topic: Topic) -> bool {
        let resource = Resource::Topic(topic.name("t."));
        rights("t.", &[]).contains(&Right { principal, resource, operation })
    }

    #[test]
    fn every_internal_topic_has_one_writer_and_the_named_exceptions() {
        for topic in Topic::ALL {
            let expected: &[&str] = match topic {
                Topic::Intake | Topic::Identities | Topic::Protected => &["ingest", "door"],
                Topic::DeadLetters => &["ingest", "scorer", "decision"],
                Topic::LoanApplications => &["sender"],
                Topic::Gaps | Topic::Revocations => &[], // the operator's
                other => &[other.writer()],
            };
            let writers: Vec<&str> = writers(*topic).into_iter().map(Principal::name).collect();
            assert_eq!(writers, expected, "{topic:?}");
        }
    }

    #[test]
    fn personal_data_has_named_readers_alone() {
        let rows = [
            (Topic::Identities, vec!["identity-store", "audit-sink"]),
            (Topic::Protected, vec!["audit-sink"]),
            (Topic::Intake, vec!["ingest", "audit-sink"]),
            (Topic::LoanApplications, vec!["ingest", "audit-sink"]),
            (Topic::DeadLetters, vec!["audit-sink"]),
        ];
        for (topic, expected) in rows {
            let readers: Vec<&str> = readers(topic).into_iter().map(Principal::name).collect();
            assert_eq!(readers, expected, "{topic:?}");
        }
    }

    #[test]
    fn rights_are_what_a_worker_needs() {
        use Operation::{Describe, Read, Write};
        let rows = [
            (Principal::Scorer, Write, Topic::Risk, true),
            (Principal::Scorer, Write, Topic::Decisions, false),
            (Principal::Scorer, Write, Topic::Instances, true),
            (Principal::Decision, Write, Topic::Instances, false),
            (Principal::Scorer, Read, Topic::Identities, false),
            (Principal::Decision, Write, Topic::Decisions, true),
            (Principal::Decision, Read, Topic::Intake, false),
            (Principal::Notifier, Write, Topic::Decisions, false),
            (Principal::Door, Write, Topic::Intake, true),
            (Principal::Door, Write, Topic::Applications, false),
            (Principal::Door, Read, Topic::Intake, false),
            (Principal::Sender, Write, Topic::LoanApplications, true),
            (Principal::Sender, Write, Topic::Intake, false),
            (Principal::Sender, Read, Topic::LoanApplications, false),
            (Principal::Observer, Describe, Topic::Identities, true),
            (Principal::Observer, Read, Topic::Identities, false),
            (Principal::ReadApi, Read, Topic::Decisions, false),
            (Principal::ReadApi, Write, Topic::Access, true),
            (Principal::ReadApi, Write, Topic::Revocations, false),
            (Principal::Door, Read, Topic::Revocations, true),
            (Principal::AuditSigner, Write, Topic::Checkpoints, true),
            (Principal::AuditSink, Write, Topic::Checkpoints, false),
        ];
        for (principal, operation, topic, expected) in rows {
            assert_eq!(may(principal, operation, topic), expected, "{principal:?} {operation:?} {topic:?}");
        }
    }

    #[test]
    fn a_senders_own_topic_is_written_by_senders_and_read_by_ingest() {
        let own = "bank-b.v1".to_owned();
        let resource = Resource::Topic("t.bank-b.v1".to_owned());
        let mut who: Vec<_> = rights("t.", &[own])
            .into_iter()
            .filter(|right| right.resource == resource && matches!(right.operation, Operation::Read | Operation::Write))
            .map(|right| (right.principal, right.operation))
            .collect();
        who.sort_unstable();
        let expected = [
            (Principal::Ingest, Operation::Read),
            (Principal::AuditSink, Operation::Read),
            (Principal::Sender, Operation::Write),
        ];
        assert_eq!(who, expected);
    }

    #[test]
    fn nobodys_groups_or_ids_begin_as_anothers() {
        let all = rights("t.", &[]);
        for one in &all {
            for other in all.iter().filter(|other| other.principal != one.principal) {
                let clash = match (&one.resource, &other.resource) {
                    (Resource::Groups(a), Resource::Groups(b))
                    | (Resource::TransactionalIds(a), Resource::TransactionalIds(b)) => a.starts_with(b.as_str()),
                    _ => false,
                };
                let operators = [one, other].iter().any(|right| right.principal == Principal::Operator);
                assert!(!clash || operators, "{one:?} {other:?}");
            }
        }
    }
}
