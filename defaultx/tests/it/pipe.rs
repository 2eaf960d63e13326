//! Commands whose reader goes away: they end quietly, as tools in a pipe do.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The command's exit code and standard error when nobody reads its output from the start.
fn unread(words: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    command.args(words).current_dir(root()).stdout(Stdio::from(OwnedFd::from(writer)));
    let ended = command.output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let package = "models/taiwan-scorecard/1.0.0";
    let commands: [&[&str]; 8] = [
        &["--help"],
        &["config", "show"],
        &["config", "show", "--explain"],
        &["config", "page"],
        &["policy", "check", "policies/standard/1.0.0.yaml"],
        &["route", "check", "routes/standard/1.0.0.toml"],
        &["model", "check", package],
        &["model", "check", package, "--json"],
    ];
    for words in commands {
        let (code, error) = unread(words);
        assert_eq!((code, error.as_str()), (Some(141), ""), "{words:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let stack = dir.path().display().to_string();
    let seed = dir.path().join("seed").display().to_string();
    // What acts goes on to its end.
    for words in [vec!["--stack", &stack, "token"], vec!["audit", "key", "--seed", &seed]] {
        let (code, error) = unread(&words);
        assert!(code == Some(0) && !error.contains("panicked"), "{words:?}: {code:?} {error}");
    }
    assert!(Path::new(&seed).exists());
}

#[test]
fn one_line_is_read_and_the_rest_is_not() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    let mut child = command.args(["config", "page"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut lines = BufReader::with_capacity(16, child.stdout.take().unwrap());
    lines.read_line(&mut first).unwrap();
    drop(lines);
    assert_eq!(first, "# Configuration\n");
    let ended = child.wait_with_output().unwrap();
    assert!([Some(0), Some(141)].contains(&ended.status.code()), "{ended:?}");
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
}

#[test]
fn errors_that_nobody_reads_keep_their_code() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    command.args(["--config", "/nowhere", "config", "show"]).stderr(Stdio::from(OwnedFd::from(writer)));
    assert_eq!(command.status().unwrap().code(), Some(1));
}

#[test]
fn a_full_disk_is_a_failure_in_words() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    let ended = command.args(["config", "show"]).stdout(Stdio::from(full)).output().unwrap();
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{error}");
    assert!(error.starts_with("error: standard output: ") && !error.contains("panicked"), "{error}");
}
