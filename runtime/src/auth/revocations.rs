//! Tokens that were called back: single ones by their id, and all of a subject that were made before a time. They stand in a compacted
//! topic, so that a server without a database knows them from its start and hears of a new one at once. A record that cannot be read
//! called somebody back all the same: whom its key names, and where it names nobody, everybody until then.

use super::error::AuthError;
use super::{Claims, LEEWAY_S, LONGEST_NAME};
use crate::clock::{self, LATEST_MS};
use crate::health::Component;
use crate::kafka::{self, Isolation, KafkaConfig, Plain, PlainConsumer, reader};
use crate::outage::KAFKA;
use crate::warn_unless_away;
use chrono::DateTime;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Revocations that a server cannot read and that stand, by server.
pub const UNREADABLE: &str = "defaultx_revocations_unreadable";

const POLL: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to reach the topic.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// In words, of a server that knows revocations and hears of no new one.
const STAND: &str = "revocations cannot be read, those that are known stand";

/// What a server knows of revocations.
#[derive(Debug)]
pub struct Revocations(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Whether everything that was revoked before is here.
    is_complete: bool,
    /// Token id → seconds since 1970 at which it was revoked.
    tokens: HashMap<String, i64>,
    /// Subject → milliseconds since 1970 before which its tokens are worth nothing.
    subjects: HashMap<String, i64>,
    /// Key of a record that cannot be read → milliseconds since 1970 at which it was written.
    unreadable: HashMap<Vec<u8>, i64>,
}

impl Known {
    /// Whether a record that cannot be read may have called a token back. It was made before the record was written, unless clocks differ
    /// by more than they may; a subject may have been called back until a time to come, so that all of its tokens are meant.
    fn may_have_lost(&self, claims: &Claims, made_ms: i64) -> bool {
        if self.unreadable.is_empty() {
            return false;
        }
        let named = [key_of_token(&claims.jti), key_of_subject(&claims.sub)];
        let means_everybody = |key: &[u8]| !NAMING.iter().any(|naming| key.starts_with(naming.as_bytes()));
        named.iter().any(|key| self.unreadable.contains_key(key.as_bytes()))
            || self.unreadable.iter().any(|(key, at_ms)| {
                means_everybody(key) && made_ms < at_ms.saturating_add(LEEWAY_S.saturating_mul(1000))
            })
    }
}

/// What a server reads of a record.
#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    token_id: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    not_before: Option<String>,
    revoked_at: String,
}

const OF_TOKEN: &str = "token|";
const OF_SUBJECT: &str = "subject|";
/// How a key begins that names whom it is about.
const NAMING: [&str; 2] = [OF_TOKEN, OF_SUBJECT];

/// The key of a token's revocation.
pub fn key_of_token(id: &str) -> String {
    format!("{OF_TOKEN}{id}")
}

/// The key of a subject's.
pub fn key_of_subject(subject: &str) -> String {
    format!("{OF_SUBJECT}{subject}")
}

impl Revocations {
    /// Nothing is revoked.
    pub fn none() -> Self {
        Self(RwLock::new(Known { is_complete: true, ..Known::default() }))
    }

    /// Whether a token that is good otherwise was called back.
    pub(super) fn check(&self, claims: &Claims) -> Result<(), AuthError> {
        let known = self.read();
        if !known.is_complete {
            return Err(AuthError::NotReady);
        }
        let made_ms = claims.iat.saturating_mul(1000);
        let is_revoked = known.tokens.contains_key(&claims.jti)
            || known.subjects.get(&claims.sub).is_some_and(|not_before_ms| made_ms < *not_before_ms)
            || known.may_have_lost(claims, made_ms);
        if is_revoked { Err(AuthError::Refused("it was revoked")) } else { Ok(()) }
    }

    /// From now on nothing is known until it was read.
    pub(super) fn await_all(&self) {
        self.write().is_complete = false;
    }

