//! Every knob of ingest, each with its unit and why.

use crate::error::Error;
use crate::products::Products;
use domain::FieldClasses;
use runtime::auth::{DOOR_AUDIENCE, MAX_MINUTES, Realm, Verifier};
use runtime::config::Secret;
use runtime::latest::Latest;
use runtime::stream::Tuning;
use schemas::attributes::Published;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Key of the demonstration tenant. Public, so it protects nobody: nothing starts with it unless [`Config::allow_demonstration_key`]
/// says that it may.
pub const DEMO_KEY: &str = "demo-1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Secret of the demonstration's digests. Public, so it hides nothing: the start of the worker says so in the log.
pub const DEMO_DIGEST_KEY: &str = "demo-1:ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// Section `[ingest]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Sender topic, without prefix → the one tenant that may write to it. `receive` reads exactly these topics.
    pub tenant_of_topic: BTreeMap<String, String>,
    /// Tenant → `key_id:hexadecimal`, the key that makes pseudonyms of customer references. Never changed under the same id:
    /// the same customer would become another subject.
    pub subject_keys: BTreeMap<String, Secret>,
    /// `key_id:hexadecimal`, 32 bytes or more: the secret of which each tenant's key for digests of bodies is made. Whoever knows
    /// it can try values of what was stripped until one fits a digest. The same in every process with ingest; changed in three
    /// steps (docs/OPERATIONS.md). A deployment on one machine makes its own.
    pub digest_key: Secret,
    /// Likewise, only while `digest_key` is changed: the other one of the two. Empty otherwise.
    pub digest_key_also: Secret,
    /// Whether the key of the demonstration, which everybody knows, may make pseudonyms. Only where no applicant is a real one.
    pub allow_demonstration_key: bool,
    /// Products that are taken; any other is refused at the border, not decided by accident. A list of names, or a table for each, such
    /// as `[ingest.products.credit_card]` with `currencies = ["USD"]`: what is asked for in another currency is refused as well. A
    /// product without currencies takes any of ISO 4217.
    pub products: Products,
    /// Tenants whose applications are refused where an attribute has a name, a type or a word that no model of the product reads. Others
    /// hear a warning, and the score is made without it. docs/attributes.md says more.
    pub strict_attributes: Vec<String>,
    /// Bytes of one body. Larger ones are refused before they are parsed.
    pub max_body_bytes: usize,
    /// Levels of one body; bounds the parser's stack.
    pub max_depth: usize,
    /// Whether a body may come as Confluent's JSON Schema serializers write it, with a zero byte and four bytes of a schema's id before
    /// the JSON: they are taken off, and no registry is asked. Where it is not set such a record is `schema_registry_framing`.
    pub accept_schema_registry_framing: bool,
    /// Seconds by which a sender's clock may run ahead of the broker's.
    pub clock_skew_seconds: u32,
    /// Days that `submitted_at` may lie back; older ones are a sender's mistake, such as a clock that was never set.
    pub oldest_submission_days: u32,
    /// By what deduplication remembers a body. `spelling` only while instances of a version before that knows no `meaning` run beside
    /// this one (docs/equality.md).
    pub equality: Equality,
    /// Days over which an application is remembered, by the broker's clock. Longer than any sender may resend or any topic
    /// keep: a record that is older is `stale`.
    pub dedup_window_days: u32,
    /// New applications, and withdrawals of unknown ones, of one tenant that are remembered on a UTC day of the broker's clock; over
    /// it they are `rejected(tenant_quota)`, so that no tenant fills the memory of all. Each partition counts its equal share for
    /// itself, so the first ones are refused some hundreds before the quota. 0 sets no limit.
    pub tenant_quota_per_day: u32,
    /// Address of the HTTP door, such as `127.0.0.1:8080`; empty opens none. Port 0 takes a free one.
    pub door_address: String,
    /// What tokens are checked with: a public Ed25519 key in PEM form, a JWK set, or the path of a file that holds one of them; a file
    /// is read again when it changes. The tenant of a token is the sender's.
    pub door_token_key: String,
    /// `iss` of tokens; empty takes any.
    pub door_token_issuer: String,
    /// `aud` of tokens: not that of read-api, so that a token for looking sends nothing.
    pub door_token_audience: String,
    /// Minutes for which a token may be good, from when it was made; one that says more is refused.
    pub door_token_max_minutes: u32,
    /// Whether whoever reaches the door may send without a token, as `door_tenant`. Only where nobody reaches it who may not.
    pub door_allow_anonymous: bool,
    /// Tenant of requests where `door_allow_anonymous` asks for no token.
    pub door_tenant: String,
    /// Bytes of one request; NDJSON has many bodies.
    pub door_max_request_bytes: usize,
    /// Lines of one NDJSON request: they share one transaction.
    pub door_max_lines: usize,
    /// Requests handled at once; more are answered 503. A tenant without any gets its first one all the same.
    pub door_max_concurrent: usize,
    /// Requests of one tenant handled at once; more are answered 429, so that no tenant takes the places of the others.
    pub door_max_concurrent_per_tenant: usize,
    /// Bytes of bodies held at once, until Kafka has them; more are answered 503, so that memory stays bounded when Kafka is slow.
    pub door_max_held_bytes: usize,
    /// Bytes of one tenant's bodies held at once; more are answered 429.
    pub door_max_held_bytes_per_tenant: usize,
    /// Requests parsed at once; others wait. A body may become a tree of 15 MiB.
    pub door_max_parsing: usize,
    /// Milliseconds that a body may take before a rate is asked of it.
    pub door_body_grace_ms: u64,
    /// Bytes a second at which a body must come after its grace; a slower one is answered 408.
    pub door_body_bytes_per_second: u32,
    /// Connections from one address, or from one IPv6 network of 64 bits. To be raised where a proxy stands before the door.
    pub door_connections_per_address: usize,
    /// Requests a second over all senders; more are answered 429. 0 sets no limit.
    pub door_requests_per_second: u32,
    /// Applications and withdrawals a second of one tenant; more are answered 429 with the seconds to wait. 0 sets no limit.
    pub door_records_per_second_per_tenant: u32,
    /// Idempotency keys of one tenant that a door remembers, so that one that comes again with another body is refused. About 100
    /// bytes each; 0 remembers none.
    pub door_idempotency_keys: usize,
    /// Seconds of that rate that a tenant may send at once.
    pub door_burst_seconds: u32,
    /// Records of one transaction: requests that come while one is under way share the next.
    pub door_group_records: usize,
    /// Milliseconds that Kafka may take for a request, once it has been read, before it is answered 503; and that any call to the broker
    /// may take.
    pub door_timeout_ms: u64,
    /// Knobs of the receiving loop.
    pub receive: Tuning,
    /// Knobs of the admitting loop; its `state_cap` is the cap of remembered applications.
    pub admit: Tuning,
    /// Which free members are personal. No knob: whoever starts the worker fills in what the feature contracts of
    /// `[scorer] models_dir` say.
    #[serde(skip)]
    pub classes: FieldClasses,
    /// What the models of each product read of `attributes`. No knob: whoever starts the worker fills it in, and replaces it when packages
    /// or routes change.
    #[serde(skip)]
    pub attributes: Latest<Published>,
}

