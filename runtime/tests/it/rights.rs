//! A worker with a login and rights of its own does all of its work with them, and whoever has others cannot do it for him.

use crate::bench::{Bench, PATIENCE, numbers};
use crate::{admissions, assert_once};
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};
use runtime::kafka::acl::{self, Acl, CLUSTER, Kind, Operation};
use runtime::kafka::{KafkaConfig, Login};
use runtime::stream::{Output, Route, Transactions};

/// The same cluster for each of the users that it has.
fn with_logins(bench: &Bench) -> KafkaConfig {
    let mut kafka = bench.kafka.clone();
    let passwords = bench.stack.passwords().into_iter().filter(|(user, _)| user != local::ADMIN);
    let login = |password: String| Login { password: Some(password.into()), ..Login::default() };
    kafka.principals = passwords.map(|(user, password)| (user, login(password))).collect();
    kafka
}

type Right = (&'static str, Operation, Kind, &'static str, bool);

/// What a worker of the bench needs.
pub const OF_A_WORKER: [Right; 11] = [
    ("worker", Operation::Read, Kind::Topic, "t.in", false),
    ("worker", Operation::Write, Kind::Topic, "t.out", false),
    ("worker", Operation::Write, Kind::Topic, "t.dead", false),
    ("worker", Operation::Write, Kind::Topic, "t.state", false),
    ("worker", Operation::Read, Kind::Topic, "t.state", false),
    ("worker", Operation::Read, Kind::Topic, "t.gaps", false),
    ("worker", Operation::Read, Kind::Group, "t.admit", true),
    ("worker", Operation::Describe, Kind::Group, "t.state-restore", false),
    ("worker", Operation::Describe, Kind::Group, "t.gaps-reader", false),
    ("worker", Operation::Describe, Kind::Group, "probe", false),
    ("worker", Operation::Write, Kind::TransactionalId, "t.admit-", true),
];

/// Gives rights to users, none of whom has any yet.
pub fn give(kafka: &KafkaConfig, rights: &[Right]) {
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let rights = rights.iter().map(|(user, operation, kind, name, is_prefix)| Acl {
        kind: *kind,
        name: (*name).to_owned(),
        is_prefix: *is_prefix,
        principal: format!("User:{user}"),
        host: "*".to_owned(),
        operation: *operation,
        is_allowed: true,
    });
    let rights: Vec<Acl> = rights.collect();
    assert_eq!(acl::all(admin.inner(), PATIENCE).unwrap(), Some(Vec::new()), "a new broker gives nobody anything");
    acl::add(admin.inner(), &rights, PATIENCE).unwrap();
    acl::add(admin.inner(), &rights, PATIENCE).unwrap(); // once more changes nothing
    let (mut found, mut given) = (Vec::new(), rights);
    while found.len() < given.len() {
        found = acl::all(admin.inner(), PATIENCE).unwrap().unwrap();
    }
    found.sort_unstable();
    given.sort_unstable();
    assert_eq!(found, given, "what was given is what the broker tells");
}

#[test]
fn a_worker_does_its_work_with_its_own_rights_and_nobody_else_does() {
    use Kind::{Cluster, Topic, TransactionalId};
    use Operation::{Describe, Read, Write};
    let mut bench = Bench::start();
    let kafka = with_logins(&bench);
    let others = [
        ("observer", Describe, Topic, "t.", true),
        ("observer", Describe, Cluster, CLUSTER, false),
        ("thief", Read, Topic, "t.out", false),
        ("thief", Write, Topic, "t.dead", false),
        ("thief", Write, TransactionalId, "t.thief", true),
    ];
    give(&kafka, &[&OF_A_WORKER[..], &others].concat());
    bench.publish("in", numbers(0..300));
    bench.publish("in", vec![b"bad".to_vec()]);
    let admin = std::mem::replace(&mut bench.kafka, kafka.of("worker"));
    let worker = bench.run("0");
    bench.kafka = admin;
    bench.wait_handled(301);
    assert_once(&bench, 300);
    assert_eq!(bench.read_all("dead").len(), 1);
    // Its replacement restores what it wrote.
    worker.stop().unwrap();
    bench.publish("in", numbers(0..350));
    let admin = std::mem::replace(&mut bench.kafka, kafka.of("worker"));
    let worker = bench.run("0");
    bench.kafka = admin;
    bench.wait_handled(301 + 350);
    assert_once(&bench, 350);
    worker.stop().unwrap();

    let thief = kafka.of("thief");
    let mut own = Transactions::connect(&thief, "thief", 10_000).unwrap();
    let output = |topic: &str| Output {
        topic: bench.topic(topic),
        route: Route::ByKey,
        key: None,
        payload: Some(numbers(7..8).remove(0)),
        headers: vec![],
    };
    own.write([(Some(0), &output("dead"))]).unwrap();
    own.write([(Some(0), &output("out"))]).unwrap_err();
    assert_eq!(admissions(&bench, "out").len(), 350, "nothing was forged");
    let mut taken = thief.client();
    let taken: BaseProducer = taken.set("transactional.id", "t.admit-0-0").create().unwrap();
    let code = taken.init_transactions(PATIENCE).unwrap_err().rdkafka_error_code();
    assert_eq!(code, Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed));
}
