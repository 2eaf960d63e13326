//! How to reach Kafka: one section of the configuration, turned into client settings, and the plain readers made of them.

pub mod acl;
mod heard;
mod login;
mod plain;
mod roles;

pub use heard::Asker;
pub(crate) use heard::{Reach, error, late_error, line, reached};
pub(crate) use login::password;
pub use login::{Login, LoginError};
pub use plain::{Plain, PlainConsumer};
pub use roles::{Isolation, reader, writer};

use crate::config::{REDACTED, Secret};
use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The largest record that a client of ours sends: a sender's body with the headers of a dead letter on top.
pub const MESSAGE_MAX_BYTES: u32 = 17 << 20;

/// Bytes of the largest record between workers: a body at its limit and what a worker adds to it.
pub const RECORD_MAX_BYTES: u32 = 4 << 20;

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
    /// Whether a broker that is not on this machine may be reached without TLS: passwords and records can then be read on the way.
    pub allow_plaintext_to_broker: bool,
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
            allow_plaintext_to_broker: false,
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

    /// Whether nothing crosses a network readable, or somebody said that it may.
    ///
    /// # Errors
    /// [`Plaintext`] names the broker, and what to set.
    pub fn check_plaintext(&self) -> Result<(), Plaintext> {
        // As every client of ours gets it: `properties` win.
        let client = self.client();
        let protocol = client.get("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
        if self.allow_plaintext_to_broker || matches!(protocol.as_str(), "ssl" | "sasl_ssl") {
            return Ok(());
        }
        let lists = ["bootstrap.servers", "metadata.broker.list"].into_iter().filter_map(|name| client.get(name));
        let brokers = lists.flat_map(|list| list.split(',')).map(str::trim).filter(|broker| !broker.is_empty());
        let mut far = brokers.filter(|broker| !is_loopback(host_of(broker)));
        far.next().map_or(Ok(()), |broker| Err(Plaintext(broker.to_owned())))
    }

    /// The same cluster with the login of a worker, where it has one of its own.
    #[must_use]
    pub fn of(&self, principal: &str) -> Self {
        let mut theirs = self.clone();
        if let Some(login) = self.principals.get(principal) {
            theirs.enter(principal, login);
        }
        theirs
    }

    /// Puts a worker's login in place of the one that commands have. One that only names a user, for an operator's ACLs, changes nothing.
    fn enter(&mut self, principal: &str, login: &Login) {
        if let Some(password) = &login.password {
            self.sasl_username = Some(login.user.clone().unwrap_or_else(|| principal.to_owned()));
            self.sasl_password = Some(password.clone());
        }
        if login.ssl_certificate_location.is_some() {
            self.ssl_certificate_location.clone_from(&login.ssl_certificate_location);
            self.ssl_key_location.clone_from(&login.ssl_key_location);
            self.ssl_key_password.clone_from(&login.ssl_key_password);
        }
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
        let mut brokers = self.bootstrap.split(',');
        let usual =
            if brokers.all(|broker| is_loopback(host_of(broker.trim()))) { "sasl_plaintext" } else { "sasl_ssl" };
        (protocol.or(Some(usual)), mechanism.or(Some(login::MECHANISM)))
    }

    /// A name (of a topic, a group, a transactional id) with the prefix in front.
    pub fn topic(&self, base_name: &str) -> Arc<str> {
        format!("{}{base_name}", self.topic_prefix).into()
    }
}

/// Without TLS over a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "[kafka] bootstrap leads to {0} without TLS: set security_protocol to \"ssl\" or \"sasl_ssl\"; where the network is trusted as a \
     whole, [kafka] allow_plaintext_to_broker = true takes it"
)]
pub struct Plaintext(String);

/// The host of a broker's address, `[PROTOCOL://]host[:port]`.
fn host_of(broker: &str) -> &str {
    let address = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
    match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => address.rsplit_once(':').map_or(address, |(host, _)| host),
    }
}

/// Whether a host is this machine by its very name: names are not resolved, since others may answer for them.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.parse::<IpAddr>().map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |ip| ip.to_canonical().is_loopback())
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

fn redacted<S: Serializer>(properties: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(shown(properties))
}

