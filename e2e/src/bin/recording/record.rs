//! PURE. A record of a topic, and its line in a recording: JSON that holds every byte of the record, so that two lines are equal
//! exactly where two records are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Bytes. In a line they are a text where they are UTF-8, and `{"base64": …}` where they are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Bytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Base64 { base64: String },
}

impl From<Bytes> for Written {
    fn from(Bytes(bytes): Bytes) -> Self {
        String::from_utf8(bytes)
            .map_or_else(|error| Self::Base64 { base64: STANDARD.encode(error.as_bytes()) }, Self::Text)
    }
}

impl TryFrom<Written> for Bytes {
    type Error = base64::DecodeError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Text(text) => Ok(Self(text.into_bytes())),
            Written::Base64 { base64 } => STANDARD.decode(base64).map(Self),
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

/// A record. Its place in its partition is that of its line among the lines of the partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Partition.
    pub partition: i32,
    /// Milliseconds since 1970. Records that a worker wrote have none: they carry the broker's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
    /// Key.
    pub key: Option<Bytes>,
    /// Headers in their order.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
    /// Value; none is a tombstone.
    pub value: Option<Bytes>,
}

impl Record {
    /// The last header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let is_it = |(key, _): &&(Bytes, Option<Bytes>)| key.0 == name.as_bytes();
        self.headers.iter().rev().find(is_it).and_then(|(_, value)| value.as_ref()).map(|value| value.0.as_slice())
    }

    /// The same header as text.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Its line.
    ///
    /// # Errors
    /// Never for a record.
    pub fn line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Reads a line back.
    ///
    /// # Errors
    /// When it is none of a record.
    pub fn of_line(line: &str) -> serde_json::Result<Self> {
        serde_json::from_str(line)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(value: Option<&[u8]>) -> Record {
        let headers = vec![(Bytes(b"\xff".to_vec()), None), (Bytes(b"h".to_vec()), Some(Bytes(Vec::new())))];
        Record {
            partition: 2,
            timestamp_ms: Some(7),
            key: Some(b"k\n".as_slice().into()),
            headers,
            value: value.map(Into::into),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_went() {
        for value in [None, Some(&b""[..]), Some(b"{\"a\":1}"), Some(b"\x00\xfe"), Some("ä\u{0}".as_bytes())] {
            let record = record(value);
            let line = record.line().unwrap();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(Record::of_line(&line).unwrap(), record);
        }
    }

    #[test]
    fn records_that_differ_have_lines_that_differ() {
        let values = [None, Some(&b""[..]), Some(b"/w=="), Some(b"\xff"), Some(br#"{"base64":"/w=="}"#), Some(b"null")];
        let lines: std::collections::BTreeSet<String> =
            values.iter().map(|value| record(*value).line().unwrap()).collect();
        assert_eq!(lines.len(), values.len());
    }
}
