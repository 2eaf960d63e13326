//! The comparison of recordings as somebody types it. Recordings are taken by hand: `e2e/recording.sh`.

use std::path::Path;
use std::process::{Command, Stdio};

fn write(dir: &Path, file: &str, lines: &[&str]) {
    let path = dir.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// The exit code, and everything that was said.
fn compare(before: &Path, after: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recording"));
    let ended = command.arg("compare").args([before, after]).stdin(Stdio::null()).output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn recordings_are_the_same_or_the_first_difference_is_shown() {
    const TOPIC: &str = "outputs/decision/credit.decisions.v1.jsonl";
    let one = r#"{"partition":0,"key":"demo|a","headers":[["ce_id","1"]],"value":"{\"outcome\":\"approve\"}"}"#;
    let two = r#"{"partition":0,"key":"demo|b","headers":[["ce_id","2"]],"value":"{\"outcome\":\"refer\"}"}"#;
    let declined = one.replace("approve", "decline");
    let rows: [(&[&str], i32, &str); 5] = [
        (&[one, two], 0, "0 files that differ"),
        (&[&declined, two], 1, "/value:/outcome from character 0: approve | decline"),
        (&[one], 1, "line 2: missing after"),
        (&[two, one], 1, "line 1: missing after"),
        (&[one, one, two], 1, "line 2: added after"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let before = dir.path().join("before");
    write(&before, TOPIC, &[one, two]);
    for (number, (lines, code, words)) in rows.into_iter().enumerate() {
        let after = dir.path().join(number.to_string());
        write(&after, TOPIC, lines);
        let (ended, said) = compare(&before, &after);
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains(words) && said.contains("decided_at"), "{words}: {said}");
    }
    let (ended, said) = compare(&before, &dir.path().join("nothing"));
    assert!(ended == Some(1) && said.contains("holds no recording"), "{said}");
}
