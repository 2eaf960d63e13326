//! The knobs of notifier, and the checks that only need the text. Opens nothing.

use crate::address;
use crate::deliver::Schedule;
use crate::error::Error;
use crate::filters::{Filter, Known};
use domain::{Digest, Outcome, Tenant};
use runtime::auth::EVERY_TENANT;
use runtime::config::Secret;
use schemas::{Word, decision};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Most subscriptions of a deployment: each has workers of its own, so that a slow receiver delays nobody else.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 64;

/// In front of a secret's base64.
const SECRET_PREFIX: &str = "whsec_";
/// Bytes of a secret, as Standard Webhooks have it: a shorter one could be guessed.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;

/// Section `[notifier]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who is told, of what. `[[notifier.subscriptions]]`, at most 64.
    pub subscriptions: Vec<Subscription>,
    /// Whether receivers may stand on loopback, private or otherwise special addresses, and be reached without TLS. For one
    /// machine and for networks that are trusted as a whole; otherwise a subscription could be used to probe the inside.
    pub allow_private_addresses: bool,
    /// Rows leased at once. Larger spreads the cost of a claim, smaller leaves more to other instances.
    pub claim_rows: usize,
    /// Requests under way at once, for each subscription and instance.
    pub concurrency: usize,
    /// Milliseconds for one attempt, from resolving the name to the last byte of the answer.
    pub request_timeout_ms: u64,
    /// Milliseconds for resolving and connecting, within the above.
    pub connect_timeout_ms: u64,
    /// Most bytes of an answer that are read; what lies beyond is left and the connection closed.
    pub response_max_bytes: usize,
    /// Milliseconds for which a claimed row is nobody else's. Must leave time for an attempt; a crash delays a delivery by this.
    pub lease_ms: u64,
    /// Milliseconds between looks at an empty queue, at most. New decisions of this instance wake it at once.
    pub idle_poll_ms: u64,
    /// Seconds before the second, third … attempt. After the last the delivery has failed.
    pub retry_after_s: Vec<u64>,
    /// Share of each wait that is drawn at random on top, 0 to 1, so that retries do not come in step.
    pub jitter: f64,
    /// Milliseconds to wait for Kafka to take receipts; those not taken are sent later.
    pub receipt_timeout_ms: u64,
    /// Milliseconds between looks at late receipts and at the queue's gauges.
    pub sweep_ms: u64,
    /// Days for which deliveries that ended are kept, their receipts taken; 0 keeps them for ever. A decision that is read again
    /// after that, because offsets were set back, is told again.
    pub keep_days: u32,
    /// Writers of the queue: a partition of decisions belongs to shard (partition mod shards). One is enough for tens of
    /// thousands a second.
    pub shards: u32,
    /// Most decisions in a database transaction.
    pub batch_records: usize,
    /// Most bytes of decisions in a database transaction.
    pub batch_bytes: usize,
    /// Milliseconds to wait for more decisions once there is one.
    pub linger_ms: u64,
    /// Tenants of this deployment beside those that `[ingest]` names, for a process whose configuration has no keys of theirs:
    /// subscriptions name known tenants only.
    pub known_tenants: Vec<String>,
    /// What else subscriptions may name. No knob: whoever starts the worker fills in what `[ingest]` says.
    #[serde(skip)]
    pub known: Known,
}

/// One receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// `[A-Za-z0-9._:-]{1,64}`; part of every delivery's id, so never reused for another receiver.
    pub id: String,
    /// Where to post. May hold a token, so it does not print.
    pub url: Secret,
    /// `whsec_…` (base64 of 24 to 64 bytes). Each attempt is signed with all of them: put a new one first, drop the old one
    /// once the receiver knows the new.
    pub secrets: Vec<Secret>,
    /// What is told; `decision.made.v1`.
    #[serde(default = "default_event_types")]
    pub event_types: Vec<String>,
    /// Decisions on applications of these tenants, one at least. `["*"]` is all of them, for a receiver that serves them all.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// Only these products, of those in `[ingest] products`; empty is all.
    #[serde(default)]
    pub products: Vec<String>,
    /// Only these outcomes; empty is all, those of tomorrow included.
    #[serde(default)]
    pub outcomes: Vec<Word<Outcome>>,
    /// False: nothing is queued and nothing is sent; what is queued waits.
    #[serde(default = "default_enabled")]
    pub enabled: bool,
}

impl Subscription {
    /// SHA-256 of its URL, under which an endpoint is disabled.
    pub(crate) fn url_sha256(&self) -> [u8; 32] {
        Digest::of(self.url.expose().as_bytes()).0
    }
}

fn default_event_types() -> Vec<String> {
    vec![decision::MADE.to_owned()]
}

fn default_enabled() -> bool {
    true
}

