//! The demonstration itself, at a fiftieth of its size: the same code that the README's command runs.

use e2e::stage::root;
use e2e::supervisor::AS_DEFAULTX;
use serde_json::Value;
use std::io::{BufRead, BufReader};
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
        format!("--set=audit-sink.models_dir={}", path("models")),
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

#[test]
fn policy_and_route_change_while_a_demonstration_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let stack = dir.path().join("stack");
    let mut demo = defaultx();
    demo.args(["demo", "--keep", "--scale=0.02"]).arg(format!("--demo-stack={}", stack.display()));
    demo.arg(format!("--out={}", dir.path().join("summary.json").display()));
    let mut kept = Kept(demo.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    // Read to the end of the test: who prints into a pipe that is gone ends.
    let mut lines = BufReader::new(kept.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find_map(|line| line.strip_prefix("to change").map(|line| line.trim().to_owned()));
    let line = line.expect("it says how to change what is in force");
    let policy = next(dir.path(), "policies/standard/1.1.0.yaml", "version: 1.1.0", "version: 1.2.0");
    let said = typed(&line, &policy);
    assert!(said.starts_with("policy standard 1.2.0 is in force from here on in 1 partitions"), "{said}");
    next(dir.path(), "routes/standard/1.0.0.toml", "version = \"1.0.0\"", "version = \"1.1.0\"");
    let routes =
        format!("--set scorer.routes_dir={} route activate standard@1.1.0", dir.path().join("routes").display());
    let said = typed(&line.replace("policy activate FILE", &routes), "");
    assert!(said.starts_with("route standard 1.1.0 is in force"), "{said}");
    assert!(said.contains("every scorer that runs holds its packages: 0"), "{said}");
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
