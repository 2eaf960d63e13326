//! The worker that answers: what became of applications, for people and programs that hold a token. The invariant: an answer
//! holds data of exactly one tenant, one that the token opens, and who applied only for roles that may know. Never writes
//! to the database: every question is a read-only transaction under the read role.
//!
//! Reading order: [`caller`] (who asks), [`router`] with `app`, `guard` and [`limit`] (what every request passes), [`store`] (the
//! snapshot behind an answer), then one module a question: [`applications`] with [`filter`] and [`cursor`], [`application_detail`] with
//! [`application_detail_events`], [`log`], `logged` (what an event says), [`application_detail_parts`] and [`shown`] (what of it a role
//! sees), [`identities`], [`kpis`] with [`tally`], [`stream`], and `products`, for which no token is asked. Who looked at what is gathered in [`access`] and written by [`recorder`].
//! Refusals are [`problem`]s.

pub mod access;
mod app;
pub mod application_detail;
pub mod application_detail_events;
pub mod application_detail_parts;
pub mod applications;
pub mod caller;
pub mod config;
pub mod cursor;
mod edge;
pub mod error;
pub mod filter;
mod guard;
pub mod identities;
pub mod kpis;
pub mod limit;
pub mod log;
mod logged;
pub mod metrics;
pub mod problem;
mod products;
pub mod recorder;
pub mod router;
mod segment;
pub mod shown;
mod start;
pub mod store;
pub mod stream;
pub mod tally;

pub use config::Config;
pub use error::Error;
pub use start::{Running, WORKER, bind, start};
