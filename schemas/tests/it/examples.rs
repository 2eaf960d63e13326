//! Every example against its schema and its struct: good and edge ones pass both and come back as they went, bad ones fail
//! where their sidecar says, in both where both can tell.

use super::structs::round_trip;
use schemas::Topic;
use schemas::catalogue::{EVENTS, Event, Example, Kind, validator};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a sidecar says of one bad example.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// JSON pointer of the value that is refused; of the object that lacks or has too much.
    pointer: String,
    /// Keyword of the schema that refuses it.
    keyword: String,
    /// Whether the struct can tell, too: it knows shapes and types, not patterns and bounds.
    struct_refuses: bool,
}

pub fn examples_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn value(example: &Example) -> Value {
    serde_json::from_str(example.text).unwrap_or_else(|error| panic!("{} is not JSON: {error}", example.name))
}

fn faults(event: &Event) -> BTreeMap<String, Fault> {
    let path = examples_dir().join(event.event_type).join("faults.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Without nulls and empty lists and objects: what a struct may leave out or put in its own way.
fn pruned(value: &Value) -> Value {
    let is_empty = |v: &Value| match v {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(items) => items.iter().map(pruned).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), pruned(value)));
            Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Number(number) => number.as_f64().map_or(value.clone(), Value::from),
        other => other.clone(),
    }
}

#[test]
fn every_topic_that_carries_events_has_a_schema_and_three_examples_of_each_kind() {
    let no_events =
        [Topic::Checkpoints, Topic::DeadLetters, Topic::AdmitState, Topic::ScorerState, Topic::DecisionState];
    for topic in Topic::ALL {
        let events: Vec<_> = EVENTS.iter().filter(|event| event.topics.contains(topic)).collect();
        assert_eq!(events.is_empty(), no_events.contains(topic), "{}", topic.base_name());
    }
    for event in EVENTS {
        for kind in [Kind::Good, Kind::Edge, Kind::Bad] {
            let count = event.examples.iter().filter(|example| example.kind() == kind).count();
            assert!(count >= 3, "{} has {count} examples of kind {kind:?}", event.event_type);
        }
    }
}

#[test]
fn the_catalogue_holds_what_lies_in_the_folders() {
    let listed: BTreeSet<String> = EVENTS
        .iter()
        .flat_map(|event| event.examples.iter().map(|example| format!("{}/{}.json", event.event_type, example.name)))
        .collect();
    let mut found = BTreeSet::new();
    for folder in std::fs::read_dir(examples_dir()).expect("examples").flatten() {
        let name = folder.file_name().into_string().expect("plain names");
        if name == "frozen" {
            continue;
        }
        for file in std::fs::read_dir(folder.path()).expect("a folder for each type").flatten() {
            let file = file.file_name().into_string().expect("plain names");
            if file != "faults.json" {
                found.insert(format!("{name}/{file}"));
            }
        }
    }
    assert_eq!(listed, found);
}

#[test]
fn good_and_edge_examples_pass_the_schema_and_come_back_from_the_struct_as_they_went() {
    for event in EVENTS {
        let schema = validator(event.event_type).unwrap_or_else(|error| panic!("{error}"));
        for example in event.examples.iter().filter(|example| example.kind() != Kind::Bad) {
            let name = format!("{}/{}", event.event_type, example.name);
            let body = value(example);
            let errors: Vec<String> =
                schema.iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
            let back = round_trip(event.event_type, example.text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(schema.is_valid(&back), "{name} does not validate once the struct wrote it: {back}");
            let again =
                round_trip(event.event_type, &back.to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(again, back, "{name}");
            // An open body may hold fields of tomorrow, which a struct of today drops.
            if !example.name.contains("of-tomorrow") {
                assert_eq!(pruned(&back), pruned(&body), "{name}");
            }
        }
    }
}

#[test]
fn bad_examples_are_refused_where_their_sidecar_says() {
    for event in EVENTS {
        let schema = validator(event.event_type).unwrap_or_else(|error| panic!("{error}"));
        let faults = faults(event);
        let bad: Vec<_> = event.examples.iter().filter(|example| example.kind() == Kind::Bad).collect();
        assert_eq!(faults.len(), bad.len(), "{}: one fault for each bad example", event.event_type);
        for example in bad {
            let name = format!("{}/{}", event.event_type, example.name);
            let fault = faults.get(example.name).unwrap_or_else(|| panic!("{name} has no entry in faults.json"));
            let body = value(example);
            let seen: Vec<(String, String)> = schema
                .iter_errors(&body)
                .map(|error| (error.instance_path().to_string(), error.kind().keyword().to_owned()))
                .collect();
            let wanted = (fault.pointer.clone(), fault.keyword.clone());
            assert!(seen.contains(&wanted), "{name}: wanted {wanted:?}, the schema says {seen:?}");
            let refused = round_trip(event.event_type, example.text).is_err();
            assert_eq!(refused, fault.struct_refuses, "{name}: what the struct says");
        }
    }
}

#[test]
fn what_is_strict_refuses_an_unknown_field_and_what_is_open_takes_it() {
    for event in EVENTS {
        let schema = validator(event.event_type).unwrap_or_else(|error| panic!("{error}"));
        for example in event.examples.iter().filter(|example| example.kind() == Kind::Good) {
            let mut body = value(example);
            body["field_of_tomorrow"] = Value::Bool(true);
            assert_eq!(schema.is_valid(&body), !event.strict, "{}/{}", event.event_type, example.name);
            let through = round_trip(event.event_type, &body.to_string());
            assert_eq!(through.is_ok(), !event.strict, "{}/{}: {through:?}", event.event_type, example.name);
        }
    }
}
