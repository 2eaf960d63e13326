//! What every room is given at its start: where the world is, and how to tell and be told. Holds no logic.

use crate::health::Health;
use crate::kafka::KafkaConfig;
use crate::pg::DatabaseConfig;
use prometheus::Registry;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A room's surroundings. Clones share them.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Brokers, security, prefix.
    pub kafka: KafkaConfig,
    /// PostgreSQL, for rooms that need it.
    pub database: Option<DatabaseConfig>,
    /// Stable id of this instance. Part of `transactional.id` and `group.instance.id`: a replacement takes the same, two that
    /// run at once never do.
    pub instance: String,
    /// Where metrics go.
    pub registry: Registry,
    /// Where readiness goes.
    pub health: Health,
    /// Cancelled when it is time to drain.
    pub shutdown: CancellationToken,
}

impl Shell {
    /// The first instance, with a registry of its own and without a database.
    pub fn new(kafka: KafkaConfig) -> Self {
        let registry = Registry::new();
        let health = Health::registered(&registry).expect("an empty registry takes its first metric");
        let shutdown = CancellationToken::new();
        Self { kafka, database: None, instance: "0".to_owned(), registry, health, shutdown }
    }

    /// A topic's name with the deployment's prefix.
    pub fn topic(&self, base_name: &str) -> Arc<str> {
        self.kafka.topic(base_name)
    }
}
