//! PURE. A model package becomes scores, contributions and candidate reasons. Data in, data out: no file, no clock, no
//! network, no logging. What a score leads to is not decided here.
//!
//! Reading order: [`model`] is the whole of it; a package is [`manifest`] → [`contract`] (with [`expr`] and [`lookup`]) →
//! [`plan`] or [`forest`] → [`reference`] → [`golden`] (with [`follow`], for what a net claims); an application is
//! [`mapping`] → [`plan`] → [`explain`] (held against [`coalitions`]) → [`reasons`]. [`ops`] are the operators that a graph
//! may use; [`graph`] runs one that is in no package. [`trees`] and [`dense`] are the engines of trees and of dense nets, for
//! themselves.

pub mod calibration;
pub mod coalitions;
pub mod contract;
pub mod dense;
pub mod error;
pub mod explain;
pub mod expr;
pub mod fingerprint;
pub mod follow;
pub mod forest;
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
