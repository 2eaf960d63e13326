//! How to reach Kafka: one section of the configuration, turned into client settings, and the context of plain readers. Opens no
//! connection.

pub mod acl;
mod login;

pub use login::{Login, LoginError};

use crate::config::{REDACTED, Secret};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The largest record that a client of ours sends: a sender's body with the headers of a dead letter on top.
pub const MESSAGE_MAX_BYTES: u32 = 17 << 20;

/// Bytes of the largest record between workers: a body at its limit and what a worker adds to it.
pub const HOUSE_MAX_BYTES: u32 = 4 << 20;

/// With it, a batch whose checksum does not fit is left out, and only a log line says so.
const SKIPS_RECORDS: &str = "check.crcs";

/// Section `[kafka]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port`, several separated by commas. Empty: none is configured.
    pub bootstrap: String,
    /// In front of every topic, group and transactional id, so that deployments share a cluster. May be empty.
    pub topic_prefix: String,
    /// Partitions of every keyed topic, fixed for the life of a prefix: a hop writes to the partition it read. 0 takes the count
    /// that the prefix has; a new one gets 1 on a single broker and 6 on more (`docs/OPERATIONS.md` says why).
    pub partitions: i32,
    /// Copies of each topic; −1 takes the broker's default.
    pub replication_factor: i32,
    /// Copies that must have a record before it is acknowledged; 0 takes 2 where a topic has three copies or more, else 1.
    pub min_insync_replicas: i32,
    /// Whether a copy that lags may become the leader when no other is left: the partition goes on, and records are gone.
    pub unclean_leader_election: bool,
    /// Bytes that a partition of an event topic keeps before its oldest records go, whatever their age; −1 sets no limit.
    pub retention_bytes: i64,
    /// Every record is on the disk before it is acknowledged, as `flush.messages=1`: one machine then loses nothing to a power
    /// cut; `docs/OPERATIONS.md` says what it costs. Three copies on three machines do without.
    pub flush_every_record: bool,
    /// `topics apply` makes and alters the senders' own topics too, besides `loan.applications.v1`; otherwise they are only
    /// checked.
    pub manage_sender_topics: bool,
    /// Milliseconds that the brokers may let a transaction be open (`transaction.max.timeout.ms`), a sender's too: for so long
    /// nobody reads past it. Checked, not set; 0 is not checked.
    pub transaction_limit_ms: u64,
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`. With a password and without this, `sasl_plaintext` to brokers on
    /// loopback and `sasl_ssl` to any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_protocol: Option<String>,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`, which is taken where a password is set without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_mechanism: Option<String>,
    /// User of SASL: whoever types commands, and every worker that has no login of its own in `principals`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_username: Option<String>,
    /// Password of SASL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_password: Option<Secret>,
    /// File with that password instead; its last line break does not count. Read once, at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_password_file: Option<String>,
    /// PEM file of the authorities that sign the brokers; the system's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_ca_location: Option<String>,
    /// PEM file of the client's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_certificate_location: Option<String>,
    /// PEM file of the client's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_key_location: Option<String>,
    /// Password of that key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_key_password: Option<Secret>,
    /// `[kafka.principals.NAME]`: the login of each worker, by the names in `docs/OPERATIONS.md`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub principals: BTreeMap<String, Login>,
    /// Any other setting of librdkafka. It wins over those of this section; what exactly once asks of a client, and how long a loop
    /// waits, are set after it. `check.crcs`, with which the client skips records, is left out.
    #[serde(serialize_with = "redacted")]
    pub properties: BTreeMap<String, String>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            bootstrap: String::new(),
            topic_prefix: String::new(),
            partitions: 0,
            replication_factor: -1,
            min_insync_replicas: 0,
            unclean_leader_election: false,
            retention_bytes: -1,
            flush_every_record: false,
            manage_sender_topics: false,
            transaction_limit_ms: 60_000,
            security_protocol: None,
            sasl_mechanism: None,
            sasl_username: None,
            sasl_password: None,
            sasl_password_file: None,
            ssl_ca_location: None,
            ssl_certificate_location: None,
            ssl_key_location: None,
            ssl_key_password: None,
            principals: BTreeMap::new(),
            properties: BTreeMap::new(),
        }
    }
}

