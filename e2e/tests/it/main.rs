//! The whole house on real servers, and the rules that no compiler holds.
#![allow(clippy::unwrap_used)]

mod attacks;
#[path = "../../../ingest/tests/support/corpus.rs"]
#[allow(dead_code)] // each suite looks at other parts of a case
mod corpus;
mod demo;
mod fuzzed;
mod house;
mod insight;
mod python;
mod routes;
mod streams;
mod supply;
mod tidy;
mod whole;
