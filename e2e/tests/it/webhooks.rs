//! Webhooks as an integrator and an operator meet them: the notifier and the commands as processes, real servers, a receiver that fails,
//! is gone and comes back, and the receivers of `docs/receiving.md` as the page has them.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use e2e::stage::{Stage, root, runtime};
use e2e::supervisor::AS_DEFAULTX;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::envelope::Envelope;
use schemas::{Topic, catalogue};
use serde_json::Value;
use std::future::IntoFuture;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The next one, which receivers do not know yet.
const NEXT_SECRET: &str = "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy1zZWNyZXQ=";

/// A receiver whose answer can be changed; it keeps the ids that came, in their order.
#[derive(Clone)]
struct Receiver {
    address: std::net::SocketAddr,
    answer: Arc<AtomicU16>,
    ids: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start(runtime: &tokio::runtime::Runtime) -> Self {
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(AtomicU16::new(500)),
            ids: Arc::default(),
        };
        let (answer, ids) = (receiver.answer.clone(), receiver.ids.clone());
        let router = Router::new().fallback(move |headers: HeaderMap| {
            ids.lock().unwrap().push(headers["webhook-id"].to_str().unwrap().to_owned());
            let status = StatusCode::from_u16(answer.load(Ordering::SeqCst)).unwrap();
            async move { status }
        });
        drop(runtime.spawn(axum::serve(listener, router).into_future()));
        receiver
    }

    fn answers(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    fn ids(&self) -> Vec<String> {
        self.ids.lock().unwrap().clone()
    }
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let asked = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
        if asked.is_err() || self.0.wait().is_err() {
            eprintln!("a process could not be ended");
        }
    }
}

fn defaultx(config: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.arg(AS_DEFAULTX).args(words).arg("--config").arg(config).stdin(Stdio::null());
    command
}

/// What a command prints, with its code.
fn said(config: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = defaultx(config, words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}

fn notifier(config: &Path, log: &Path) -> Running {
    let file = std::fs::File::create(log).unwrap();
    let mut command = defaultx(config, &["run", "notifier"]);
    Running(command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap())
}

/// Decisions as the decision worker writes them.
fn decide(stage: &Stage, numbers: Range<usize>) {
    let examples = catalogue::find("decision.made.v1").unwrap().examples;
    let example = examples.iter().find(|example| example.name == "good-approve").unwrap();
    let producer: BaseProducer = stage.kafka.client().create().unwrap();
    let topic = stage.kafka.topic(Topic::Decisions.base_name());
    for number in numbers {
        let mut body: Value = serde_json::from_str(example.text).unwrap();
        let id = format!("L-{number}");
        body["application"]["application_id"] = Value::from(id.clone());
        let envelope = Envelope {
            id: schemas::event_id::event_id("decision.made.v1", "demo", &id, 1, "1").to_string(),
            source: "/defaultx/decision".to_owned(),
            event_type: "decision.made.v1".to_owned(),
            ..Envelope::default()
        };
        let headers = envelope
            .to_headers()
            .into_iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(&value) }));
        let (key, payload) = (format!("demo|{id}"), body.to_string());
        producer.send(BaseRecord::to(&topic).key(&key).payload(&payload).headers(headers)).map_err(|e| e.0).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// Deliveries as `deliveries list --json` has them.
