//! Records as handlers see them: inputs borrow from the client's buffers, outputs own their bytes.

use super::offset::Offset;
use crate::clock::LATEST_MS;
use crate::ffi;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers as _, Message as _};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

/// A record to handle.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Topic, with the deployment's prefix.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Where it stands in its partition.
    pub offset: Offset,
    /// Milliseconds since 1970: the broker's clock where the topic says LogAppendTime.
    pub timestamp_ms: i64,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    pub(crate) headers: HeaderSource<'a>,
}

/// Bytes that a record, or one of its headers, counts beside its own.
const EACH_BYTES: usize = 48;

#[derive(Clone, Copy)]
pub(crate) enum HeaderSource<'a> {
    None,
    Kafka(&'a BorrowedHeaders),
    Owned(&'a [(String, Option<Vec<u8>>)]),
}

impl<'a> HeaderSource<'a> {
    fn count(self) -> usize {
        match self {
            Self::None => 0,
            Self::Kafka(headers) => headers.count(),
            Self::Owned(headers) => headers.len(),
        }
    }

    /// Name and value of one header.
    fn at(self, index: usize) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        match self {
            Self::None => None,
            Self::Kafka(headers) => ffi::header(headers, index),
            Self::Owned(headers) => headers.get(index).map(|(name, value)| (name.as_bytes(), value.as_deref())),
        }
    }

    fn all(self) -> impl DoubleEndedIterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        (0..self.count()).filter_map(move |index| self.at(index))
    }
}

impl<'a> Input<'a> {
    /// A client's message. A sender's clock may say anything; a time outside of 1970 to 9999 is cut to it.
    pub fn of(message: &'a BorrowedMessage<'_>) -> Self {
        Self {
            topic: message.topic(),
            partition: message.partition(),
            offset: Offset::new(message.offset()),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(0).clamp(0, LATEST_MS),
            key: message.key(),
            payload: message.payload(),
            headers: message.headers().map_or(HeaderSource::None, HeaderSource::Kafka),
        }
    }

    /// The last header of that name, as Kafka's own clients read it.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.all().rev().find(|(key, _)| *key == name.as_bytes()).and_then(|(_, value)| value)
    }

    /// A header as text; `None` when absent or not UTF-8.
    pub fn header_str(&self, name: &str) -> Option<&'a str> {
        self.header(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Bytes that count against a batch, with a fixed part for the record and for each of its headers: a sender may put megabytes into
    /// headers or key, or very many headers into one record.
    pub(crate) fn held_bytes(&self) -> usize {
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers = self.headers.all().map(|(name, value)| EACH_BYTES + name.len() + length(value));
        EACH_BYTES + length(self.key) + length(self.payload) + headers.sum::<usize>()
    }

    /// All headers in their order; of a name that is not UTF-8, each byte that is none is `%` and two hexadecimal digits.
    pub fn headers_as_text(&self) -> Vec<(Cow<'a, str>, Option<&'a [u8]>)> {
        self.headers.all().map(|(name, value)| (text(name), value)).collect()
    }

    /// The headers whose names are text, in their order: no contract has any other.
    pub fn headers(&self) -> Vec<(&'a str, Option<&'a [u8]>)> {
        self.headers.all().filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value))).collect()
    }
}

/// An input that owns its bytes, for tests and for what does not come from Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedInput {
    /// Topic, with the deployment's prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Where it stands in its partition.
    pub offset: Offset,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes.
    pub payload: Option<Vec<u8>>,
    /// Headers in their order; of a name that is not UTF-8, each byte that is none is `%` and two hexadecimal digits.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl OwnedInput {
    /// Bytes of key, value and headers.
    pub fn size(&self) -> usize {
        let bytes = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + bytes(value)).sum();
        bytes(&self.key) + bytes(&self.payload) + headers
    }

    /// The borrowed form.
    pub fn as_input(&self) -> Input<'_> {
        Input {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            payload: self.payload.as_deref(),
            headers: HeaderSource::Owned(&self.headers),
        }
    }
}

/// A header's name as text: each byte that is no UTF-8 as `%` and two hexadecimal digits, so that nothing of it is lost.
fn text(name: &[u8]) -> Cow<'_, str> {
    if let Ok(name) = std::str::from_utf8(name) {
        return name.into();
    }
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "%{byte:02X}").expect("a string takes every text");
        }
    }
    text.into()
}

impl From<&Input<'_>> for OwnedInput {
    fn from(input: &Input<'_>) -> Self {
        let headers = input.headers.all().map(|(name, value)| (text(name).into_owned(), value.map(<[u8]>::to_vec)));
        Self {
            topic: input.topic.to_owned(),
            partition: input.partition,
            offset: input.offset,
            timestamp_ms: input.timestamp_ms,
            key: input.key.map(<[u8]>::to_vec),
            payload: input.payload.map(<[u8]>::to_vec),
            headers: headers.collect(),
        }
    }
}

/// Which partition an output goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The partition that its input came from: a hop keeps to it.
    Same,
    /// By murmur2 of the key, as Java's default partitioner does.
    ByKey,
}

/// A record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Topic, with the deployment's prefix.
    pub topic: Arc<str>,
    /// Which partition.
    pub route: Route,
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// Headers in their order.
    pub headers: Vec<(&'static str, Vec<u8>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_keys_count_against_the_bytes_of_a_batch() {
        let mib = vec![0; 1 << 20];
        let empty = OwnedInput::default();
        let rows = [
            OwnedInput { key: Some(mib.clone()), ..empty.clone() },
            OwnedInput { payload: Some(mib.clone()), ..empty.clone() },
            OwnedInput { headers: vec![("h".to_owned(), Some(mib))], ..empty.clone() },
            OwnedInput { headers: vec![("h".repeat(1 << 20), None)], ..empty.clone() },
            OwnedInput { headers: vec![(String::new(), None); 1 << 16], ..empty },
        ];
        for record in rows {
            let held = record.as_input().held_bytes();
            assert!(held > 1 << 20, "{held}");
        }
    }

    #[test]
    fn a_name_that_is_no_text_is_written_out() {
        let rows: [(&[u8], &str); 4] =
            [(b"ce_id", "ce_id"), (b"\xff\xfe", "%FF%FE"), (b"a\xc3", "a%C3"), ("ä".as_bytes(), "ä")];
        for (name, expected) in rows {
            assert_eq!(text(name), expected);
        }
    }
}
