//! The Python tests, under the one test command: each script makes its own environment under `target/`.

use e2e::stage::root;
use std::process::Command;

fn passes(script: &str, arguments: &[&str]) {
    let output = Command::new(root().join(script)).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{script}:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed"), "{script} ran no test:\n{said}");
}

#[test]
fn training_passes_its_tests() {
    passes("training/run", &["test"]);
}

#[test]
fn the_python_baseline_gives_the_same_answers() {
    passes("e2e/baselines/run", &["--test"]);
}
