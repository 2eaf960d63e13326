//! The room over real HTTP and a real PostgreSQL, whose rows and log are written by the real audit-sink.
#![allow(clippy::unwrap_used)]

mod access;
mod contract;
mod events;
mod house;
mod kpis;
mod limits;
mod list;
mod records;
mod stand;
mod story;
mod stream;
