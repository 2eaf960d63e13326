//! The whole worker as it starts in the deployment: decisions on a real broker in, webhooks and receipts out.

use crate::receiver::{Answer, Receiver};
use crate::stand::*;
use notifier::Config;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use runtime::kafka::KafkaConfig;
use runtime::service::ServiceContext;
use schemas::{Topic, catalogue};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const DECISIONS: usize = 3_000;
const PREFIX: &str = "worker.";
const PARTITIONS: i32 = 3;

async fn make_topics(kafka: &KafkaConfig) {
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let names = [Topic::Decisions, Topic::Notifications].map(|topic| topic.name(PREFIX));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for gone in admin.delete_topics(&names, &options).await.unwrap() {
        if let Err((topic, error)) = gone {
            assert_eq!(error, rdkafka::types::RDKafkaErrorCode::UnknownTopicOrPartition, "{topic}");
        }
    }
    let started = Instant::now();
    for name in names {
        // A topic that was just deleted takes a moment to be gone.
        while let Err((_, error)) = &admin
            .create_topics(&[NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))], &options)
            .await
            .unwrap()[0]
        {
            assert!(started.elapsed() < PATIENCE, "{name}: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn publish(client: &ClientConfig, range: std::ops::Range<usize>) {
    let producer: BaseProducer = client.create().unwrap();
    let topic = Topic::Decisions.name(PREFIX);
    for n in range {
        let record = decision(&topic, n);
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
        let (key, payload) = (record.key.unwrap(), record.payload.unwrap());
        let record = BaseRecord::to(&topic).key(&key).payload(&payload).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// Receipts on the topic with their `ce_id` and partition, until there are as many as wanted.
fn receipts(client: &ClientConfig, wanted: usize) -> Vec<(String, String, Value)> {
    let mut client = client.clone();
    client.set("group.id", "worker-reader").set("isolation.level", "read_committed").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = client.set("auto.offset.reset", "earliest").create().unwrap();
    let mut assignment = rdkafka::TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let at = rdkafka::Offset::Beginning;
        assignment.add_partition_offset(&Topic::Notifications.name(PREFIX), partition, at).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let started = Instant::now();
    let mut found = Vec::new();
    while found.len() < wanted {
        assert!(started.elapsed() < PATIENCE, "{} receipts of {wanted}", found.len());
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.unwrap();
        let id = message.headers().unwrap().iter().find(|header| header.key == "ce_id").unwrap().value.unwrap();
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        let body = serde_json::from_slice(message.payload().unwrap()).unwrap();
        found.push((String::from_utf8(id.to_vec()).unwrap(), key, body));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_decision_is_told_and_every_delivery_has_a_receipt() {
    let database = database("worker").await;
    let kafka = KafkaConfig {
        bootstrap: stack().bootstrap().to_owned(),
        topic_prefix: PREFIX.to_owned(),
        sasl_username: Some(local::ADMIN.to_owned()),
        sasl_password: stack().passwords().get(local::ADMIN).map(|password| password.as_str().into()),
        ..KafkaConfig::default()
    };
    make_topics(&kafka).await;
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let config = || Config {
        subscriptions: vec![subscription("los", &receiver.url())],
        allow_private_addresses: true,
        known: known(),
        ..Config::default()
    };
    let refused = |config: Config| notifier::start(config, ServiceContext::new(kafka.clone())).unwrap_err().to_string();
    let private = refused(Config { allow_private_addresses: false, ..config() });
    assert!(private.contains("\"los\"") && !private.contains(&receiver.url()), "{private}");
    let mut misspelt = config();
    misspelt.subscriptions[0].products = vec!["credit_cart".to_owned()];
    let said = refused(misspelt);
    assert!(said.contains("\"los\" products[0]: \"credit_cart\"") && said.contains("\"credit_card\"?"), "{said}");

    let client_settings = kafka.client();
    // Twice the same worker, one after the other: the second reads on where the first stopped.
    for half in [0..DECISIONS / 2, DECISIONS / 2..DECISIONS] {
        let until_now = half.end;
        let mut service = ServiceContext::new(kafka.clone());
        service.database = Some(database.clone());
        let started = Instant::now();
        let handles = notifier::start(config(), service.clone()).unwrap();
        let settings = client_settings.clone();
        tokio::task::spawn_blocking(move || publish(&settings, half)).await.unwrap();
        until_rows(&client(&database).await, "delivered", until_now).await;
        println!("{} deliveries in {:?}", DECISIONS / 2, started.elapsed());
        service.shutdown.cancel();
        for handle in handles {
            handle.join().await.unwrap();
        }
    }

    let ids: BTreeSet<String> = receiver.seen().iter().map(|request| request.id()).collect();
    assert_eq!((ids.len(), receiver.seen().len()), (DECISIONS, DECISIONS), "nothing failed, so each is told once");
    let found = tokio::task::spawn_blocking(move || receipts(&client_settings, DECISIONS)).await.unwrap();
    let schema = catalogue::validator("notification.delivered.v1").unwrap();
    let mut event_ids = BTreeSet::new();
    for (event_id, key, receipt) in &found {
        assert!(schema.is_valid(receipt), "{receipt}");
        assert!(ids.contains(receipt["delivery_id"].as_str().unwrap()));
        assert_eq!(*key, format!("demo|{}", receipt["application_id"].as_str().unwrap()));
        event_ids.insert(event_id.clone());
    }
    assert_eq!(event_ids.len(), DECISIONS);
}
