//! The policy crate from outside: what a document may say, what is decided under it, and what never happens.
#![allow(clippy::unwrap_used)]

mod costs;
mod fixture;
mod language;
mod properties;
mod standard;
