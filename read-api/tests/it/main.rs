//! The worker over real HTTP and a real PostgreSQL, whose rows and log are written by the real audit-sink.
#![allow(clippy::unwrap_used)]

mod access;
mod application_detail;
mod contract;
mod events;
mod kpis;
mod limits;
mod list;
mod records;
mod stack;
mod stand;
mod stream;
