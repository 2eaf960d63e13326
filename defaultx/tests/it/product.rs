//! `defaultx product`, as it is called: what a product has and lacks, and the skeleton of a new one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => assert!(std::fs::copy(&path, &target).is_ok(), "{path:?}"),
        }
    }
}

/// A deployment's folders, with one shipped package beside the scales.
fn stand() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["models/german-scorecard", "policies"] {
        copy(&root().join(folder), &dir.path().join(folder));
    }
    std::fs::copy(root().join("models/scales.toml"), dir.path().join("models/scales.toml")).unwrap();
    let route = "# Who scores whom.\nname = \"standard\"\nversion = \"1.0.0\"\n\n[[entry]]\nid = \"instalment\"\nproduct = \
                 \"consumer_instalment\"\nchampion = \"german-scorecard@1.0.0\"\n";
    std::fs::create_dir_all(dir.path().join("routes/standard")).unwrap();
    std::fs::write(dir.path().join("routes/standard/1.0.0.toml"), route).unwrap();
    dir
}

fn product(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    let Output { status, stdout, stderr } = command.arg("product").args(arguments).current_dir(dir).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

#[test]
fn a_product_that_is_there_lacks_nothing() {
    let dir = stand();
    let (code, told) = product(dir.path(), &["check", "consumer_instalment"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("6 places, 0 lacking"), "{told}");
    for place in ["[ingest] products", "scale", "package", "route", "policy", "attributes"] {
        assert!(told.lines().any(|line| line.starts_with(&format!("ok      {place}: "))), "{place}: {told}");
    }
}

#[test]
fn each_place_that_lacks_is_told_with_what_to_write() {
    let dir = stand();
    let (code, told) = product(dir.path(), &["check", "boat_loan"]);
    assert_eq!(code, 1, "{told}");
    for (place, line) in [
        ("[ingest] products", "[ingest.products.boat_loan]"),
        ("scale", "id = \"boat_loan.v1\""),
        ("package", "product = \"boat_loan\""),
        ("route", "id = \"boat_loan\""),
        ("policy", "- product: boat_loan"),
    ] {
        assert!(told.contains(&format!("lacks   {place}: ")) && told.contains(line), "{place}: {told}");
    }
    assert!(told.contains("6 places, 5 lacking"), "{told}");
}

/// The way that the page describes, step by step, until nothing lacks.
#[test]
fn a_product_is_added_step_by_step() {
    let dir = stand();
    let add = ["add", "boat_loan", "--like", "consumer_instalment", "--currency", "SEK"];
    let (code, told) = product(dir.path(), &add);
    assert_eq!(code, 1, "{told}");
    for line in [
        "wrote   models/scales.toml",
        "wrote   policies/standard/1.2.0.yaml, from standard@1.1.0",
        "note    standard@1.1.0 is the newest file; no stack was asked what is in force",
        "currencies = [\"SEK\"]",
        "lacks   package: ",
        "lacks   route: ",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let policy = std::fs::read_to_string(dir.path().join("policies/standard/1.2.0.yaml")).unwrap();
    let text = "  - product: boat_loan\n    scale_id: boat_loan.v1\n    currencies: [SEK]\n";
    assert!(policy.contains("version: 1.2.0") && policy.contains(text), "{policy}");
    assert!(policy.contains("id: boat_loan_instalment_score") && policy.contains("currency: SEK"), "{policy}");

    // A package of the product: the shipped one under another name, as a bank would bring its own.
    let package = dir.path().join("models/boat-scorecard/1.0.0");
    copy(&root().join("models/german-scorecard/1.0.0"), &package);
    let manifest = std::fs::read_to_string(package.join("manifest.toml")).unwrap();
    let manifest = manifest
        .replacen("name = \"german-scorecard\"", "name = \"boat-scorecard\"", 1)
        .replacen("product = \"consumer_instalment\"", "product = \"boat_loan\"", 1)
        .replacen("consumer_instalment.v1", "boat_loan.v1", 1);
    std::fs::write(package.join("manifest.toml"), manifest).unwrap();
    let (code, told) = product(dir.path(), &add);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("wrote   routes/standard/1.1.0.toml"), "{told}");
    let route = std::fs::read_to_string(dir.path().join("routes/standard/1.1.0.toml")).unwrap();
    assert!(
        route.starts_with("# Who scores whom.") && route.contains("champion = \"boat-scorecard@1.0.0\""),
        "{route}"
    );

    let config = "[ingest]\nproducts = [\"consumer_instalment\", \"boat_loan\"]\n";
    std::fs::write(dir.path().join("defaultx.toml"), config).unwrap();
    let (code, told) = product(dir.path(), &["check", "boat_loan", "--config", "defaultx.toml"]);
    assert_eq!(code, 0, "{told}");
    for line in [
        "then: defaultx route activate standard@1.1.0 --by WHO",
        "then: defaultx policy activate policies/standard/1.2.0.yaml --by WHO",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let (code, told) = product(dir.path(), &[&add[..], &["--config", "defaultx.toml"]].concat());
    assert!(code == 0 && !told.contains("wrote"), "nothing is written twice: {told}");
}

#[test]
fn what_cannot_be_a_product_is_refused_and_nothing_is_written() {
    let dir = stand();
    let before = std::fs::read(dir.path().join("models/scales.toml")).unwrap();
    for (arguments, expected) in [
        (["add", "Boat-Loan", "--like", "consumer_instalment"], "is no name of a product"),
        (["add", "boat_loan", "--like", "consumer_instalments"], "did you mean consumer_instalment?"),
    ] {
        let (code, told) = product(dir.path(), &arguments);
        assert!(code == 1 && told.contains(expected), "{told}");
    }
    let (code, told) = product(dir.path(), &["add", "boat_loan", "--like", "consumer_instalment", "--currency", "XYZ"]);
    assert!(code == 1 && told.contains("--currency XYZ"), "{told}");
    assert_eq!(std::fs::read(dir.path().join("models/scales.toml")).unwrap(), before);
    assert!(!dir.path().join("policies/standard/1.2.0.yaml").exists());
}

/// A new version may be built on one that is not the newest file, such as the one in force.
#[test]
fn a_product_is_added_to_the_version_that_somebody_names() {
    let dir = stand();
    let add = ["add", "boat_loan", "--like", "consumer_instalment", "--from", "standard@1.0.0"];
    let (_, told) = product(dir.path(), &add);
    assert!(told.contains("wrote   policies/standard/1.2.0.yaml, from standard@1.0.0"), "{told}");
    assert!(!told.contains("is the newest file"), "{told}");
    let read =
        |version: &str| std::fs::read_to_string(dir.path().join(format!("policies/standard/{version}.yaml"))).unwrap();
    assert!(
        read("1.2.0").contains("version: 1.2.0") && !read("1.2.0").contains("absent: skip"),
        "it is 1.0.0 with more"
    );
    let (_, told) = product(dir.path(), &add);
    assert!(!told.contains("wrote"), "nothing is written twice: {told}");
    let (code, told) = product(dir.path(), &[&add[..4], &["--from", "standard@9.0.0"]].concat());
    assert!(code == 1 && told.contains("--from standard@9.0.0: policies/standard/9.0.0.yaml is not a file"), "{told}");
}
