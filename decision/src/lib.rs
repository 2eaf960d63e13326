//! The decision worker: a score event under the policy in force → one decision. Whatever is wrong with the event, an accepted
//! application gets an answer; what cannot be decided is a referral with a word.
//!
//! Reading order: [`config`], [`library`] (the policies this instance knows), [`in_force`] (which of them decides, by
//! position, with its document), [`decide`] (the worker's thought), [`salvage`] (answers where the event cannot be read), [`handler`].

pub mod config;
pub mod decide;
pub mod error;
pub mod handler;
pub mod in_force;
pub mod library;
pub mod metrics;
pub mod salvage;

pub use config::{Config, start};
pub use error::Error;
pub use handler::DecisionHandler;
pub use library::Library;
