//! Rights on the brokers: what the table of principals says against what the cluster holds. Adds what is missing, takes nothing away:
//! a right too many is a finding, with the line that removes it.

use super::finding::Finding;
use anyhow::{Context, Result, anyhow, bail};
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use runtime::kafka::KafkaConfig;
use runtime::kafka::acl::{self, Acl, CLUSTER, Kind, Operation};
use schemas::Topic;
use schemas::rights::{self, Principal, Resource, Right};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at whether a broker knows a new right.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What [`apply`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// How many rights were added.
    pub added: usize,
    /// Rights too many, and what could not be found out.
    pub left: Vec<Finding>,
}

/// Gives every principal its rights. `senders` are the topics of senders, without prefix. Blocks.
///
/// # Errors
/// When the cluster cannot be asked, has no authorizer, or refuses.
pub fn apply(kafka: &KafkaConfig, senders: &[String]) -> Result<Given> {
    let client = connect(kafka)?;
    let Some(found) = acl::all(client.inner(), TIMEOUT).context("asking Kafka for its rights")? else {
        bail!("{}", Finding::Open);
    };
    let missing = missing(&found, &wanted(kafka, senders));
    acl::add(client.inner(), &missing, TIMEOUT).map_err(|why| anyhow!("adding rights: {why}"))?;
    // Whoever starts next must not be refused because a broker has not heard of them.
    let until = Instant::now() + TIMEOUT;
    let found = loop {
        let found = acl::all(client.inner(), TIMEOUT)?.unwrap_or_default();
        if self::missing(&found, &missing).is_empty() {
            break found;
        }
        if Instant::now() > until {
            bail!("the cluster took the rights but does not show them");
        }
        std::thread::sleep(AGAIN_AFTER);
    };
    Ok(Given { added: missing.len(), left: too_many(&found, kafka) })
}

/// What differs. Blocks.
///
/// # Errors
/// When the cluster cannot be asked.
pub(super) fn check(kafka: &KafkaConfig, senders: &[String]) -> Result<Vec<Finding>> {
    let found = match acl::all(connect(kafka)?.inner(), TIMEOUT) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(vec![Finding::Open]),
        Err(error) => {
            return Ok(vec![Finding::Unshown { why: error.to_string() }]);
        }
    };
    let mut lacking: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for acl in missing(&found, &wanted(kafka, senders)) {
        lacking.entry(acl.principal.clone()).or_default().push(acl.to_string());
    }
    let mut findings: Vec<Finding> =
        lacking.into_iter().map(|(principal, rights)| Finding::Lacking { principal, rights }).collect();
    findings.extend(too_many(&found, kafka));
    Ok(findings)
}

fn connect(kafka: &KafkaConfig) -> Result<AdminClient<DefaultClientContext>> {
    kafka.client().create().context("Kafka client")
}

/// What the table says, in the words of the cluster.
fn wanted(kafka: &KafkaConfig, senders: &[String]) -> Vec<Acl> {
    rights::rights(&kafka.topic_prefix, senders).into_iter().map(|right| acl_of(right, kafka)).collect()
}

fn acl_of(Right { principal, resource, operation }: Right, kafka: &KafkaConfig) -> Acl {
    let (kind, name, is_prefix) = match resource {
        Resource::Topic(name) => (Kind::Topic, name, false),
        Resource::Group(name) => (Kind::Group, name, false),
        Resource::Groups(name) => (Kind::Group, name, true),
        Resource::TransactionalIds(name) => (Kind::TransactionalId, name, true),
        Resource::Cluster => (Kind::Cluster, CLUSTER.to_owned(), false),
    };
    let operation = match operation {
        rights::Operation::All => Operation::All,
        rights::Operation::Read => Operation::Read,
        rights::Operation::Write => Operation::Write,
        rights::Operation::Describe => Operation::Describe,
        rights::Operation::DescribeConfigs => Operation::DescribeConfigs,
        rights::Operation::Create => Operation::Create,
        rights::Operation::Alter => Operation::Alter,
    };
    let host = "*".to_owned();
    Acl { kind, name, is_prefix, principal: known_as(principal, kafka), host, operation, is_allowed: true }
}

/// As the brokers write it. Whoever types commands is the operator, unless another one is named.
fn known_as(principal: Principal, kafka: &KafkaConfig) -> String {
    let name = principal.name();
    let user = match (&kafka.sasl_username, principal) {
        (Some(user), Principal::Operator) if !kafka.principals.contains_key(name) => user.clone(),
        _ => kafka.user_of(name),
    };
    format!("User:{user}")
}

fn missing(found: &[Acl], wanted: &[Acl]) -> Vec<Acl> {
    wanted.iter().filter(|wanted| !found.iter().any(|found| found.includes(wanted))).cloned().collect()
}

