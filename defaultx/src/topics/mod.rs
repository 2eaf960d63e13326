//! The topics of a deployment and what they stand on: made where they are missing, raised where they are weaker than configured,
//! compared with what should be. Never changes a partition count, never weakens what somebody set stronger, never touches
//! Kafka's own topics, its brokers, or a sender's topic unless it is told to manage them.

mod cluster;
mod finding;
pub mod rights;
mod rule;

pub use finding::Finding;

use crate::gaps;
use anyhow::{Result, bail};
use cluster::{Admin, Cluster, Existing, Settings};
use rdkafka::admin::{NewTopic, TopicReplication};
use rule::{Kind, MIN_INSYNC, Rule, rules};
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use std::fmt;

/// Kafka's own: where committed offsets and the states of transactions stand.
const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];
/// Copies that are wanted where none are configured, as far as there are brokers.
const USUAL_COPIES: usize = 3;
const TRANSACTION_LIMIT: &str = "transaction.max.timeout.ms";

/// What `apply` did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Topics that were made.
    pub made: Vec<String>,
    /// Settings that were raised.
    pub altered: Vec<Altered>,
    /// What it may not change, or cannot.
    pub left: Vec<Finding>,
}

/// A setting that was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Altered {
    topic: String,
    name: &'static str,
    from: String,
    to: String,
}

impl fmt::Display for Altered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, name, from, to } = self;
        write!(f, "{topic}: {name} was {from}, is {to}")
    }
}

/// Everything that differs, rights included. `senders` are the topics of senders, without prefix.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn check(kafka: &KafkaConfig, senders: &[String]) -> Result<Vec<Finding>> {
    let mut findings = check_topics(kafka, senders).await?;
    let (kafka, senders) = (kafka.clone(), senders.to_vec());
    findings.extend(tokio::task::spawn_blocking(move || rights::check(&kafka, &senders)).await??);
    Ok(findings)
}

/// The same without rights: a worker alone does not know by which names the others are known.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn check_topics(kafka: &KafkaConfig, senders: &[String]) -> Result<Vec<Finding>> {
    let plan = Plan { kafka, senders };
    Ok(plan.compare(&plan.look(&Admin::connect(kafka)?).await?))
}

/// Makes what is missing, raises what is weaker than it should be, and commits the first offsets of new partitions.
///
/// # Errors
/// When a topic of the prefix has another partition count, and then nothing is changed; or the cluster refuses.
pub async fn apply(kafka: &KafkaConfig, senders: &[String]) -> Result<Applied> {
    let (plan, admin) = (Plan { kafka, senders }, Admin::connect(kafka)?);
    let before = plan.look(&admin).await?;
    let findings = plan.compare(&before);
    let wrong: Vec<String> =
        findings.iter().filter(|f| matches!(f, Finding::Partitions { .. })).map(ToString::to_string).collect();
    if !wrong.is_empty() {
        bail!("nothing was changed\n{}", wrong.join("\n"));
    }
    let mut applied = Applied { made: plan.make(&admin, &before, &findings).await?, ..Applied::default() };
    let cluster = plan.look(&admin).await?;
    let (ours, left): (Vec<_>, Vec<_>) = plan
        .compare(&cluster)
        .into_iter()
        .partition(|finding| matches!(finding, Finding::Setting { by_apply: true, .. }));
    applied.left = left;
    for (name, existing) in &cluster.topics {
        let altered: Vec<Altered> = ours.iter().filter_map(|finding| altered(name, finding)).collect();
        let changes: Vec<_> = altered.iter().map(|setting| (setting.name, setting.to.as_str())).collect();
        if !changes.is_empty() {
            admin.alter(name, existing, &changes).await?;
        }
        applied.altered.extend(altered);
    }
    let is_there = |name: &&String| cluster.topics.contains_key(&format!("{}{name}", kafka.topic_prefix));
    let (kafka, senders) = (kafka.clone(), senders.iter().filter(is_there).cloned().collect::<Vec<_>>());
    tokio::task::spawn_blocking(move || gaps::begin(&kafka, &senders)).await??;
    Ok(applied)
}

fn altered(of: &str, finding: &Finding) -> Option<Altered> {
    match finding {
        Finding::Setting { topic, name, wanted, found, .. } if topic == of => {
            Some(Altered { topic: topic.clone(), name, from: found.clone(), to: wanted.clone() })
        }
        _ => None,
    }
}

