//! What the catalogue holds of each event type.

use crate::topics::Topic;

/// A published schema file.
#[derive(Debug, Clone, Copy)]
pub struct Document {
    /// File name under `schemas/json/`.
    pub file: &'static str,
    /// Its text, JSON Schema 2020-12.
    pub text: &'static str,
}

/// An event type.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// `ce_type`; for `webhook.v1` the name of the body that notifier sends by HTTP.
    pub event_type: &'static str,
    /// Topics that carry it.
    pub topics: &'static [Topic],
    /// Whether fields that the schema does not describe are refused: what comes in is strict, what goes out is open.
    pub strict: bool,
    /// Schema of the body.
    pub schema: Document,
    /// Examples, named after their files.
    pub examples: &'static [Example],
}

/// An example body.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// `good-…`, `edge-…` (valid, at a limit of the contract) or `bad-…`.
    pub name: &'static str,
    /// The body as JSON.
    pub text: &'static str,
}

/// What an example is there to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everyday.
    Good,
    /// Valid, at a limit of the contract.
    Edge,
    /// Refused by the schema; `faults.json` beside it says where.
    Bad,
}

impl Example {
    /// By the first word of its name.
    pub fn kind(&self) -> Kind {
        match self.name.split_once('-') {
            Some(("good", _)) => Kind::Good,
            Some(("edge", _)) => Kind::Edge,
            _ => Kind::Bad,
        }
    }
}
