//! The stack on one machine: a real Apache Kafka broker, a real PostgreSQL and, when asked, a real Prometheus, as child
//! processes on loopback, each with its data in a directory of its own.
//!
//! `defaultx up`, the demo, the tests and the benchmarks all start their servers here. This crate never touches a server
//! that it did not start, never listens beyond loopback, and knows nothing of topics, tables or credit.
//!
//! Everything is synchronous and blocks for seconds: call it from `spawn_blocking` when on an async thread.
//!
//! Reading order: [`stack`] (what callers use) with `options`, `site` (what a start needs), `kafka` with `logins`, `postgres` with
//! `cluster_home`, `prometheus` (one server each), `authority` (certificates for a broker that speaks TLS), `tools`, `jars`,
//! `class_archive` with `classes` (where programs come from), `process`, `ports`, `secrets`, `state`, `progress` (how servers are run,
//! placed, protected, remembered, shown).

mod authority;
mod class_archive;
mod classes;
mod cluster_home;
mod error;
mod jars;
mod kafka;
mod logins;
mod options;
mod ports;
mod postgres;
mod process;
mod progress;
mod prometheus;
mod secrets;
mod site;
pub mod stack;
mod state;
mod tools;

pub use authority::Authority;
pub use error::LocalError;
pub use logins::ADMIN;
pub use options::Options;
pub use ports::free as free_port;
pub use process::Ending;
pub use prometheus::{Prometheus, start_prometheus};
pub use stack::{Found, Stack};
