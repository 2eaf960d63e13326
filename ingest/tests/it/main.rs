//! ingest as its neighbours see it: records in, records out, without a broker.
#![allow(clippy::unwrap_used)]

mod actors;
mod attributes;
mod bad_inputs;
mod batch;
mod cluster;
#[path = "../support/corpus.rs"]
#[allow(dead_code)] // each suite looks at other parts of a case
mod corpus;
mod digest;
mod door;
mod door_forms;
mod door_lines;
mod equality;
mod faults;
#[path = "../support/guesses.rs"]
mod guesses;
mod guessing;
mod habits;
mod http;
mod keys;
mod memory;
mod openapi;
mod personal_data;
mod published;
mod replies;
mod sending;
mod spellings;
mod stack;
