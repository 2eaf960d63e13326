//! PURE. A model package becomes scores, contributions and candidate reasons. Data in, data out: no file, no clock, no
//! network, no logging. What a score leads to is not decided here.
//!
//! Reading order: [`model`] is the whole of it; a package is [`manifest`] → [`contract`] (with [`expr`], [`lookup`] and [`classes`]) →
//! [`forest`], [`stock`] or a plan of [`inference`] → [`reference`] → [`golden`] (with [`follow`], for what a net claims, and [`record`]); an application is
//! [`mapping`] → the engine → [`explain`] → [`reasons`]. What runs graphs and explains them knows no credit and is a crate of its
//! own: [`inference`].

pub mod calibration;
pub mod classes;
pub mod contract;
pub mod error;
pub mod explain;
pub mod expr;
pub mod fingerprint;
pub mod forest;
pub mod golden;
pub mod lookup;
mod lower;
pub mod manifest;
pub mod mapping;
pub mod model;
pub mod monotonicity;
pub mod reasons;
pub mod record;
pub mod reference;
pub mod scales;
pub mod stock;

pub use error::LoadError;
pub use inference::EngineError;
pub use mapping::{FeatureVector, Flag, Unscorable};
pub use model::{Model, PackageFiles, Scored, ThreadState};
pub use scales::Scales;
