//! PURE. The one language (CEL) of policies, routes and feature contracts: a text and a [`Vocabulary`] become a [`Compiled`]
//! expression, and that with a [`Document`] a [`Value`], or the reason why it is [`Undetermined`]. An author may write anything:
//! what cannot work, may not be read, or would take too long, too much memory or too deep a stack is refused at load, with place
//! and suggestion. What something undetermined means is the affair of each user.
//!
//! Reading order: [`vocabulary`] (what may be named), [`application`] (the names that all three share), `compile` (the pipeline)
//! with `measured` (parsed, and its cost), `reach`, `typing` and `older` (what is refused, and what should be written otherwise)
//! and `lower` with `native` (plain Rust in place of the interpreter), `evaluate`, `document`, `value`. Below: `cost` and [`sizes`], `finding` and `refused`
//! (what is said of a fault), `logic` with `written` (which tests decided), `uses`, `names` and `against` (what is read, and what it is held against), `tree`, `fold`, `sum`, and [`ratio`], the arithmetic of debts and incomes.
//!
//! ```text
//! text → parse → cost → reach → types → lower → Compiled ─bind→ places of a document ─evaluate→ value or undetermined
//! ```

mod against;
pub mod application;
mod compile;
mod cost;
mod document;
mod evaluate;
mod finding;
mod fold;
mod logic;
mod lower;
mod measured;
mod names;
mod native;
mod older;
mod place;
pub mod ratio;
mod reach;
mod refused;
pub mod sizes;
mod sum;
mod tree;
mod typing;
mod uses;
mod value;
pub mod vocabulary;
mod written;

pub use against::Against;
pub use compile::{Compiled, Total, compile};
pub use document::Document;
pub use finding::{Finding, cut};
pub use logic::{Form, Logic, Operator, Side, Test};
pub use names::{Held, Names, Read};
pub use native::Literal;
pub use place::{Place, Step};
pub use uses::Use;
pub use value::{Found, Undetermined, Value};
pub use vocabulary::Vocabulary;

/// The longest text of an expression, in bytes.
pub const MAX_BYTES: usize = 4096;
/// Nested deeper than this an expression is refused: whoever looks at it walks it by recursion, the interpreter too.
pub const MAX_DEPTH: usize = 64;
/// Steps of one expression, at most: some milliseconds, where the whole decision takes one.
pub const MAX_COST: u64 = 250_000;
/// Steps of all expressions of one document (a policy, a route, a feature contract), at most.
pub const MAX_TOTAL_COST: u64 = 1_000_000;
/// How many times dearer than told at load an expression may be on a document that is larger than declared.
pub(crate) const SLACK: u64 = 4;
/// Of what a parser says, so much is passed on, in bytes: it may quote the whole text once for each fault.
pub(crate) const MAX_MESSAGE_BYTES: usize = 400;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