/// By what a body is remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Equality {
    /// By its shortest spelling: whatever says the same is a duplicate.
    #[default]
    Meaning,
    /// As it was sent, like a version before.
    Spelling,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tenant_of_topic: [("loan.applications.v1".to_owned(), "demo".to_owned())].into(),
            subject_keys: [("demo".to_owned(), Secret::from(DEMO_KEY))].into(),
            digest_key: Secret::from(DEMO_DIGEST_KEY),
            digest_key_also: Secret::default(),
            allow_demonstration_key: false,
            // Those of the demonstration, in the currencies of its policy.
            products: Products::of([
                ("credit_card", &["TWD"][..]),
                ("small_business_term", &["USD"][..]),
                ("consumer_instalment", &["DEM"][..]),
            ]),
            strict_attributes: Vec::new(),
            max_body_bytes: 1 << 20,
            max_depth: 32,
            accept_schema_registry_framing: false,
            clock_skew_seconds: 300,
            oldest_submission_days: 3660,
            equality: Equality::Meaning,
            dedup_window_days: 30,
            tenant_quota_per_day: 150_000,
            door_address: String::new(),
            door_token_key: String::new(),
            door_token_issuer: Realm::default().issuer,
            door_token_audience: DOOR_AUDIENCE.to_owned(),
            door_token_max_minutes: MAX_MINUTES,
            door_allow_anonymous: false,
            door_tenant: "demo".to_owned(),
            door_max_request_bytes: 4 << 20,
            door_max_lines: 1000,
            door_max_concurrent: 256,
            door_max_concurrent_per_tenant: 64,
            door_max_held_bytes: 64 << 20,
            door_max_held_bytes_per_tenant: 16 << 20,
            door_max_parsing: 4,
            door_body_grace_ms: 10_000,
            door_body_bytes_per_second: 64 << 10,
            door_connections_per_address: 128,
            door_requests_per_second: 0,
            door_records_per_second_per_tenant: 1000,
            door_burst_seconds: 10,
            door_idempotency_keys: 10_000,
            door_group_records: 2000,
            door_timeout_ms: 10_000,
            receive: Tuning::default(),
            admit: Tuning::default(),
            classes: FieldClasses::default(),
            attributes: Latest::default(),
        }
    }
}

