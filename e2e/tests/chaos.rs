//! A minute of chaos with the judges of the long run: every fault once, one kill before each. A program of its own, so that
//! nothing else runs beside it.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn a_minute_of_chaos_loses_doubles_and_skips_nothing() {
    // Logs stay there when something is found.
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos.json");
    if out.exists() {
        std::fs::remove_file(&out).unwrap();
    }
    let brief = ["--brief", "--rate", "100", "--rowdy-rate", "20", "--phase-seconds", "0", "--outage-seconds", "5"];
    let mut chaos = Command::new(env!("CARGO_BIN_EXE_chaos"));
    let ended = chaos.args(brief).arg("--out").arg(&out).stdin(Stdio::null()).output().unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    let result: Value = serde_json::from_slice(&std::fs::read(&out).expect(&said)).unwrap();
    for count in ["lost", "doubled", "skipped", "wrong"] {
        assert_eq!(result[count], 0, "{count}: {:#}", result["told"]);
    }
    assert_eq!(result["audited_records"], result["audit_entries"]);
    assert_eq!(result["audit_verified"], true, "{said}");
    // What was signed while everything broke is the log's, and the newest note is over all of it.
    assert_eq!(result["audit_covered"], result["audit_entries"]);
    // Both sides of each activation were seen, and the judges had something to judge.
    assert_eq!([&result["policies_used"], &result["routes_used"]], [2, 2]);
    for count in ["accepted", "state_entries", "hostile_records", "redriven", "door_acknowledged"] {
        assert!(result[count].as_u64() > Some(0), "{count}: {result:#}");
    }
    assert!(ended.status.success(), "{said}");
}
