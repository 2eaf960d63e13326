//! A row that is accepted, and whose way ends in the dead letters: its result says so and nobody waits for it. Only ingest runs; the
//! letters are those that a scorer would write.

use crate::{kafka, login};
use defaultx::reader::read_to_end;
use defaultx::run;
use defaultx::settings::Settings;
use defaultx::topics;
use defaultx::workers::Worker;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use runtime::kafka::KafkaConfig;
use runtime::stream::{Input, OwnedInput, dead_letter_header as dl};
use schemas::Topic;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
/// Seconds that nobody may have to wait.
const WAIT: &str = "120";

type Row = BTreeMap<String, String>;

fn document(id: &str, amount_minor: u64) -> String {
    serde_json::json!({
        "tenant": "demo", "application_id": id, "revision": 1, "product": "credit_card", "intent": "decide", "request_type": "new",
        "channel": "branch", "jurisdiction": "TW-TPE",
        "requested": {"amount": {"amount_minor": amount_minor, "currency": "TWD"}},
        "submitted_at": runtime::clock::rfc3339(runtime::clock::now()), "as_of": "2005-09-30",
        "applicants": [{"role": "primary", "kind": "person", "customer_ref": "c-1"}],
        "attributes": {"payment_amount1": 1},
    })
    .to_string()
}

fn batch(kafka: &KafkaConfig, arguments: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    command.arg("batch").args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command.args(["--kafka", &kafka.bootstrap, "--prefix", &kafka.topic_prefix]).envs(login(kafka));
    let output = command.env("DEFAULTX__INGEST__ALLOW_DEMONSTRATION_KEY", "true").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, said)
}

/// Sends the file, and gives the exit code, what was said, and the rows of the result.
fn sent(kafka: &KafkaConfig, file: &Path, wait: &str) -> (Option<i32>, String, Vec<Row>) {
    let result = file.with_file_name("result.csv");
    let [file, to] = [file, &result].map(|path| path.to_str().unwrap());
    let (output, said) = batch(kafka, &[file, "--result", to, "--wait", wait]);
    let rows = csv::Reader::from_path(&result).unwrap_or_else(|error| panic!("{error}: {said}"));
    (output.status.code(), said, rows.into_deserialize().collect::<Result<_, _>>().unwrap())
}

fn applications(kafka: &KafkaConfig) -> Vec<OwnedInput> {
    let mut all = Vec::new();
    let topic = kafka.topic(Topic::Applications.base_name());
    read_to_end(kafka, [topic.as_ref()], |message| {
        let input = Input::of(message);
        if input.header_str("ce_type") == Some("application.accepted.v1") {
            all.push(OwnedInput::from(&input));
        }
        Ok(())
    })
    .unwrap();
    all
}

