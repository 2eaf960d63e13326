//! The door's published description against the door.

use ingest::door::SENDER_ROLES;
use serde_json::Value;
use std::path::Path;

#[test]
fn the_roles_of_the_description_are_those_that_may_send() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/openapi/door.json");
    let description: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let paths = description["paths"].as_object().unwrap();
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/v1/applications", "/v1/applications/{application_id}/withdraw"]);
    for (path, item) in paths {
        let alternatives = item["post"]["security"].as_array().unwrap().iter();
        let roles: Vec<&str> = alternatives.map(|one| one["token"][0].as_str().unwrap()).collect();
        assert_eq!(roles, SENDER_ROLES, "{path}");
    }
}
