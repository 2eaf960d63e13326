//! Rights: what the table gives is enough and no more, and one too many is found.

use crate::{kafka, login};
use defaultx::topics::{Finding, apply, check, rights};
use local::{Options, Stack};
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

/// Who writes what, and whether he may.
const WRITES: [(&str, Topic, bool); 17] = [
    ("scorer", Topic::Risk, true),
    ("scorer", Topic::Decisions, false),
    ("notifier", Topic::Decisions, false),
    ("notifier", Topic::Notifications, true),
    ("decision", Topic::Decisions, true),
    ("decision", Topic::Gaps, false),
    ("door", Topic::Intake, true),
    ("door", Topic::Applications, false),
    ("sender", Topic::LoanApplications, true),
    ("sender", Topic::Intake, false),
    ("read-api", Topic::Decisions, false),
    ("observer", Topic::DeadLetters, false),
    ("audit-signer", Topic::Checkpoints, true),
    ("audit-sink", Topic::Checkpoints, false),
    ("read-api", Topic::Access, true),
    ("read-api", Topic::Revocations, false),
    ("audit-sink", Topic::Applications, false),
];

/// Who reads what, as a member of which group, and whether he may.
const READS: [(&str, &str, Topic, bool); 8] = [
    ("identity-store", "forged.identity-store", Topic::Identities, true),
    ("scorer", "forged.scorer", Topic::Identities, false),
    ("notifier", "forged.notifier", Topic::Identities, false),
    ("notifier", "forged.notifier", Topic::Protected, false),
    ("notifier", "forged.notifier", Topic::Decisions, true),
    ("sender", "forged.sender-1", Topic::Decisions, true),
    ("sender", "forged.sender-1", Topic::LoanApplications, false),
    ("observer", "forged.scorer", Topic::Identities, false),
];

/// Tries all of it; `may` says what the broker should make of what somebody may or may not.
fn try_all(kafka: &KafkaConfig, may: impl Fn(bool) -> Result<(), RDKafkaErrorCode>) {
    for (user, topic, is_right) in WRITES {
        assert_eq!(write(&kafka.of(user), topic), may(is_right), "{user} writes {topic:?}");
    }
    for (user, group, topic, is_right) in READS {
        assert_eq!(read(&kafka.of(user), group, topic), may(is_right), "{user} reads {topic:?}");
    }
}

/// Takes the place of the decision worker's producer as somebody else.
fn take_its_place(kafka: &KafkaConfig) -> Result<(), KafkaError> {
    let mut taken = kafka.of("notifier").client();
    let producer: BaseProducer = taken.set("transactional.id", "forged.decision-0-0").create().unwrap();
    producer.init_transactions(PATIENCE)
}

/// What an attacker on this machine did before there were logins: read identities, and write a decision that a webhook then told.
#[tokio::test]
async fn a_forged_decision_and_a_look_at_identities_are_refused() {
    let kafka = deployed("forged.").await;
    try_all(&kafka, |is_right| if is_right { Ok(()) } else { Err(RDKafkaErrorCode::TopicAuthorizationFailed) });
    // Nor may a worker take another's place: its group, or its producer.
    let error = take_its_place(&kafka).unwrap_err();
    let code = error.rdkafka_error_code();
    assert_eq!(code, Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed), "{error}");
    let own: BaseProducer =
        kafka.of("decision").client().set("transactional.id", "forged.decision-0-0").create().unwrap();
    own.init_transactions(PATIENCE).unwrap();
}

/// The same where nobody is asked who he is: it is the rights that keep them out, and nothing else.
#[tokio::test]
async fn on_an_open_broker_the_forged_decision_gets_in() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::start(&Options { postgres: false, open: true, ..Options::new(dir.path()) }).unwrap();
    let kafka = KafkaConfig {
        bootstrap: stack.bootstrap().to_owned(),
        topic_prefix: "forged.".to_owned(),
        partitions: 1,
        replication_factor: 1,
        ..KafkaConfig::default()
    };
    apply(&kafka, &[]).await.unwrap();
    try_all(&kafka, |_| Ok(()));
    take_its_place(&kafka).unwrap();
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