/// What should be.
struct Plan<'a> {
    kafka: &'a KafkaConfig,
    senders: &'a [String],
}

impl Plan<'_> {
    /// Every topic of the deployment, with prefix.
    fn topics(&self) -> impl Iterator<Item = (String, Kind)> {
        let prefix = &self.kafka.topic_prefix;
        let ours = Topic::ALL.iter().map(|topic| (topic.name(prefix), Kind::Ours(*topic)));
        let others = self.senders.iter().filter(|name| Topic::of_name("", name).is_none());
        ours.chain(others.map(move |name| (format!("{prefix}{name}"), Kind::Sender)))
    }

    async fn look(&self, admin: &Admin) -> Result<Cluster> {
        let names: Vec<String> = self.topics().map(|(name, _)| name).collect();
        admin.look(|name| INTERNAL.contains(&name) || names.iter().any(|ours| ours == name)).await
    }

    /// Whether `apply` may change such a topic.
    fn is_managed(&self, kind: Kind) -> bool {
        match kind {
            Kind::Ours(_) => true,
            Kind::Sender => self.kafka.manage_sender_topics,
            Kind::Internal => false,
        }
    }

    fn compare(&self, cluster: &Cluster) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (topic, kind) in self.topics() {
            match cluster.topics.get(&topic) {
                Some(existing) => self.compare_topic(topic, kind, existing, cluster, &mut findings),
                None => findings.push(Finding::Missing { topic, by_apply: self.is_managed(kind) }),
            }
        }
        for topic in INTERNAL {
            if let Some(existing) = cluster.topics.get(topic) {
                self.compare_topic(topic.to_owned(), Kind::Internal, existing, cluster, &mut findings);
            }
        }
        for (id, settings) in &cluster.brokers {
            self.compare_broker(*id, settings, &mut findings);
        }
        findings
    }

    fn compare_topic(&self, topic: String, kind: Kind, found: &Existing, of: &Cluster, findings: &mut Vec<Finding>) {
        let is_ours = matches!(kind, Kind::Ours(_));
        let wanted = self.partitions(of);
        if is_ours && found.partitions != wanted {
            findings.push(Finding::Partitions { topic: topic.clone(), wanted, found: found.partitions });
        }
        let (wanted, copies) = (self.copies(of), found.copies);
        if copies < wanted {
            findings.push(Finding::Copies { topic: topic.clone(), wanted, found: copies });
        }
        let settings = match &found.settings {
            Ok(settings) => settings,
            Err(why) => return findings.push(Finding::Hidden { what: topic, why: why.clone() }),
        };
        let value = |name: &str| settings.get(name).map(|set| set.value.as_str());
        if let Some(min_insync) = value(MIN_INSYNC).and_then(|value| value.parse().ok())
            && min_insync > copies
        {
            findings.push(Finding::Refusing { topic: topic.clone(), copies, min_insync });
        }
        for Rule { name, wanted, because, .. } in self.broken(kind, copies, value) {
            let found = value(name).unwrap_or("not set").to_owned();
            let by_apply = self.is_managed(kind);
            findings.push(Finding::Setting { topic: topic.clone(), name, wanted, found, because, by_apply });
        }
    }

    fn broken<'v>(&self, kind: Kind, copies: i32, value: impl Fn(&str) -> Option<&'v str>) -> Vec<Rule> {
        rules(kind, self.kafka, copies).into_iter().filter(|rule| !rule.holds(value(rule.name))).collect()
    }

    /// Partitions that a topic of ours should have.
    fn partitions(&self, cluster: &Cluster) -> i32 {
        let prefix = &self.kafka.topic_prefix;
        let existing = || Topic::ALL.iter().find_map(|topic| cluster.topics.get(&topic.name(prefix)));
        match self.kafka.partitions {
            set if set > 0 => set,
            _ => existing().map_or_else(|| usual_partitions(cluster.brokers.len()), |found| found.partitions),
        }
    }

    /// Copies that a topic should have.
    fn copies(&self, cluster: &Cluster) -> i32 {
        let copies = match self.kafka.replication_factor {
            set if set > 0 => set,
            _ => cluster.brokers.len().min(USUAL_COPIES) as i32,
        };
        copies.max(self.kafka.min_insync_replicas)
    }

    fn compare_broker(&self, id: i32, settings: &Settings, findings: &mut Vec<Finding>) {
        if self.kafka.transaction_limit_ms == 0 {
            return;
        }
        let wanted = self.kafka.transaction_limit_ms;
        let found = match settings {
            Ok(settings) => settings.get(TRANSACTION_LIMIT).map(|set| set.value.clone()).unwrap_or_default(),
            Err(why) => {
                return findings.push(Finding::Hidden { what: format!("settings of broker {id}"), why: why.clone() });
            }
        };
        if found.parse().is_ok_and(|found: u64| found > wanted) {
            findings.push(Finding::Broker {
                id,
                name: TRANSACTION_LIMIT,
                wanted: wanted.to_string(),
                found,
                because: "a sender may leave a transaction open for so long, and nobody reads past it",
            });
        }
    }

    /// Makes what is missing, with every setting but the one that depends on how many copies it will have.
    async fn make(&self, admin: &Admin, cluster: &Cluster, findings: &[Finding]) -> Result<Vec<String>> {
        let is_missing = |topic: &String| findings.contains(&Finding::Missing { topic: topic.clone(), by_apply: true });
        let missing: Vec<(String, Kind)> = self.topics().filter(|(name, _)| is_missing(name)).collect();
        let settings: Vec<Vec<Rule>> = missing.iter().map(|(_, kind)| rules(as_ours(*kind), self.kafka, 1)).collect();
        let new: Vec<NewTopic<'_>> = missing
            .iter()
            .zip(&settings)
            .map(|((name, _), rules)| {
                let copies = TopicReplication::Fixed(self.kafka.replication_factor);
                let topic = NewTopic::new(name, self.partitions(cluster), copies);
                let rules = rules.iter().filter(|rule| rule.name != MIN_INSYNC);
                rules.fold(topic, |topic, rule| topic.set(rule.name, &rule.wanted))
            })
            .collect();
        if !new.is_empty() {
            admin.create(&new).await?;
        }
        Ok(missing.into_iter().map(|(name, _)| name).collect())
    }
}

