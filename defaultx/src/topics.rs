//! The topics of a prefix: made where they are missing, compared where they are there. Never changes a partition count, and
//! never alters a topic that exists.

use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use runtime::kafka::{KafkaConfig, MESSAGE_MAX_BYTES};
use schemas::Topic;
use schemas::topics::Keep;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the largest record between rooms: a body at its limit and what a room adds to it.
const HOUSE_MAX_BYTES: u32 = 4 << 20;
/// Bytes of the largest record that a sender may publish; what is larger than ingest's limit is refused by name, not by Kafka.
const SENDER_MAX_BYTES: u32 = 16 << 20;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The topic is not there.
    Missing(String),
    /// It has another partition count than its prefix.
    Partitions {
        /// With prefix.
        topic: String,
        /// As configured.
        wanted: i32,
        /// As it is.
        found: i32,
    },
    /// A setting differs.
    Setting {
        /// With prefix.
        topic: String,
        /// Kafka's name of it.
        name: &'static str,
        /// As it should be.
        wanted: String,
        /// As it is.
        found: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(topic) => write!(f, "{topic}: missing; `defaultx topics apply` makes it"),
            Self::Partitions { topic, wanted, found } => write!(
                f,
                "{topic}: has {found} partitions, configured are {wanted}; the count is fixed for the life of a prefix, because \
                 every key would move: set [kafka] partitions = {found}, or take a new prefix"
            ),
            Self::Setting { topic, name, wanted, found } => write!(
                f,
                "{topic}: {name} is {found}; kafka-configs.sh --alter --entity-type topics --entity-name {topic} \
                 --add-config {name}={wanted}"
            ),
        }
    }
}

/// What a topic exists as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Existing {
    partitions: i32,
    settings: BTreeMap<String, String>,
}

/// The settings that make a topic what the contract says.
pub fn settings_of(topic: Topic) -> Vec<(&'static str, String)> {
    let max_bytes = match topic {
        Topic::LoanApplications => SENDER_MAX_BYTES,
        Topic::DeadLetters => MESSAGE_MAX_BYTES,
        _ => HOUSE_MAX_BYTES,
    };
    let mut settings =
        vec![("message.timestamp.type", "LogAppendTime".to_owned()), ("max.message.bytes", max_bytes.to_string())];
    match topic.keep() {
        Keep::Days(days) => {
            settings.push(("cleanup.policy", "delete".to_owned()));
            settings.push(("retention.ms", (u64::from(days) * DAY_MS).to_string()));
        }
        Keep::Compacted => {
            settings.push(("cleanup.policy", "compact".to_owned()));
            // A restore reads the whole changelog: small segments let compaction begin early.
            settings.push(("segment.bytes", (64 << 20).to_string()));
        }
    }
    settings
}

/// Compares what is there with what should be.
fn compare(kafka: &KafkaConfig, existing: &BTreeMap<String, Existing>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for topic in Topic::ALL {
        let name = topic.name(&kafka.topic_prefix);
        let Some(found) = existing.get(&name) else {
            findings.push(Finding::Missing(name));
            continue;
        };
        if found.partitions != kafka.partitions {
            let (wanted, found) = (kafka.partitions, found.partitions);
            findings.push(Finding::Partitions { topic: name.clone(), wanted, found });
        }
        for (setting, wanted) in settings_of(*topic) {
            let is = found.settings.get(setting).cloned().unwrap_or_else(|| "not set".to_owned());
            if is != wanted {
                findings.push(Finding::Setting { topic: name.clone(), name: setting, wanted, found: is });
            }
        }
    }
    findings
}

/// Everything that differs.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn check(kafka: &KafkaConfig) -> Result<Vec<Finding>> {
    let admin = admin(kafka)?;
    Ok(compare(kafka, &existing(&admin, kafka).await?))
}

