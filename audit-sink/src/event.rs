//! PURE. A record as projections read it: where it stands, its id, kind and time, its body and headers as PostgreSQL can hold them.

use chrono::{DateTime, SubsecRound, Utc};
use runtime::clock::LATEST_MS;
use runtime::pg::rows::holds;
use runtime::stream::Input;
use schemas::envelope::header;
use schemas::event_id::coordinates_id;
use serde::Deserialize;
use std::borrow::Cow;
use uuid::Uuid;

/// The longest header of which a column is made, bytes; a longer one counts as absent.
const LONGEST_HEADER: usize = 1024;

/// Digits of a second that PostgreSQL keeps.
const MICROSECONDS: u16 = 6;

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
        let id = input.header_str(header::ID).and_then(|id| Uuid::parse_str(id).ok());
        let id = id.unwrap_or_else(|| coordinates_id(kind, input.topic, input.partition, input.offset.get()));
        Self { input, id, kind, at: time_of_ms(input.timestamp_ms), position }
    }

    /// The body.
    pub fn body<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.text()?).ok()
    }

    /// The body's text. PostgreSQL holds no U+0000 in text: it becomes U+FFFD here, while the log keeps it.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let text = std::str::from_utf8(self.input.payload?).ok()?;
        Some(if text.contains("\\u0000") { text.replace("\\u0000", "\\ufffd").into() } else { text.into() })
    }

    /// A header that PostgreSQL can hold.
    pub(crate) fn header_text(&self, name: &str) -> Option<String> {
        self.input.header_str(name).filter(|text| holds(text, LONGEST_HEADER)).map(str::to_owned)
    }

    pub(crate) fn header_number(&self, name: &str) -> Option<i64> {
        self.header_text(name)?.parse().ok()
    }
}

/// A time that PostgreSQL can hold, from milliseconds since 1970.
pub(crate) fn time_of_ms(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms.clamp(0, LATEST_MS)).unwrap_or_default()
}

/// RFC 3339 to UTC, to the microsecond: what PostgreSQL keeps, however the row gets there.
pub(crate) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc().trunc_subsecs(MICROSECONDS))
}

/// What was asked for. Unlike the sender's form, fields that come later are ignored.
#[derive(Deserialize)]
pub(crate) struct Asked {
    pub amount: Amount,
    #[serde(default)]
    pub term_months: Option<u32>,
    #[serde(default)]
    pub purpose: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Amount {
    pub amount_minor: i64,
    pub currency: String,
}