/// Whoever may write an internal topic and is not its writer; and whoever may read one with personal data and is none of its readers.
/// What senders may do among themselves is theirs.
fn too_many(found: &[Acl], kafka: &KafkaConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    for topic in Topic::ALL.iter().copied() {
        let name = topic.name(&kafka.topic_prefix);
        let is_senders = rights::writers(topic) == [Principal::Sender];
        let asked = [
            ("write", Operation::Write, rights::writers(topic), !is_senders),
            ("read", Operation::Read, rights::readers(topic), !topic.body_is_logged()),
        ];
        for (verb, operation, meant, _) in asked.into_iter().filter(|(.., is_asked)| *is_asked) {
            let meant = meant.into_iter().chain([Principal::Operator]);
            let only: Vec<String> = meant.map(|principal| known_as(principal, kafka)).collect();
            let others = found.iter().filter(|acl| {
                let gives = acl.operation == operation || acl.operation == Operation::All;
                acl.is_allowed && gives && acl.covers(Kind::Topic, &name) && !only.contains(&acl.principal)
            });
            findings.extend(others.map(|acl| Finding::TooMany {
                topic: name.clone(),
                verb,
                only: only.clone(),
                acl: acl.clone(),
            }));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka() -> KafkaConfig {
        KafkaConfig { topic_prefix: "t.".to_owned(), sasl_username: Some("admin".to_owned()), ..KafkaConfig::default() }
    }

    fn acl(principal: &str, operation: Operation, name: &str, is_prefix: bool) -> Acl {
        let (name, host) = (name.to_owned(), "*".to_owned());
        let principal = format!("User:{principal}");
        Acl { kind: Kind::Topic, name, is_prefix, principal, host, operation, is_allowed: true }
    }

    #[test]
    fn what_is_given_is_not_missing_and_nobody_else_may_write() {
        let (kafka, senders) = (kafka(), ["bank-b.v1".to_owned()]);
        let whole = wanted(&kafka, &senders);
        assert!(missing(&whole, &whole).is_empty());
        assert_eq!(too_many(&whole, &kafka), []);
        assert_eq!(missing(&[], &whole).len(), whole.len());
        assert_eq!(missing(&whole[1..], &whole), whole[..1]);
        let rows = [
            (
                "a second writer",
                acl("mallory", Operation::Write, "t.credit.decisions.v1", false),
                Some("User:decision"),
            ),
            ("one who may everything", acl("mallory", Operation::All, "t.credit.decisions.v1", false), Some("write")),
            (
                "by the beginning of its name",
                acl("scorer", Operation::Write, "t.credit.decisions", true),
                Some("prefixed"),
            ),
            ("anybody", acl("*", Operation::Write, "t.credit.decisions.v1", false), Some("User:*")),
            ("the worker itself", acl("decision", Operation::All, "t.credit.decisions.v1", false), None),
            ("the operator", acl("admin", Operation::All, "*", false), None),
            ("who only reads", acl("auditor", Operation::Read, "t.credit.decisions.v1", false), None),
            ("who reads identities", acl("auditor", Operation::Read, "t.credit.identities.v1", false), Some("read")),
            ("another deployment's", acl("mallory", Operation::Write, "u.credit.decisions.v1", false), None),
            ("a sender's topic", acl("bank-b", Operation::Write, "t.loan.applications.v1", false), None),
        ];
        for (name, acl, expected) in rows {
            let found = [whole.clone(), vec![acl]].concat();
            let told: Vec<String> = too_many(&found, &kafka).iter().map(ToString::to_string).collect();
            match expected {
                None => assert_eq!(told, [""; 0], "{name}"),
                Some(word) => {
                    assert_eq!(told.len(), 1, "{name}: {told:?}");
                    assert!(
                        told[0].contains(word) && told[0].contains("kafka-acls.sh --remove"),
                        "{name}: {}",
                        told[0]
                    );
                }
            }
        }
        let denied = Acl { is_allowed: false, ..acl("mallory", Operation::Write, "t.credit.decisions.v1", false) };
        assert_eq!(too_many(&[denied], &kafka), []);
    }

    #[test]
    fn users_are_named_as_configured() {
        let login = |user: &str| runtime::kafka::Login { user: Some(user.to_owned()), ..Default::default() };
        let mut kafka = kafka();
        kafka.principals.insert("scorer".to_owned(), login("CN=scorer"));
        assert_eq!(known_as(Principal::Scorer, &kafka), "User:CN=scorer");
        assert_eq!(known_as(Principal::Decision, &kafka), "User:decision");
        assert_eq!(known_as(Principal::Operator, &kafka), "User:admin");
        kafka.principals.insert("operator".to_owned(), login("ops"));
        assert_eq!(known_as(Principal::Operator, &kafka), "User:ops");
    }

    #[test]
    fn the_client_that_asks_is_the_principal_of_the_table() {
        assert_eq!(Principal::Observer.name(), runtime::service::OBSERVER);
    }
}