impl KafkaConfig {
    /// Settings that every client shares; callers add what is theirs.
    pub fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.bootstrap).set("client.id", "defaultx");
        client.set("message.max.bytes", MESSAGE_MAX_BYTES.to_string());
        let (protocol, mechanism) = self.security();
        let optional = [
            ("security.protocol", protocol),
            ("sasl.mechanism", mechanism),
            ("sasl.username", self.sasl_username.as_deref()),
            ("sasl.password", self.sasl_password.as_ref().map(Secret::expose)),
            ("ssl.ca.location", self.ssl_ca_location.as_deref()),
            ("ssl.certificate.location", self.ssl_certificate_location.as_deref()),
            ("ssl.key.location", self.ssl_key_location.as_deref()),
            ("ssl.key.password", self.ssl_key_password.as_ref().map(Secret::expose)),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                client.set(name, value);
            }
        }
        for (name, value) in self.properties.iter().filter(|(name, _)| *name != SKIPS_RECORDS) {
            client.set(name, value);
        }
        client
    }

    /// The same cluster with the login of a worker, where it has one of its own.
    #[must_use]
    pub fn of(&self, principal: &str) -> Self {
        let mut theirs = self.clone();
        if let Some(login) = self.principals.get(principal) {
            login.enter(principal, &mut theirs);
        }
        theirs
    }

    /// The user that a worker is to the brokers, as their ACLs name it.
    pub fn user_of(&self, principal: &str) -> String {
        let configured = self.principals.get(principal).and_then(|login| login.user.clone());
        configured.unwrap_or_else(|| principal.to_owned())
    }

    /// Reads the passwords that stand in files.
    ///
    /// # Errors
    /// [`LoginError`], which names the key.
    pub fn read_passwords(&mut self) -> Result<(), LoginError> {
        let own = login::password("kafka.sasl_password", self.sasl_password.as_ref(), self.sasl_password_file.take())?;
        self.sasl_password = own.or(self.sasl_password.take());
        for (name, login) in &mut self.principals {
            login.read_password(name)?;
        }
        Ok(())
    }

    /// Protocol and mechanism: as configured, or what a password asks for.
    fn security(&self) -> (Option<&str>, Option<&str>) {
        let (protocol, mechanism) = (self.security_protocol.as_deref(), self.sasl_mechanism.as_deref());
        if self.sasl_password.is_none() {
            return (protocol, mechanism);
        }
        let usual = if login::is_loopback(&self.bootstrap) { "sasl_plaintext" } else { "sasl_ssl" };
        (protocol.or(Some(usual)), mechanism.or(Some(login::MECHANISM)))
    }

    /// A name (of a topic, a group, a transactional id) with the prefix in front.
    pub fn topic(&self, base_name: &str) -> Arc<str> {
        format!("{}{base_name}", self.topic_prefix).into()
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("bootstrap", &self.bootstrap)
            .field("topic_prefix", &self.topic_prefix)
            .field("security_protocol", &self.security_protocol)
            .field("sasl_username", &self.sasl_username)
            .field("properties", &shown(&self.properties))
            .finish_non_exhaustive()
    }
}

/// A consumer that belongs to no loop: whoever reads a topic to its end, or along with others.
pub type PlainConsumer = BaseConsumer<Plain>;

/// The context of every [`PlainConsumer`]. The end of a partition comes as an error of the client; the default context would
/// log it as one, each time. It is an answer to `poll` and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl ClientContext for Plain {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!(%error, reason, "kafka client");
        }
    }
}

impl ConsumerContext for Plain {}

fn redacted<S: Serializer>(properties: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(shown(properties))
}

/// librdkafka's settings are public but for those that name a secret.
fn shown(properties: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let words = ["password", "secret", ".pem", "jaas", "sasl.oauthbearer.config"];
    let is_secret = |name: &str| words.iter().any(|word| name.contains(word));
    properties.iter().map(|(k, v)| (k.as_str(), if is_secret(k) { REDACTED } else { v.as_str() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn settings_pass_through_and_secrets_do_not_show() {
        let properties = [
            ("ssl.key.pem", "KEY"),
            ("sasl.oauthbearer.config", "principal=KEY"),
            ("socket.keepalive.enable", "true"),
            ("client.id", "mine"),
            (SKIPS_RECORDS, "true"),
        ];
        let config = KafkaConfig {
            topic_prefix: "t1.".to_owned(),
            sasl_password: Some("hush".into()),
            properties: properties.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..KafkaConfig::default()
        };
        let client = config.client();
        assert_eq!(client.get("sasl.password"), Some("hush"));
        assert_eq!(client.get("client.id"), Some("mine"), "the user's own setting wins");
        assert_eq!(client.get(SKIPS_RECORDS), None, "nothing is skipped");
        assert_eq!(&*config.topic("credit.risk.v1"), "t1.credit.risk.v1");
        let shown = crate::config::show(&config).expect("plain TOML") + &format!("{config:?}");
        assert!(!shown.contains("hush") && !shown.contains("KEY"), "{shown}");
        assert!(shown.contains("socket.keepalive.enable"));
    }

    /// Takes what is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("one thread").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_end_of_a_partition_is_no_line_in_the_log() {
        let rows = [(RDKafkaErrorCode::PartitionEOF, 0), (RDKafkaErrorCode::AllBrokersDown, 1)];
        for (code, expected) in rows {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
            tracing::subscriber::with_default(subscriber, || Plain.error(KafkaError::Global(code), "as told"));
            let logged = lines.0.lock().expect("one thread").iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(logged, expected, "{code:?}");
        }
    }
}
