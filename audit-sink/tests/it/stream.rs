//! The whole worker on a real broker: topics in, log, projections, identities and checkpoints out; stopped and started between.

use crate::events::Topics;
use crate::stand::{client, signer};
use audit_sink::verify::{Options, run};
use audit_sink::{Config, SignerConfig, audited_topics, start};
use local::Stack;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use runtime::kafka::KafkaConfig;
use runtime::pg::DatabaseConfig;
use runtime::service::ServiceContext;
use runtime::stream::pg::{PgGroup, open_gaps};
use runtime::stream::position::Gap;
use runtime::stream::{NextOffset, Output, OwnedInput, Route, Transactions};
use schemas::Topic;
use std::path::Path;
use std::sync::OnceLock;
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
        batch_records: 100,
        linger_ms: 20,
        ..Config::default()
    }
}

fn signer_config() -> SignerConfig {
    SignerConfig {
        origin: "it.example/audit".to_owned(),
        key: "03".repeat(32).as_str().into(),
        interval_s: 1,
        ..SignerConfig::default()
    }
}

pub fn broker(stack: &Stack, prefix: &str) -> KafkaConfig {
    KafkaConfig {
        bootstrap: stack.bootstrap().to_owned(),
        topic_prefix: prefix.to_owned(),
        sasl_username: Some(local::ADMIN.to_owned()),
        sasl_password: stack.passwords().get(local::ADMIN).map(|password| password.as_str().into()),
        ..KafkaConfig::default()
    }
}

/// One broker and database for the tests of this file, which keep apart by prefix and database.
pub async fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    let start = || {
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-sink-stream");
        if data_dir.exists() {
            std::fs::remove_dir_all(&data_dir).unwrap();
        }
        Stack::start(&local::Options::new(data_dir)).unwrap()
    };
    tokio::task::spawn_blocking(move || STACK.get_or_init(start)).await.unwrap()
}

/// The address of a fresh database with the whole schema.
pub async fn database(name: &'static str) -> String {
    let stack = stack().await;
    let url = tokio::task::spawn_blocking(move || stack.create_database(name).unwrap()).await.unwrap();
    schemas::migrations::migrate(&mut client(&url).await).await.unwrap();
    url
}

/// What the worker reads and writes, without prefix.
fn all_topics() -> impl Iterator<Item = String> {
    let ours = audited_topics().chain([Topic::Checkpoints]).map(|topic| topic.base_name().to_owned());
    ours.chain([BANK_B.to_owned()])
}

pub async fn make_topics(kafka: &KafkaConfig, topics: impl Iterator<Item = String>) {
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let names: Vec<_> = topics.map(|topic| kafka.topic(&topic).to_string()).collect();
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
            topics.story(n).iter().for_each(|record| send(&producer, kafka, record));
            if commit {
                producer.commit_transaction(PATIENCE).unwrap();
            } else {
                producer.flush(PATIENCE).unwrap();
                producer.abort_transaction(PATIENCE).unwrap();
            }
        }
    }
}

fn send(producer: &BaseProducer, kafka: &KafkaConfig, record: &OwnedInput) {
    let headers = record
        .headers
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
    let topic = kafka.topic(record.topic.strip_prefix(PREFIX).unwrap());
    let to = BaseRecord::<[u8], [u8]>::to(&topic).partition(record.partition).headers(headers);
    let to = to.key(record.key.as_deref().unwrap()).payload(record.payload.as_deref().unwrap());
    producer.send(to).map_err(|(error, _)| error).unwrap();
}

