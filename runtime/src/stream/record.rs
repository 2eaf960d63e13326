//! Records as handlers see them: inputs borrow from the client's buffers, outputs own their bytes.

use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers as _, Message as _};
use std::sync::Arc;

/// A record to handle.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Topic, with the deployment's prefix.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since 1970: the broker's clock where the topic says LogAppendTime.
    pub timestamp_ms: i64,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    pub(crate) headers: HeaderSource<'a>,
}

#[derive(Clone, Copy)]
pub(crate) enum HeaderSource<'a> {
    None,
    Kafka(&'a BorrowedHeaders),
    Owned(&'a [(String, Option<Vec<u8>>)]),
}

impl<'a> Input<'a> {
    /// The last header of that name, as Kafka's own clients read it.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        match self.headers {
            HeaderSource::None => None,
            HeaderSource::Kafka(headers) => {
                (0..headers.count()).rev().map(|i| headers.get(i)).find(|h| h.key == name).and_then(|h| h.value)
            }
            HeaderSource::Owned(headers) => {
                headers.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.as_deref())
            }
        }
    }

    /// A header as text; `None` when absent or not UTF-8.
    pub fn header_str(&self, name: &str) -> Option<&'a str> {
        self.header(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// All headers in their order.
    pub fn headers(&self) -> Vec<(&'a str, Option<&'a [u8]>)> {
        match self.headers {
            HeaderSource::None => Vec::new(),
            HeaderSource::Kafka(headers) => headers.iter().map(|h| (h.key, h.value)).collect(),
            HeaderSource::Owned(headers) => headers.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect(),
        }
    }
}

/// An input that owns its bytes, for tests and for what does not come from Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedInput {
    /// Topic, with the deployment's prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes.
    pub payload: Option<Vec<u8>>,
    /// Headers in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl OwnedInput {
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

/// A client's message as an input.
pub(super) fn borrowed<'m>(message: &'m BorrowedMessage<'_>) -> Input<'m> {
    Input {
        topic: message.topic(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
        key: message.key(),
        payload: message.payload(),
        headers: message.headers().map_or(HeaderSource::None, HeaderSource::Kafka),
    }
}

impl From<&Input<'_>> for OwnedInput {
    fn from(input: &Input<'_>) -> Self {
        let headers = input.headers().into_iter().map(|(key, value)| (key.to_owned(), value.map(<[u8]>::to_vec)));
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
