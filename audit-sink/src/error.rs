//! The one error of this crate.

use audit_log::{BadDigestKey, BadEntry, BadNote, BadSegment};

/// Why the log could not be written, read or started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A knob that cannot be used.
    #[error("configuration: {0}")]
    Config(String),
    /// A key of digests that cannot be used.
    #[error("configuration: {0}")]
    DigestKey(#[from] BadDigestKey),
    /// A record of a topic that the log does not take: a fault of wiring.
    #[error("topic {0} is not audited")]
    UnknownTopic(String),
    /// Bytes that are no entry, or a record that does not fit one.
    #[error("entry: {0}")]
    Entry(#[from] BadEntry),
    /// From the database; worth trying again.
    #[error("database: {}", runtime::pg::said(.0))]
    Database(#[from] tokio_postgres::Error),
    /// No connection to the database; worth trying again.
    #[error("connecting to the database: {0}")]
    Connect(String),
    /// A segment that cannot be packed.
    #[error("segment: {0}")]
    Segment(#[from] BadSegment),
    /// The stored head and the tree in memory differ: another writer, or a log that was tampered with.
    #[error("the head of log {0} is not where this writer left it")]
    HeadMoved(i32),
    /// The rows of a log contradict its head.
    #[error("log {log} cannot be continued: {why}")]
    Broken {
        /// The log.
        log: i32,
        /// What does not fit.
        why: String,
    },
    /// The log is not the one that was signed: nothing is signed any more.
    #[error("log {log} is not the one that was signed: {why}")]
    NotTheSame {
        /// The log.
        log: i32,
        /// In what it differs.
        why: String,
    },
    /// The files of signed notes.
    #[error("{path}: {source}")]
    Notes {
        /// Which.
        path: String,
        /// From the file system.
        source: std::io::Error,
    },
    /// A witness that did not cosign; worth trying again.
    #[error("witness {witness}: {why}")]
    Witness {
        /// Its name.
        witness: String,
        /// What it said.
        why: String,
    },
    /// A signed note that cannot be read or made.
    #[error("checkpoint: {0}")]
    Note(#[from] BadNote),
    /// Nothing says what was signed of a log before.
    #[error(
        "checkpoint: no note of log {0} is known: give those that were kept with --checkpoint, or set [audit-signer] notes_dir"
    )]
    NoNote(i32),
    /// A log is still the one that was signed.
    #[error("checkpoint: log {log} goes on from its newest note, of {size} entries: it needs no new epoch")]
    NoNewEpoch {
        /// The log.
        log: i32,
        /// Entries of the newest note.
        size: u64,
    },
    /// The broker would not take a checkpoint; worth trying again.
    #[error("kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// A note was not taken in time; it goes out again.
    #[error("{0} did not take every note")]
    NotPublished(String),
    /// The loop could not be started.
    #[error("start: {0}")]
    Start(String),
}

impl From<Error> for runtime::stream::pg::PgError {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(error) => Self::Database(error),
            other => Self::Other(other.to_string()),
        }
    }
}