fn listed(config: &Path, state: &str) -> Vec<Value> {
    let (code, out) = said(config, &["deliveries", "list", "--state", state, "--json"]);
    assert_eq!(code, Some(0), "{out}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn until<T>(what: &str, log: &Path, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}\n{}", said());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn subscription(receiver: &Receiver, more: &str) -> String {
    format!(
        "[notifier]\nallow_private_addresses = true\nlinger_ms = 5\nretry_after_s = [0]\nidle_poll_ms = 100\nsweep_ms = 200\n\n\
         [[notifier.subscriptions]]\nid = \"core-banking\"\nurl = \"http://{}/hook?token=hidden\"\nsecrets = [{SECRET:?}]\n{more}\n",
        receiver.address
    )
}

#[test]
fn what_did_not_arrive_is_listed_and_sent_again_and_what_is_gone_is_enabled() {
    let runtime = runtime().unwrap();
    let receiver = Receiver::start(&runtime);
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::start(dir.path(), false).unwrap();
    let config = stage.config("webhooks", &subscription(&receiver, "tenants = [\"demo\"]")).unwrap();
    let log = dir.path().join("notifier.log");
    refusals(&stage, &receiver);

    let _running = notifier(&config, &log);
    decide(&stage, 0..3);
    let failed =
        until("three fail for good", &log, || Some(listed(&config, "failed")).filter(|failed| failed.len() == 3));
    let text = |delivery: &Value, key: &str| delivery[key].as_str().unwrap().to_owned();
    assert_eq!(receiver.ids().len(), 6, "two attempts each");
    assert!(failed.iter().all(|one| text(one, "reason") == "server_error" && one["http_status"] == 500));
    let noted = std::fs::read_to_string(&log).unwrap();
    assert_eq!(noted.matches("delivery failed for good").count(), 3, "{noted}");
    assert!(failed.iter().all(|one| noted.contains(&text(one, "id")) && !noted.contains(&text(one, "application_id"))));
    assert!(!noted.contains("hidden"), "{noted}");
    let (code, table) = said(&config, &["deliveries", "list", "--since", "1h", "--subscription", "core-banking"]);
    assert!(code == Some(0) && table.starts_with("ID ") && table.contains("3 deliveries, 3 failed"), "{table}");
    assert!(
        said(&config, &["deliveries", "list", "--since", "2020-01-01T00:00:00Z", "--limit", "2"])
            .1
            .contains("2 deliveries, 2 failed")
    );

    // The receiver is back.
    receiver.answers(204);
    let first = text(&failed[0], "id");
    let one = ["deliveries", "resend", "--by", "ana", "--why", "they were down", "--id", first.as_str()];
    assert_eq!(said(&config, &one), (Some(0), "1 go back into the queue\n".to_owned()));
    until("one arrives", &log, || (listed(&config, "delivered").len() == 1).then_some(()));
    let all = ["deliveries", "resend", "--by", "ana", "--subscription", "core-banking", "--since", "24h"];
    let dry: Vec<&str> = all.iter().copied().chain(["--dry-run"]).collect();
    assert_eq!(said(&config, &dry), (Some(0), "2 would go back into the queue\n".to_owned()));
    assert_eq!(said(&config, &all), (Some(0), "2 go back into the queue\n".to_owned()));
    until("all arrive", &log, || (listed(&config, "delivered").len() == 3).then_some(()));
    assert_eq!(said(&config, &all), (Some(0), "0 go back into the queue\n".to_owned()));
    assert_eq!(
        said(&config, &one),
        (Some(0), "0 go back into the queue, 1 had been delivered (--delivered sends them too)\n".to_owned())
    );
    let ids = receiver.ids();
    assert_eq!(ids.len(), 9);
    assert!(ids[6..].iter().all(|id| ids[..6].contains(id)), "the same webhook-id");
    let by = listed(&config, "delivered");
    assert!(by.iter().all(|one| text(one, "resent_by") == "ana" && one["resends"] == 1));
    assert!(by.iter().any(|one| one["resent_why"].is_string()), "{by:?}");

    // It is gone, and back again.
    receiver.answers(410);
    decide(&stage, 3..20);
    until("all are kept", &log, || (listed(&config, "disabled").len() == 17).then_some(()));
    let (code, standing) = said(&config, &["deliveries", "endpoints"]);
    assert!(code == Some(1) && standing.contains("core-banking") && standing.contains("disabled"), "{standing}");
    assert!(!standing.contains("hidden"), "{standing}");
    let kept = text(&listed(&config, "disabled")[0], "id").to_owned();
    for which in [&all[..], &["deliveries", "resend", "--id", &kept, "--by", "ana"]] {
        let (code, refused) = said(&config, which);
        assert!(code == Some(1) && refused.contains("deliveries enable core-banking"), "{which:?}: {refused}");
    }
    let (code, unknown) = said(&config, &["deliveries", "list", "--subscription", "other"]);
    assert!(code == Some(1) && unknown.contains("there are core-banking"), "{unknown}");
    receiver.answers(200);
    let enable =
        |id| said(&config, &["deliveries", "enable", id, "--by", "ana", "--why", "they answered 410 by mistake"]);
    let (code, slip) = enable("core-bankng");
    assert!(code == Some(1) && slip.contains("did you mean \"core-banking\"?"), "{slip}");
    assert_eq!(enable("core-banking"), (Some(0), "core-banking is enabled\n17 go back into the queue\n".to_owned()));
    until("what was kept arrives", &log, || (listed(&config, "delivered").len() == 20).then_some(()));
    assert_eq!(
        enable("core-banking"),
        (Some(0), "core-banking was not disabled\n0 go back into the queue\n".to_owned())
    );
    let (code, standing) = said(&config, &["deliveries", "subscriptions", "--json"]);
    let standing: Value = serde_json::from_str(standing.trim()).unwrap();
    assert_eq!((code, &standing["endpoint"], &standing["kept"]), (Some(0), &"enabled".into(), &0.into()));
    let every: std::collections::BTreeSet<String> = receiver.ids().into_iter().collect();
    assert_eq!(every.len(), 20, "each decision has one webhook-id");
}

/// A filter that would match nobody: no notifier starts, and the command that shows how subscriptions stand says the same.
fn refusals(stage: &Stage, receiver: &Receiver) {
    let rows = [
        (
            "tenants = [\"demo\"]\nproducts = [\"credit_cart\"]",
            ["products[0]: \"credit_cart\"", "did you mean \"credit_card\"?"],
        ),
        ("tenants = [\"dmeo\"]", ["tenants[0]: \"dmeo\"", "did you mean \"demo\"?"]),
        ("tenants = [\"demo\"]\noutcomes = [\"approved\"]", ["outcomes[0]: \"approved\"", "did you mean \"approve\"?"]),
        (
            "tenants = [\"demo\"]\nevent_types = [\"decision.made\"]",
            ["event_types[0]: \"decision.made\"", "\"decision.made.v1\"?"],
        ),
        ("tenants = [\"demo\"]\nevent_types = []", ["event_types is empty", "leave it out"]),
        ("", ["tenants is empty", "[\"*\"]"]),
    ];
    for (more, wanted) in rows {
        let config: PathBuf = stage.config("refused", &subscription(receiver, more)).unwrap();
        for words in [&["run", "notifier"][..], &["deliveries", "endpoints"]] {
            let (code, out) = said(&config, words);
            let is_said = wanted.iter().all(|wanted| out.contains(wanted));
            assert!(code == Some(1) && is_said && !out.contains("hidden"), "{more}: {words:?}: {code:?} {out}");
        }
    }
}

/// A receiver of the page: the language of its block, its file, what brings the library, and what runs it.
type Example = (&'static str, &'static str, &'static [&'static [&'static str]], &'static [&'static str]);

const EXAMPLES: [Example; 3] = [
    (
        "python",
        "receiver.py",
        &[&["python3", "-m", "venv", "venv"], &["venv/bin/pip", "install", "--quiet", "standardwebhooks==1.1.0"]],
        &["venv/bin/python", "receiver.py"],
    ),
    (
        "javascript",
        "receiver.js",
        &[&["npm", "install", "--silent", "--no-save", "--prefix", ".", "standardwebhooks@1.1.1"]],
        &["node", "receiver.js"],
    ),
    (
        "java",
        "Receiver.java",
        &[&[
            "mvn",
            "--batch-mode",
            "--quiet",
            "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
            "-Dartifact=com.standardwebhooks:standardwebhooks:1.2.0",
            "-DoutputDirectory=.",
        ]],
        &["java", "-cp", "standardwebhooks-1.2.0.jar", "Receiver.java"],
    ),
];

/// A folder with a receiver of the page and its library, which is brought once.
fn provided((language, file, bring, _): Example) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("receivers").join(language);
    let stamp = dir.join("provided");
    let wanted = format!("{bring:?}");
    if std::fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        std::fs::create_dir_all(&dir).unwrap();
        for words in bring {
            let output = command(&dir, words).output().unwrap();
            assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        std::fs::write(&stamp, wanted).unwrap();
    }
    let page = std::fs::read_to_string(root().join("docs/receiving.md")).unwrap();
    let block = page.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap();
    std::fs::write(dir.join(file), block).unwrap();
    dir
}

fn command(dir: &Path, words: &[&str]) -> Command {
    let program = if words[0].contains('/') { dir.join(words[0]) } else { PathBuf::from(words[0]) };
    let mut command = Command::new(program);
    command.args(&words[1..]).current_dir(dir).stdin(Stdio::null());
    command
}

#[test]
fn the_receivers_of_the_page_take_what_is_signed_with_their_secret_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::start(dir.path(), false).unwrap();
    let (mut running, mut subscriptions) = (Vec::new(), String::new());
    let log = |name: &str| dir.path().join(format!("{name}.log"));
    for example in EXAMPLES {
        let (home, port) = (provided(example), local::free_port().unwrap());
        let mut receiver = command(&home, example.3);
        let out = std::fs::File::create(log(example.0)).unwrap();
        receiver.env("WEBHOOK_SECRET", SECRET).env("PORT", port.to_string());
        running.push(Running(receiver.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap()));
        until(example.0, &log(example.0), || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        // Ours is changed while theirs is the old one; and somebody else's.
        for (id, secrets) in
            [(example.0.to_owned(), vec![NEXT_SECRET, SECRET]), (format!("{}-else", example.0), vec![NEXT_SECRET])]
        {
            subscriptions += &format!(
                "[[notifier.subscriptions]]\nid = {id:?}\nurl = \"http://127.0.0.1:{port}/hook\"\nsecrets = {secrets:?}\n\
                 tenants = [\"demo\"]\n\n"
            );
        }
    }
    let knobs = "[notifier]\nallow_private_addresses = true\nlinger_ms = 5\nretry_after_s = []\n\n";
    let config = stage.config("receivers", &format!("{knobs}{subscriptions}")).unwrap();
    running.push(notifier(&config, &log("notifier")));
    decide(&stage, 0..1);
    let ended = |state: &'static str| {
        until(state, &log("notifier"), || Some(listed(&config, state)).filter(|all| all.len() == 3))
    };
    for delivery in ended("delivered") {
        let (id, name) = (delivery["id"].as_str().unwrap(), delivery["subscription"].as_str().unwrap());
        assert_eq!(delivery["http_status"], 204, "{name}");
        let said = std::fs::read_to_string(log(name)).unwrap();
        assert!(said.lines().any(|line| line.starts_with(id) && line.contains("approve")), "{name}: {said}");
    }
    for delivery in ended("failed") {
        assert_eq!((&delivery["http_status"], &delivery["reason"]), (&401.into(), &"refused".into()), "{delivery}");
        assert!(delivery["subscription"].as_str().unwrap().ends_with("-else"));
    }
}
