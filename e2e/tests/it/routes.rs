//! A route by activation record through a real broker: in force from its position on, remembered over a restart, demanded.

use crate::stack::{Whole, wait, whole};
use defaultx::reader::{header, read_to_end};
use defaultx::run::{self, Running};
use defaultx::settings::Settings;
use defaultx::workers::Worker;
use domain::ModelRole;
use e2e::stage::root;
use e2e::traffic::Sender;
use rdkafka::message::Message;
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use schemas::control::{ACTIVATED, Activation};
use schemas::risk::{RiskEvent, RouteRef};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Applications sent between two changes.
const SOME: usize = 40;

/// What a partition of the risk topic says, in its order: versions of the route that assigned, and `|` for each activation.
type ApplicationDetail = BTreeMap<i32, Vec<String>>;

#[test]
fn a_route_is_in_force_from_its_position_on_and_over_a_restart() {
    let whole = whole();
    let dir = tempfile::tempdir().unwrap();
    let shipped = std::fs::read_to_string(root().join("routes/standard/1.0.0.toml")).unwrap();
    let next = shipped.replacen("1.0.0", "1.1.0", 1);
    let write = |version: &str, text: &str| {
        std::fs::create_dir_all(dir.path().join("standard")).unwrap();
        std::fs::write(dir.path().join(format!("standard/{version}.toml")), text).unwrap();
    };
    write("1.0.0", &shipped);
    write("1.1.0", &next);
    let settings = settings(whole, dir.path());
    whole.runtime.block_on(defaultx::topics::apply(&settings.kafka, &[])).unwrap();
    defaultx::topics::rights::apply(&settings.kafka, &[]).unwrap();

    let workers = start(whole, &settings);
    send(whole, &settings.kafka, 0..SOME);
    decided(&settings.kafka, SOME);
    ingest::activate::run(&settings.kafka, &activation(&next)).unwrap();
    send(whole, &settings.kafka, SOME..2 * SOME);
    decided(&settings.kafka, 2 * SOME);
    whole.runtime.block_on(workers.stop()).unwrap();
    let workers = start(whole, &settings);
    send(whole, &settings.kafka, 2 * SOME..3 * SOME);
    let told = decided(&settings.kafka, 3 * SOME);
    whole.runtime.block_on(workers.stop()).unwrap();

    let mut counts = [0; 2];
    for (partition, words) in &told {
        let at = words.iter().position(|word| word == "|").unwrap_or_else(|| panic!("{partition}: {words:?}"));
        assert!(words[..at].iter().all(|word| word == "1.0.0"), "{partition}: {words:?}");
        assert!(words[at + 1..].iter().all(|word| word == "1.1.0"), "{partition}: {words:?}");
        counts = [counts[0] + at, counts[1] + words.len() - at - 1];
    }
    assert_eq!(counts, [SOME, 2 * SOME], "nothing is lost or scored twice");

    // The record carries no document, as those of before, so that a scorer without the file stays out of its group.
    std::fs::remove_file(dir.path().join("standard/1.1.0.toml")).unwrap();
    let workers = begin(whole, &settings);
    send(whole, &settings.kafka, 3 * SOME..4 * SOME);
    let reason = wait("a scorer that is not ready", || {
        let states = workers.service.health.states().into_values();
        states.filter(|state| !state.ready).map(|state| state.reason).find(|reason| reason.contains("standard@1.1.0"))
    });
    assert!(reason.contains("add it to routes_dir"), "{reason}");
    assert_eq!(detail(&settings.kafka), told, "it guesses nothing");
    write("1.1.0", &next);
    let told = decided(&settings.kafka, 4 * SOME);
    let newest = told.values().flatten().filter(|word| *word == "1.1.0").count();
    assert_eq!(newest, 3 * SOME, "a file that is brought back is found without a restart");
    assert!(whole.runtime.block_on(workers.stop()).is_ok());
}

/// The stack's servers under a prefix of its own, with the workers that scoring takes.
fn settings(whole: &Whole, routes: &Path) -> Settings {
    let mut settings = whole.stage.settings.clone();
    settings.kafka.topic_prefix = format!("{}routes.", settings.kafka.topic_prefix);
    settings.ingest.door_address = String::new();
    settings.process.ops_listen = "127.0.0.1:0".to_owned();
    settings.scorer.routes_dir = routes.to_owned();
    settings
}

fn start(whole: &Whole, settings: &Settings) -> Running {
    let mut running = begin(whole, settings);
    whole.runtime.block_on(running.ready(Duration::from_secs(60))).unwrap();
    running
}

fn begin(whole: &Whole, settings: &Settings) -> Running {
    let workers = [Worker::Scorer, Worker::Ingest];
    whole.runtime.block_on(run::start(settings, &workers, CancellationToken::new())).unwrap()
}

fn send(whole: &Whole, kafka: &KafkaConfig, numbers: std::ops::Range<usize>) {
    let sender = Sender::connect(kafka, "consistent_random").unwrap();
    for number in numbers {
        let event = whole.event("routed", number);
        sender.send(&event, Some(&event.application_id)).unwrap();
    }
    sender.flush().unwrap();
}

fn activation(document: &str) -> Activation {
    Activation {
        kind: "route".to_owned(),
        name: "standard".to_owned(),
        version: "1.1.0".to_owned(),
        digest: domain::Digest::of(document.as_bytes()).to_string(),
        activated_by: "tester".to_owned(),
        activated_at: runtime::clock::rfc3339(runtime::clock::now()),
        document: None,
        packages: None,
    }
}

/// Waits until so many applications have a score event.
fn decided(kafka: &KafkaConfig, count: usize) -> ApplicationDetail {
    wait("score events", || {
        let told = detail(kafka);
        let words = told.values().flatten().filter(|word| *word != "|").count();
        (words >= count).then_some(told)
    })
}

fn detail(kafka: &KafkaConfig) -> ApplicationDetail {
    let mut told = ApplicationDetail::new();
    let topic = Topic::Risk.name(&kafka.topic_prefix);
    read_to_end(kafka, [topic.as_str()], |message| {
        let word = match header(message, "ce_type") {
            Some(ACTIVATED) => "|".to_owned(),
            _ => {
                let event: RiskEvent = serde_json::from_slice(message.payload().unwrap()).unwrap();
                let RouteRef { version, arm, holdout, .. } = event.route;
                assert_eq!((arm, holdout), (Some(ModelRole::Champion.into()), Some(false)));
                version.unwrap()
            }
        };
        told.entry(message.partition()).or_default().push(word);
        Ok(())
    })
    .unwrap();
    told
}
