//! `topics apply` makes what is missing, once, raises what is weaker than it should be, and refuses to move keys.

use crate::kafka;
use defaultx::topics::{Applied, Finding, apply, check_topics as check};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use std::time::{Duration, Instant};

const BANK_B: &str = "bank-b.applications.v1";

/// An altered setting is shown a moment after the broker has taken it.
async fn until_found(kafka: &KafkaConfig, senders: &[String], expected: &[&str]) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let found: Vec<String> = check(kafka, senders).await.unwrap().iter().map(ToString::to_string).collect();
        if found.len() == expected.len() && found.iter().zip(expected).all(|(found, words)| found.contains(words)) {
            return;
        }
        assert!(Instant::now() < until, "expected {expected:?}, found {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_prefix_is_made_once_and_its_partition_count_stays() {
    let mut kafka = kafka("topics.");
    let missing = check(&kafka, &[]).await.unwrap();
    assert!(missing.iter().all(|finding| matches!(finding, Finding::Missing { by_apply: true, .. })), "{missing:?}");
    assert_eq!(missing.len(), Topic::ALL.len());
    let applied = apply(&kafka, &[]).await.unwrap();
    assert_eq!(applied.made.len(), Topic::ALL.len());
    assert_eq!((applied.altered, applied.left), (vec![], vec![]));
    assert_eq!(check(&kafka, &[]).await.unwrap(), [], "the broker took every setting");
    assert_eq!(apply(&kafka, &[]).await.unwrap(), Applied::default(), "the second time there is nothing to do");

    kafka.partitions = 4;
    let refused = apply(&kafka, &[]).await.unwrap_err().to_string();
    assert!(refused.starts_with("nothing was changed"), "{refused}");
    kafka.partitions = 3;
    assert_eq!(check(&kafka, &[]).await.unwrap(), []);
}

/// What is weaker is raised, what somebody set stronger stays, and so does every other setting that a topic has of its own:
/// Kafka's call replaces them all.
#[tokio::test]
async fn what_is_weaker_is_raised_and_what_is_stronger_stays() {
    let mut kafka = kafka("weak.");
    let senders = vec![BANK_B.to_owned()];
    apply(&kafka, &[]).await.unwrap();
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let (risk, bank_b) = (kafka.topic(Topic::Risk.base_name()), kafka.topic(BANK_B));
    let weak = AlterConfig::new(ResourceSpecifier::Topic(&risk))
        .set("unclean.leader.election.enable", "true")
        .set("retention.bytes", "1000000")
        .set("retention.ms", "-1")
        .set("max.message.bytes", "9000000")
        .set("delete.retention.ms", "12345");
    for altered in admin.alter_configs([&weak], &AdminOptions::new()).await.unwrap() {
        altered.unwrap();
    }
    let theirs = NewTopic::new(&bank_b, 8, TopicReplication::Fixed(1)).set("message.timestamp.type", "CreateTime");
    admin.create_topics([&theirs], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    let theirs = "message.timestamp.type is CreateTime: whoever writes may choose when its record was received";
    // The call named neither the time's type nor anything else that the topic had, so that it is the default again.
    let (time, bytes) = ("message.timestamp.type is CreateTime", "retention.bytes is 1000000");
    until_found(&kafka, &senders, &[time, bytes, "unclean.leader.election.enable is true", theirs]).await;

    let applied = apply(&kafka, &senders).await.unwrap();
    assert_eq!(applied.altered.len(), 3, "{applied:?}");
    assert!(matches!(&applied.left[..], [one] if one.to_string().contains(theirs)), "{applied:?}");
    until_found(&kafka, &senders, &[theirs]).await;
    let shown = admin.describe_configs([&ResourceSpecifier::Topic(&risk)], &AdminOptions::new()).await.unwrap();
    let shown = shown.into_iter().next().unwrap().unwrap();
    let value = |name: &str| shown.entries.iter().find(|entry| entry.name == name).unwrap().value.clone().unwrap();
    let stronger = [("retention.ms", "-1"), ("max.message.bytes", "9000000"), ("delete.retention.ms", "12345")];
    for (name, wanted) in stronger {
        assert_eq!(value(name), wanted, "{name} was somebody's own");
    }

    kafka.manage_sender_topics = true;
    kafka.flush_every_record = true;
    let applied = apply(&kafka, &senders).await.unwrap();
    assert_eq!(
        applied.altered.len(),
        Topic::ALL.len() + 2,
        "each is flushed, and the sender's keeps our time: {applied:?}"
    );
    let until = Instant::now() + Duration::from_secs(60);
    let is_ours = |finding: &Finding| !finding.to_string().starts_with("__");
    while check(&kafka, &senders).await.unwrap().iter().any(is_ours) {
        assert!(Instant::now() < until, "what was altered is never shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A sender's topic with the sender's own time is no reason to stop, but nobody must have to look for it.
#[tokio::test]
async fn a_worker_says_at_its_start_what_the_check_finds() {
    let kafka = kafka("told.");
    apply(&kafka, &[]).await.unwrap();
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let bank_b = kafka.topic(BANK_B);
    let theirs = NewTopic::new(&bank_b, 1, TopicReplication::Fixed(1)).set("message.timestamp.type", "CreateTime");
    admin.create_topics([&theirs], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    let theirs = "message.timestamp.type is CreateTime: whoever writes may choose when its record was received";
    until_found(&kafka, &[BANK_B.to_owned()], &[theirs]).await;
    let mut worker = std::process::Command::new(env!("CARGO_BIN_EXE_defaultx"))
        .args(["run", "ingest", "--ops", "127.0.0.1:0", "--kafka", &kafka.bootstrap, "--prefix", &kafka.topic_prefix])
        .args(["--set", "kafka.partitions=3", "--set", "kafka.replication_factor=1"])
        .args(["--set", "ingest.allow_demonstration_key=true"])
        .args(["--set", &format!("ingest.tenant_of_topic={{\"{BANK_B}\" = \"demo\"}}")])
        .envs(crate::login(&kafka))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(worker.stderr.take().unwrap()));
    let wanted = format!("{bank_b}: {theirs}");
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::Builder::new().spawn(move || {
        tell.send(lines.map_while(Result::ok).any(|line| line.contains(&wanted))).unwrap();
    });
    let said = told.recv_timeout(Duration::from_secs(60));
    worker.kill().unwrap();
    worker.wait().unwrap();
    reader.unwrap().join().unwrap();
    assert_eq!(said, Ok(true), "the worker said nothing of it");
}