    /// Forgets what concerns only tokens that have expired: those made before that second.
    pub(super) fn forget_before(&self, at_s: i64) {
        let mut known = self.write();
        known.tokens.retain(|_, revoked_s| *revoked_s >= at_s);
        known.subjects.retain(|_, not_before_ms| *not_before_ms >= at_s.saturating_mul(1000));
        // One of a subject may have been until a time to come.
        known
            .unreadable
            .retain(|key, at_ms| *at_ms >= at_s.saturating_mul(1000) || key.starts_with(OF_SUBJECT.as_bytes()));
    }

    /// How many records stand that cannot be read.
    pub(super) fn unreadable(&self) -> usize {
        self.read().unreadable.len()
    }

    /// Takes a record that was written at a time; one that cannot be read is kept as that, until its key is written again.
    ///
    /// # Errors
    /// What is wrong with it.
    fn take(&self, key: &[u8], value: Option<&[u8]>, at_ms: i64) -> Result<(), &'static str> {
        let applied = self.apply(key, value);
        let mut known = self.write();
        match applied {
            // A record without a value calls nobody back.
            Err(_) if value.is_some() => drop(known.unreadable.insert(key.to_owned(), at_ms)),
            _ => drop(known.unreadable.remove(key)),
        }
        applied
    }

    /// Applies a record; a tombstone takes back the revocation of its key.
    fn apply(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), &'static str> {
        let key = std::str::from_utf8(key).map_err(|_| "its key is not UTF-8")?;
        let mut known = self.write();
        let Some(value) = value else {
            if let Some(id) = key.strip_prefix(OF_TOKEN) {
                known.tokens.remove(id);
            } else if let Some(subject) = key.strip_prefix(OF_SUBJECT) {
                known.subjects.remove(subject);
            }
            return Ok(());
        };
        let said: Said = serde_json::from_slice(value).map_err(|_| "it is no revocation")?;
        let at_ms = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis().min(LATEST_MS));
        let revoked_ms = at_ms(&said.revoked_at).ok_or("revoked_at is no time")?;
        let fits = |text: &String| (1..=LONGEST_NAME).contains(&text.len());
        match (said.token_id.filter(fits), said.subject.filter(fits)) {
            (Some(id), None) => drop(known.tokens.insert(id, revoked_ms.div_euclid(1000))),
            (None, Some(subject)) => {
                let not_before_ms = said.not_before.as_deref().map_or(Some(revoked_ms), at_ms);
                let not_before_ms = not_before_ms.ok_or("not_before is no time")?;
                known.subjects.insert(subject, not_before_ms);
            }
            _ => return Err("it names no token and no subject, or both"),
        }
        Ok(())
    }

    /// Reads the topic from its beginning and goes on until it is told to stop. `between` is called again and again.
    pub(super) fn follow(
        &self,
        kafka: &KafkaConfig,
        topic: &str,
        health: &Component,
        stop: &CancellationToken,
        mut between: impl FnMut(&Self),
    ) -> Result<(), Infallible> {
        while !stop.is_cancelled() {
            if let Err(why) = self.read_on(kafka, topic, health, stop, &mut between) {
                warn_unless_away!(KAFKA, topic, %why, "revocations cannot be read; those that are known stand");
                match self.read().is_complete {
                    true => health.set_ready(true, format!("{STAND}: {why}")),
                    false => health.set_ready(false, why.to_string()),
                }
                between(self);
                std::thread::sleep(AGAIN_AFTER);
            }
        }
        Ok(())
    }

    fn read_on(
        &self,
        config: &KafkaConfig,
        topic: &str,
        health: &Component,
        stop: &CancellationToken,
        between: &mut impl FnMut(&Self),
    ) -> Result<(), Unread> {
        let (consumer, mut open) = assigned(config, topic)?;
        kafka::reached();
        // Since when nobody has answered.
        let mut lost: Option<Instant> = None;
        while !stop.is_cancelled() {
            between(self);
            if lost.is_some_and(|since| since.elapsed() >= AGAIN_AFTER) {
                // The client says when it lost the brokers, and not when it has them again.
                lost = match consumer.fetch_metadata(Some(topic), AGAIN_AFTER) {
                    Ok(_) => None,
                    Err(_) => Some(Instant::now()),
                };
                if lost.is_none() {
                    kafka::reached();
                    if open.is_empty() {
                        self.show_ready(health);
                    }
                }
            }
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(record)) => {
                    let (partition, offset) = (record.partition(), record.offset());
                    // Nobody writes in a time to come; a clock that does must not lock everybody out until then.
                    let now_ms = clock::now_ms();
                    let at_ms = record.timestamp().to_millis().map_or(now_ms, |at_ms| at_ms.min(now_ms));
                    let before = self.unreadable();
                    if let Err(why) = self.take(record.key().unwrap_or_default(), record.payload(), at_ms) {
                        tracing::error!(
                            topic,
                            partition,
                            offset,
                            why,
                            "a revocation cannot be read: whom it may mean is refused"
                        );
                    }
                    if self.unreadable() != before && open.is_empty() {
                        self.show_ready(health);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                    if open.is_empty() {
                        self.write().is_complete = true;
                        self.show_ready(health);
                    }
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error.into()),
                // The client mends by itself what is not fatal, such as a broker that restarts. What it cannot mend, such as a missing
                // right, must not be a riddle to whoever waits.
                Some(Err(error)) => {
                    warn_unless_away!(KAFKA, topic, %error, "revocations cannot be read; those that are known stand");
                    match self.read().is_complete {
                        true => health.set_ready(true, format!("{STAND}: {error}")),
                        false => health.set_ready(false, format!("revocations cannot be read: {error}")),
                    }
                    lost.get_or_insert_with(Instant::now);
                }
            }
        }
        Ok(())
    }

    /// Whoever asks with a token that is beyond doubt is served.
    fn show_ready(&self, health: &Component) {
        match self.unreadable() {
            0 => health.set_ready(true, "revocations are known"),
            count => health.set_ready(
                true,
                format!("revocations are known but for {count} that cannot be read: whom those may mean is refused"),
            ),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the topic cannot be read; all of it is tried again.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("asking for {topic}: {source}")]
    Asking { topic: String, source: KafkaError },
    #[error("topic {0} does not exist, or may not be read: `defaultx topics apply --acls` makes topics and rights")]
    NoTopic(String),
}

