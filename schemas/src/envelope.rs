//! CloudEvents 1.0 context attributes in Kafka's binary mode: read from headers, written to headers.

use uuid::Uuid;

/// Header names of Kafka's binary mode.
pub mod header {
    /// Always `1.0`.
    pub const SPECVERSION: &str = "ce_specversion";
    /// The event's id.
    pub const ID: &str = "ce_id";
    /// Who says it.
    pub const SOURCE: &str = "ce_source";
    /// What it says.
    pub const TYPE: &str = "ce_type";
    /// The application id, never a person.
    pub const SUBJECT: &str = "ce_subject";
    /// When it happened, RFC 3339.
    pub const TIME: &str = "ce_time";
    /// The sender's thread, echoed in every descendant.
    pub const CORRELATION: &str = "ce_correlationid";
    /// The parent event's id.
    pub const CAUSATION: &str = "ce_causationid";
    /// The record key.
    pub const PARTITION_KEY: &str = "ce_partitionkey";
    /// Media type of the value.
    pub const CONTENT_TYPE: &str = "content-type";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
}

/// Media type of every body in binary mode.
pub const JSON: &str = "application/json";

/// The attributes of one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Unique with `source`.
    pub id: String,
    /// A URI reference, such as `/defaultx/scorer`.
    pub source: String,
    /// Such as `score.computed.v1`.
    pub event_type: String,
    /// The application id.
    pub subject: Option<String>,
    /// RFC 3339.
    pub time: Option<String>,
    /// Echoed from the sender.
    pub correlation_id: Option<String>,
    /// The parent's id.
    pub causation_id: Option<String>,
    /// `tenant|application_id`.
    pub partition_key: Option<String>,
    /// W3C `traceparent`.
    pub traceparent: Option<String>,
}

/// A header that is absent or not text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEnvelope {
    /// A required attribute is absent or empty.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// Not UTF-8.
    #[error("header {0} is not UTF-8")]
    NotText(&'static str),
    /// A CloudEvents version that is not spoken here.
    #[error("ce_specversion must be 1.0")]
    SpecVersion,
    /// An attribute longer than 256 bytes.
    #[error("header {0} is longer than 256 bytes")]
    TooLong(&'static str),
}

/// The longest attribute, in bytes.
pub const MAX_ATTRIBUTE_BYTES: usize = 256;

impl Envelope {
    /// Reads the attributes by a look-up of raw header values.
    ///
    /// # Errors
    /// [`BadEnvelope`] names the header.
    pub fn from_headers<'a>(header_of: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Self, BadEnvelope> {
        let text = |name: &'static str| -> Result<Option<String>, BadEnvelope> {
            let Some(bytes) = header_of(name) else { return Ok(None) };
            if bytes.len() > MAX_ATTRIBUTE_BYTES {
                return Err(BadEnvelope::TooLong(name));
            }
            let text = std::str::from_utf8(bytes).map_err(|_| BadEnvelope::NotText(name))?;
            Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
        };
        let required = |name| text(name)?.ok_or(BadEnvelope::Missing(name));
        if required(header::SPECVERSION)? != "1.0" {
            return Err(BadEnvelope::SpecVersion);
        }
        Ok(Self {
            id: required(header::ID)?,
            source: required(header::SOURCE)?,
            event_type: required(header::TYPE)?,
            subject: text(header::SUBJECT)?,
            time: text(header::TIME)?,
            correlation_id: text(header::CORRELATION)?,
            causation_id: text(header::CAUSATION)?,
            partition_key: text(header::PARTITION_KEY)?,
            traceparent: text(header::TRACEPARENT)?,
        })
    }

    /// The headers of binary mode, in a fixed order.
    pub fn to_headers(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut headers = Vec::with_capacity(16);
        let mut put = |name, value: &str| headers.push((name, value.as_bytes().to_vec()));
        put(header::SPECVERSION, "1.0");
        put(header::ID, &self.id);
        put(header::SOURCE, &self.source);
        put(header::TYPE, &self.event_type);
        put(header::CONTENT_TYPE, JSON);
        let optional = [
            (header::SUBJECT, &self.subject),
            (header::TIME, &self.time),
            (header::CORRELATION, &self.correlation_id),
            (header::CAUSATION, &self.causation_id),
            (header::PARTITION_KEY, &self.partition_key),
            (header::TRACEPARENT, &self.traceparent),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                put(name, value);
            }
        }
        headers
    }

    /// The envelope of an event that this one causes: same subject, key, correlation and trace; this one's id as cause.
    pub fn child(&self, source: &str, event_type: &str, id: Uuid) -> Self {
        Self {
            id: id.to_string(),
            source: source.to_owned(),
            event_type: event_type.to_owned(),
            subject: self.subject.clone(),
            time: None,
            correlation_id: self.correlation_id.clone(),
            causation_id: Some(self.id.clone()),
            partition_key: self.partition_key.clone(),
            traceparent: self.traceparent.clone(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, Vec<u8>)]) -> Result<Envelope, BadEnvelope> {
        Envelope::from_headers(|name| headers.iter().find(|h| h.0 == name).map(|h| h.1.as_slice()))
    }

    #[test]
    fn headers_come_back_as_they_went() {
        let envelope = Envelope {
            id: "1".into(),
            source: "/los".into(),
            event_type: "application.submitted.v1".into(),
            subject: Some("L-1".into()),
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            ..Envelope::default()
        };
        assert_eq!(read(&envelope.to_headers()), Ok(envelope.clone()));
        let child = envelope.child("/defaultx/ingest", "application.received.v1", Uuid::nil());
        assert_eq!(child.causation_id.as_deref(), Some("1"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut headers = Envelope { id: "1".into(), ..Envelope::default() }.to_headers();
        assert_eq!(read(&headers), Err(BadEnvelope::Missing(header::SOURCE)));
        headers[0].1 = b"0.3".to_vec();
        assert_eq!(read(&headers), Err(BadEnvelope::SpecVersion));
        headers[0].1 = vec![0xff];
        assert_eq!(read(&headers), Err(BadEnvelope::NotText(header::SPECVERSION)));
    }
}
