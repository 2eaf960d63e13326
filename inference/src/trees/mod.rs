//! PURE. Tree ensembles as ONNX's `ai.onnx.ml` means them: checked once, compiled once, then answered as fast as the machine
//! can, to the bit the same on every machine and for every batch. Knows no graph engine and no credit word.
//!
//! Reading order: [`ensemble`] is the data and its proof, [`walk`] its meaning in plain code, [`Compiled`] its fast form; how
//! that is fast stands in [`number`] (numbers as integers), `keys` (questions as intervals of them), `nodes` (walks), `questions` and `columns` (blocks of rows), `rows` (one
//! row) and the kernels. [`shap`] is the contributions, [`mod@monotone`] what can be proven of a margin.

pub mod ensemble;
pub mod error;
pub mod monotone;
pub mod number;
pub mod push;
pub mod shap;
pub mod walk;

mod columns;
mod compiled;
#[cfg(target_arch = "x86_64")]
mod kernel;
mod keys;
mod lanes;
mod nodes;
#[cfg(target_arch = "x86_64")]
mod plain;
mod questions;
mod rows;

pub use compiled::Compiled;
pub use ensemble::{Aggregate, Compare, Draft, Ensemble, Node, Precision, Real, Test, Tree, Trees, Vote};
pub use error::TreeError;
pub use lanes::Vectors;
pub use monotone::{Monotone, monotone};
pub use shap::TreeShap;

#[cfg(test)]
pub(crate) mod tests;
