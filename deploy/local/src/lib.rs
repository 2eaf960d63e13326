//! The house on one machine: a real Apache Kafka broker, a real PostgreSQL and, when asked, a real Prometheus, as child
//! processes on loopback, each with its data in a directory of its own.
//!
//! `defaultx up`, the demo, the tests and the benchmarks all start their servers here. This crate never touches a server
//! that it did not start, never listens beyond loopback, and knows nothing of topics, tables or credit.
//!
//! Everything is synchronous and blocks for seconds: call it from `spawn_blocking` when on an async thread.
//!
//! Reading order: [`house`] (what callers use), `kafka`, `postgres`, `prometheus` (one server each), `jars` and `tools`
//! (where their programs come from), `process`, `ports`, `state`, `progress` (how they are run, placed, remembered, shown).

mod error;
pub mod house;
mod jars;
mod kafka;
mod ports;
mod postgres;
mod process;
mod progress;
mod prometheus;
mod state;
mod tools;

pub use error::LocalError;
pub use house::{House, Options};
pub use process::Ending;
pub use prometheus::{Prometheus, start_prometheus};
