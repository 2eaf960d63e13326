//! Where a page of applications ends: opaque to callers, stable while applications come in.

use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Utc};

/// The last row of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(i64, String, i32);

impl Cursor {
    /// Of a row's key.
    pub fn new(received_at: DateTime<Utc>, application_id: &str, revision: i32) -> Self {
        Self(received_at.timestamp_micros(), application_id.to_owned(), revision)
    }

    /// The key that the next page follows.
    pub fn key(&self) -> Option<(DateTime<Utc>, &str, i32)> {
        DateTime::from_timestamp_micros(self.0).map(|at| (at, self.1.as_str(), self.2))
    }

    /// For a URL.
    pub fn encode(&self) -> String {
        let Self(micros, id, revision) = self;
        BASE64.encode(format!("{micros}|{revision}|{id}"))
    }

    /// Reads one back.
    ///
    /// # Errors
    /// 400 for anything that was not handed out.
    pub fn decode(text: &str) -> Result<Self, Problem> {
        let bad = || Problem::bad_request("cursor: not one of ours");
        let bytes = BASE64.decode(text).map_err(|_| bad())?;
        let text = String::from_utf8(bytes).map_err(|_| bad())?;
        let mut parts = text.splitn(3, '|');
        let micros = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
        let revision = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
        let id = domain::ApplicationId::new(parts.next().ok_or_else(bad)?).map_err(|_| bad())?;
        DateTime::from_timestamp_micros(micros)
            .filter(|at| (0..=9999).contains(&chrono::Datelike::year(at)))
            .ok_or_else(bad)?;
        Ok(Self(micros, id.as_str().to_owned(), revision))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_nothing_else_does() {
        let cursor = Cursor::new(DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(), "L:1", 3);
        assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
        for bad in ["", "x", "MXwy", &BASE64.encode("1|2|a b"), &BASE64.encode(format!("{}|1|a", i64::MAX))] {
            assert!(Cursor::decode(bad).is_err(), "{bad}");
        }
    }
}
