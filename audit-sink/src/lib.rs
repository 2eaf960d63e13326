//! The worker that remembers: every audited topic becomes entries of an append-only Merkle log in PostgreSQL and rows of the
//! projections, in one transaction with the offsets. The invariant: what the log holds can be proven, and what it held can not
//! be taken back unseen. Sets nothing aside, sends nothing back, holds no personal data outside the identity store.
//!
//! Reading order: [`source`] (what it takes), [`seal`] (pure: what a batch adds to a log), [`project`] (pure: what it says), [`handler`] (the
//! writer), [`store`] and [`rows`] (its tables), [`identity`], [`reference`].
//!
//! Beside the writer stands [`signer`], a worker of its own that attests what the writer wrote: [`note`], [`cosignature`] and
//! [`statement`] (pure: what is signed), [`checkpoint`], [`epoch`], [`witness`], [`verify`] and [`report`] (the walk).

pub mod checkpoint;
pub mod config;
mod copy;
pub mod cosignature;
pub mod epoch;
pub mod error;
mod evidence;
mod find;
pub mod handler;
pub mod identity;
pub mod metrics;
mod nodes;
pub mod note;
mod prepare;
pub mod project;
mod project_decision;
mod project_score;
pub mod promises;
pub mod reference;
pub mod report;
pub mod rows;
pub mod seal;
mod segment;
pub mod signer;
pub mod source;
mod start;
pub mod statement;
pub mod store;
pub mod verify;
mod verify_coordinates;
mod verify_runs;
pub mod witness;

pub use config::Config;
pub use error::Error;
pub use find::{Found, find};
pub use report::Report;
pub use signer::SignerConfig;
pub use source::{Sources, audited_topics};
pub use start::{WORKER, start};