impl Config {
    /// Settings that hold a key of the demonstration, which everybody knows.
    pub fn public_keys(&self) -> Vec<String> {
        // Another id does not hide the same bytes.
        let bytes = |key: &str| key.rsplit_once(':').map_or(key, |(_, digits)| digits).to_ascii_lowercase();
        let is = |key: &Secret, public: &str| bytes(key.expose()) == bytes(public);
        let subjects = self.subject_keys.iter().filter(|(_, key)| is(key, DEMO_KEY));
        let subjects = subjects.map(|(tenant, _)| format!("subject_keys.{tenant}"));
        let digests = [("digest_key", &self.digest_key), ("digest_key_also", &self.digest_key_also)];
        let digests = digests.into_iter().filter(|(_, key)| is(key, DEMO_DIGEST_KEY)).map(|(name, _)| name.to_owned());
        subjects.chain(digests).collect()
    }

    /// The topics of senders, without prefix.
    pub fn sender_topics(&self) -> Vec<String> {
        self.tenant_of_topic.keys().cloned().collect()
    }

    /// Whether the keys of pseudonyms and of digests protect anybody.
    ///
    /// # Errors
    /// [`Error::Config`] names the setting whose key everybody knows.
    pub fn check_public_keys(&self) -> Result<(), Error> {
        match self.public_keys().first() {
            Some(setting) if !self.allow_demonstration_key => Err(Error::Config(format!(
                "[ingest] {setting} is the key of the demonstration, which everybody knows: set one of your own, such as \
                 \"k1:\" and 64 hexadecimal digits of `openssl rand -hex 32`. Where no applicant is a real one, [ingest] \
                 allow_demonstration_key = true takes it"
            ))),
            _ => Ok(()),
        }
    }

    /// What checks tokens at the door; none where it asks for no token.
    ///
    /// # Errors
    /// [`Error::Door`] when there is no key and nobody said that none is wanted, or it cannot be used.
    pub fn door_verifier(&self) -> Result<Option<Verifier>, Error> {
        if self.door_token_key.trim().is_empty() {
            let why = "[ingest] door_token_key is not set, so that whoever reaches the door could send. Set it: `defaultx token --help` \
                       says how a key is made. Where nobody reaches the door who may not send, [ingest] door_allow_anonymous = true \
                       opens it";
            return if self.door_allow_anonymous { Ok(None) } else { Err(Error::Door(why.to_owned())) };
        }
        let realm = Realm { issuer: self.door_token_issuer.clone(), audience: self.door_token_audience.clone() };
        let verifier = Verifier::new(&self.door_token_key, &realm, self.door_token_max_minutes);
        verifier.map(Some).map_err(|error| Error::Door(format!("[ingest] door_token_key: {error}")))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_everybody_knows_is_refused_under_any_name() {
        let known = DEMO_KEY.split_once(':').unwrap().1;
        let rows = [
            (DEMO_KEY.to_owned(), false, false),
            (DEMO_KEY.to_owned(), true, true),
            (format!("k1:{}", known.to_uppercase()), false, false),
            (format!("k1:{}", "0f".repeat(32)), false, true),
        ];
        for (key, allow_demonstration_key, good) in rows {
            let subject_keys = [("bank".to_owned(), Secret::from(key.as_str()))].into();
            let digest_key = Secret::from(format!("d1:{}", "0e".repeat(32)).as_str());
            let config = Config { subject_keys, digest_key, allow_demonstration_key, ..Config::default() };
            let checked = config.check_public_keys().map_err(|error| error.to_string());
            assert_eq!(checked.is_ok(), good, "{key}: {checked:?}");
            let names =
                |why: String| why.contains("bank") && why.contains("allow_demonstration_key") && !why.contains(known);
            assert!(checked.err().is_none_or(names));
        }
        let subject_keys = [("bank".to_owned(), Secret::from(format!("k1:{}", "0f".repeat(32)).as_str()))].into();
        let config = Config { subject_keys, ..Config::default() };
        assert_eq!(config.public_keys(), ["digest_key"]);
    }

    #[test]
    fn a_door_asks_for_tokens_unless_it_is_told_not_to() {
        let (_, public) = runtime::auth::generate().unwrap();
        let asks = |key: &str, door_allow_anonymous| {
            let config = Config { door_token_key: key.to_owned(), door_allow_anonymous, ..Config::default() };
            config.door_verifier().map(|verifier| verifier.is_some()).map_err(|error| error.to_string())
        };
        assert_eq!((asks(&public, false), asks(&public, true), asks("", true)), (Ok(true), Ok(true), Ok(false)));
        let refused = asks("", false).unwrap_err();
        assert!(refused.contains("door_token_key") && refused.contains("door_allow_anonymous"), "{refused}");
        assert!(asks("/no/such/file", false).unwrap_err().contains("/no/such/file"));
    }
}
