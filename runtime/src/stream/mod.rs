//! One loop for every worker that turns Kafka records into Kafka records, exactly once (KIP-98, KIP-447).
//!
//! [`record`] is what goes in and out, [`handler`] what a worker writes, [`state`] what it may remember, [`harness`] runs a
//! handler without a broker.

mod assignment;
mod clients;
mod committer;
mod dead_letter_limit;
mod engine;
mod error;
pub mod handler;
pub mod harness;
mod lacking;
mod leaders;
pub mod meter;
#[cfg(test)]
mod model;
mod offset;
pub mod pg;
pub mod position;
mod producer;
pub mod record;
mod restore;
mod run;
mod session;
mod spec;
pub mod state;
mod transactions;
mod watermarks;

pub use committer::dead_letter_header;
pub use engine::HANDLER_FAILED;
pub use handler::{HandleError, Handler, Outbox, PASSED_BY, RecordOutcome, UNPRODUCIBLE};
pub use offset::{NextOffset, Offset};
pub use producer::TransactionError;
pub use record::{Input, Output, OwnedInput, Route};
pub use run::spawn_loop;
pub use spec::{LoopSpec, Tuning};
pub use state::{NoState, Stored, View};
pub use transactions::Transactions;
