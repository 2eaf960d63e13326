//! The log, its projections and its walk against a real PostgreSQL.
#![allow(clippy::unwrap_used)]

mod events;
mod evidence;
mod guards;
mod held;
mod large;
mod leases;
mod migration;
mod outside;
mod projections;
mod stand;
mod stream;
mod tamper;
mod unseen;
