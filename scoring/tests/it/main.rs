//! Tests of whole packages: those of the repository, and the same ones broken in every way.
#![allow(clippy::unwrap_used)]

mod batches;
mod explained;
mod forests;
mod fuzzed;
mod nets;
mod packages;
mod proof;
