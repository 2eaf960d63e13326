//! PURE. A model package becomes scores, contributions and candidate reasons. Data in, data out: no file, no clock, no
//! network, no logging. What a score leads to is not decided here.
//!
//! Reading order: [`model`] is the whole of it; a package is [`manifest`] → [`contract`] (with [`expr`] and [`lookup`]) →
//! [`plan`] → [`reference`] → [`golden`]; an application is [`mapping`] → [`plan`] → [`explain`] → [`reasons`].

pub mod contract;
pub mod error;
pub mod explain;
pub mod expr;
pub mod fingerprint;
pub mod golden;
pub mod lookup;
mod lower;
pub mod manifest;
pub mod mapping;
pub mod model;
pub mod plan;
pub mod reasons;
pub mod reference;
pub mod scales;

pub use error::{EngineError, LoadError};
pub use mapping::{FeatureVector, Flag, Unscorable};
pub use model::{Model, PackageFiles, Scored, ThreadState};
pub use scales::Scales;
