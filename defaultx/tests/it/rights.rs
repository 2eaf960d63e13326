//! Rights: what the table gives is enough and no more, and one too many is found.

use crate::{kafka, login};
use defaultx::topics::{Finding, apply, check, rights};
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use runtime::kafka::KafkaConfig;
use runtime::kafka::acl::{self, Acl, Kind, Operation};
use schemas::Topic;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

async fn deployed(prefix: &str) -> KafkaConfig {
    let kafka = kafka(prefix);
    apply(&kafka, &[]).await.unwrap();
    let given = kafka.clone();
    tokio::task::spawn_blocking(move || rights::apply(&given, &[])).await.unwrap().unwrap();
    kafka
}

/// The first delivery's end.
#[derive(Default)]
struct Told(Mutex<Option<Result<(), RDKafkaErrorCode>>>);

impl ClientContext for Told {}

impl ProducerContext for Told {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let result = result.as_ref().map(drop).map_err(|(error, _)| error.rdkafka_error_code().unwrap());
        self.0.lock().unwrap().get_or_insert(result);
    }
}

/// Writes one record as a user; what the broker says.
fn write(kafka: &KafkaConfig, topic: Topic) -> Result<(), RDKafkaErrorCode> {
    let mut config = kafka.client();
    config.set("message.timeout.ms", "10000");
    let producer: BaseProducer<Told> = config.create_with_context(Told::default()).unwrap();
    let name = topic.name(&kafka.topic_prefix);
    producer.send(BaseRecord::to(&name).partition(0).key("k").payload("{}")).unwrap();
    producer.flush(PATIENCE).unwrap();
    producer.context().0.lock().unwrap().take().unwrap()
}

/// Reads the beginning of a topic as a user; what the broker says.
fn read(kafka: &KafkaConfig, group: &str, topic: Topic) -> Result<(), RDKafkaErrorCode> {
    let mut config = kafka.client();
    config.set("group.id", group).set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let name = topic.name(&kafka.topic_prefix);
    // The client says nothing of a topic that it may not even be shown.
    let shown = consumer.fetch_metadata(Some(&name), PATIENCE).unwrap();
    if let Some(error) = shown.topics()[0].error() {
        return Err(error.into());
    }
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(&name, 0, Offset::Beginning).unwrap();
    consumer.assign(&place).unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                return Err(RDKafkaErrorCode::TopicAuthorizationFailed);
            }
            _ => assert!(Instant::now() < until, "neither read nor refused: {topic:?}"),
        }
    }
}

/// What an attacker on this machine did before there were logins: read identities, and write a decision that a webhook then told.
#[tokio::test]
async fn a_forged_decision_and_a_look_at_identities_are_refused() {
    let kafka = deployed("forged.").await;
    let denied = Err(RDKafkaErrorCode::TopicAuthorizationFailed);
    let rows = [
        ("scorer", Topic::Risk, Ok(())),
        ("scorer", Topic::Decisions, denied),
        ("notifier", Topic::Decisions, denied),
        ("notifier", Topic::Notifications, Ok(())),
        ("decision", Topic::Decisions, Ok(())),
        ("decision", Topic::Gaps, denied),
        ("door", Topic::Intake, Ok(())),
        ("door", Topic::Applications, denied),
        ("sender", Topic::LoanApplications, Ok(())),
        ("sender", Topic::Intake, denied),
        ("read-api", Topic::Decisions, denied),
        ("observer", Topic::DeadLetters, denied),
        ("audit-signer", Topic::Checkpoints, Ok(())),
        ("audit-sink", Topic::Checkpoints, denied),
        ("read-api", Topic::Access, Ok(())),
        ("read-api", Topic::Revocations, denied),
        ("audit-sink", Topic::Applications, denied),
    ];
    for (user, topic, expected) in rows {
        assert_eq!(write(&kafka.of(user), topic), expected, "{user} writes {topic:?}");
    }
    let rows = [
        ("identity-store", "forged.identity-store", Topic::Identities, Ok(())),
        ("scorer", "forged.scorer", Topic::Identities, denied),
        ("notifier", "forged.notifier", Topic::Identities, denied),
        ("notifier", "forged.notifier", Topic::Protected, denied),
        ("notifier", "forged.notifier", Topic::Decisions, Ok(())),
        ("sender", "forged.sender-1", Topic::Decisions, Ok(())),
        ("sender", "forged.sender-1", Topic::LoanApplications, denied),
        ("observer", "forged.scorer", Topic::Identities, denied),
    ];
    for (user, group, topic, expected) in rows {
        assert_eq!(read(&kafka.of(user), group, topic), expected, "{user} reads {topic:?}");
    }
    // Nor may a worker take another's place: its group, or its producer.
    let mut taken = kafka.of("notifier").client();
    let producer: BaseProducer = taken.set("transactional.id", "forged.decision-0-0").create().unwrap();
    let error = producer.init_transactions(PATIENCE).unwrap_err();
    let code = error.rdkafka_error_code();
    assert_eq!(code, Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed), "{error}");
    let own: BaseProducer =
        kafka.of("decision").client().set("transactional.id", "forged.decision-0-0").create().unwrap();
    own.init_transactions(PATIENCE).unwrap();
}