fn put(kafka: &KafkaConfig, of: &OwnedInput, more: &[(&str, &str)], is_letter: bool) {
    let (partition, offset) = (of.partition.to_string(), of.offset.to_string());
    let place = [(dl::TOPIC, &*of.topic), (dl::PARTITION, &partition), (dl::OFFSET, &offset)];
    let own = if is_letter { [more, &place[..]].concat() } else { [&place[..], more].concat() };
    let original = of.headers.iter().filter(|_| is_letter);
    let original = original.map(|(name, value)| (name.as_str(), value.as_deref()));
    let all = original.chain(own.into_iter().map(|(name, value)| (name, Some(value.as_bytes()))));
    let headers = all.fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value }));
    let topic = kafka.topic(Topic::DeadLetters.base_name());
    let mut record = BaseRecord::<[u8], [u8]>::to(&topic).headers(headers).partition(of.partition);
    if let (Some(key), Some(payload), true) = (&of.key, &of.payload, is_letter) {
        record = record.key(key.as_slice()).payload(payload.as_slice());
    }
    let producer: BaseProducer = kafka.client().create().unwrap();
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// As a scorer sets aside what it cannot score.
fn set_aside(kafka: &KafkaConfig, of: &OwnedInput) {
    put(kafka, of, &[(dl::REASON, "not_scored"), (dl::STAGE, "scorer"), (dl::DETAIL, "")], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_ends_in_the_dead_letters_is_told_and_not_waited_for() {
    let kafka = kafka("aside.");
    topics::apply(&kafka, &[]).await.unwrap();
    let given = kafka.clone();
    tokio::task::spawn_blocking(move || topics::rights::apply(&given, &[]).unwrap()).await.unwrap();
    let mut settings = Settings { kafka: kafka.clone(), ..Settings::default() };
    settings.process.ops_listen = "127.0.0.1:0".to_owned();
    settings.ingest.allow_demonstration_key = true;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    (settings.scorer.models_dir, settings.scorer.routes_dir) = (root.join("models"), root.join("routes"));
    let mut running = run::start(&settings, &[Worker::Ingest], CancellationToken::new()).await.unwrap();
    running.ready(PATIENCE).await.unwrap();
    tokio::task::spawn_blocking(move || plays(&kafka)).await.unwrap();
    running.stop().await.unwrap();
}

fn plays(kafka: &KafkaConfig) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.ndjson");
    std::fs::write(&file, [document("a-1", 5), document("a-2", 5), document("a-2", 6)].join("\n")).unwrap();
    let (dry, said) = batch(kafka, &[file.to_str().unwrap(), "--dry-run"]);
    assert_eq!(dry.status.code(), Some(1), "{said}");

    let began = Instant::now();
    let (code, said, rows) = std::thread::scope(|scope| {
        let run = scope.spawn(|| sent(kafka, &file, WAIT));
        let until = Instant::now() + PATIENCE;
        while applications(kafka).len() < 2 {
            assert!(Instant::now() < until, "nothing is accepted");
            std::thread::sleep(Duration::from_millis(100));
        }
        applications(kafka).iter().for_each(|record| set_aside(kafka, record));
        run.join().unwrap()
    });
    assert!(began.elapsed() < PATIENCE, "it waits for what does not come: {said}");
    assert_eq!(code, Some(1), "{said}");
    let of = |rows: &[Row], column: &str| rows.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
    assert_eq!(of(&rows, "reply"), ["accepted", "accepted", "conflict"], "{said}");
    assert_eq!(of(&rows, "state"), ["dead_letter"; 3], "{said}");
    assert_eq!(of(&rows, "problem"), ["not_scored"; 3]);
    assert!(rows[0]["why"].starts_with("set aside by scorer"), "{:?}", rows[0]);
    assert!(rows[2]["why"].starts_with("line 2 has the same id and revision with other content"), "{:?}", rows[2]);
    assert_eq!(of(&rows, "warnings"), ["unknown_attribute /attributes/payment_amount1"; 3]);
    for words in [
        "3 rows: 3 published, 0 refused, 1 in conflict with a row before it",
        "3 rows, the first in line 1 (a-1): unknown_attribute: /attributes/payment_amount1 is read by no model of credit_card",
        "  line 1 (a-1): dead_letter: not_scored set aside by scorer",
        "  line 3 (a-2): conflict: line 2 has the same id and revision with other content",
    ] {
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }

    // Known before, and told from what stands there already.
    let began = Instant::now();
    let (code, said, rows) = sent(kafka, &file, WAIT);
    assert!(began.elapsed() < PATIENCE && code == Some(1), "{said}");
    assert_eq!(of(&rows, "state"), ["dead_letter"; 3], "{said}");
    assert_eq!(of(&rows, "reply"), ["duplicate", "duplicate", "conflict"]);

    // What was published again is awaited again.
    let marked = applications(kafka).into_iter().find(|record| record.key.as_deref() == Some(b"demo|a-1")).unwrap();
    put(kafka, &marked, &[("dl_redriven_by", "ana"), ("dl_redriven_at", "2026-11-30T09:15:00.000Z")], false);
    let (code, said, rows) = sent(kafka, &file, "3");
    assert_eq!(
        (code, rows[0]["state"].as_str(), rows[1]["state"].as_str()),
        (Some(3), "undecided", "dead_letter"),
        "{said}"
    );

    let (_, said) = batch(kafka, &[file.to_str().unwrap()]);
    assert!(said.contains("replies were not awaited: --result FILE awaits them"), "{said}");
}
