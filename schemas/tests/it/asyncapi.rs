//! The AsyncAPI document against the topic table and the catalogue: everything named, everything resolvable.

use super::upkeep::collect_references;
use schemas::Topic;
use schemas::catalogue::{EVENTS, documents};
use schemas::rights::{Principal, readers};
use schemas::topics::Keep;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("asyncapi.yaml");
    let text = std::fs::read_to_string(path).expect("asyncapi.yaml stands beside Cargo.toml");
    serde_yaml_ng::from_str(&text).expect("asyncapi.yaml is YAML")
}

fn channel(document: &Value, topic: Topic) -> Value {
    let channels = document["channels"].as_object().expect("channels");
    let mut found = channels.values().filter(|channel| channel["address"] == topic.base_name());
    let channel = found.next().unwrap_or_else(|| panic!("{} has no channel", topic.base_name()));
    assert!(found.next().is_none(), "{} has two channels", topic.base_name());
    channel.clone()
}

#[test]
fn every_topic_has_a_channel_that_says_what_the_table_says() {
    let document = document();
    assert_eq!(document["asyncapi"], "3.1.0");
    assert_eq!(document["channels"].as_object().map(serde_json::Map::len), Some(Topic::ALL.len()));
    for topic in Topic::ALL {
        let channel = channel(&document, *topic);
        let kafka = &channel["bindings"]["kafka"];
        let name = topic.base_name();
        assert_eq!(kafka["topic"], name);
        assert_eq!(kafka["partitions"], 6, "{name}: one count for all");
        assert_eq!(channel["x-writer"], topic.writer(), "{name}");
        assert_eq!(channel["x-consumer-properties"]["isolation.level"], "read_committed", "{name}");
        let (policy, retention_ms) = match topic.keep() {
            Keep::Days(days) => ("delete", Value::from(u64::from(days) * 86_400_000)),
            Keep::Compacted => ("compact", Value::Null),
        };
        assert_eq!(kafka["topicConfiguration"]["cleanup.policy"][0], policy, "{name}");
        assert_eq!(kafka["topicConfiguration"]["retention.ms"], retention_ms, "{name}");
    }
    let description = document["info"]["description"].as_str().unwrap_or_default();
    assert!(description.contains("isolation.level=read_committed"), "readers are told");
}

#[test]
fn every_event_is_a_message_of_its_channels_with_headers_and_key() {
    let document = document();
    for event in EVENTS {
        for topic in event.topics {
            let channel = channel(&document, *topic);
            let messages = channel["messages"].as_object().expect("messages");
            let pointer = |message: &Value| message["$ref"].as_str().map(|r| r.trim_start_matches('#').to_owned());
            let named = messages.values().filter_map(pointer).filter_map(|pointer| document.pointer(&pointer));
            let of_event: Vec<_> = named.filter(|message| message["name"] == event.event_type).collect();
            let [message] = of_event[..] else { panic!("{} is not on {}", event.event_type, topic.base_name()) };
            assert_eq!(message["payload"]["schema"]["$ref"], format!("./json/{}", event.schema.file));
            assert!(message["headers"]["$ref"].is_string(), "{} has no headers", event.event_type);
            let is_keyed = message["bindings"]["$ref"] == "#/components/messageBindings/keyed";
            assert!(is_keyed || message["bindings"]["kafka"]["key"]["description"].is_string(), "{}", event.event_type);
        }
    }
}

#[test]
fn every_topic_is_sent_and_received() {
    let document = document();
    let operations = document["operations"].as_object().expect("operations");
    for channel in document["channels"].as_object().expect("channels").keys() {
        for action in ["send", "receive"] {
            let reference = format!("#/channels/{channel}");
            let found = operations.values().any(|o| o["action"] == action && o["channel"]["$ref"] == reference);
            assert!(found, "nobody is said to {action} {channel}");
        }
    }
}

/// Who may read a topic, people aside, is what the rights say.
#[test]
fn the_readers_of_a_topic_are_those_that_have_the_right() {
    let document = document();
    let operations = document["operations"].as_object().expect("operations");
    for topic in Topic::ALL {
        let is_read = |operation: &&Value| {
            let reference = operation["channel"]["$ref"].as_str().unwrap_or_default().trim_start_matches('#');
            operation["action"] == "receive"
                && document.pointer(reference).is_some_and(|channel| channel["address"] == topic.base_name())
        };
        let titles = operations.values().filter(is_read).filter_map(|operation| operation["title"].as_str());
        let named = titles.flat_map(|title| title.trim_start_matches("Read by ").split(", "));
        let named: BTreeSet<&str> = named
            .filter(|name| !["auditors", "operators", "an operator"].contains(name))
            .map(|name| match name {
                "origination" => Principal::Sender.name(),
                "ingest (HTTP door)" => Principal::Door.name(),
                name => name,
            })
            .collect();
        let may: BTreeSet<&str> = readers(*topic).into_iter().map(Principal::name).collect();
        assert_eq!(named, may, "{}", topic.base_name());
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    let files: BTreeSet<String> = documents()
        .map(|d| format!("./json/{}", d.file))
        .chain(EVENTS.iter().flat_map(|event| {
            event.examples.iter().map(|example| format!("./examples/{}/{}.json", event.event_type, example.name))
        }))
        .collect();
    assert!(references.len() > 40, "{}", references.len());
    for reference in references {
        let resolves = match reference.strip_prefix('#') {
            Some(pointer) => document.pointer(pointer).is_some(),
            None => files.contains(&reference),
        };
        assert!(resolves, "{reference}");
    }
}
