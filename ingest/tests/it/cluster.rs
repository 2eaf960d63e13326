//! A broker behind a door: librdkafka's own, which speaks Kafka's protocol over TCP and keeps what is written.

use crate::stack::kafka;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{Offset, TopicPartitionList};
use runtime::kafka::KafkaConfig;
use std::time::{Duration, Instant};

/// Partitions of every topic.
const PARTITIONS: i32 = 3;

pub struct Cluster(MockCluster<'static, DefaultProducerContext>);

impl Cluster {
    pub fn start() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in ["credit.intake.v1", "credit.identities.v1", "credit.protected.v1"] {
            cluster.create_topic(&format!("t.{topic}"), PARTITIONS, 1).unwrap();
        }
        Self(cluster)
    }

    pub fn kafka(&self) -> KafkaConfig {
        KafkaConfig { bootstrap: self.0.bootstrap_servers(), ..kafka() }
    }

    /// No broker answers from now on.
    pub fn away(&self) {
        self.0.broker_down(1).unwrap();
    }

    /// So many records of intake.
    pub fn intake(&self, count: usize) -> Vec<OwnedMessage> {
        let mut client = self.kafka().client();
        let consumer: BaseConsumer = client.set("group.id", "test").create().unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset("t.credit.intake.v1", partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        let (mut found, started) = (Vec::new(), Instant::now());
        while found.len() < count {
            assert!(started.elapsed() < Duration::from_secs(60), "{} of {count} records", found.len());
            if let Some(record) = consumer.poll(Duration::from_millis(100)) {
                found.push(record.unwrap().detach());
            }
        }
        assert!(consumer.poll(Duration::from_millis(200)).is_none(), "more than {count} records");
        found
    }
}

/// The text of a record's header.
pub fn header(record: &OwnedMessage, name: &str) -> Option<String> {
    let mut headers = record.headers()?.iter();
    let found = headers.find(|header| header.key == name)?;
    Some(String::from_utf8(found.value?.to_vec()).unwrap())
}
