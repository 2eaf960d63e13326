//! The one error of this crate.

use audit_log::{BadDigestKey, BadEntry, BadNote, BadSegment};
use runtime::pg::ConnectError;
use runtime::task::SpawnError;
use std::path::PathBuf;

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
    /// No connection to the database.
    #[error(transparent)]
    Connect(#[from] ConnectError),
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
    /// A model package that cannot be read; worth trying again, it may be on its way into its folder.
    #[error("{}: {source}", .path.display())]
    Package {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A witness that did not cosign; worth trying again.
    #[error("witness {witness}: {why}")]
    Witness {
        /// Its name.
        witness: String,
        /// What it said.
        why: String,
    },
    /// A witness that could not be asked; worth trying again.
    #[error("witness {witness}: {source}")]
    Unreached {
        /// Its name.
        witness: String,
        /// From the client, without the URL.
        source: reqwest::Error,
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
    Start(#[from] SpawnError),
    /// Metrics are registered twice.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The client of witnesses and authorities cannot be made.
    #[error("HTTP client: {0}")]
    Client(#[source] reqwest::Error),
}

impl Error {
    /// Whether looking again can help. What never does is a knob of this process, which nobody changes while it runs; what is wrong with a
    /// log may be put right meanwhile, and must not end the process that says so.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_transient(),
            Self::Database(_)
            | Self::Entry(_)
            | Self::Segment(_)
            | Self::HeadMoved(_)
            | Self::Broken { .. }
            | Self::NotTheSame { .. }
            | Self::Notes { .. }
            | Self::Package { .. }
            | Self::Witness { .. }
            | Self::Unreached { .. }
            | Self::Note(_)
            | Self::NoNote(_)
            | Self::NoNewEpoch { .. }
            | Self::Kafka(_)
            | Self::NotPublished(_) => true,
            Self::Config(_)
            | Self::DigestKey(_)
            | Self::UnknownTopic(_)
            | Self::Start(_)
            | Self::Metrics(_)
            | Self::Client(_) => false,
        }
    }
}

impl From<Error> for runtime::stream::pg::PgError {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(error) => Self::Database(error),
            other => Self::Handler(Box::new(other)),
        }
    }
}