/// Settings below `sasl.` and `ssl.` that show whom or where, and nothing that opens anything.
const PLAIN: &[&str] = &[
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.kerberos.service.name",
    "sasl.kerberos.principal",
    "sasl.oauthbearer.method",
    "ssl.endpoint.identification.algorithm",
    "ssl.cipher.suites",
    "ssl.curves.list",
    "ssl.sigalgs.list",
];

/// librdkafka's settings are public but for those of SASL and TLS, and what sounds like a secret. What is not known to be plain is not
/// shown: `sasl.oauthbearer.config` holds a secret, and the next version brings another one.
fn shown(properties: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let sounds_secret = |name: &str| {
        ["password", "passphrase", "secret", ".pem", "jaas", "token", "credential"]
            .iter()
            .any(|word| name.contains(word))
    };
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        let is_of_security = name.starts_with("sasl.") || name.starts_with("ssl.") || name.starts_with("ssl_");
        let is_plain = PLAIN.contains(&name.as_str()) || name.ends_with(".location");
        sounds_secret(&name) || is_of_security && !is_plain
    };
    properties.iter().map(|(k, v)| (k.as_str(), if is_secret(k) { REDACTED } else { v.as_str() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_opens_something_is_not_shown_under_any_name() {
        let rows = [
            ("sasl.oauthbearer.config", false),
            ("sasl.oauthbearer.client.secret", false),
            ("sasl.oauthbearer.extensions", false),
            ("sasl.oauthbearer.assertion.private.key.passphrase", false),
            ("sasl.oauthbearer.of.tomorrow", false),
            ("sasl.password", false),
            ("SASL.PASSWORD", false),
            ("sasl.kerberos.kinit.cmd", false),
            ("ssl.key.pem", false),
            ("ssl.keystore.password", false),
            ("ssl_engine_callback_data", false),
            ("my.token", false),
            ("sasl.username", true),
            ("sasl.mechanisms", true),
            ("ssl.ca.location", true),
            ("socket.keepalive.enable", true),
            ("client.id", true),
        ];
        for (name, plain) in rows {
            let properties = [(name.to_owned(), "hush".to_owned())].into();
            let config = KafkaConfig { properties, ..KafkaConfig::default() };
            let shown = crate::config::show(&config).expect("plain TOML") + &format!("{config:?}");
            assert_eq!(shown.contains("hush"), plain, "{name}");
        }
    }

    #[test]
    fn nothing_crosses_a_network_readable_unless_somebody_said_so() {
        let of = |bootstrap: &str, protocol: Option<&str>, property: Option<&str>| {
            let properties =
                property.map(|value| ("security.protocol".to_owned(), value.to_owned())).into_iter().collect();
            let (bootstrap, security_protocol) = (bootstrap.to_owned(), protocol.map(str::to_owned));
            KafkaConfig { bootstrap, security_protocol, properties, ..KafkaConfig::default() }
        };
        let rows = [
            ("127.0.0.1:9092", None, None, true),
            ("localhost:9092,[::1]:9092", None, None, true),
            ("PLAINTEXT://127.0.0.1:9092", None, None, true),
            ("", None, None, true),
            ("broker:9092", None, None, false),
            ("broker", None, None, false),
            ("127.0.0.1:9092, broker:9092", None, None, false),
            ("10.0.0.1:9092", Some("sasl_plaintext"), None, false),
            ("[2001:db8::1]:9092", Some("plaintext"), None, false),
            ("127.0.0.1.example:9092", None, None, false),
            ("broker:9092", Some("SASL_SSL"), None, true),
            ("broker:9092", Some("ssl"), None, true),
            ("broker:9092", None, Some("ssl"), true),
            ("broker:9092", Some("ssl"), Some("plaintext"), false),
        ];
        for (bootstrap, protocol, property, good) in rows {
            let config = of(bootstrap, protocol, property);
            assert_eq!(config.check_plaintext().is_ok(), good, "{bootstrap} {protocol:?} {property:?}");
            let allowed = KafkaConfig { allow_plaintext_to_broker: true, ..config };
            assert!(allowed.check_plaintext().is_ok());
        }
        let refused = of("broker:9092", None, None).check_plaintext().map_err(|error| error.to_string());
        assert!(refused.is_err_and(|why| why.contains("broker:9092") && why.contains("allow_plaintext_to_broker")));
    }
}
