//! notifier: tells whoever subscribed that a decision was made, by signed webhooks, and tells Kafka how each delivery ended.
//!
//! Two halves meet in one table. [`handler`] turns `credit.decisions.v1` into delivery rows, exactly one for each pair of event
//! and subscription, in the transaction that moves its offsets. [`sender`] leases due rows, posts them and writes down what came
//! of it. A receiver hears of every event at least once, always under the same `webhook-id`; order is not promised.
//!
//! It never sends more than ids and an outcome, never follows a redirect, and never connects to a private address unless the
//! configuration says so.
//!
//! Reading order: [`config`] with [`filters`], [`select`] and [`deliver`] (the pure thought), [`handler`], [`store`], [`sender`],
//! [`standing`], [`webhook`], [`address`], [`receipts`], [`metrics`], [`error`]; [`listing`] and [`resend`] are what operators' commands ask.

pub mod address;
pub mod config;
pub mod deliver;
pub mod error;
pub mod filters;
pub mod handler;
pub mod listing;
pub mod metrics;
pub mod receipts;
pub mod resend;
mod retry_after;
pub mod select;
pub mod sender;
pub mod standing;
mod start;
pub mod store;
pub mod webhook;

pub use config::{Config, Subscription};
pub use error::Error;
pub use start::{WORKER, start};
