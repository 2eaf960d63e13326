//! The shell library: the one transactional Kafka loop, its keyed state, the Kafka → PostgreSQL variant, configuration,
//! telemetry, health, shutdown and tokens. Knows no word of credit.
//!
//! Reading order: [`clock`], [`task`], [`stream`], then whatever a room needs.

pub mod clock;
pub mod stream;
pub mod task;
