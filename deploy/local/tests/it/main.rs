//! The stack with real servers: what it promises is asked of Kafka, PostgreSQL and the process table themselves.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use local::{ADMIN, Ending, Found, LocalError, Options, Stack, start_prometheus};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

/// How long anything may take that is not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);
/// Set for the copy of this test that plays an owner which is killed.
const VICTIM: &str = "DEFAULTX_LOCAL_TEST_VICTIM";

#[test]
fn both_servers_answer_survive_restarts_and_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut stack = Stack::start(&Options::new(dir.path())).unwrap();
    let bootstrap = stack.bootstrap().to_owned();
    create_topic(&stack, "kept");
    assert_eq!(sql(stack.database_url(), "SELECT current_database()"), "defaultx");
    assert_eq!(sql(stack.database_url(), "SHOW fsync"), "on");

    let second = stack.create_database("second").unwrap();
    assert_eq!(sql(&second, "SELECT current_database()"), "second");
    assert!(matches!(stack.create_database("second"), Err(LocalError::Failed { .. })));
    assert!(matches!(stack.create_database("x; DROP"), Err(LocalError::DatabaseName(_))));
    assert!(matches!(Stack::start(&Options::new(dir.path())), Err(LocalError::AlreadyRunning(_))));

    for ending in [Ending::Clean, Ending::Kill] {
        let before = stack.pids();
        stack.restart_broker(ending).unwrap();
        stack.stop_database(ending).unwrap();
        stack.start_database().unwrap();
        assert!(before.iter().all(|pid| !stack.pids().contains(pid)), "{ending:?}: {before:?} {:?}", stack.pids());
        assert_eq!(stack.bootstrap(), bootstrap);
        assert!(topics(&stack).contains(&"kept".to_owned()), "{ending:?}");
        assert_eq!(sql(&second, "SELECT current_database()"), "second", "{ending:?}");
    }

    let pids = stack.pids();
    assert!(pids.len() == 2 && pids.iter().all(|pid| lives(*pid)));
    stack.stop().unwrap();
    assert!(pids.iter().all(|pid| !lives(*pid)));
}

#[test]
fn a_stack_left_running_is_found_and_stopped_and_its_data_found_again() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Stack::attach(dir.path()), Err(LocalError::NotRunning(_))));
    let options = Options { kafka: false, keep_running: true, ..Options::new(dir.path()) };
    let stack = Stack::start(&options).unwrap();
    let (url, pids) = (stack.database_url().to_owned(), stack.pids());
    stack.create_database("mine").unwrap();
    stack.leave_running().unwrap();
    assert!(matches!(Stack::start(&options), Err(LocalError::AlreadyRunning(_))));

    let found = Stack::attach(dir.path()).unwrap();
    assert_eq!((found.database_url(), found.bootstrap()), (url.as_str(), ""));
    assert_eq!(found.pids(), pids);
    drop(found);
    assert!(pids.iter().all(|pid| lives(*pid)), "attaching must not own");

    let (found, what) = Stack::start_or_attach(&options).unwrap();
    assert!(what == Found::All && found.pids() == pids, "asked for again, it is the same stack");
    drop(found);

    Stack::stop_left_running(dir.path()).unwrap();
    assert!(pids.iter().all(|pid| !lives(*pid)));
    assert!(matches!(Stack::stop_left_running(dir.path()), Err(LocalError::NotRunning(_))));

    let again = Stack::start(&options).unwrap();
    assert!(matches!(again.create_database("mine"), Err(LocalError::Failed { .. })), "the data is still there");
}

/// A database that has died is no reason to take the broker away from those who work with it, nor the other way round.
#[test]
fn a_server_that_has_ended_is_started_beside_the_one_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { keep_running: true, ..Options::new(dir.path()) };
    let stack = Stack::start(&options).unwrap();
    let [broker, database] = stack.pids()[..] else { panic!("{:?}", stack.pids()) };
    create_topic(&stack, "kept");
    let (bootstrap, url) = (stack.bootstrap().to_owned(), stack.database_url().to_owned());
    stack.leave_running().unwrap();

    let mut found = Stack::attach(dir.path()).unwrap();
    found.stop_database(Ending::Kill).unwrap();
    drop(found);
    let (stack, what) = Stack::start_or_attach(&options).unwrap();
    assert_eq!((what, stack.pids()[0]), (Found::AllBut("PostgreSQL"), broker), "the broker goes on");
    assert_eq!(stack.database_url(), url, "where its clients look for it");
    assert_eq!(sql(&url, "SELECT 'here'"), "here");
    assert!(stack.pids()[1] != database);
    let database = stack.pids()[1];
    stack.leave_running().unwrap();
    assert!(lives(broker) && lives(database));

    let mut found = Stack::attach(dir.path()).unwrap();
    found.stop_broker(Ending::Kill).unwrap();
    drop(found);
    let (stack, what) = Stack::start_or_attach(&options).unwrap();
    assert_eq!((what, stack.pids()[1]), (Found::AllBut("Kafka"), database), "the database goes on");
    assert_eq!(stack.bootstrap(), bootstrap);
    assert!(topics(&stack).contains(&"kept".to_owned()));
    let pids = stack.pids();
    stack.leave_running().unwrap();
    Stack::stop_left_running(dir.path()).unwrap();
    assert!(pids.iter().all(|pid| !lives(*pid)), "found again as one");
}

