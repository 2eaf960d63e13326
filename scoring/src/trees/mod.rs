//! PURE. Tree ensembles as ONNX's `ai.onnx.ml` means them: checked once, compiled once, then answered as fast as the machine
//! can, to the bit the same on every machine and for every batch. Knows no graph engine and no credit word.
//!
//! Reading order: [`ensemble`] is the data and its proof, [`walk`] its meaning in plain code.

pub mod ensemble;
pub mod error;
pub mod monotone;
pub mod shap;
pub mod walk;

mod compiled;
mod kernel;
mod keys;
mod nodes;
mod planes;
mod questions;
mod rows;

pub use compiled::Compiled;
pub use ensemble::{Aggregate, Compare, Draft, Ensemble, Node, Precision, Real, Test, Tree, Vote};
pub use error::TreeError;
pub use monotone::{Monotone, monotone};
pub use shap::TreeShap;
