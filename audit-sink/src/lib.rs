//! The worker that remembers: every audited topic becomes entries of an append-only Merkle log in PostgreSQL and rows of the
//! projections, in one transaction with the offsets. The invariant: what the log holds can be proven, and what it held can not
//! be taken back unseen. Sets nothing aside, sends nothing back, holds no personal data outside the identity store.
//!
//! Reading order: [`source`] (what it takes), [`seal`] (pure: what a batch adds to a log), [`project`] with `event` (pure: what it
//! says), [`handler`] (the writer), [`store`] and [`rows`] (its tables), [`identity`], [`reference`].
//!
//! Beside the writer stands [`signer`], a worker of its own that attests what the writer wrote: [`checkpoint`], [`epoch`], [`witness`],
//! [`verify`] and [`report`] (the walk). What any of them writes or reads has the format of the crate `audit-log`.
//!
//! Projections are held against the log by `said` (pure: what entries say), `shape` (pure: the questions), `hold` and `compare`
//! (pure: what differs); the walk does it, the signer by samples, and [`rebuild`] puts right what differs (ADR 42).

pub mod checkpoint;
mod compare;
pub mod config;
mod copy;
pub mod epoch;
pub mod error;
mod event;
mod evidence;
mod excerpt;
mod find;
pub mod handler;
mod hold;
pub mod identity;
pub mod metrics;
mod nodes;
mod prepare;
pub mod project;
mod project_decision;
mod project_score;
pub mod promises;
pub mod rebuild;
pub mod reference;
pub mod report;
pub mod rows;
mod said;
pub mod seal;
mod segment;
mod shape;
pub mod signer;
mod snapshot;
pub mod source;
mod start;
pub mod store;
pub mod verify;
mod verify_coordinates;
mod verify_projections;
mod verify_promises;
mod verify_runs;
mod verify_tables;
pub mod witness;

pub use config::Config;
pub use error::Error;
pub use find::{Found, find};
pub use report::Report;
pub use signer::SignerConfig;
pub use source::{Sources, WORKER, audited_topics};
pub use start::start;