/// Also the proof that data does not depend on ports: the controller's address is part of what the broker has stored.
#[test]
fn taken_ports_are_replaced_and_free_ones_kept() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(dir.path());
    let address = |stack: &Stack| {
        let database = stack.database_url().split(['@', '/']).nth(3).unwrap().to_owned();
        (stack.bootstrap().to_owned(), database)
    };
    let stack = Stack::start(&options).unwrap();
    create_topic(&stack, "kept");
    let first = address(&stack);
    stack.stop().unwrap();

    let stack = Stack::start(&options).unwrap();
    assert_eq!(address(&stack), first, "nobody took them");
    stack.stop().unwrap();

    let taken = [TcpListener::bind(&first.0).unwrap(), TcpListener::bind(&first.1).unwrap()];
    let stack = Stack::start(&options).unwrap();
    let second = address(&stack);
    assert!(second.0 != first.0 && second.1 != first.1, "{first:?} {second:?}");
    assert!(topics(&stack).contains(&"kept".to_owned()));
    assert_eq!(sql(stack.database_url(), "SELECT 'here'"), "here");
    drop(taken);
}

/// Only root runs the server as somebody else, who may not be let through to the stack.
#[test]
fn a_cluster_that_cannot_be_reached_below_its_stack_lives_elsewhere() {
    let parent = tempfile::tempdir().unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let options = Options { kafka: false, ..Options::new(parent.path().join("stack")) };
    for _ in 0..2 {
        let stack = Stack::start(&options).unwrap();
        assert_eq!(sql(stack.database_url(), "SELECT 'here'"), "here");
        stack.stop().unwrap();
    }
}

#[test]
fn a_tied_stack_cannot_be_left_running() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::start(&Options { kafka: false, ..Options::new(dir.path()) }).unwrap();
    let pids = stack.pids();
    let again = Stack::start_or_attach(&Options { kafka: false, ..Options::new(dir.path()) });
    assert!(matches!(again, Err(LocalError::AlreadyRunning(_))), "it would end with another process: {again:?}");
    assert!(matches!(stack.leave_running(), Err(LocalError::TiedToThisProcess)));
    assert!(pids.iter().all(|pid| !lives(*pid)));
}

/// The owner is killed from a thread's view as well: its servers were started while a worker thread ran that has ended.
#[test]
fn servers_end_with_a_killed_owner_and_the_next_start_waits_for_them() {
    if let Ok(dir) = std::env::var(VICTIM) {
        play_the_victim(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "servers_end_with_a_killed_owner_and_the_next_start_waits_for_them"])
        .env(VICTIM, dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = dir.path().join("ready");
    assert!(eventually(|| ready.exists() || victim.try_wait().unwrap().is_some()));
    let pids: Vec<u32> = fs::read_to_string(&ready).unwrap().split(' ').map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| lives(*pid)));
    victim.kill().unwrap();
    victim.wait().unwrap();

    let stack = Stack::start(&Options::new(dir.path())).unwrap();
    assert!(pids.iter().all(|pid| !lives(*pid)));
    assert!(topics(&stack).contains(&"victims".to_owned()));
}