/// A reader of every partition, from the beginning.
fn assigned(kafka: &KafkaConfig, topic: &str) -> Result<(PlainConsumer, BTreeSet<i32>), Unread> {
    let mut config = reader(&kafka.client(), "defaultx-revocations", Isolation::Committed);
    config
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.max.messages.kbytes", "4096");
    let consumer: PlainConsumer = config.create_with_context(Plain)?;
    let metadata = consumer
        .fetch_metadata(Some(topic), TIMEOUT)
        .map_err(|source| Unread::Asking { topic: topic.to_owned(), source })?;
    let partitions: BTreeSet<i32> =
        metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id()).collect();
    if partitions.is_empty() {
        return Err(Unread::NoTopic(topic.to_owned()));
    }
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    Ok((consumer, partitions))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn claims(jti: &str, sub: &str, iat: i64) -> Claims {
        Claims {
            sub: sub.to_owned(),
            iss: String::new(),
            aud: String::new(),
            exp: iat + 60,
            nbf: iat,
            iat,
            jti: jti.to_owned(),
            roles: Vec::new(),
            tenant: "bank".to_owned(),
        }
    }

    #[test]
    fn a_token_is_called_back_by_its_id_and_by_when_it_was_made() {
        let known = Revocations::none();
        let put = |value: &str| known.apply(b"", Some(value.as_bytes()));
        put(r#"{"token_id":"t-1","revoked_at":"1970-01-01T00:02:00Z"}"#).unwrap();
        put(r#"{"subject":"ana","not_before":"1970-01-01T00:01:40.500Z","revoked_at":"1970-01-01T00:02:00Z"}"#)
            .unwrap();
        put(r#"{"subject":"bo","revoked_at":"1970-01-01T00:02:00Z"}"#).unwrap();
        let rows = [
            ("t-1", "cy", 130, false),
            ("t-2", "cy", 100, true),
            ("t-2", "ana", 100, false),
            ("t-2", "ana", 101, true),
            ("t-2", "bo", 119, false),
            ("t-2", "bo", 120, true),
        ];
        for (jti, sub, iat, good) in rows {
            assert_eq!(known.check(&claims(jti, sub, iat)).is_ok(), good, "{jti} of {sub} at {iat}");
        }
        known.apply(b"token|t-1", None).unwrap();
        assert!(known.check(&claims("t-1", "cy", 130)).is_ok(), "the revocation was taken back");
        known.forget_before(101);
        assert!(known.check(&claims("t-2", "ana", 100)).is_ok(), "such a token has long expired");
        assert!(known.check(&claims("t-2", "bo", 119)).is_err());
        known.await_all();
        assert!(matches!(known.check(&claims("t-3", "cy", 1)), Err(AuthError::NotReady)));
    }

    /// Good for none of those whom it may mean, and good for everybody else.
    #[test]
    fn a_revocation_that_cannot_be_read_calls_back_whom_it_may_mean() {
        const AT_MS: i64 = 100_000;
        let values = [
            "{",
            "{}",
            r#"{"token_id":"t-1","subject":"ana","revoked_at":"2026-01-01T00:00:00Z"}"#,
            r#"{"token_id":"t-1","revoked_at":"noon"}"#,
            r#"{"subject":"ana","not_before":"noon","revoked_at":"2026-01-01T00:00:00Z"}"#,
            r#"{"token_id":"","revoked_at":"2026-01-01T00:00:00Z"}"#,
        ];
        // The key, and whether a token is good: t-1 of cy from long ago, t-2 of ana, then cy's t-3 of before the record and of after.
        let rows: [(&[u8], [bool; 4]); 5] = [
            (b"token|t-1", [false, true, true, true]),
            (b"subject|ana", [true, false, true, true]),
            (b"tenant|bank", [false, true, false, true]),
            (b"", [false, true, false, true]),
            (b"\xff", [false, true, false, true]),
        ];
        let tokens = [("t-1", "cy", 1), ("t-2", "ana", 500), ("t-3", "cy", 104), ("t-3", "cy", 105)];
        for (value, (key, good)) in values.iter().flat_map(|value| rows.iter().map(move |row| (value, row))) {
            let known = Revocations::none();
            assert!(known.take(key, Some(value.as_bytes()), AT_MS).is_err(), "{value}");
            let is_good = |(jti, sub, iat)| known.check(&claims(jti, sub, iat)).is_ok();
            assert_eq!(tokens.map(is_good), *good, "{} {value}", String::from_utf8_lossy(key));
            assert_eq!(known.unreadable(), 1);
            known.take(key, Some(value.as_bytes()), AT_MS).unwrap_err();
            assert_eq!(known.unreadable(), 1, "read twice, it is one");
            // Whoever writes its key again mends it.
            assert_eq!(known.take(key, None, AT_MS).is_ok(), *key != b"\xff");
            assert_eq!((tokens.map(is_good), known.unreadable()), ([true; 4], 0));
        }
    }

    #[test]
    fn what_is_written_anew_counts_and_what_is_long_over_is_forgotten() {
        let known = Revocations::none();
        for key in ["token|t-1", "subject|ana", "x"] {
            known.take(key.as_bytes(), Some(b"{"), 100_000).unwrap_err();
        }
        let anew = r#"{"subject":"bo","revoked_at":"1970-01-01T00:02:00Z"}"#;
        known.take(b"x", Some(anew.as_bytes()), 120_000).unwrap();
        assert!(known.check(&claims("t-2", "cy", 1)).is_ok());
        assert!(known.check(&claims("t-2", "bo", 119)).is_err());
        known.forget_before(101);
        assert_eq!(known.unreadable(), 1, "ana may have been called back for longer");
        assert!(known.check(&claims("t-2", "ana", 1_000)).is_err());
        // Nobody is called back by a record without a value.
        known.take(b"\xff", None, 200_000).unwrap_err();
        assert_eq!(known.unreadable(), 1);
    }
}
