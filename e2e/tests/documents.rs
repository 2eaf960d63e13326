//! Policies, routes and packages come while the stack runs under load, and every decision is judged by its position. A program of its
//! own, so that nothing else runs beside it.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn documents_travel_with_the_stream_and_nothing_is_started_again_for_them() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents.json");
    if out.exists() {
        std::fs::remove_file(&out).unwrap();
    }
    let mut documents = Command::new(env!("CARGO_BIN_EXE_documents"));
    let ended = documents.arg("--out").arg(&out).stdin(Stdio::null()).output().unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    let result: Value = serde_json::from_slice(&std::fs::read(&out).expect(&said)).unwrap();
    for count in ["lost", "doubled", "skipped", "wrong"] {
        assert_eq!(result[count], 0, "{count}: {:#}", result["told"]);
    }
    assert_eq!(result["submitted"], result["accepted"], "{said}");
    assert_eq!(result["accepted"], result["decided_in_database"], "{said}");
    // Two policies and three routes decided; what was passed by did not.
    assert_eq!([&result["policies_used"], &result["routes_used"]], [2, 3]);
    assert_eq!(
        (&result["replayed"], &result["replayed_differently"]),
        (&result["accepted"], &Value::Array(Vec::new()))
    );
    assert_eq!(result["audit_verified"], true, "{said}");
    assert!(ended.status.success(), "{said}");
}
