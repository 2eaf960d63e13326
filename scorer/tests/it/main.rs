//! Tests of the worker over the repository's packages, without a broker.
#![allow(clippy::unwrap_used, missing_docs)]

mod control;
mod events;
mod fixture;
mod kept;
mod routes;
