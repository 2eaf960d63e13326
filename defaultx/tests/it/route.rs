//! `defaultx route`, as it is called: documents checked, and put in force at one position of every partition.

use crate::kafka;
use defaultx::reader::{header, read_to_end};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use runtime::kafka::KafkaConfig;
use runtime::stream::position::members;
use schemas::Topic;
use schemas::control::{ACTIVATED, Activation};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SHIPPED: &str = include_str!("../../../routes/standard/1.0.0.toml");

fn route(arguments: &[&str]) -> Output {
    route_as(arguments, &[])
}

fn route_as(arguments: &[&str], login: &[(&str, String)]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    command.arg("route").args(arguments).envs(login.iter().cloned()).current_dir(root).output().unwrap()
}

fn activate(kafka: &KafkaConfig, words: &[&str]) -> Output {
    let place = ["--kafka", kafka.bootstrap.as_str(), "--prefix", kafka.topic_prefix.as_str()];
    route_as(&[&["activate", "--by", "risk-team"], words, &place[..]].concat(), &crate::login(kafka))
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_shipped_route_is_taken_and_what_is_wrong_names_file_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.toml");
    std::fs::write(&broken, SHIPPED.replacen("taiwan-xgboost@1.0.0", "taiwan-lightgbm@1.0.0", 1)).unwrap();
    let broken = broken.to_str().unwrap();
    let checked = route(&["check", "routes/standard/1.0.0.toml"]);
    assert_eq!(
        (checked.status.code(), said(&checked.stdout).trim()),
        (Some(0), "routes/standard/1.0.0.toml: 0 errors, 0 warnings")
    );
    let checked = route(&["check", "routes/standard/1.0.0.toml", broken]);
    let expected = format!("{broken}:11: error: entry 1 (cards), shadows: taiwan-lightgbm is there twice");
    assert!(said(&checked.stdout).contains(&expected), "{}", said(&checked.stdout));
    assert_eq!(checked.status.code(), Some(1));
}

#[tokio::test]
async fn a_route_is_put_in_force_in_every_partition_and_only_where_it_is_what_it_says() {
    let kafka: KafkaConfig = kafka("routes.");
    defaultx::topics::apply(&kafka, &[]).await.unwrap();
    let activate = |label: &str| activate(&kafka, &[label]);
    for (label, expected) in [
        ("standard", "is not name@version"),
        ("../policies@1", "is not name@version"),
        ("standard@9.9.9", "9.9.9.toml"),
    ] {
        let refused = activate(label);
        assert!(said(&refused.stderr).contains(expected) && !refused.status.success(), "{}", said(&refused.stderr));
    }
    let done = activate("standard@1.0.0");
    let told = said(&done.stdout);
    assert!(told.starts_with("route standard 1.0.0 is in force from here on in 3 partitions\n"), "{told}");
    assert!(told.contains("travel with it") && told.contains("nobody was asked"), "{told}");
    let mut partitions = Vec::new();
    read_to_end(&kafka, [Topic::Applications.name(&kafka.topic_prefix).as_str()], |message| {
        let record: Activation = serde_json::from_slice(message.payload().unwrap()).unwrap();
        assert_eq!(header(message, "ce_type"), Some(ACTIVATED));
        assert_eq!(
            (record.kind.as_str(), record.name.as_str(), record.version.as_str()),
            ("route", "standard", "1.0.0")
        );
        assert_eq!(record.digest, domain::Digest::of(SHIPPED.as_bytes()).to_string());
        assert_eq!(record.document.map(String::from).as_deref(), Some(SHIPPED), "it travels with the record");
        assert!(record.packages.is_some_and(|packages| packages.contains_key("taiwan-lightgbm@1.0.0")));
        partitions.push(message.partition());
        Ok(())
    })
    .unwrap();
    partitions.sort_unstable();
    assert_eq!(partitions, [0, 1, 2]);
}

/// It reads applications and has no right to announce itself, or is of a version before.
#[tokio::test]
async fn a_member_that_has_announced_nothing_is_named_and_may_be_left_unasked() {
    let kafka: KafkaConfig = kafka("silent.");
    defaultx::topics::apply(&kafka, &[]).await.unwrap();
    let (group, topic) = (kafka.topic("scorer"), kafka.topic(Topic::Applications.base_name()));
    let mut client = kafka.client();
    client.set("group.id", group.as_ref()).set("group.instance.id", "scorer-7").set("enable.auto.commit", "false");
    let member: BaseConsumer = client.create().unwrap();
    member.subscribe(&[topic.as_ref()]).unwrap();
    let until = Instant::now() + PATIENCE;
    // Until it has partitions too: a client that is closed within a rebalance may wait for itself for ever.
    let is_in = || members(&kafka, &group, PATIENCE).unwrap() == ["scorer-7"];
    while !is_in() || member.assignment().unwrap().count() == 0 {
        assert!(Instant::now() < until, "it has not joined");
        drop(member.poll(Duration::from_millis(100)));
    }
    let refused = activate(&kafka, &["standard@1.0.0"]);
    let why = said(&refused.stderr);
    assert!(why.contains("scorer-7 reads applications") && why.contains("--unasked"), "{why}");
    assert!(!refused.status.success());
    let done = activate(&kafka, &["standard@1.0.0", "--unasked"]);
    assert!(said(&done.stdout).contains("not asked: scorer-7"), "{}", said(&done.stdout));
    drop(member);
}
