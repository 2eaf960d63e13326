//! The published contract as other people's tools read it: each of them finds nothing. The door's OpenAPI document is the one that it
//! serves, with every definition in it; that of read-api is committed as it is served.

use e2e::stage::root;
use std::process::Command;

#[test]
fn other_peoples_tools_find_nothing_in_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let door = folder.path().join("door.json");
    std::fs::write(&door, serde_json::to_vec_pretty(&schemas::openapi::door().unwrap()).unwrap()).unwrap();
    let documents = format!("{} schemas/openapi/read-api.json", door.display());
    let output = Command::new(root().join("e2e/contracts/run")).env("OPENAPI", documents).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.ends_with("4 passed, 0 failed\n"), "{said}");
}
