//! PURE. A model package becomes scores, contributions and candidate reasons. Data in, data out: no file, no clock, no
//! network, no logging. What a score leads to is not decided here.
//!
//! Reading order: [`model`] is the whole of it; a package is [`manifest`] → [`contract`] (with [`expr`] and [`lookup`]) →
//! [`plan`] → [`reference`] → [`golden`]; an application is [`mapping`] → [`plan`] → [`explain`] → [`reasons`]. [`ops`] are
//! the operators that a graph may use; [`graph`] runs one that is in no package. [`trees`] is
//! the tree engine, for itself.

pub mod contract;
pub mod error;
pub mod explain;
pub mod expr;
pub mod fingerprint;
pub mod golden;
pub mod graph;
pub mod lookup;
mod lower;
pub mod manifest;
pub mod mapping;
pub mod model;
pub mod ops;
pub mod plan;
pub mod reasons;
pub mod reference;
pub mod scales;
pub mod trees;

pub use error::{EngineError, LoadError};
pub use mapping::{FeatureVector, Flag, Unscorable};
pub use model::{Model, PackageFiles, Scored, ThreadState};
pub use scales::Scales;
