//! Deliveries against a real PostgreSQL, a real receiver and, where receipts matter, a real broker.
#![allow(clippy::unwrap_used)]

mod delivering;
mod disabling;
mod leasing;
mod page;
mod queueing;
mod rebinding;
mod receiver;
mod resending;
mod stand;
mod worker;
