//! What a cluster says of its topics and brokers, and the two things it is asked to do: make a topic, set a topic's settings.

use anyhow::{Context, Result, bail};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewTopic, ResourceSpecifier,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use runtime::kafka::KafkaConfig;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A setting as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub value: String,
    /// Set at the topic itself, not taken from its broker or the default.
    pub is_own: bool,
}

/// Settings by name, or why they are not shown.
pub(super) type Settings = Result<BTreeMap<String, Set>, String>;

/// What a topic exists as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Existing {
    pub partitions: i32,
    /// Of the partition that has the fewest.
    pub copies: i32,
    pub settings: Settings,
}

/// A cluster, as far as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    pub topics: BTreeMap<String, Existing>,
    /// By id.
    pub brokers: BTreeMap<i32, Settings>,
}

/// The client.
pub(super) struct Admin(AdminClient<DefaultClientContext>);

impl Admin {
    pub fn connect(kafka: &KafkaConfig) -> Result<Self> {
        Ok(Self(kafka.client().create().context("Kafka client")?))
    }

    /// Everything about the topics of these names that are there, and about the brokers.
    pub async fn look(&self, is_asked_for: impl Fn(&str) -> bool) -> Result<Cluster> {
        let metadata = self.0.inner().fetch_metadata(None, TIMEOUT).context("asking Kafka for its topics")?;
        let mut cluster = Cluster::default();
        for topic in metadata.topics().iter().filter(|topic| is_asked_for(topic.name())) {
            let partitions = topic.partitions();
            let copies = partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or_default();
            let existing =
                Existing { partitions: partitions.len() as i32, copies: copies as i32, settings: Ok(BTreeMap::new()) };
            cluster.topics.insert(topic.name().to_owned(), existing);
        }
        let names: Vec<String> = cluster.topics.keys().cloned().collect();
        let asked: Vec<ResourceSpecifier<'_>> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        for ((_, topic), settings) in cluster.topics.iter_mut().zip(self.settings(&asked).await?) {
            topic.settings = settings;
        }
        for broker in metadata.brokers() {
            // Each broker answers for itself.
            let settings = self.settings(&[ResourceSpecifier::Broker(broker.id())]).await?;
            cluster.brokers.extend(settings.into_iter().map(|settings| (broker.id(), settings)));
        }
        Ok(cluster)
    }

    async fn settings(&self, asked: &[ResourceSpecifier<'_>]) -> Result<Vec<Settings>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let described = self.0.describe_configs(asked, &options()).await.context("asking for settings")?;
        Ok(described.into_iter().map(|resource| resource.map(of).map_err(|code| code.to_string())).collect())
    }

    /// Makes topics and waits until every broker can tell of them. One that somebody else makes meanwhile is as good.
    pub async fn create(&self, new: &[NewTopic<'_>]) -> Result<()> {
        for made in self.0.create_topics(new, &options()).await.context("creating topics")? {
            match made {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => bail!("creating topic {name}: {code}"),
            }
        }
        let until = Instant::now() + TIMEOUT;
        while !self.knows(new)? {
            if Instant::now() > until {
                bail!("the cluster took the topics but does not show them");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn knows(&self, new: &[NewTopic<'_>]) -> Result<bool> {
        let metadata = self.0.inner().fetch_metadata(None, TIMEOUT)?;
        Ok(new.iter().all(|new| {
            let topic = metadata.topics().iter().find(|topic| topic.name() == new.name);
            topic.is_some_and(|t| !t.partitions().is_empty() && t.partitions().iter().all(|p| p.leader() >= 0))
        }))
    }

    /// Sets some settings of a topic. Kafka's call replaces all that a topic has of its own, so that they go along.
    pub async fn alter(&self, topic: &str, existing: &Existing, changes: &[(&str, &str)]) -> Result<()> {
        let mut all = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let own = existing.settings.iter().flatten().filter(|(_, set)| set.is_own);
        for (name, value) in own.map(|(name, set)| (name.as_str(), set.value.as_str())).chain(changes.iter().copied()) {
            all = all.set(name, value);
        }
        for altered in self.0.alter_configs([&all], &options()).await.context("altering topics")? {
            if let Err((_, code)) = altered {
                bail!("altering topic {topic}: {code}");
            }
        }
        Ok(())
    }
}

fn of(resource: ConfigResource) -> BTreeMap<String, Set> {
    let entries = resource.entries.into_iter().filter_map(|entry| {
        let is_own = entry.source == ConfigSource::DynamicTopic;
        Some((entry.name, Set { value: entry.value?, is_own }))
    });
    entries.collect()
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT))
}
