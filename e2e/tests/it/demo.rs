//! The demonstration itself, at a fiftieth of its size: the same code that the README's command runs.

use e2e::stage::root;
use e2e::supervisor::AS_DEFAULTX;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

#[test]
fn a_small_demonstration_keeps_every_promise() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("summary.json");
    let path = |name: &str| root().join(name).display().to_string();
    let arguments = [
        "defaultx".to_owned(),
        "demo".to_owned(),
        "--scale=0.02".to_owned(),
        format!("--data={}", path("training/data")),
        format!("--demo-stack={}", dir.path().join("stack").display()),
        format!("--out={}", out.display()),
        format!("--set=scorer.models_dir={}", path("models")),
        format!("--set=scorer.routes_dir={}", path("routes")),
        format!("--set=decision.policy_dir={}", path("policies")),
    ];
    assert_eq!(defaultx::main_with(arguments), 0);
    let summary: Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    let number = |key: &str| summary[key].as_u64().unwrap_or_else(|| panic!("{key} in {summary}"));
    assert_eq!((number("lost"), number("doubled")), (0, 0));
    assert_eq!(summary["audit_verified"], Value::Bool(true));
    assert_eq!(number("decided_distinct"), number("accepted"));
    assert_eq!(number("submitted"), number("accepted") + number("duplicates") + number("dead_lettered"));
    assert_eq!(number("submitted"), number("replies"));
    assert!(number("accepted") > 900 && number("duplicates") > 0 && number("dead_lettered") > 0);
    assert!(number("notifications_delivered") > 0);
    for key in ["scored", "decided", "audit_entries"] {
        number(key);
    }
    for outcome in ["approve", "refer", "decline"] {
        assert!(summary["outcomes"][outcome].as_u64().unwrap() > 0, "{outcome} in {summary}");
    }
    assert!(summary["throughput_per_s"].as_f64().unwrap() > 0.0);
    assert!(summary["latency_ms"]["p50"].as_f64().unwrap() <= summary["latency_ms"]["p99"].as_f64().unwrap());
}

/// Ends with this value: the demonstration takes its servers with it.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(self.0.id() as i32);
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
        self.0.wait().unwrap();
    }
}

fn defaultx() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.arg(AS_DEFAULTX).current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs a command line as the demonstration printed it, with what it leaves open filled in.
fn typed(line: &str, file: &str) -> String {
    let words = line.split_whitespace().skip(1).map(|word| match word {
        "FILE" => file,
        "YOU" => "tester",
        word => word,
    });
    let ended = defaultx().args(words).output().unwrap();
    assert!(ended.status.success(), "{line}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

fn next(dir: &Path, place: &str, from: &str, to: &str) -> String {
    let (shipped, file) = (root().join(place), dir.join(place.replace("1.1.0", "1.2.0").replace("1.0.0", "1.1.0")));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, std::fs::read_to_string(shipped).unwrap().replacen(from, to, 1)).unwrap();
    file.display().to_string()
}

/// Someone else's receiver: a subscription of the configuration that a demonstration is started with.
fn other_receiver() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let config = format!(
        "[read-api]\nlisten = '127.0.0.1:0'\n[ingest]\ndoor_address = '127.0.0.1:0'\n[process]\nops_listen = '127.0.0.1:0'\n\
         [notifier]\nallow_private_addresses = true\n[[notifier.subscriptions]]\nid = 'other'\nurl = 'http://{}/hook'\n\
         secrets = ['whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=']\ntenants = ['*']\n",
        listener.local_addr().unwrap()
    );
    (listener, config)
}

