//! Commands: those on models and routes, and against a real broker topics of a prefix and dead letters published again.
#![allow(clippy::unwrap_used)]

mod batch;
mod guard;
mod house;
mod import;
mod model;
mod redrive;
mod route;
mod rows;
mod stock;
mod suites;
mod topics;
mod witness;

use local::{House, Options};
use runtime::kafka::KafkaConfig;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

/// One broker for all tests, each with a prefix of its own. It ends with this process.
static HOUSE: LazyLock<Mutex<House>> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("defaultx-it");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap(); // what an earlier run left
    }
    Mutex::new(House::start(&Options { postgres: false, ..Options::new(dir) }).unwrap())
});

fn kafka(prefix: &str) -> KafkaConfig {
    let house = HOUSE.lock().unwrap_or_else(PoisonError::into_inner);
    KafkaConfig {
        bootstrap: house.bootstrap().to_owned(),
        topic_prefix: prefix.to_owned(),
        partitions: 3,
        replication_factor: 1,
        ..KafkaConfig::default()
    }
}
