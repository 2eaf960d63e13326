//! House rules that no compiler holds, each with its reason in the message of its failure.

mod beside;
mod circles;
mod doors;
mod source;

use source::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Files of the project, as the work tree holds them, build output and hidden folders aside.
fn files(below: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "__pycache__" {
                    folders.push(path);
                }
            } else if extension.is_empty() || path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What each crate may depend on among our own.
const EDGES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("schemas", &["domain"]),
    ("expressions", &[]),
    ("inference", &[]),
    ("audit-log", &[]),
    ("scoring", &["domain", "schemas", "expressions", "inference"]),
    ("policy", &["domain", "schemas", "expressions"]),
    ("catalog", &["domain", "schemas"]),
    ("runtime", &[]),
    ("deploy/local", &[]),
    ("ingest", &["domain", "schemas", "runtime"]),
    ("scorer", &["domain", "schemas", "expressions", "catalog", "runtime", "scoring"]),
    ("decision", &["domain", "schemas", "catalog", "runtime", "policy"]),
    ("notifier", &["domain", "schemas", "runtime"]),
    ("audit-sink", &["domain", "schemas", "audit-log", "runtime"]),
    ("read-api", &["domain", "schemas", "audit-log", "runtime"]),
    ("model-import", &["domain", "schemas", "expressions", "inference", "scoring"]),
];

/// Those that are data in, data out. What holds them is [`pure_crates_do_not_touch_the_world`].
const PURE: &[&str] = &["domain", "expressions", "inference", "audit-log", "scoring", "policy"];

/// The folders of all crates.
fn folders() -> impl Iterator<Item = &'static str> {
    EDGES.iter().map(|(folder, _)| *folder).chain(["defaultx", "e2e"])
}

#[test]
fn crates_depend_only_on_what_the_design_allows() {
    let ours: BTreeSet<&str> =
        EDGES.iter().map(|(name, _)| name.rsplit('/').next().unwrap()).chain(["defaultx", "e2e"]).collect();
    for (folder, allowed) in EDGES {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap();
        for name in dependencies.keys().filter(|name| ours.contains(name.as_str())) {
            assert!(
                allowed.contains(&name.as_str()),
                "{folder} depends on {name}: workers never know each other, pure crates never know the service"
            );
        }
    }
}

/// Where files, clocks, networks, processes, logs and chance begin, and what of that is a constant all the same.
const WORLDLY: &[&str] = &[
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::time::SystemTime",
    "std::time::Instant",
    "chrono::Utc::now",
    "chrono::Local",
    "tokio",
    "tracing",
    "log",
    "rand",
];
const CONSTANT: [&str; 2] = ["std::env::consts", "std::io::Error"];
/// Macros that print.
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

fn worldly(source: &Source) -> Option<String> {
    let begins =
        |path: &str, with: &str| path.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let paths =
        source.whole_paths().map(|path| path.join("::")).filter(|path| !CONSTANT.iter().any(|with| begins(path, with)));
    let mut worldly = paths.filter(|path| WORLDLY.iter().any(|with| begins(path, with)));
    worldly.next().or_else(|| PRINTING.iter().find(|name| source.words.contains(**name)).map(|name| format!("{name}!")))
}

#[test]
fn pure_crates_do_not_touch_the_world() {
    for folder in PURE {
        for file in files(&root().join(folder).join("src"), "rs") {
            let said = worldly(&Source::of(&std::fs::read_to_string(&file).unwrap()));
            assert!(said.is_none(), "{} says {said:?}: pure crates are data in, data out", file.display());
        }
    }
}

#[test]
fn whatever_touches_the_world_is_seen() {
    let rows = [
        ("use std::fs;", Some("std::fs")),
        ("use std::{fmt, io::{self, Read}};", Some("std::io")),
        ("fn f() { std::process::exit(1) }", Some("std::process::exit")),
        ("use std::time::Instant; fn f() { Instant::now(); }", Some("std::time::Instant")),
        ("use std::time::Duration;", None),
        ("use chrono::Utc; fn f() { Utc::now(); }", Some("chrono::Utc::now")),
        ("use chrono::{DateTime, Utc}; type T = DateTime<Utc>;", None),
        ("fn f() { log::warn!(\"x\") }", Some("log::warn")),
        ("use crate::log; fn f() { log::read() }", None),
        ("fn f() { rand::rng(); }", Some("rand::rng")),
        ("fn f() { eprintln!(\"x\") }", Some("eprintln!")),
        ("fn f() -> &'static str { std::env::consts::ARCH }", None),
        ("// std::fs\n#[cfg(test)] fn f() { std::fs::read(\"x\"); } const T: &str = \"println!\";", None),
        ("#[cfg(test)] fn f() {} use std::net::TcpStream;", Some("std::net::TcpStream")),
    ];
    for (text, expected) in rows {
        assert_eq!(worldly(&Source::of(text)).as_deref(), expected, "{text}");
    }
}

