//! The published contract as other people's tools read it: each of them finds nothing.

use e2e::stage::root;
use std::process::Command;

#[test]
fn other_peoples_tools_find_nothing_in_the_contract() {
    let output = Command::new(root().join("e2e/contracts/run")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.ends_with("4 passed, 0 failed\n"), "{said}");
}