/// Runs the worker until the log has `entries` entries, all of them under a published checkpoint, then drains it.
async fn run_until(kafka: &KafkaConfig, url: &str, entries: i64) {
    let database = DatabaseConfig { url: url.into(), ..DatabaseConfig::default() };
    let mut service = ServiceContext::new(kafka.clone());
    service.database = Some(database);
    let mut workers = start(config(), service.clone()).unwrap();
    workers.extend(audit_sink::signer::start(&signer_config(), service.clone()).unwrap());
    let done = "SELECT coalesce((SELECT size FROM defaultx.audit_logs), 0),
                       coalesce((SELECT max(size) FROM defaultx.audit_publications), 0),
                       (SELECT count(*) FROM identity.identities)";
    let client = client(url).await;
    let started = Instant::now();
    loop {
        let row = client.query_one(done, &[]).await.unwrap();
        let seen: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        if seen == (entries, entries, entries / 9) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{seen:?}, wanted {entries} entries");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service.shutdown.cancel();
    for worker in workers {
        worker.join().await.unwrap();
    }
}

/// The newest note on the topic.
pub fn published(kafka: &KafkaConfig) -> String {
    let mut config = kafka.client();
    let consumer: BaseConsumer =
        config.set("group.id", &*kafka.topic("it-notes")).set("auto.offset.reset", "earliest").create().unwrap();
    consumer.subscribe(&[&*kafka.topic(Topic::Checkpoints.base_name())]).unwrap();
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
async fn the_worker_goes_on_where_it_stopped() {
    let (kafka, url) = (broker(stack().await, PREFIX), database("going_on").await);
    make_topics(&kafka, all_topics()).await;

    let mut theirs = Topics::default().story(99).remove(0);
    theirs.topic = format!("{PREFIX}{BANK_B}");
    let producer: BaseProducer = kafka.client().create().unwrap();
    send(&producer, &kafka, &theirs);
    producer.flush(PATIENCE).unwrap();
    for (id, stories, entries) in [("first", 0..20, 181), ("second", 20..40, 361)] {
        let to = kafka.clone();
        tokio::task::spawn_blocking(move || publish(&to, id, stories)).await.unwrap();
        run_until(&kafka, &url, entries).await;
    }

    let from = kafka.clone();
    let kept = tokio::task::spawn_blocking(move || published(&from)).await.unwrap();
    let options = Options { keys: vec![signer().verifier_key()], kept: vec![kept], ..Options::default() };
    let report = run(&url, &options).await.unwrap();
    assert!(report.is_whole(), "{report}");
    assert_eq!(report.entries(), 361);
    assert!(report.logs[0].skipped_offsets > 0, "markers and aborted records leave gaps");
    let query = "SELECT sum(entries)::bigint FROM defaultx.audit_runs WHERE topic = $1";
    let of_bank_b = client(&url).await.query_one(query, &[&BANK_B]).await.unwrap();
    assert_eq!(of_bank_b.get::<_, i64>(0), 1, "a sender's own topic is in the log under its name");
    let decided = client(&url).await.query_one("SELECT count(*) FROM defaultx.current_decisions", &[]).await.unwrap();
    assert_eq!(decided.get::<_, i64>(0), 40);
}

/// A dashboard's login held the advisory lock of the log's writer: the log stood still, ready and without lag.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_a_writer_can_hold_the_log_up() {
    let (kafka, url) = (broker(stack().await, "locked."), database("locked").await);
    make_topics(&kafka, all_topics()).await;
    let dashboard = client(&url).await;
    let login = "CREATE ROLE it_dashboard LOGIN IN ROLE defaultx_dashboard; SET SESSION AUTHORIZATION it_dashboard;
                 SELECT pg_advisory_lock(1096286209, 0), pg_advisory_lock(1096286210, 0)";
    dashboard.batch_execute(login).await.unwrap();
    let to = kafka.clone();
    tokio::task::spawn_blocking(move || publish(&to, "locked", 0..1)).await.unwrap();
    run_until(&kafka, &url, 9).await;
    assert!(dashboard.batch_execute("SELECT FROM defaultx.stream_writers").await.is_ok(), "it may look");
    for statement in [
        "SELECT FROM defaultx.stream_writers FOR UPDATE",
        "SELECT FROM defaultx.stream_writers FOR KEY SHARE",
        "UPDATE defaultx.stream_writers SET beat = beat",
        "DELETE FROM defaultx.stream_writers",
        "BEGIN; LOCK defaultx.stream_writers IN ROW SHARE MODE",
    ] {
        let code = dashboard.batch_execute(statement).await.unwrap_err().code().cloned();
        assert_eq!(code, Some(tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE), "{statement}");
    }
}

/// Waits until the log has so many entries, those of accepted gaps aside, and the worker says that it is ready or not, in these words.
async fn entries_until(
    session: &tokio_postgres::Client,
    service: &ServiceContext,
    count: i64,
    ready: bool,
    words: &str,
) {
    let started = Instant::now();
    loop {
        let query = "SELECT coalesce(sum(entries), 0)::bigint FROM defaultx.audit_runs WHERE topic <> 'credit.gaps.v1'";
        let seen: i64 = session.query_one(query, &[]).await.unwrap().get(0);
        let state = service.health.states()["audit-sink"].clone();
        if (seen, state.ready) == (count, ready) && state.reason.contains(words) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{seen} entries of {count}, {state:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What appeared after the start was never read, and the worker said that it was ready.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_and_a_partition_that_appear_later_are_read() {
    let (kafka, url) = (broker(stack().await, "late."), database("late").await);
    make_topics(&kafka, all_topics().filter(|topic| topic != Topic::Decisions.base_name())).await;
    let database = DatabaseConfig { url: url.as_str().into(), ..DatabaseConfig::default() };
    let mut service = ServiceContext::new(kafka.clone());
    service.database = Some(database);
    let workers = start(config(), service.clone()).unwrap();
    let session = client(&url).await;
    let until =
        async |count: i64, ready: bool, words: &str| entries_until(&session, &service, count, ready, words).await;
    let producer: BaseProducer = kafka.client().create().unwrap();
    let mut story = Topics::default().story(1);
    let (mut decision, mut risk) = (story.remove(7), story[6].clone());
    story.iter().for_each(|record| send(&producer, &kafka, record));
    producer.flush(PATIENCE).unwrap();
    until(8, false, "late.credit.decisions.v1 is not there").await;

    make_topics(&kafka, std::iter::once(Topic::Decisions.base_name().to_owned())).await;
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let more = Topic::Risk.name(&kafka.topic_prefix);
    let more = rdkafka::admin::NewPartitions::new(&more, 2);
    admin.create_partitions([&more], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    (decision.partition, risk.partition) = (0, 1);
    let started = Instant::now();
    let metadata = |topic: Topic| producer.client().fetch_metadata(Some(&topic.name("late.")), PATIENCE).unwrap();
    while metadata(Topic::Risk).topics()[0].partitions().len() < 2
        || metadata(Topic::Decisions).topics()[0].error().is_some()
    {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    send(&producer, &kafka, &decision);
    send(&producer, &kafka, &risk);
    producer.flush(PATIENCE).unwrap();
    until(10, true, "reading").await;
    service.shutdown.cancel();
    for worker in workers {
        worker.join().await.unwrap();
    }
}

/// Offsets were trusted: records that retention had deleted were passed over without a word, and a topic that was made anew ended the
/// writer at every start.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_the_log_has_lost_is_held_and_named() {
    let (kafka, url) = (broker(stack().await, "lost."), database("lost").await);
    make_topics(&kafka, all_topics()).await;
    let database = DatabaseConfig { url: url.as_str().into(), ..DatabaseConfig::default() };
    let session = client(&url).await;
    let begin = || {
        let mut service = ServiceContext::new(kafka.clone());
        service.database = Some(database.clone());
        (start(config(), service.clone()).unwrap(), service)
    };
    let until = async |service: &ServiceContext, count: i64, ready: bool, words: &str| {
        entries_until(&session, service, count, ready, words).await;
    };
    let end = async |workers: Vec<runtime::task::WorkerHandle>, service: ServiceContext| {
        service.shutdown.cancel();
        for worker in workers {
            worker.join().await.unwrap();
        }
    };
    let group = || PgGroup {
        name: kafka.topic(audit_sink::WORKER),
        topics: audit_sink::Sources::new(&kafka.topic_prefix, &[BANK_B.to_owned()]).names().collect(),
        plain: audit_sink::Sources::new(&kafka.topic_prefix, &[BANK_B.to_owned()]).plain().collect(),
        goes_back: false,
    };
    let gaps = async || open_gaps(&kafka, &database, group(), kafka.topic("credit.gaps.v1"), PATIENCE).await.unwrap();

    let producer: BaseProducer = kafka.client().create().unwrap();
    let mut topics = Topics::default();
    let mut tell = |n| {
        let story = topics.story(n);
        story.iter().for_each(|record| send(&producer, &kafka, record));
        producer.flush(PATIENCE).unwrap();
        story.len() as i64
    };
    let (workers, service) = begin();
    let first = tell(1);
    until(&service, first, true, "reading").await;
    end(workers, service).await;
    assert_eq!(gaps().await, []);

    // Retention overtakes one topic while nobody reads.
    let second = tell(2) + tell(6); // two records of each topic: one alone might be a marker
    let risk = Topic::Risk.name(&kafka.topic_prefix);
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&risk, 0, Offset::End).unwrap();
    let end_of_risk = producer.client().fetch_watermarks(&risk, 0, PATIENCE).unwrap().1;
    let read = end_of_risk / 3;
    let lost = end_of_risk - read;
    admin.delete_records(&before, &AdminOptions::new()).await.unwrap();
    let (workers, service) = begin();
    until(&service, first + second - lost, false, "were deleted before group lost.audit-sink read them").await;
    let found = gaps().await;
    let [from, to] = [read, end_of_risk].map(NextOffset::new);
    assert_eq!((found.len(), found[0].from, found[0].to), (1, Some(from), to), "{found:?}");
    accept(&kafka, &found[0]);
    until(&service, first + second - lost, true, "reading").await;
    let query = "SELECT reads_on FROM defaultx.stream_offsets WHERE reads_on IS NOT NULL";
    assert_eq!(session.query_one(query, &[]).await.unwrap().get::<_, i64>(0), end_of_risk);
    end(workers, service).await;
    assert_eq!(gaps().await, [], "a restart asks nobody again");
    let (workers, service) = begin();
    until(&service, first + second - lost, true, "reading").await;
    let third = tell(3);
    until(&service, first + second + third - lost, true, "reading").await;
    end(workers, service).await;
    let report = run(&url, &Options::default()).await.unwrap();
    assert!(report.is_whole(), "{report:?}");

    // Another topic under the name: its coordinates stand in the log already.
    admin.delete_topics(&[&risk], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    let started = Instant::now();
    while producer.client().fetch_metadata(None, PATIENCE).unwrap().topics().iter().any(|topic| topic.name() == risk) {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    make_topics(&kafka, std::iter::once(Topic::Risk.base_name().to_owned())).await;
    let fourth = tell(4);
    let (workers, service) = begin();
    let rest = first + second + third + fourth - lost - read;
    until(&service, rest, false, "is not the topic that group lost.audit-sink read up to").await;
    let found = gaps().await;
    assert_eq!(found.len(), 1, "{found:?}");
    accept(&kafka, &found[0]);
    // Nobody can accept that; the rest goes on.
    let fifth = tell(5);
    until(&service, rest + fifth - read, false, "bring the topic back, or begin a deployment under another prefix")
        .await;
    end(workers, service).await;
}

fn accept(kafka: &KafkaConfig, gap: &Gap) {
    let body = serde_json::json!({
        "group": gap.group, "topic": gap.topic, "partition": gap.partition, "kind": gap.kind.as_str(),
        "from": gap.from.map(NextOffset::get), "to": gap.to.get(), "topic_id": gap.topic_id, "accepted_by": "a test", "accepted_at": "2026-11-29T00:00:00Z",
    });
    let (topic, payload) = (kafka.topic("credit.gaps.v1"), Some(body.to_string().into_bytes()));
    let record = Output { topic, route: Route::ByKey, key: Some(b"gap".to_vec()), payload, headers: Vec::new() };
    Transactions::connect(kafka, "gaps", 8_000).unwrap().write([(None, &record)]).unwrap();
}
