//! The small set of the converters' suites, through the command line: the engine says what the library or the file says, or refuses
//! with a remedy. `inference/tests/suites/run full` compares every kind.

use std::path::Path;
use std::process::Command;

#[test]
fn stock_exports_answer_as_their_library_or_as_the_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(root.join("inference/tests/suites/run"));
    command.args(["small", "--", "--binary", env!("CARGO_BIN_EXE_defaultx")]);
    let output = command.env("DEFAULTX_SUITES", root.join("target/suites-small")).output().unwrap();
    let said = [&output.stderr, &output.stdout].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("31 kinds: "), "{said}");
}
