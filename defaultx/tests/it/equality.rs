//! The same application in other words, published to a real broker and read by the worker that runs: what it hears, also of what a
//! version before accepted.

use crate::kafka;
use defaultx::reader::read_to_end;
use defaultx::run::{self, Running};
use defaultx::settings::Settings;
use defaultx::topics::{self, rights};
use defaultx::workers::Worker;
use domain::Digest;
use ingest::Config;
use ingest::data_digest::{Mark, Secrets};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use schemas::reply::Reply;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(120);

/// An application with what a sender may write in other words.
fn application(id: &str) -> Value {
    json!({
        "tenant": "demo", "application_id": id, "revision": 1, "product": "credit_card", "intent": "decide",
        "request_type": "new", "channel": "online", "jurisdiction": "TW-TPE", "as_of": "2020-01-01",
        "requested": {"amount": {"amount_minor": 500_000, "currency": "TWD"}, "term_months": 24},
        "submitted_at": "2021-03-04T05:06:07Z", "attributes": {"branch": "M\u{fc}nster"},
        "applicants": [{
            "role": "primary", "kind": "person", "customer_ref": "c-1", "identity": {"name": "Zo\u{eb}"},
            "consents": [{"purpose": "credit_report", "granted_at": "2021-03-04T05:00:00.25Z"}]
        }],
    })
}

/// The same from a client with other habits.
fn in_other_words(id: &str) -> String {
    let mut data = application(id);
    data["submitted_at"] = "2021-03-04T05:06:07.000Z".into();
    data["completed_at"] = Value::Null;
    data["attributes"]["branch"] = "Mu\u{308}nster".into();
    for list in ["collateral", "documents"] {
        data[list] = json!([]);
    }
    let applicant = &mut data["applicants"][0];
    applicant["customer_ref"] = " c-1\u{a0}".into();
    applicant["identity"]["name"] = "Zoe\u{308}".into();
    applicant["consents"][0]["granted_at"] = "2021-03-04T05:00:00.250000Z".into();
    applicant["reports"] = json!([]);
    for object in ["facts", "protected"] {
        applicant[object] = json!({});
    }
    data.to_string().replace(":24", ":24.0").replace("500000", "5e5")
}

fn changed(id: &str, pointer: &str, value: Value) -> String {
    let mut data = application(id);
    *data.pointer_mut(pointer).unwrap() = value;
    data.to_string()
}