/// Partitions of a new prefix. On one machine each partition that a transaction writes to costs it time, and there is nobody to share
/// them with; instances on several machines share partitions.
fn usual_partitions(brokers: usize) -> i32 {
    if brokers == 1 { 1 } else { 6 }
}

/// A sender's topic that we make is made as the one in our table.
fn as_ours(kind: Kind) -> Kind {
    match kind {
        Kind::Sender => Kind::Ours(Topic::LoanApplications),
        Kind::Ours(_) | Kind::Internal => kind,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::cluster::Set;
    use super::*;
    use std::collections::BTreeMap;

    fn kafka() -> KafkaConfig {
        KafkaConfig { topic_prefix: "t.".to_owned(), partitions: 3, ..KafkaConfig::default() }
    }

    fn settings<'a>(values: impl IntoIterator<Item = (&'a str, String)>) -> Settings {
        Ok(values.into_iter().map(|(name, value)| (name.to_owned(), Set { value, is_own: false })).collect())
    }

    fn senders() -> Vec<String> {
        ["loan.applications.v1", "bank-b.v1"].map(str::to_owned).into()
    }

    /// Three brokers, three copies, everything as it should be.
    fn whole(kafka: &KafkaConfig) -> Cluster {
        let mut cluster = Cluster::default();
        for id in 1..=3 {
            cluster.brokers.insert(id, settings([(TRANSACTION_LIMIT, "60000".to_owned())]));
        }
        let senders = senders();
        let plan = Plan { kafka, senders: &senders };
        let internal = INTERNAL.map(|name| (name.to_owned(), Kind::Internal));
        for (name, kind) in plan.topics().chain(internal) {
            let rules = rules(kind, kafka, 3);
            let settings = settings(rules.iter().map(|rule| (rule.name, rule.wanted.clone())));
            cluster.topics.insert(name, Existing { partitions: 3, copies: 3, settings });
        }
        cluster
    }

    fn set(cluster: &mut Cluster, topic: &str, name: &str, value: &str) {
        let settings: &mut BTreeMap<String, Set> = cluster.topics.get_mut(topic).unwrap().settings.as_mut().unwrap();
        settings.insert(name.to_owned(), Set { value: value.to_owned(), is_own: true });
    }

    #[test]
    fn a_count_that_nobody_sets_is_that_of_the_prefix() {
        let (unset, senders) = (KafkaConfig { partitions: 0, ..kafka() }, senders());
        let plan = Plan { kafka: &unset, senders: &senders };
        assert_eq!(plan.partitions(&whole(&unset)), 3);
        assert_eq!(plan.compare(&whole(&unset)), []);
        let mut empty = Cluster { topics: BTreeMap::new(), ..whole(&unset) };
        assert_eq!(plan.partitions(&empty), 6);
        empty.brokers.retain(|id, _| *id == 1);
        assert_eq!(plan.partitions(&empty), 1);
        assert_eq!(Plan { kafka: &kafka(), senders: &senders }.partitions(&empty), 3, "what is set stands");
    }

    #[test]
    fn every_difference_is_one_finding_that_says_what_to_do() {
        let (kafka, senders) = (kafka(), senders());
        let plan = Plan { kafka: &kafka, senders: &senders };
        assert_eq!(plan.compare(&whole(&kafka)), []);
        type Change = fn(&mut Cluster);
        let rows: [(Change, &str); 13] = [
            (|c| drop(c.topics.remove("t.credit.risk.v1")), "`defaultx topics apply` makes it"),
            (|c| drop(c.topics.remove("t.bank-b.v1")), "manage_sender_topics = true"),
            (|c| c.topics.get_mut("t.credit.risk.v1").unwrap().partitions = 6, "fixed for the life of a prefix"),
            (|c| c.topics.get_mut("t.credit.risk.v1").unwrap().copies = 2, "has 2 of 3 copies"),
            (|c| set(c, "t.credit.risk.v1", MIN_INSYNC, "4"), "takes no record"),
            (|c| set(c, "t.credit.risk.v1", MIN_INSYNC, "1"), "`defaultx topics apply` sets 2"),
            (|c| set(c, "t.credit.risk.v1", "retention.bytes", "1000"), "`defaultx topics apply` sets -1"),
            (|c| set(c, "t.credit.admit-state.v1", "cleanup.policy", "delete"), "`defaultx topics apply` sets compact"),
            (|c| set(c, "t.bank-b.v1", "message.timestamp.type", "CreateTime"), "--add-config message.timestamp.type="),
            (|c| set(c, "__transaction_state", MIN_INSYNC, "1"), "--add-config min.insync.replicas=2"),
            (|c| set(c, "__consumer_offsets", "unclean.leader.election.enable", "true"), "enable=false"),
            (|c| drop(c.brokers.insert(1, settings([(TRANSACTION_LIMIT, "900000".to_owned())]))), "server.properties"),
            (|c| drop(c.brokers.insert(1, Err("denied".to_owned()))), "it needs the right DescribeConfigs"),
        ];
        for (change, words) in rows {
            let mut cluster = whole(&kafka);
            change(&mut cluster);
            let findings = plan.compare(&cluster);
            assert!(matches!(&findings[..], [one] if one.to_string().contains(words)), "{words}: {findings:?}");
        }
    }

    #[test]
    fn one_broker_is_no_finding_and_what_is_configured_is_asked_for() {
        let alone = kafka();
        let mut cluster = whole(&alone);
        cluster.brokers.retain(|id, _| *id == 1);
        for topic in cluster.topics.values_mut() {
            topic.copies = 1;
            topic.settings.as_mut().unwrap().get_mut(MIN_INSYNC).unwrap().value = "1".to_owned();
        }
        assert_eq!(Plan { kafka: &alone, senders: &[] }.compare(&cluster), []);
        let asking = KafkaConfig { replication_factor: 3, flush_every_record: true, transaction_limit_ms: 0, ..alone };
        let findings = Plan { kafka: &asking, senders: &[] }.compare(&cluster);
        let topics = Topic::ALL.len() + INTERNAL.len();
        let count = |is: fn(&Finding) -> bool| findings.iter().filter(|finding| is(finding)).count();
        assert_eq!(count(|f| matches!(f, Finding::Copies { wanted: 3, found: 1, .. })), topics);
        assert_eq!(count(|f| matches!(f, Finding::Setting { name: "flush.messages", .. })), topics);
        assert_eq!(findings.len(), 2 * topics);
    }
}
