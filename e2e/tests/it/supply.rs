//! What the binary is made of: the bill of materials against the lock file, and the rules for dependencies against the workspace.

use e2e::stage::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

fn table(name: &str) -> toml::Table {
    std::fs::read_to_string(root().join(name)).unwrap().parse().unwrap()
}

fn bill() -> Vec<u8> {
    let made = Command::new(root().join(".ci/sbom")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

#[test]
fn the_bill_of_materials_is_that_of_the_lock_file() {
    let bytes = bill();
    assert!(bytes == bill(), "the same lock file gives the same bytes");
    let bill: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(bill["metadata"]["component"]["name"], "defaultx");

    let lock = table("Cargo.lock");
    let locked = lock["package"].as_array().unwrap().iter();
    let of = |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let locked: BTreeMap<(Option<String>, Option<String>), Option<String>> =
        locked.map(|package| ((of(package, "name"), of(package, "version")), of(package, "checksum"))).collect();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut known: BTreeSet<String> = text(&bill["metadata"]["component"]["bom-ref"]).into_iter().collect();
    for component in bill["components"].as_array().unwrap() {
        assert!(known.insert(text(&component["bom-ref"]).unwrap()), "{component} is there twice");
        if component.get("purl").is_none() {
            continue; // a C library that a crate carries
        }
        let checksum = &locked[&(text(&component["name"]), text(&component["version"]))];
        assert_eq!(text(&component["hashes"][0]["content"]), *checksum, "{component}");
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
    }
    for crate_ in ["rdkafka", "tokio-postgres", "tract-onnx", "ed25519-dalek"] {
        let is_in = known.iter().any(|known| known.starts_with(&format!("pkg:cargo/{crate_}@")));
        assert!(is_in, "{crate_} is not in the bill");
    }
    for edge in bill["dependencies"].as_array().unwrap() {
        for to in edge["dependsOn"].as_array().unwrap().iter().chain([&edge["ref"]]) {
            assert!(known.contains(to.as_str().unwrap()), "{to} is no component");
        }
    }
}

#[test]
fn every_dependency_comes_from_where_the_rules_say() {
    let rules = table("deny.toml");
    for (section, key) in [("sources", "unknown-registry"), ("sources", "unknown-git"), ("bans", "wildcards")] {
        assert_eq!(rules[section][key].as_str(), Some("deny"), "[{section}] {key}");
    }
    let lock = table("Cargo.lock");
    for package in lock["package"].as_array().unwrap() {
        let Some(source) = package.get("source") else { continue };
        assert_eq!(
            source.as_str(),
            Some("registry+https://github.com/rust-lang/crates.io-index"),
            "{}",
            package["name"]
        );
        assert!(package.get("checksum").is_some(), "{} has no checksum", package["name"]);
    }
}

/// A command without `--locked` may build other versions than those that were looked at.
#[test]
fn commands_build_what_is_locked() {
    let documents = ["README.md", "docs/BENCHMARKS.md", "docs/recordings.md"];
    let scripts = [".ci/run", "e2e/recording.sh", "e2e/upgrade.sh", "e2e/baselines/scoring/run"];
    for file in documents.into_iter().chain(scripts) {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for line in text
            .lines()
            .filter(|line| ["cargo run", "cargo test", "cargo build", "cargo clippy"].iter().any(|c| line.contains(c)))
        {
            assert!(line.contains("--locked"), "{file}: {line}");
        }
    }
}

/// The threat model and its tables name tests, and groups of the attack suite: each is there.
#[test]
fn every_test_that_the_threat_model_names_exists() {
    let text = std::fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let quoted: BTreeSet<&str> = text.split('`').skip(1).step_by(2).collect();
    let sources = sources(root());
    let is_test = |name: &&&str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.chars().all(plain) && name.matches('_').count() >= 2
    };
    let tests: Vec<_> = quoted.iter().filter(is_test).collect();
    assert!(tests.len() > 50, "{tests:?}");
    for test in tests {
        let is_there = sources.iter().any(|text| text.contains(&format!("fn {test}(")));
        assert!(is_there, "docs/SECURITY.md names {test}, which is no test");
    }
    let groups = std::fs::read_to_string(root().join("e2e/attacks/attacks/__main__.py")).unwrap();
    let groups = groups.lines().find(|line| line.starts_with("GROUPS = ")).unwrap();
    for named in quoted.iter().filter_map(|quoted| quoted.strip_prefix("attacks: ")) {
        assert!(groups.contains(&format!("{named:?}")), "docs/SECURITY.md names the attacks {named}");
    }
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}
