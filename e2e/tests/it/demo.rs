//! The demonstration itself, at a fiftieth of its size: the same code that the README's command runs.

use e2e::stage::root;
use serde_json::Value;

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
        format!("--demo-house={}", dir.path().join("house").display()),
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