/// The body that an address answers with, under a token.
fn answer(url: &str, token: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_demonstration_that_is_kept_shows_figures_changes_and_its_own_ports() {
    let dir = tempfile::tempdir().unwrap();
    let (stack, summary, config) =
        (dir.path().join("stack"), dir.path().join("summary.json"), dir.path().join("own.toml"));
    let (other, text) = other_receiver();
    std::fs::write(&config, text).unwrap();
    let mut demo = defaultx();
    demo.args(["demo", "--keep", "--scale=0.02"]).arg(format!("--demo-stack={}", stack.display()));
    demo.arg(format!("--out={}", summary.display())).arg(format!("--config={}", config.display()));
    let told = std::fs::File::create(dir.path().join("stderr")).unwrap();
    let mut kept = Kept(demo.stdout(Stdio::piped()).stderr(told).spawn().unwrap());
    let mut lines = BufReader::new(kept.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut places = BTreeMap::new();
    let line = lines.find_map(|line| {
        for name in
            ["read-api", "HTTP door", "metrics", "API=", "DOOR=", "BROKER=", "TO_READ=", "TO_SEND=", "sasl.username="]
        {
            places.extend(line.trim_start().strip_prefix(name).map(|rest| (name, rest.trim().to_owned())));
        }
        line.strip_prefix("to change").map(|line| line.trim().to_owned())
    });
    let line = line.expect("it says how to change what is in force");

    // Each wait has a sentence; nobody else was told, and everybody hears so.
    let told = std::fs::read_to_string(dir.path().join("stderr")).unwrap();
    for what in [
        "the servers",
        "topics, tables, logins and rights",
        "the workers to be ready",
        "replies and decisions",
        "webhooks",
        "the audit log",
    ] {
        assert!(told.contains(&format!("· waiting for {what}")), "{what}: {told}");
    }
    assert!(told.contains("left out, 1 of [[notifier.subscriptions]]"), "{told}");
    assert!(other.accept().is_err(), "another's receiver was called");

    // The ports are those that were taken.
    let place = |name: &str| places.get(name).unwrap_or_else(|| panic!("no {name} in {places:?}")).clone();
    assert!(places.values().all(|place| !place.contains(":0/")), "{places:?}");
    let host = place("HTTP door").strip_prefix("http://").unwrap().split_once('/').unwrap().0.to_owned();
    drop(TcpStream::connect(&host).unwrap());
    assert_eq!((place("DOOR="), place("sasl.username=")), (host, "sender".to_owned()), "to be pasted");
    assert!(
        place("read-api").contains(&place("API=")) && !place("TO_SEND=").is_empty() && !place("BROKER=").is_empty()
    );
    assert!(answer(&place("metrics"), "").contains("defaultx_ready"));

    // Automatic is one share, and the development sample is there to compare with.
    let database = local::Stack::attach(&stack).unwrap().database_url().to_owned();
    let summary: Value = serde_json::from_slice(&std::fs::read(summary).unwrap()).unwrap();
    let kpis = answer(&place("read-api").replace("/v1/applications", "/v1/kpis?tenant=demo"), &place("TO_READ="));
    let kpis: Value = serde_json::from_str(&kpis).unwrap_or_else(|error| panic!("{error}: {kpis}"));
    let (counted, asked) =
        (summary["automatic_share"].as_f64().unwrap(), kpis["total"]["automatic_share"].as_f64().unwrap());
    let shown = crate::insight::automatic_share(&database, "demo");
    assert!((counted - asked).abs() < 1e-9 && (counted - shown).abs() < 1e-9, "{counted} {asked} {shown}");
    assert!(counted > 0.0 && counted < 1.0, "{counted}: some are referred");
    crate::insight::the_development_sample_is_compared_with(&database);

    let policy = next(dir.path(), "policies/standard/1.1.0.yaml", "version: 1.1.0", "version: 1.2.0");
    let said = typed(&line, &policy);
    assert!(said.starts_with("policy standard 1.2.0 is in force from here on in 1 partitions"), "{said}");
    next(dir.path(), "routes/standard/1.0.0.toml", "version = \"1.0.0\"", "version = \"1.1.0\"");
    let routes =
        format!("--set scorer.routes_dir={} route activate standard@1.1.0", dir.path().join("routes").display());
    let said = typed(&line.replace("policy activate FILE", &routes), "");
    assert!(said.starts_with("route standard 1.1.0 is in force"), "{said}");
    assert!(said.contains("the one scorer that runs holds its packages (instance 0)"), "{said}");
    let again = typed_error(&line, &{
        let text = std::fs::read_to_string(&policy).unwrap();
        std::fs::write(&policy, format!("{text}# another\n")).unwrap();
        policy
    });
    assert!(again.contains("raise its version"), "both were taken by the workers: {again}");
}

/// The same, and it is refused; gives its words. What was put in force a moment ago is waited for.
fn typed_error(line: &str, file: &str) -> String {
    crate::stack::wait("a refusal", || {
        let words = line.split_whitespace().skip(1).map(|word| if word == "FILE" { file } else { word });
        let ended = defaultx().args(words).output().unwrap();
        (!ended.status.success()).then(|| String::from_utf8(ended.stderr).unwrap())
    })
}
