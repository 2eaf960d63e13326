//! PURE. A policy version, a YAML document with CEL conditions, is checked and compiled once and then turns score events
//! into outcomes and reasons. No input or output, no clock, no environment, no logging.
//!
//! Reading order: [`document`] is what a policy author writes, [`load`] checks and compiles it into `rules`, [`Case`] (with `facts`) is
//! what they are applied to, [`decide`] applies them, [`reasons`] says why, `records` (with `comparisons`) what each rule saw. Below that: `condition` (an expression on a case),
//! `vocabulary` (what conditions may name) with `parties` and `scope`, `inspect` (what is wrong with a document), [`review()`] (what is wrong beside its [`Models`], with `words`, `bounds` and `draw`), [`finding`]. The
//! language itself is the crate [`expressions`].
//!
//! ```text
//! unknown words → knockouts → unscorable → limits → zones → cutoffs → fallback
//! ```
//! Each step may end it. A rule that cannot be evaluated ends it as a referral, whatever else fired.

mod bounds;
mod case;
mod comparisons;
mod condition;
pub mod decide;
pub mod document;
mod draw;
mod facts;
pub mod finding;
#[cfg(test)]
mod fixture;
mod inspect;
pub mod load;
mod locate;
mod models;
mod parties;
pub mod reasons;
mod records;
mod review;
mod rules;
mod sample;
mod scales;
mod scope;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod vocabulary;
mod words;

pub use case::Case;
pub use decide::{Decided, decide};
pub use expressions::vocabulary::nearest;
pub use finding::{Finding, Severity};
pub use load::{Compiled, Rejected, check};
pub use models::{Feature, Models, Package, Routed};
pub use review::{RouteCondition, Said, review, review_condition};
