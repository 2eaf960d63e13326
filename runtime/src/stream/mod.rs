//! One loop for every room that turns Kafka records into Kafka records, exactly once (KIP-98, KIP-447).
//!
//! [`record`] is what goes in and out, [`handler`] what a room writes, [`state`] what it may remember, [`harness`] runs a
//! handler without a broker.

pub mod handler;
pub mod harness;
pub mod record;
pub mod state;

pub use handler::{HandleError, Handler, Outbox, Verdict};
pub use record::{Input, Output, OwnedInput, Route};
pub use state::{NoState, Stored, View};
