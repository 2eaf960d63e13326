//! Where to look for what is true.

use runtime::kafka::KafkaConfig;

/// Where to look.
#[derive(Clone)]
pub struct Deployment {
    /// The broker.
    pub kafka: KafkaConfig,
    /// The database.
    pub database_url: String,
    /// Topics that senders write to, without prefix.
    pub senders: Vec<String>,
    /// Digest of the policy in force where none was activated.
    pub policy: String,
    /// Digest of the route in force where none was activated.
    pub route: String,
    /// Tenants of whose new entries a version before kept no count, so that none is due.
    pub uncounted: Vec<String>,
    /// Of ingest: the keys with which it converts what a version before remembered.
    pub ingest: ingest::Config,
}
