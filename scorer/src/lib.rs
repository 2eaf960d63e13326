//! The scorer room: an accepted application → one score event, in the partition it came from. What cannot be scored is said to
//! be unscorable, with its reasons: nobody goes unanswered. Withdrawals and activation records pass on unchanged.
//!
//! Reading order: [`config`], [`library`] (the packages this instance holds), [`route`] (which of them a product gets),
//! [`in_force`] (which version, by position), [`application`] (what is read of a body), [`score`] (the room's thought),
//! [`event`] (what is said), [`handler`].

pub mod application;
pub mod config;
pub mod error;
pub mod event;
pub mod handler;
pub mod in_force;
pub mod library;
pub mod metrics;
pub mod route;
pub mod score;

pub use config::{Config, start};
pub use error::Error;
pub use handler::ScorerHandler;
pub use library::Library;
pub use route::Routes;
