//! The Kafka Streams baseline of the benchmark gives the packages' own answers. Maven brings what it needs.

use e2e::stage::root;
use std::process::Command;

#[test]
fn the_streams_baseline_gives_the_same_answers() {
    let output = Command::new(root().join("e2e/baselines/streams/run")).arg("--test").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let ran = said.lines().any(|line| line.contains("Tests run: ") && !line.contains("Tests run: 0"));
    assert!(ran, "no test ran:\n{said}");
}
