//! PURE. A policy version, a YAML document with CEL conditions, is checked and compiled once and then turns score events
//! into outcomes and reasons. No input or output, no clock, no environment, no logging.
//!
//! Reading order: [`document`] is what a policy author writes, [`load`] checks and compiles it into [`rules`], [`decide`] applies them,
//! [`reasons`] says why. Below that: [`condition`] (CEL and its native form), [`vocabulary`] (what conditions may name),
//! [`typing`] and [`inspect`] (what is wrong with them), [`finding`].
//!
//! ```text
//! unknown words → knockouts → unscorable → limits → zones → cutoffs → fallback
//! ```
//! Each step may end it. A rule that cannot be evaluated ends it as a referral, whatever else fired.

pub mod condition;
pub mod decide;
pub mod document;
pub mod finding;
mod fold;
mod inspect;
pub mod load;
mod locate;
mod native;
pub mod reasons;
mod referral;
mod rules;
mod sample;
mod scales;
mod scope;
mod typing;
pub mod vocabulary;

pub use decide::{Decided, decide};
pub use finding::{Finding, Severity};
pub use load::{Compiled, Rejected, check};
pub use referral::Referral;