impl Default for Config {
    fn default() -> Self {
        Self {
            subscriptions: Vec::new(),
            allow_private_addresses: false,
            claim_rows: 200,
            concurrency: 32,
            request_timeout_ms: 15_000,
            connect_timeout_ms: 5_000,
            response_max_bytes: 16 << 10,
            lease_ms: 60_000,
            idle_poll_ms: 1_000,
            retry_after_s: vec![5, 300, 1_800, 7_200, 18_000, 36_000],
            jitter: 0.2,
            receipt_timeout_ms: 5_000,
            sweep_ms: 5_000,
            keep_days: 90,
            shards: 1,
            batch_records: 1_000,
            batch_bytes: 8 << 20,
            linger_ms: 20,
            known_tenants: Vec::new(),
            known: Known::default(),
        }
    }
}

impl Config {
    /// Checks what can be checked without a network.
    ///
    /// # Errors
    /// [`Error::Config`] names the knob or the subscription, and all of them where several are wrong; never a secret.
    pub fn check(&self) -> Result<(), Error> {
        let faults = self.faults();
        if faults.is_empty() { Ok(()) } else { Err(Error::Config(faults.join("; "))) }
    }

    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<String> {
        let bounds = [
            ("subscriptions", self.subscriptions.len() <= MAX_SUBSCRIPTIONS, "are too many"),
            ("claim_rows", (1..=10_000).contains(&self.claim_rows), "must be 1 to 10000"),
            ("concurrency", (1..=1_024).contains(&self.concurrency), "must be 1 to 1024"),
            ("request_timeout_ms", (1..=600_000).contains(&self.request_timeout_ms), "must be 1 to 600000"),
            ("lease_ms", self.lease_ms >= self.request_timeout_ms * 2, "must be twice request_timeout_ms at least"),
            ("jitter", (0.0..=1.0).contains(&self.jitter), "must be 0 to 1"),
            ("retry_after_s", self.retry_after_s.iter().all(|s| *s <= 86_400 * 30), "holds more than 30 days"),
            ("shards", self.shards >= 1, "must be 1 at least"),
            ("batch_records", self.batch_records >= 1, "must be 1 at least"),
            ("known_tenants", self.known_tenants.iter().all(|t| Tenant::new(t).is_ok()), "holds what can be no tenant"),
        ];
        let knobs = bounds.into_iter().filter(|(_, holds, _)| !holds).map(|(knob, _, why)| format!("{knob} {why}"));
        let subscriptions = self.subscriptions.iter().enumerate().filter_map(|(index, subscription)| {
            let twin = self.subscriptions[..index].iter().any(|other| other.id == subscription.id);
            let checked = if twin { Err("is there twice".to_owned()) } else { self.check_one(subscription) };
            checked.err().map(|why| format!("subscription {:?} {why}", subscription.id))
        });
        knobs.chain(subscriptions).collect()
    }

    fn check_one(&self, subscription: &Subscription) -> Result<(), String> {
        domain::ids::ApplicationId::new(&subscription.id).map_err(|_| "has an id outside [A-Za-z0-9._:-]{1,64}")?;
        address::endpoint(subscription.url.expose(), self.allow_private_addresses)?;
        if subscription.secrets.is_empty() || subscription.secrets.len() > 4 {
            return Err("must have 1 to 4 secrets".to_owned());
        }
        let secrets = subscription.secrets.iter().enumerate();
        let secrets = secrets.filter_map(|(at, secret)| Some(format!("secrets[{at}]: {}", fault_of_secret(secret)?)));
        let faults: Vec<String> = secrets.chain(self.filters(subscription).iter().flat_map(Filter::faults)).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }

    /// What a subscription names, beside what there is.
    fn filters<'a>(&'a self, subscription: &'a Subscription) -> [Filter<'a>; 4] {
        let Known { products, tenants } = &self.known;
        let texts = |list: &'a [String]| list.iter().map(String::as_str).collect::<Vec<_>>();
        let tenants = tenants.iter().chain(&self.known_tenants).map(String::as_str);
        [
            Filter {
                key: "event_types",
                wanted: texts(&subscription.event_types),
                known: vec![decision::MADE],
                is: "event that is sent",
                empty: Some("leave it out, and decisions are sent"),
            },
            Filter {
                key: "tenants",
                wanted: texts(&subscription.tenants),
                known: tenants.chain([EVERY_TENANT]).collect(),
                is: "tenant of [ingest] tenant_of_topic or subject_keys, or of [notifier] known_tenants",
                empty: Some("name tenants, or [\"*\"] for all of them"),
            },
            Filter {
                key: "products",
                wanted: texts(&subscription.products),
                known: texts(products),
                is: "product of [ingest] products",
                empty: None,
            },
            Filter {
                key: "outcomes",
                wanted: subscription.outcomes.iter().map(Word::as_str).collect(),
                known: Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect(),
                is: "outcome",
                empty: None,
            },
        ]
    }

    /// The retry schedule.
    pub fn schedule(&self) -> Schedule {
        let waits = self.retry_after_s.iter().map(|seconds| Duration::from_secs(*seconds)).collect();
        Schedule { waits, jitter: self.jitter }
    }
}

