//! The scorer worker: an accepted application → one score event, in the partition it came from. What cannot be scored is said to
//! be unscorable, with its reasons: nobody goes unanswered. Withdrawals and activation records pass on unchanged.
//!
//! Reading order: [`config`], [`library`] (the packages this instance holds), [`watch`] (those that come later), [`announce`] (which it holds), [`classes`] and [`attributes`] (what their contracts say of free members), [`document`] → [`inspect`] (with [`finding`]) → [`route`] (which of
//! them an application gets, with [`condition`]), [`routes`] (the versions this instance holds), [`in_force`] (what is switched)
//! and [`resolve`] (which version, by position), [`application`] (what is read of a body), [`score`] (the worker's thought), [`event`]
//! (what is said), [`handler`].

pub mod announce;
pub mod application;
pub mod attributes;
pub mod classes;
pub mod condition;
pub mod config;
pub mod document;
pub mod error;
pub mod event;
pub mod finding;
pub mod handler;
mod headers;
pub mod in_force;
pub mod inspect;
pub mod library;
pub mod metrics;
pub mod resolve;
pub mod route;
pub mod routes;
pub mod score;
pub mod watch;

pub use config::{Config, start};
pub use error::Error;
pub use handler::ScorerHandler;
pub use library::Library;
pub use route::Route;
pub use routes::Routes;