#[test]
fn only_the_kernels_and_the_foreign_calls_are_unsafe() {
    let kernels = [
        "inference/src/trees/kernel.rs",
        "inference/src/trees/kernel/row.rs",
        "inference/src/dense/kernel.rs",
        "runtime/src/ffi.rs",
    ];
    let kernels = kernels.map(|kernel| root().join(kernel));
    // In two halves, so that this file does not say them.
    let words = [concat!("uns", "afe"), concat!("allow(uns", "afe_code)")];
    for file in files(&root(), "rs").into_iter().filter(|file| !kernels.contains(file)) {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = |line: &&str| !line.trim_start().starts_with("//");
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let says = |line: &str| line.split(|c| !is_word(c)).any(|word| word == words[0]) || line.contains(words[1]);
        let said = text.lines().filter(code).find(|line| says(line));
        assert!(said.is_none(), "{} says {said:?}: only {kernels:?} may", file.display());
    }
}

/// What the client says about a transaction is read in one place, and so is what its owner must do then (ADR 13).
#[test]
fn transactions_go_through_the_one_producer() {
    let home = root().join("runtime/src/stream");
    let calls = ["init_", "begin_", "commit_", "abort_", "send_offsets_to_"];
    let calls =
        calls.map(|call| if call == "init_" { format!("{call}transactions(") } else { format!("{call}transaction(") });
    for folder in folders() {
        for file in files(&root().join(folder).join("src"), "rs").into_iter().filter(|file| !file.starts_with(&home)) {
            let text = std::fs::read_to_string(&file).unwrap();
            let said = calls.iter().find(|call| text.contains(call.as_str()));
            assert!(said.is_none(), "{} calls {said:?}: write through runtime::stream::Transactions", file.display());
        }
    }
}

/// What exactly once rests on is set in one file, so that no client of ours can be made without it.
#[test]
fn clients_read_and_write_as_one_file_says() {
    let home = root().join("runtime/src/kafka/roles.rs");
    // The demonstration and the benchmarks send as senders do, each with the partitioner of its client.
    let senders = ["defaultx/src/demo/publish.rs", "e2e/src/traffic.rs"].map(|file| root().join(file));
    let words = ["isolation.level", "enable.auto.commit", "enable.auto.offset.store", "\"partitioner\""];
    for folder in EDGES.iter().map(|(folder, _)| *folder).chain(["defaultx", "e2e"]) {
        for file in files(&root().join(folder).join("src"), "rs").into_iter().filter(|file| *file != home) {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let said = words.iter().find(|word| code.clone().any(|line| line.contains(**word)));
            let may = senders.contains(&file) && said == Some(&"\"partitioner\"");
            assert!(said.is_none() || may, "{} sets {said:?}: use runtime::kafka::{{reader, writer}}", file.display());
        }
    }
}

#[test]
fn every_source_file_says_what_it_is_for() {
    for folder in folders() {
        for file in files(&root().join(folder).join("src"), "rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//!"), "{} does not open with //!", file.display());
        }
    }
}

#[test]
fn no_source_file_is_long() {
    for file in files(&root(), "rs") {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 500, "{} has {lines} lines, at most 500: split it by what it is about", file.display());
    }
}

#[test]
fn every_crate_has_a_short_readme() {
    for folder in folders() {
        assert!(root().join(folder).join("README.md").exists(), "{folder} has no README.md");
    }
}

#[test]
fn every_metric_that_a_dashboard_or_rule_names_exists() {
    let mut known = BTreeSet::new();
    for file in files(&root(), "rs") {
        for part in std::fs::read_to_string(&file).unwrap().split('"').filter(|part| part.starts_with("defaultx_")) {
            known.insert(part.to_owned());
        }
    }
    let mut asked: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in ["deploy/grafana", "deploy/prometheus"] {
        for file in files(&root().join(folder), "") {
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let starts = text.match_indices("defaultx_").map(|(at, _)| at);
            for at in starts.filter(|at| *at == 0 || !text[..*at].ends_with(|c: char| is_word(c) || c == '.')) {
                let name: String = text[at..].chars().take_while(|c| is_word(*c)).collect();
                asked.insert(name, file.clone());
            }
        }
    }
    for (name, file) in asked {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
        // Recording rules and roles of the database are named in the same files.
        let ours = known.contains(&name) || known.contains(base) || name.starts_with("defaultx_read");
        assert!(ours, "{} names {name}, which no crate exports", file.display());
    }
}

#[test]
fn every_table_names_its_writer() {
    for file in files(&root().join("schemas/migrations"), "sql") {
        let text = std::fs::read_to_string(&file).unwrap();
        let tables = text.matches("CREATE TABLE").count();
        let writers = text.to_lowercase().matches("writer:").count();
        assert!(writers >= tables, "{}: {tables} tables, {writers} lines `-- writer: <worker>`", file.display());
    }
}

#[test]
fn no_file_is_large() {
    for file in files(&root(), "") {
        let path = file.strip_prefix(root()).unwrap();
        let may_be_large = path.starts_with("models") || path.starts_with("training/data");
        let bytes = std::fs::metadata(&file).unwrap().len();
        assert!(may_be_large || bytes <= 2 << 20, "{} has {bytes} bytes", path.display());
    }
}