/// Sends bodies one after another, and gives the reply to each.
fn replies(kafka: &KafkaConfig, run: &str, bodies: &[String]) -> Vec<Reply> {
    let producer: BaseProducer = kafka.client().create().unwrap();
    let topic = kafka.topic(Topic::LoanApplications.base_name());
    for (number, body) in bodies.iter().enumerate() {
        let id = format!("{run}-{number}");
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", &*id),
            ("ce_source", "/los"),
            ("ce_type", "application.submitted.v1"),
            ("content-type", "application/json"),
        ];
        let headers = headers
            .into_iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
        producer
            .send(BaseRecord::<[u8], str>::to(&topic).payload(body).headers(headers))
            .map_err(|sent| sent.0)
            .unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let topic = kafka.topic(Topic::LoanReplies.base_name());
    let until = Instant::now() + PATIENCE;
    loop {
        let mut found: Vec<Option<Reply>> = vec![None; bodies.len()];
        read_to_end(kafka, [&*topic], |message| {
            let reply: Reply = serde_json::from_slice(message.payload().unwrap_or_default())?;
            let number = reply.origin_id.as_ref().and_then(|id| id.strip_prefix(run)?.strip_prefix('-')?.parse().ok());
            if let Some(place) = number.and_then(|number: usize| found.get_mut(number)) {
                assert!(place.replace(reply).is_none(), "one reply each");
            }
            Ok(())
        })
        .unwrap();
        if let Some(all) = found.into_iter().collect() {
            return all;
        }
        assert!(Instant::now() < until, "no reply to each of {run}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn said(replies: &[Reply]) -> Vec<&str> {
    replies.iter().map(|reply| reply.status.as_str()).collect()
}

async fn deployed(prefix: &str) -> KafkaConfig {
    let kafka = KafkaConfig { partitions: 1, ..kafka(prefix) };
    topics::apply(&kafka, &[]).await.unwrap();
    let given = kafka.clone();
    tokio::task::spawn_blocking(move || rights::apply(&given, &[])).await.unwrap().unwrap();
    kafka
}

async fn started(kafka: &KafkaConfig, config: Config) -> Running {
    let mut settings = Settings { kafka: kafka.clone(), ingest: config, ..Settings::default() };
    settings.process.ops_listen = "127.0.0.1:0".to_owned();
    let mut running = run::start(&settings, &[Worker::Ingest], CancellationToken::new()).await.unwrap();
    running.ready(PATIENCE).await.unwrap();
    running
}

fn config() -> Config {
    Config { allow_demonstration_key: true, ..Config::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_knows_an_application_in_other_words() {
    let kafka = deployed("equality.").await;
    let running = started(&kafka, config()).await;
    let sent = {
        let kafka = kafka.clone();
        move || {
            let first = application("L-1").to_string();
            let sent = [
                first.clone(),
                in_other_words("L-1"),
                first,
                changed("L-1", "/requested/amount/amount_minor", 500_001.into()),
                changed("L-1", "/requested/term_months", Value::Null),
                changed("L-1", "/submitted_at", "2021-03-04T05:06:07.001Z".into()),
                changed("L-2", "/requested/amount/currency", "USD".into()),
                in_other_words("L-3"),
                application("L-3").to_string(),
            ];
            let told = replies(&kafka, "words", &sent);
            let statuses = [
                "accepted",
                "duplicate",
                "duplicate",
                "conflict",
                "conflict",
                "conflict",
                "rejected",
                "accepted",
                "duplicate",
            ];
            assert_eq!(said(&told), statuses);
            let received_at = told[1].accepted.as_ref().unwrap().received_at.clone().unwrap();
            let age = runtime::clock::now() - chrono::DateTime::parse_from_rfc3339(&received_at).unwrap().to_utc();
            assert!((0..600).contains(&age.num_seconds()), "{received_at}");
            for (number, reply) in told.iter().enumerate() {
                let accepted = reply.accepted.as_ref().map(|accepted| accepted.revision);
                let names_it = matches!(statuses[number], "duplicate" | "conflict");
                assert_eq!(accepted, names_it.then_some(1), "{number}");
            }
            let problem = told[6].problem.as_ref().unwrap();
            assert_eq!(
                (&*problem.kind, &*problem.pointers),
                ("currency_not_of_product", &["/requested/amount/currency".to_owned()][..])
            );
            let subjects = subjects(&kafka);
            assert_eq!(subjects.len(), 2, "two are accepted");
            assert_eq!(subjects[0], subjects[1], "one customer");
        }
    };
    tokio::task::spawn_blocking(sent).await.unwrap();
    running.stop().await.unwrap();
}

/// Subjects of what was accepted.
fn subjects(kafka: &KafkaConfig) -> Vec<Value> {
    let mut subjects = Vec::new();
    read_to_end(kafka, [&*kafka.topic(Topic::Applications.base_name())], |message| {
        let body: Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
        subjects.push(body["applicants"][0]["subject"].clone());
        Ok(())
    })
    .unwrap();
    subjects
}

/// Writes what the version before remembered of a body onto its changelog: name; form 2, mark of the key, 15 bytes of the digest of
/// what was sent, revision, seconds.
fn remember(kafka: &KafkaConfig, id: &str, sent: &str) {
    let producer: BaseProducer = kafka.client().create().unwrap();
    let topic = kafka.topic(Topic::AdmitState.base_name());
    let key = Secrets::new(&config()).unwrap().of_tenant("demo").kept;
    // Sorted, in ASCII and without fractions, it is as RFC 8785 has it.
    let sorted: Value = serde_json::from_str(sent).unwrap();
    let digest = key.digest(&Digest::of(sorted.to_string().as_bytes()).short());
    let seconds = u32::try_from(runtime::clock::now_ms() / 1000).unwrap() - 3600;
    let name = &Digest::of(format!("demo|{id}").as_bytes()).0[..16];
    let value =
        [&[2, Mark::of(key.id()).byte()][..], &digest[..15], &1u32.to_be_bytes(), &seconds.to_be_bytes()].concat();
    producer.send(BaseRecord::to(&topic).partition(0).key(name).payload(&value)).map_err(|sent| sent.0).unwrap();
    producer.flush(PATIENCE).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_knows_what_a_version_before_accepted() {
    let kafka = deployed("equality-before.").await;
    let with_list = |id: &str| {
        let mut data = application(id);
        data["documents"] = json!([]);
        data.to_string()
    };
    let state = kafka.clone();
    let remembered = move || {
        remember(&state, "short", &application("short").to_string());
        remember(&state, "long", &with_list("long"));
    };
    tokio::task::spawn_blocking(remembered).await.unwrap();
    let running = started(&kafka, config()).await;
    let broker = kafka.clone();
    let sent = move || {
        let sent = [
            in_other_words("short"),
            application("short").to_string(),
            with_list("long"),
            in_other_words("long"),
            changed("long", "/requested/term_months", 25.into()),
        ];
        let told = replies(&broker, "before", &sent);
        assert_eq!(said(&told), ["duplicate", "duplicate", "duplicate", "duplicate", "conflict"]);
        assert!(subjects(&broker).is_empty(), "nothing is accepted twice");
    };
    tokio::task::spawn_blocking(sent).await.unwrap();
    running.stop().await.unwrap();
}
