//! The crate as its users see it: what a document may say, what is decided under it, and what never happens.

mod costs;
mod language;
mod properties;
mod standard;
