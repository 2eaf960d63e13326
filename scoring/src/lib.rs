//! PURE. A model package becomes scores, contributions and candidate reasons. Data in, data out: no file, no clock, no
//! network, no logging. What a score leads to is not decided here.
//!
//! Reading order: [`model`] is the whole of it; `load` makes one of a package: [`manifest`] with `head` → [`contract`] (with [`application`], [`lookup`], [`classes`] and [`attributes`]; `names` and `weight` are what the interpreter is lent of an application) →
//! `engine`, which is [`forest`], [`stock`] or a plan of [`inference`] → [`reference`] → [`golden`] (with [`monotonicity`], for what a net claims, and [`record`]); an application is
//! [`mapping`] → the engine → [`explain`] → [`reasons`]. What runs graphs and explains them knows no credit and is a crate of its
//! own: [`inference`].

pub mod application;
pub mod attributes;
pub mod calibration;
pub mod classes;
mod codes;
pub mod contract;
mod engine;
pub mod error;
pub mod explain;
pub mod fingerprint;
pub mod forest;
pub mod golden;
mod head;
mod load;
pub mod lookup;
pub mod manifest;
pub mod mapping;
pub mod model;
pub mod monotonicity;
mod names;
mod package;
pub mod reasons;
pub mod record;
pub mod reference;
pub mod scales;
pub mod stock;
pub mod tolerance;
mod weight;

pub use error::LoadError;
pub use inference::EngineError;
pub use mapping::{FeatureVector, Flag, Unscorable};
pub use model::{Model, Scored, ThreadState};
pub use package::PackageFiles;
pub use scales::Scales;
