//! Tests of whole packages: those of the repository, and the same ones broken in every way. And of the operators that any
//! graph may use.
#![allow(clippy::unwrap_used)]

mod batches;
mod explained;
mod forests;
mod fuzzed;
mod ops;
mod ops_cases;
mod ops_hostile;
mod packages;
mod proof;
mod trees;
mod trees_forest;
mod trees_shap;