#[test]
fn the_callers_broker_properties_win() {
    let dir = tempfile::tempdir().unwrap();
    let broker_properties = vec![("auto.create.topics.enable".to_owned(), "nonsense".to_owned())];
    let options = Options { postgres: false, broker_properties, ..Options::new(dir.path()) };
    match Stack::start(&options) {
        Err(LocalError::Died { tail, .. }) => assert!(tail.contains("nonsense"), "{tail}"),
        Err(LocalError::Failed { output, .. }) => assert!(output.contains("nonsense"), "{output}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_comes_in_without_a_password_and_nobody_may_do_anything_without_a_right() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { postgres: false, users: vec!["clerk".to_owned()], ..Options::new(dir.path()) };
    let stack = Stack::start(&options).unwrap();
    create_topic(&stack, "kept");
    assert_eq!(stack.passwords().keys().collect::<Vec<_>>(), [ADMIN, "clerk"]);

    let mut nobody = ClientConfig::new();
    nobody.set("bootstrap.servers", stack.bootstrap());
    topics_of(&nobody).unwrap_err();
    let mut wrong = client(&stack, ADMIN);
    wrong.set("sasl.password", &stack.passwords()["clerk"]);
    topics_of(&wrong).unwrap_err();
    // Let in, and shown nothing.
    assert_eq!(topics_of(&client(&stack, "clerk")).unwrap(), [""; 0]);
    let mut itself = client(&stack, "clerk");
    itself.set("sasl.mechanism", "PLAIN");
    topics_of(&itself).unwrap_err();

    for file in ["logins.json", "server.properties"] {
        let mode = fs::metadata(dir.path().join("kafka").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
    assert!(!dir.path().join("kafka/tool.args").exists());
    let command = fs::read_to_string(format!("/proc/{}/cmdline", stack.pids()[0])).unwrap();
    assert!(stack.passwords().values().all(|password| !command.contains(password)));
}

/// A directory of a version whose broker asked nobody.
#[test]
fn an_open_broker_comes_back_guarded_with_its_data() {
    let dir = tempfile::tempdir().unwrap();
    let open = Options { postgres: false, open: true, ..Options::new(dir.path()) };
    let mut stack = Stack::start(&open).unwrap();
    assert!(stack.passwords().is_empty());
    create_topic(&stack, "kept");
    let before = stack.bootstrap().to_owned();
    stack.stop_broker(Ending::Kill).unwrap();
    drop(stack);

    let guarded = Options { open: false, users: vec!["clerk".to_owned()], ..open };
    let stack = Stack::start(&guarded).unwrap();
    assert_eq!(stack.bootstrap(), before);
    assert!(topics(&stack).contains(&"kept".to_owned()));
    assert_eq!(topics_of(&client(&stack, "clerk")).unwrap(), [""; 0]);
    let mut nobody = ClientConfig::new();
    nobody.set("bootstrap.servers", stack.bootstrap());
    topics_of(&nobody).unwrap_err();
    let passwords = stack.passwords();
    stack.stop().unwrap();

    // One more user, and the passwords of the others stay.
    let more = Options { users: vec!["clerk".to_owned(), "guest".to_owned()], ..guarded };
    let stack = Stack::start(&more).unwrap();
    assert!(passwords.iter().all(|(user, password)| stack.passwords().get(user) == Some(password)));
    assert!(topics(&stack).contains(&"kept".to_owned()));
    assert_eq!(topics_of(&client(&stack, "guest")).unwrap(), [""; 0]);
}

#[test]
fn prometheus_becomes_ready_and_goes_and_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("prometheus.yml");
    fs::write(&config, "global: {scrape_interval: 1s}\n").unwrap();
    let prometheus = start_prometheus(&config, &dir.path().join("good")).unwrap();
    assert!(prometheus.url().ends_with(&prometheus.port().to_string()));
    prometheus.stop().unwrap();

    fs::write(&config, "global: {scrape_intervall: 1s}\n").unwrap();
    match start_prometheus(&config, &dir.path().join("bad")) {
        Err(LocalError::Died { tail, .. }) => assert!(tail.contains("scrape_intervall"), "{tail}"),
        other => panic!("{other:?}"),
    }
}

fn play_the_victim(dir: &Path) -> ! {
    let options = Options::new(dir);
    let stack = std::thread::scope(|scope| scope.spawn(|| Stack::start(&options)).join()).unwrap().unwrap();
    create_topic(&stack, "victims");
    let pids: Vec<String> = stack.pids().iter().map(u32::to_string).collect();
    fs::write(dir.join("ready.new"), pids.join(" ")).unwrap();
    fs::rename(dir.join("ready.new"), dir.join("ready")).unwrap();
    loop {
        std::thread::park();
    }
}

fn create_topic(stack: &Stack, name: &str) {
    let admin: AdminClient<DefaultClientContext> = client(stack, ADMIN).create().unwrap();
    let topic = NewTopic::new(name, 3, TopicReplication::Fixed(1));
    block_on(async { admin.create_topics([&topic], &AdminOptions::new()).await }).unwrap().remove(0).unwrap();
}

fn topics(stack: &Stack) -> Vec<String> {
    topics_of(&client(stack, ADMIN)).unwrap()
}

/// Topics that a client is shown, or why it is not let in.
fn topics_of(client: &ClientConfig) -> Result<Vec<String>, KafkaError> {
    let consumer: BaseConsumer = client.create()?;
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(5))?;
    Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
}

fn client(stack: &Stack, user: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", stack.bootstrap());
    for (name, value) in stack.client(user) {
        config.set(name, value);
    }
    config
}

fn sql(url: &str, query: &str) -> String {
    block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::select! {
            ended = connection => panic!("{ended:?}"),
            row = client.query_one(query, &[]) => row.unwrap().get(0),
        }
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

fn eventually(done: impl FnMut() -> bool) -> bool {
    let (mut done, start) = (done, Instant::now());
    while start.elapsed() < PATIENCE {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
