//! The knobs of audit-sink.

use crate::error::Error;
use audit_log::DigestKey;
use runtime::config::Secret;
use serde::{Deserialize, Serialize};

/// Section `[audit-sink]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Number of logs; a partition belongs to log (partition mod shards). Fixed at the first entry: another number is
    /// refused. One log is one writer, enough for tens of thousands of records a second.
    pub shards: u32,
    /// Most records in a database transaction. Larger spreads the cost of a commit, smaller holds less in memory.
    pub batch_records: usize,
    /// Most bytes of values in a database transaction.
    pub batch_bytes: usize,
    /// Milliseconds to wait for more records once there is one; a full batch waits for nothing. Nobody waits for the log, and a
    /// transaction a second is cheaper than twenty. The identity store waits likewise.
    pub linger_ms: u64,
    /// Bytes of entries in a segment before compression. Reading one entry uncompresses its segment. What is above 223 MiB counts as
    /// that: nobody reads a larger segment than it and one more entry.
    pub segment_bytes: usize,
    /// zstd level, 1 to 19. 1 keeps up with the stream at a third of the size.
    pub zstd_level: i32,
    /// Name of the digest key, stored in each digest so that keys can change.
    pub digest_key_id: String,
    /// Key of the digests of records with personal data: 64 or more hexadecimal digits. Secret; required.
    pub digest_key: Secret,
    /// Former place of `[audit-signer] origin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_origin: Option<String>,
    /// Former place of `[audit-signer] key`. The writer makes no use of it: give it to the signer alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_key: Option<Secret>,
    /// Former place of `[audit-signer] interval_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_interval_s: Option<u64>,
    /// Former place of `[audit-signer] verify_interval_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_interval_s: Option<u64>,
    /// Directory of model packages whose reference distributions the dashboards compare with; one that comes later is found while the worker
    /// runs. Empty: that of `[scorer] models_dir`.
    pub models_dir: String,
    /// Topics of senders, without prefix. No knob: whoever starts the worker fills in what ingest is configured to read.
    #[serde(skip)]
    pub sender_topics: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shards: 1,
            batch_records: 4000,
            batch_bytes: 16 << 20,
            linger_ms: 1_000,
            segment_bytes: 1 << 20,
            zstd_level: 1,
            digest_key_id: "k1".to_owned(),
            digest_key: Secret::default(),
            checkpoint_origin: None,
            checkpoint_key: None,
            checkpoint_interval_s: None,
            verify_interval_s: None,
            models_dir: String::new(),
            sender_topics: Vec::new(),
        }
    }
}

impl Config {
    /// The key of the digests.
    ///
    /// # Errors
    /// [`Error::Config`] or [`Error::DigestKey`] when it is absent, not hexadecimal or too short.
    pub fn digest_key(&self) -> Result<DigestKey, Error> {
        let secret = hex::decode(self.digest_key.expose()).map_err(|_| not_hex("digest_key"))?;
        Ok(DigestKey::new(&self.digest_key_id, &secret)?)
    }
}

fn not_hex(knob: &str) -> Error {
    Error::Config(format!("{knob} must be at least 64 hexadecimal digits; `openssl rand -hex 32` makes one"))
}
