//! One right: what it is on, who has it, and what it gives.

use std::fmt;

/// What a right is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Kafka's words
pub enum Kind {
    Topic,
    Group,
    Cluster,
    TransactionalId,
    /// One that the client does not know.
    Other,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Kafka's words
pub enum Operation {
    All,
    Read,
    Write,
    Create,
    Delete,
    Alter,
    Describe,
    ClusterAction,
    DescribeConfigs,
    AlterConfigs,
    IdempotentWrite,
    /// One that the client does not know.
    Other,
}

/// One right, or one prohibition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Acl {
    /// What it is on.
    pub kind: Kind,
    /// The name of that; of the cluster, [`CLUSTER`].
    pub name: String,
    /// Whether `name` is how the names begin.
    pub is_prefix: bool,
    /// As Kafka writes it, `User:scorer`.
    pub principal: String,
    /// From where; `*` is anywhere.
    pub host: String,
    /// What may be done.
    pub operation: Operation,
    /// False for a prohibition.
    pub is_allowed: bool,
}

/// The only name of kind [`Kind::Cluster`].
pub const CLUSTER: &str = "kafka-cluster";

impl Acl {
    /// Whether it speaks of something of this kind and name.
    pub fn covers(&self, kind: Kind, name: &str) -> bool {
        let fits = if self.is_prefix { name.starts_with(&self.name) } else { self.name == name || self.name == "*" };
        self.kind == kind && fits
    }

    /// Whether it gives everything that another one gives.
    pub fn includes(&self, other: &Self) -> bool {
        let is_implied = match self.operation {
            Operation::All => true,
            Operation::Read | Operation::Write | Operation::Delete | Operation::Alter => {
                other.operation == self.operation || other.operation == Operation::Describe
            }
            Operation::AlterConfigs => matches!(other.operation, Operation::AlterConfigs | Operation::DescribeConfigs),
            operation => other.operation == operation,
        };
        let fits = if other.is_prefix {
            self.kind == other.kind && (self.is_prefix && other.name.starts_with(&self.name) || self.name == "*")
        } else {
            self.covers(other.kind, &other.name)
        };
        let whom = self.principal == other.principal || self.principal == "User:*";
        self.is_allowed && other.is_allowed && is_implied && fits && whom && self.host == "*"
    }

    /// The options with which Kafka's own tool names it.
    pub fn options(&self) -> String {
        let on = match self.kind {
            Kind::Topic => format!("--topic '{}'", self.name),
            Kind::Group => format!("--group '{}'", self.name),
            Kind::TransactionalId => format!("--transactional-id '{}'", self.name),
            Kind::Cluster | Kind::Other => "--cluster".to_owned(),
        };
        let pattern = if self.is_prefix { " --resource-pattern-type prefixed" } else { "" };
        let who = if self.is_allowed { "allow" } else { "deny" };
        let host = if self.host == "*" { String::new() } else { format!(" --{who}-host '{}'", self.host) };
        format!("--{who}-principal '{}'{host} --operation {:?} {on}{pattern}", self.principal, self.operation)
    }
}

impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, principal, host, operation, .. } = self;
        let may = if self.is_allowed { "may" } else { "may not" };
        let pattern = if self.is_prefix { "…" } else { "" };
        write!(f, "{principal} {may} {operation:?} on {kind:?} {name}{pattern} from {host}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(kind: Kind, name: &str, is_prefix: bool, operation: Operation) -> Acl {
        let (principal, host) = ("User:u".to_owned(), "*".to_owned());
        Acl { kind, name: name.to_owned(), is_prefix, principal, host, operation, is_allowed: true }
    }

    #[test]
    fn a_right_covers_what_its_name_says() {
        let rows = [
            ("credit.risk.v1", false, true),
            ("credit.", true, true),
            ("", true, true),
            ("*", false, true),
            ("credit.risk", false, false),
            ("credit.risk.v1.", true, false),
        ];
        for (name, is_prefix, expected) in rows {
            let acl = acl(Kind::Topic, name, is_prefix, Operation::Write);
            assert_eq!(acl.covers(Kind::Topic, "credit.risk.v1"), expected, "{acl}");
            assert!(!acl.covers(Kind::Group, "credit.risk.v1"));
        }
    }

    #[test]
    fn a_right_includes_those_that_kafka_says_it_implies() {
        let read = acl(Kind::Topic, "t", false, Operation::Read);
        let describe = acl(Kind::Topic, "t", false, Operation::Describe);
        let all = acl(Kind::Topic, "*", false, Operation::All);
        let prefixed = acl(Kind::Topic, "t", true, Operation::Read);
        let denied = Acl { is_allowed: false, ..all.clone() };
        let elsewhere = Acl { host: "10.0.0.1".to_owned(), ..all.clone() };
        let rows = [
            (&read, &read, true),
            (&read, &describe, true),
            (&describe, &read, false),
            (&all, &read, true),
            (&prefixed, &read, true),
            (&read, &prefixed, false),
            (&all, &prefixed, true),
            (&denied, &read, false),
            (&elsewhere, &read, false),
        ];
        for (one, other, expected) in rows {
            assert_eq!(one.includes(other), expected, "{one} / {other}");
        }
    }
}
