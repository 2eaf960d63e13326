//! The service layer library: the one transactional Kafka loop, its keyed state, the Kafka → PostgreSQL variant, configuration,
//! telemetry, health, shutdown and tokens. Knows no word of credit.
//!
//! Reading order: [`clock`], [`task`], [`outage`], [`service`], [`stream`], then whatever a worker needs.

pub mod acked;
pub mod auth;
pub mod clock;
pub mod config;
mod ffi;
mod gzip;
pub mod health;
pub mod http;
pub mod kafka;
pub mod latest;
pub mod metrics;
pub mod outage;
pub mod pg;
pub mod service;
pub mod shutdown;
pub mod stream;
pub mod task;
pub mod telemetry;
