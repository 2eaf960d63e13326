//! What every worker is given at its start: where the world is, and how to tell and be told. Holds no logic.

use crate::health::Health;
use crate::http::{Bound, Listener, Tls};
use crate::kafka::{Asker, KafkaConfig};
use crate::pg::DatabaseConfig;
use prometheus::Registry;
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The principal of whoever only asks what topics, brokers and rights there are.
pub const OBSERVER: &str = "observer";

/// A worker's surroundings. Clones share them.
#[derive(Debug, Clone)]
pub struct ServiceContext {
    /// Brokers, security, prefix.
    pub kafka: KafkaConfig,
    /// PostgreSQL, for workers that need it.
    pub database: Option<DatabaseConfig>,
    /// Stable id of this instance. Part of `transactional.id` and `group.instance.id`: a replacement takes the same, two that
    /// run at once never do.
    pub instance: String,
    /// Where metrics go.
    pub registry: Registry,
    /// Where readiness goes.
    pub health: Health,
    /// Where the process's servers listen.
    pub bound: Bound,
    /// What the process's listeners secure connections with; none speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Cancelled when it is time to drain.
    pub shutdown: CancellationToken,
    /// Whether servers may listen beyond loopback without TLS.
    pub allow_plaintext_listeners: bool,
    asking: Asking,
}

/// A client that all workers of a process ask about topics, made when one first does.
#[derive(Clone, Default)]
struct Asking(Arc<Mutex<Option<Arc<BaseProducer<Asker>>>>>);

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asking")
    }
}

impl ServiceContext {
    /// The first instance, with a registry of its own and without a database.
    pub fn new(kafka: KafkaConfig) -> Self {
        let registry = Registry::new();
        let health = Health::registered(&registry).expect("an empty registry takes its first metric");
        let shutdown = CancellationToken::new();
        Self {
            kafka,
            database: None,
            instance: "0".to_owned(),
            registry,
            health,
            bound: Bound::default(),
            tls: None,
            shutdown,
            allow_plaintext_listeners: false,
            asking: Asking::default(),
        }
    }

    /// A client that neither reads nor writes, to ask the cluster with. A consumer's own would not do beside its work: a question waits
    /// behind the fetch that the broker is keeping.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn asking(&self) -> Result<Arc<BaseProducer<Asker>>, KafkaError> {
        let mut asking = self.asking.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*asking {
            Some(client) => {
                client.poll(Duration::ZERO); // what it has to say would pile up through an outage
                Ok(client.clone())
            }
            None => Ok(asking.insert(Arc::new(self.kafka.of(OBSERVER).client().create_with_context(Asker)?)).clone()),
        }
    }

    /// The same surroundings for a worker with logins of its own, to the brokers and to the database. The client that asks stays the one of all.
    #[must_use]
    pub fn acting_as(&self, principal: &str) -> Self {
        let database = self.database.as_ref().map(|database| database.of(principal));
        Self { kafka: self.kafka.of(principal), database, ..self.clone() }
    }

    /// An address of ours, with TLS where the process has a certificate.
    pub fn listener(&self, address: SocketAddr) -> Listener {
        Listener { address, tls: self.tls.clone(), bound: self.bound.clone() }
    }

    /// A topic's name with the deployment's prefix.
    pub fn topic(&self, base_name: &str) -> Arc<str> {
        self.kafka.topic(base_name)
    }
}