/// Makes what is missing and gives the names; what exists is left as it is.
///
/// # Errors
/// When a topic of the prefix has another partition count, and then nothing is made; or the cluster refuses.
pub async fn apply(kafka: &KafkaConfig) -> Result<Vec<String>> {
    let admin = admin(kafka)?;
    let findings = compare(kafka, &existing(&admin, kafka).await?);
    let wrong: Vec<String> =
        findings.iter().filter(|f| matches!(f, Finding::Partitions { .. })).map(ToString::to_string).collect();
    if !wrong.is_empty() {
        bail!("nothing was changed\n{}", wrong.join("\n"));
    }
    let missing: Vec<(Topic, String)> = Topic::ALL
        .iter()
        .map(|topic| (*topic, topic.name(&kafka.topic_prefix)))
        .filter(|(_, name)| findings.contains(&Finding::Missing(name.clone())))
        .collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let settings: Vec<_> = missing.iter().map(|(topic, _)| settings_of(*topic)).collect();
    let new: Vec<NewTopic<'_>> = missing
        .iter()
        .zip(&settings)
        .map(|((_, name), settings)| {
            let topic = NewTopic::new(name, kafka.partitions, TopicReplication::Fixed(kafka.replication_factor));
            settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    for made in admin.create_topics(&new, &options()).await.context("creating topics")? {
        if let Err((name, code)) = made {
            bail!("creating topic {name}: {code}");
        }
    }
    let names: Vec<String> = missing.into_iter().map(|(_, name)| name).collect();
    wait_until_known(&admin, &names).await?;
    Ok(names)
}

/// A topic is made before every broker's metadata knows it.
async fn wait_until_known(admin: &AdminClient<DefaultClientContext>, names: &[String]) -> Result<()> {
    let until = Instant::now() + TIMEOUT;
    loop {
        let metadata = admin.inner().fetch_metadata(None, TIMEOUT)?;
        let is_known = |name: &String| {
            let topic = metadata.topics().iter().find(|topic| topic.name() == name);
            topic.is_some_and(|t| !t.partitions().is_empty() && t.partitions().iter().all(|p| p.leader() >= 0))
        };
        if names.iter().all(is_known) {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("the cluster took the topics but does not show them");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn existing(
    admin: &AdminClient<DefaultClientContext>,
    kafka: &KafkaConfig,
) -> Result<BTreeMap<String, Existing>> {
    let metadata = admin.inner().fetch_metadata(None, TIMEOUT).context("asking Kafka for its topics")?;
    let mut found: BTreeMap<String, Existing> = metadata
        .topics()
        .iter()
        .filter(|topic| Topic::of_name(&kafka.topic_prefix, topic.name()).is_some())
        .map(|topic| {
            let partitions = topic.partitions().len() as i32;
            (topic.name().to_owned(), Existing { partitions, ..Existing::default() })
        })
        .collect();
    let names: Vec<String> = found.keys().cloned().collect();
    if names.is_empty() {
        return Ok(found);
    }
    let asked: Vec<ResourceSpecifier<'_>> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let described = admin.describe_configs(&asked, &options()).await.context("asking for topic settings")?;
    for (name, resource) in names.iter().zip(described) {
        let resource: ConfigResource = resource.map_err(|code| anyhow::anyhow!("settings of {name}: {code}"))?;
        let entries = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
        found.entry(name.clone()).or_default().settings = entries.collect();
    }
    Ok(found)
}

fn admin(kafka: &KafkaConfig) -> Result<AdminClient<DefaultClientContext>> {
    kafka.client().create().context("Kafka client")
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka() -> KafkaConfig {
        KafkaConfig { topic_prefix: "t.".to_owned(), partitions: 3, ..KafkaConfig::default() }
    }

    fn whole() -> BTreeMap<String, Existing> {
        let existing = |topic: &Topic| Existing {
            partitions: 3,
            settings: settings_of(*topic).into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        };
        Topic::ALL.iter().map(|topic| (topic.name("t."), existing(topic))).collect()
    }

    #[test]
    fn every_difference_is_one_finding() {
        assert_eq!(compare(&kafka(), &whole()), []);
        let mut cluster = whole();
        cluster.remove("t.credit.risk.v1");
        cluster.entry("t.credit.decisions.v1".to_owned()).or_default().partitions = 6;
        let settings = &mut cluster.entry("t.credit.admit-state.v1".to_owned()).or_default().settings;
        settings.insert("cleanup.policy".to_owned(), "delete".to_owned());
        let findings = compare(&kafka(), &cluster);
        assert_eq!(findings.len(), 3, "{findings:?}");
        for word in ["topics apply", "fixed for the life", "--add-config cleanup.policy=compact"] {
            assert!(findings.iter().any(|finding| finding.to_string().contains(word)), "{word}");
        }
    }

    #[test]
    fn every_topic_keeps_the_brokers_time() {
        for topic in Topic::ALL {
            let settings = settings_of(*topic);
            assert!(settings.contains(&("message.timestamp.type", "LogAppendTime".to_owned())));
            assert_eq!(settings.contains(&("cleanup.policy", "compact".to_owned())), topic.keep() == Keep::Compacted);
        }
    }
}
