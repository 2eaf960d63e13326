//! The whole room on a real broker: topics in, log, projections, identities and checkpoints out; stopped and started between.

use crate::events::Topics;
use crate::stand::{client, signer};
use audit_sink::verify::{Options, run};
use audit_sink::{Config, audited_topics, start};
use local::House;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use runtime::kafka::KafkaConfig;
use runtime::pg::DatabaseConfig;
use runtime::shell::Shell;
use runtime::stream::OwnedInput;
use schemas::Topic;
use std::time::{Duration, Instant};

const PREFIX: &str = crate::stand::PREFIX;
/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sender's own topic, without prefix.
const BANK_B: &str = "bank-b.applications.v1";

fn config() -> Config {
    Config {
        sender_topics: vec![BANK_B.to_owned()],
        digest_key: "09".repeat(32).as_str().into(),
        checkpoint_origin: "it.example/audit".to_owned(),
        checkpoint_key: "03".repeat(32).as_str().into(),
        checkpoint_interval_s: 1,
        batch_records: 100,
        ..Config::default()
    }
}

fn broker(house: &House) -> KafkaConfig {
    KafkaConfig { bootstrap: house.bootstrap().to_owned(), topic_prefix: PREFIX.to_owned(), ..KafkaConfig::default() }
}

async fn make_topics(kafka: &KafkaConfig) {
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let names = audited_topics().chain([Topic::Checkpoints]).map(|topic| topic.name(PREFIX));
    let names: Vec<_> = names.chain([format!("{PREFIX}{BANK_B}")]).collect();
    let topics: Vec<_> = names.iter().map(|name| NewTopic::new(name, 1, TopicReplication::Fixed(1))).collect();
    for made in admin.create_topics(&topics, &AdminOptions::new()).await.unwrap() {
        made.unwrap();
    }
}

/// Writes records in transactions, one of which is aborted.
fn publish(kafka: &KafkaConfig, id: &str, stories: std::ops::Range<usize>) {
    let mut config = kafka.client();
    let producer: BaseProducer = config.set("transactional.id", id).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    let mut topics = Topics::default();
    for n in stories {
        for commit in [false, true] {
            if !commit && n % 5 != 0 {
                continue;
            }
            producer.begin_transaction().unwrap();
            topics.story(n).iter().for_each(|record| send(&producer, record));
            if commit {
                producer.commit_transaction(PATIENCE).unwrap();
            } else {
                producer.flush(PATIENCE).unwrap();
                producer.abort_transaction(PATIENCE).unwrap();
            }
        }
    }
}

fn send(producer: &BaseProducer, record: &OwnedInput) {
    let headers = record
        .headers
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
    let to = BaseRecord::<[u8], [u8]>::to(&record.topic).headers(headers);
    let to = to.key(record.key.as_deref().unwrap()).payload(record.payload.as_deref().unwrap());
    producer.send(to).map_err(|(error, _)| error).unwrap();
}

/// Runs the room until the log has `entries` entries, all of them under a published checkpoint, then drains it.
async fn run_until(kafka: &KafkaConfig, url: &str, entries: i64) {
    let database = DatabaseConfig { url: url.into(), ..DatabaseConfig::default() };
    let shell = Shell { database: Some(database), ..Shell::new(kafka.clone()) };
    let rooms = start(config(), shell.clone()).unwrap();
    let done = "SELECT coalesce((SELECT size FROM defaultx.audit_logs), 0),
                       coalesce((SELECT max(next_offset) FROM defaultx.stream_offsets WHERE consumer LIKE '%audit-checkpoints'), 0),
                       (SELECT count(*) FROM identity.identities)";
    let client = client(url).await;
    let started = Instant::now();
    loop {
        let row = client.query_one(done, &[]).await.unwrap();
        let seen: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        if seen == (entries, entries + 1, entries / 9) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{seen:?}, wanted {entries} entries");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shell.shutdown.cancel();
    for room in rooms {
        room.join().await.unwrap();
    }
}

/// The newest note on the topic.
fn published(kafka: &KafkaConfig) -> String {
    let mut config = kafka.client();
    let consumer: BaseConsumer =
        config.set("group.id", "it-notes").set("auto.offset.reset", "earliest").create().unwrap();
    consumer.subscribe(&[&Topic::Checkpoints.name(PREFIX)]).unwrap();
    let (started, mut newest) = (Instant::now(), None);
    while started.elapsed() < PATIENCE {
        match consumer.poll(Duration::from_secs(3)) {
            Some(message) => newest = message.unwrap().payload().map(|note| String::from_utf8(note.to_vec()).unwrap()),
            None if newest.is_some() => break,
            None => {}
        }
    }
    newest.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_room_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let options = local::Options::new(dir.path());
    let house = tokio::task::spawn_blocking(move || House::start(&options).unwrap()).await.unwrap();
    let (kafka, url) = (broker(&house), house.database_url().to_owned());
    make_topics(&kafka).await;
    schemas::migrations::migrate(&mut client(&url).await).await.unwrap();

    let mut theirs = Topics::default().story(99).remove(0);
    theirs.topic = format!("{PREFIX}{BANK_B}");
    let producer: BaseProducer = kafka.client().create().unwrap();
    send(&producer, &theirs);
    producer.flush(PATIENCE).unwrap();
    for (id, stories, entries) in [("first", 0..20, 181), ("second", 20..40, 361)] {
        let to = kafka.clone();
        tokio::task::spawn_blocking(move || publish(&to, id, stories)).await.unwrap();
        run_until(&kafka, &url, entries).await;
    }

    let from = kafka.clone();
    let kept = tokio::task::spawn_blocking(move || published(&from)).await.unwrap();
    let options = Options { verifier_key: Some(signer().verifier_key()), kept_checkpoints: vec![kept], record: true };
    let report = run(&url, &options).await.unwrap();
    assert!(report.is_whole(), "{report}");
    assert_eq!(report.entries(), 361);
    assert!(report.logs[0].skipped_offsets > 0, "markers and aborted records leave gaps");
    let query = "SELECT count(*) FROM defaultx.audit_entries WHERE topic = $1";
    let of_bank_b = client(&url).await.query_one(query, &[&BANK_B]).await.unwrap();
    assert_eq!(of_bank_b.get::<_, i64>(0), 1, "a sender's own topic is in the log under its name");
    let decided = client(&url).await.query_one("SELECT count(*) FROM defaultx.current_decisions", &[]).await.unwrap();
    assert_eq!(decided.get::<_, i64>(0), 40);
    tokio::task::spawn_blocking(move || house.stop().unwrap()).await.unwrap();
}
