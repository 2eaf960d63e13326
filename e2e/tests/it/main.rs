//! The whole house on real servers, and the rules that no compiler holds.
#![allow(clippy::unwrap_used)]

#[path = "../../../ingest/tests/support/corpus.rs"]
mod corpus;
mod demo;
mod house;
mod insight;
mod tidy;
mod whole;