/// What is wrong with a secret. Says how long it is, and nothing of what it is.
fn fault_of_secret(secret: &Secret) -> Option<String> {
    let text = secret.expose();
    if standardwebhooks::Webhook::new(text).is_err() {
        return Some("is not whsec_ and base64".to_owned());
    }
    let bytes = text.strip_prefix(SECRET_PREFIX).unwrap_or(text).trim_end_matches('=').len() * 3 / 4;
    (!SECRET_BYTES.contains(&bytes)).then(|| {
        let (least, most) = (SECRET_BYTES.start(), SECRET_BYTES.end());
        format!(
            "is base64 of {bytes} bytes, and Standard Webhooks wants {least} to {most}: `echo whsec_$(openssl rand -base64 32)` makes \
             one, which the receiver must be given"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription() -> Subscription {
        Subscription {
            id: "los".to_owned(),
            url: "https://los.example.com/hook".into(),
            secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()],
            event_types: default_event_types(),
            tenants: vec!["demo".to_owned()],
            products: Vec::new(),
            outcomes: Vec::new(),
            enabled: true,
        }
    }

    fn bytes_of(count: usize) -> String {
        let key = "A".repeat((count * 4).div_ceil(3));
        format!("{SECRET_PREFIX}{key}{}", "=".repeat(key.len().next_multiple_of(4) - key.len()))
    }

    #[test]
    fn what_cannot_work_is_refused_at_the_start() {
        type Change = fn(&mut Config);
        let cases: [(&str, Change, &str); 26] = [
            ("as it is", |_| {}, ""),
            ("twins", |c| c.subscriptions.push(c.subscriptions[0].clone()), "is there twice"),
            ("no secret", |c| c.subscriptions[0].secrets.clear(), "1 to 4 secrets"),
            ("bad secret", |c| c.subscriptions[0].secrets[0] = "whsec_!".into(), "secrets[0]: is not whsec_"),
            (
                "short secret",
                |c| c.subscriptions[0].secrets.push("whsec_aHVzaCE=".into()),
                "secrets[1]: is base64 of 5 bytes",
            ),
            ("a byte too few", |c| c.subscriptions[0].secrets[0] = bytes_of(23).into(), "24 to 64"),
            ("the least", |c| c.subscriptions[0].secrets[0] = bytes_of(24).into(), ""),
            ("the most", |c| c.subscriptions[0].secrets[0] = bytes_of(64).into(), ""),
            ("a byte too many", |c| c.subscriptions[0].secrets[0] = bytes_of(65).into(), "65 bytes"),
            ("no TLS", |c| c.subscriptions[0].url = "http://los.example.com/".into(), "allow_private_addresses"),
            ("no scheme", |c| c.subscriptions[0].url = "los.example.com/hook".into(), "without a scheme"),
            ("host and port", |c| c.subscriptions[0].url = "los.example.com:8443/hook".into(), "without a scheme"),
            ("inside", |c| c.subscriptions[0].url = "https://10.0.0.1/".into(), "private"),
            (
                "unknown event",
                |c| c.subscriptions[0].event_types = vec!["decision.made".into()],
                "\"decision.made.v1\"?",
            ),
            ("no event", |c| c.subscriptions[0].event_types.clear(), "event_types is empty"),
            (
                "unknown outcome",
                |c| c.subscriptions[0].outcomes = vec![Word::parse("aproved")],
                "outcomes[0]: \"aproved\"",
            ),
            ("what is meant by it", |c| c.subscriptions[0].outcomes = vec![Word::parse("aproved")], "\"approve\"?"),
            ("short lease", |c| c.lease_ms = 20_000, "lease_ms"),
            ("every tenant", |c| c.subscriptions[0].tenants = vec!["*".into()], ""),
            ("a tenant of this section", |c| c.subscriptions[0].tenants = vec!["bank-a".into()], ""),
            ("no tenant's name", |c| c.subscriptions[0].tenants = vec!["de mo".into()], "did you mean \"demo\"?"),
            ("unknown tenant", |c| c.subscriptions[0].tenants = vec!["demo".into(), "bank-b".into()], "tenants[1]"),
            ("no tenant", |c| c.subscriptions[0].tenants.clear(), "tenants is empty"),
            ("unknown product", |c| c.subscriptions[0].products = vec!["credit_cart".into()], "\"credit_card\"?"),
            ("nobody's tenant", |c| c.known_tenants.push("*".into()), "known_tenants holds"),
            ("bad id", |c| c.subscriptions[0].id = "a b".into(), "id outside"),
        ];
        for (name, change, wanted) in cases {
            let known = Known { products: vec!["credit_card".to_owned()], tenants: vec!["demo".to_owned()] };
            let known_tenants = vec!["bank-a".to_owned()];
            let mut config = Config { subscriptions: vec![subscription()], known_tenants, known, ..Config::default() };
            change(&mut config);
            match config.check() {
                Ok(()) => assert_eq!(wanted, "", "{name} passed"),
                Err(error) => assert!(!wanted.is_empty() && error.to_string().contains(wanted), "{name}: {error}"),
            }
        }
    }

    #[test]
    fn neither_url_nor_secret_prints() {
        let config = Config { subscriptions: vec![subscription()], ..Config::default() };
        let printed = format!("{config:?}{}", runtime::config::show(&config).unwrap_or_default());
        assert!(!printed.contains("MfKQ9") && !printed.contains("example.com"), "{printed}");
        assert!(printed.contains("los"));
    }
}
