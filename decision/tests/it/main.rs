//! The worker behind a harness: records in, decisions and outcomes out. No broker.
#![allow(clippy::unwrap_used)]

mod activation;
mod answers;
mod fixture;
mod library;
mod snapshots;
