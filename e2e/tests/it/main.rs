//! The whole stack on real servers, and the rules that no compiler holds.
#![allow(clippy::unwrap_used)]

mod attacks;
mod attested;
mod clients;
mod contracts;
#[path = "../../../ingest/tests/support/corpus.rs"]
#[allow(dead_code)] // each suite looks at other parts of a case
mod corpus;
mod demo;
mod fuzzed;
#[path = "../../../ingest/tests/support/guesses.rs"]
#[allow(dead_code)] // ingest knows files too
mod guesses;
mod guessing;
mod insight;
mod logins;
mod parties;
mod portfolio;
mod python;
mod recording;
mod routes;
mod stack;
mod streams;
mod supply;
mod tidy;
mod webhooks;
mod whole;
