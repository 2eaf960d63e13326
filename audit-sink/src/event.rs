//! PURE. A record as projections read it: where it stands, its id, kind and time, its body and headers as PostgreSQL can hold them.

use chrono::{DateTime, Utc};
use runtime::clock::time_of_ms;
use runtime::pg::rows::holds;
use runtime::stream::Input;
use schemas::envelope::header;
use schemas::logged;
use std::borrow::Cow;
use uuid::Uuid;

/// The longest header of which a column is made, bytes; a longer one counts as absent.
const LONGEST_HEADER: usize = 1024;

/// Where the log keeps the whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Log.
    pub log: i32,
    /// Sequence number.
    pub seq: i64,
}

/// What every projection needs of a record.
pub(crate) struct Event<'a> {
    pub input: &'a Input<'a>,
    pub id: Uuid,
    pub kind: &'a str,
    pub at: DateTime<Utc>,
    pub position: Position,
}

impl<'a> Event<'a> {
    pub(crate) fn of(input: &'a Input<'a>, position: Position) -> Self {
        let kind = input.header_str(header::TYPE).unwrap_or_default();
        let id = logged::id(input.header_str(header::ID), kind, (input.topic, input.partition, input.offset.get()));
        Self { input, id, kind, at: time_of_ms(input.timestamp_ms), position }
    }

    /// The body.
    pub fn body<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.text()?).ok()
    }

    /// The body's text, as PostgreSQL can hold it.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        logged::text(self.input.payload?)
    }

    /// A header that PostgreSQL can hold.
    pub(crate) fn header_text(&self, name: &str) -> Option<String> {
        self.input.header_str(name).filter(|text| holds(text, LONGEST_HEADER)).map(str::to_owned)
    }

    pub(crate) fn header_number(&self, name: &str) -> Option<i64> {
        self.header_text(name)?.parse().ok()
    }
}
