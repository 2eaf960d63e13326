//! Operators and graphs against their standards and against other engines.
#![allow(clippy::unwrap_used)]

mod cases;
mod ops;
mod ops_cases;
mod ops_hostile;
mod ops_native;
mod rows;
