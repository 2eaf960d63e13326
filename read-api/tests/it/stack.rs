//! A PostgreSQL and a broker for all tests of this binary, databases and topics in them, and the log's writer with the loop's part of the work.

use audit_log::DigestKey;
use audit_sink::handler::{AuditHandler, Settings};
use audit_sink::identity::IdentityHandler;
use audit_sink::metrics::Metrics;
use audit_sink::source::Sources;
use local::{Options, Stack};
use prometheus::Registry;
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use runtime::kafka::KafkaConfig;
use runtime::pg::{DatabaseConfig, connect};
use runtime::stream::pg::{PgHandler, Preparer};
use runtime::stream::{Offset, OwnedInput};
use schemas::Topic;
use serde_json::Value;
use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_postgres::Client;

/// Runs a test on the one runtime of the binary, so that what tests share outlives each of them.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap()).block_on(test)
}

fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| {
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("read-api-it");
        Stack::start(&Options::new(data_dir)).unwrap()
    })
}

/// The settings of a fresh database with the whole schema.
pub async fn database(name: &'static str) -> DatabaseConfig {
    let main = tokio::task::spawn_blocking(|| stack().database_url().to_owned()).await.unwrap();
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    client(&of(&main)).await.batch_execute(&drop).await.unwrap();
    let url = tokio::task::spawn_blocking(move || stack().create_database(name).unwrap()).await.unwrap();
    schemas::migrations::migrate(&mut client(&of(&url)).await).await.unwrap();
    of(&url)
}

/// The broker, with the topics that read-api writes and follows under `prefix`.
pub async fn kafka(prefix: &str) -> KafkaConfig {
    let stack = tokio::task::spawn_blocking(stack).await.unwrap();
    let kafka = KafkaConfig {
        bootstrap: stack.bootstrap().to_owned(),
        topic_prefix: prefix.to_owned(),
        sasl_username: Some(local::ADMIN.to_owned()),
        sasl_password: stack.passwords().get(local::ADMIN).map(|password| password.as_str().into()),
        ..KafkaConfig::default()
    };
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let names = [Topic::Access, Topic::Revocations].map(|topic| topic.name(prefix));
    let topics: Vec<_> = names.iter().map(|name| NewTopic::new(name, 2, TopicReplication::Fixed(1))).collect();
    for made in admin.create_topics(&topics, &AdminOptions::new()).await.unwrap() {
        if let Err((name, error)) = made {
            assert_eq!(error, RDKafkaErrorCode::TopicAlreadyExists, "{name}");
        }
    }
    kafka
}

/// Every record of a topic that is there now, as (key, body).
pub fn records(kafka: &KafkaConfig, topic: Topic) -> Vec<(String, Value)> {
    let mut config = kafka.client();
    config.set("group.id", "it").set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.set("enable.auto.commit", "false").create().unwrap();
    let mut open = BTreeSet::from([0, 1]);
    let mut assignment = TopicPartitionList::new();
    for partition in &open {
        assignment
            .add_partition_offset(&topic.name(&kafka.topic_prefix), *partition, rdkafka::Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut found = Vec::new();
    while !open.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
                found.push((key, serde_json::from_slice(message.payload().unwrap()).unwrap()));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
    found
}

fn of(url: &str) -> DatabaseConfig {
    DatabaseConfig { url: url.into(), ..DatabaseConfig::default() }
}

/// A session of the superuser.
pub async fn client(database: &DatabaseConfig) -> Client {
    connect(database).await.unwrap()
}

/// The writer of log 0 and of the identity store.
pub struct Writer {
    pub client: Client,
    log: AuditHandler,
    seal: Preparer<<AuditHandler as PgHandler>::Work>,
    identities: IdentityHandler,
    /// Of all topics together: rising is enough.
    next_offset: i64,
}

impl Writer {
    pub async fn new(database: &DatabaseConfig) -> Self {
        let client = client(database).await;
        let settings = Settings {
            sources: Sources::new("", &[]),
            key: DigestKey::new("k1", &[9; 32]).unwrap(),
            segment_bytes: 4 << 10,
            zstd_level: 1,
            shards: 1,
        };
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let mut log = AuditHandler::new(0, settings, metrics.clone());
        log.reset(&client).await.unwrap();
        let seal = log.preparer();
        Self { client, log, seal, identities: IdentityHandler::new(metrics), next_offset: 0 }
    }

    /// Writes a batch as the loop would, under offsets of its own.
    pub async fn write(&mut self, batch: &[OwnedInput]) {
        let mut batch = batch.to_vec();
        for record in &mut batch {
            record.offset = Offset::new(self.next_offset);
            self.next_offset += 1;
        }
        let work = prepared(&mut self.seal, &batch);
        let tx = self.client.transaction().await.unwrap();
        self.log.apply(&tx, work).await.unwrap();
        tx.commit().await.unwrap();
        self.log.committed();
        let identities = Topic::Identities.base_name();
        let personal: Vec<_> = batch.iter().filter(|record| record.topic == identities).cloned().collect();
        let work = prepared(&mut self.identities.preparer(), &personal);
        let tx = self.client.transaction().await.unwrap();
        self.identities.apply(&tx, work).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn prepared<W>(preparer: &mut Preparer<W>, batch: &[OwnedInput]) -> W {
    batch.iter().for_each(|record| preparer.take(&record.as_input()).unwrap());
    preparer.finish().unwrap()
}
