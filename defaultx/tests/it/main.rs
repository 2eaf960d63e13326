//! Commands against a real broker: topics of a prefix, dead letters published again.
#![allow(clippy::unwrap_used)]

mod redrive;
mod topics;

use local::{House, Options};
use runtime::kafka::KafkaConfig;
use std::sync::{LazyLock, Mutex, PoisonError};

/// One broker for all tests, each with a prefix of its own. It ends with this process.
static HOUSE: LazyLock<Mutex<(House, tempfile::TempDir)>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    Mutex::new((House::start(&Options { postgres: false, ..Options::new(dir.path()) }).unwrap(), dir))
});

fn kafka(prefix: &str) -> KafkaConfig {
    let house = HOUSE.lock().unwrap_or_else(PoisonError::into_inner);
    KafkaConfig {
        bootstrap: house.0.bootstrap().to_owned(),
        topic_prefix: prefix.to_owned(),
        partitions: 3,
        replication_factor: 1,
        ..KafkaConfig::default()
    }
}
