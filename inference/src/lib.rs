//! PURE. Runs an ONNX graph as its exporter wrote it, over rows of features, on one thread, and explains its answers. Data in,
//! data out: no file, no clock, no network, no logging.
//!
//! A row's answers have the same bits alone, in any batch and in any order. What the engine cannot answer as the standard says it
//! refuses, with the node's name and a remedy.
//!
//! Reading order: [`graph`] runs any graph over a table; [`ops`] are the operators that are not tract's; [`trees`] and [`dense`]
//! are the engines of tree ensembles and of dense nets, for themselves; [`plan`] answers rows of one input; [`tap`] changes what a
//! graph gives, and [`pushed`] reads trees behind scalers by it; [`additive`], [`walks`] and [`exact_shapley`] are Shapley values of
//! what has no structure of its own to explain it by.

pub mod additive;
pub mod dense;
pub mod error;
pub mod exact_shapley;
pub mod examples;
pub mod graph;
pub mod ops;
pub mod plan;
mod prepare;
pub mod pushed;
pub mod tap;
pub mod trees;
pub mod walks;

pub use error::{EngineError, GraphError};
pub use prepare::files_of;
/// The messages that an ONNX file is made of.
pub use tract_onnx::pb as onnx;
