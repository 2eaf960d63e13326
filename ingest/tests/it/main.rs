//! ingest as its neighbours see it: records in, records out, without a broker.
#![allow(clippy::unwrap_used)]

mod bad_inputs;
mod batch;
#[path = "../support/corpus.rs"]
mod corpus;
mod digest;
mod door;
mod house;
mod personal_data;
mod published;
mod replies;