#[tokio::test]
async fn the_check_names_a_second_writer_and_the_line_that_removes_it() {
    let kafka = deployed("second.").await;
    assert_eq!(check(&kafka, &[]).await.unwrap(), [], "the table's own rights are not too many");
    let second = Acl {
        kind: Kind::Topic,
        name: "second.credit.dec".to_owned(),
        is_prefix: true,
        principal: "User:mallory".to_owned(),
        host: "*".to_owned(),
        operation: Operation::Write,
        is_allowed: true,
    };
    let (added, given) = (kafka.clone(), second.clone());
    let add = move || {
        let admin: AdminClient<DefaultClientContext> = added.client().create().unwrap();
        acl::add(admin.inner(), &[given], PATIENCE).unwrap();
    };
    tokio::task::spawn_blocking(add).await.unwrap();
    let until = Instant::now() + PATIENCE;
    let findings = loop {
        let findings = check(&kafka, &[]).await.unwrap();
        if !findings.is_empty() {
            break findings;
        }
        assert!(Instant::now() < until, "the broker forgot the right");
    };
    let topics: Vec<&str> = findings
        .iter()
        .map(|finding| match finding {
            Finding::TooMany { topic, verb: "write", acl, .. } if *acl == second => topic.as_str(),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(topics, ["second.credit.decisions.v1", "second.credit.decision-state.v1"]);
    let checked = std::process::Command::new(env!("CARGO_BIN_EXE_defaultx"))
        .args(["topics", "check", "--kafka", &kafka.bootstrap, "--prefix", &kafka.topic_prefix])
        .args(["--set", "kafka.partitions=3", "--set", "kafka.replication_factor=1"])
        .envs(login(&kafka))
        .output()
        .unwrap();
    let said = String::from_utf8(checked.stdout).unwrap();
    let expected = "second.credit.decisions.v1: User:mallory may write it, and only User:decision, User:admin should; \
                    kafka-acls.sh --remove --allow-principal 'User:mallory' --operation Write --topic 'second.credit.dec' \
                    --resource-pattern-type prefixed";
    assert!(said.contains(expected) && checked.status.code() == Some(1), "{said}");
}

#[tokio::test]
async fn a_worker_without_rights_is_a_finding_that_apply_mends() {
    let kafka = kafka("bare.");
    apply(&kafka, &[]).await.unwrap();
    let bare: Vec<String> = check(&kafka, &[]).await.unwrap().iter().map(ToString::to_string).collect();
    assert!(bare.iter().any(|line| line.starts_with("User:scorer: lacks") && line.contains("--acls")), "{bare:?}");
    let applied = std::process::Command::new(env!("CARGO_BIN_EXE_defaultx"))
        .args(["topics", "apply", "--acls", "--kafka", &kafka.bootstrap, "--prefix", &kafka.topic_prefix])
        .args(["--set", "kafka.partitions=3", "--set", "kafka.replication_factor=1"])
        .envs(login(&kafka))
        .output()
        .unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    assert_eq!(check(&kafka, &[]).await.unwrap(), []);
    // The client that every worker asks with is shown the topics, and may not even ask for the rights of others to change.
    let client: BaseProducer = kafka.of("observer").client().create().unwrap();
    let shown = client.client().fetch_metadata(None, PATIENCE).unwrap();
    assert!(shown.topics().iter().any(|topic| topic.name() == "bare.credit.identities.v1"));
}
