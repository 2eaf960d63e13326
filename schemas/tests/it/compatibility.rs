//! Additive within `v1`: bodies that were valid when a version was frozen are valid today and still read. Files under `frozen/`
//! are copies of their day and are never edited; new ones are added when a field is.

use super::examples::examples_dir;
use super::structs::round_trip;
use schemas::catalogue::{EVENTS, validator};
use serde_json::Value;

#[test]
fn yesterdays_bodies_are_still_taken() {
    for event in EVENTS {
        let schema = validator(event.event_type).unwrap_or_else(|error| panic!("{error}"));
        let folder = examples_dir().join("frozen/v1").join(event.event_type);
        let files: Vec<_> =
            std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).collect();
        assert!(files.len() >= 3, "{} has too few frozen examples", event.event_type);
        for file in files {
            let path = file.expect("a readable folder").path();
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let body: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let errors: Vec<String> =
                schema.iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            if let Err(error) = round_trip(event.event_type, &text) {
                panic!("{}: {error}", path.display());
            }
        }
    }
}
