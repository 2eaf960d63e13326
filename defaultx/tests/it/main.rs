//! Commands: those on models and routes, and against a real broker topics of a prefix and dead letters published again.
#![allow(clippy::unwrap_used)]

mod attributes;
mod batch;
mod batch_file;
mod batch_set_aside;
mod config;
mod equality;
mod guard;
mod import;
mod model;
mod pipe;
mod product;
mod redrive;
mod rights;
mod route;
mod rows;
mod stack;
mod stock;
mod suites;
mod topics;
mod witness;

use defaultx::place::{log_in, users};
use local::{Options, Stack};
use runtime::kafka::KafkaConfig;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

/// One broker for all tests, each with a prefix of its own. It ends with this process.
static STACK: LazyLock<Mutex<Stack>> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("defaultx-it");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap(); // what an earlier run left
    }
    Mutex::new(Stack::start(&Options { postgres: false, users: users(), ..Options::new(dir) }).unwrap())
});

fn kafka(prefix: &str) -> KafkaConfig {
    let stack = STACK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut kafka = KafkaConfig {
        bootstrap: stack.bootstrap().to_owned(),
        topic_prefix: prefix.to_owned(),
        partitions: 3,
        replication_factor: 1,
        ..KafkaConfig::default()
    };
    log_in(&mut kafka, &stack);
    kafka
}

/// Environment of a process that talks to that broker as its admin.
fn login(kafka: &KafkaConfig) -> [(&'static str, String); 2] {
    let (user, password) = kafka.sasl_username.as_ref().zip(kafka.sasl_password.as_ref()).unwrap();
    [("DEFAULTX__KAFKA__SASL_USERNAME", user.clone()), ("DEFAULTX__KAFKA__SASL_PASSWORD", password.expose().to_owned())]
}
