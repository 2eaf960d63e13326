//! The CloudEvents envelope as senders give it: binary mode (attributes in headers) and structured mode (one JSON object), on
//! Kafka and over HTTP alike. Says which attribute is wrong, never what it held.

use crate::refusal::Reason;
use crate::strict::{Node, Object};
use chrono::DateTime;
use schemas::Envelope;
use schemas::envelope::{BadEnvelope, header};

/// Header values by the names of Kafka's binary mode.
pub type HeaderOf<'h> = &'h dyn Fn(&str) -> Option<&'h [u8]>;

/// How the attributes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In headers; the value is `data`.
    Binary,
    /// In the value, beside `data`.
    Structured,
}

/// A refused envelope: the word, and the attribute where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSender {
    /// `unsupported_media_type`, `bad_envelope` or `unknown_event_type`.
    pub reason: Reason,
    /// Name of the CloudEvents attribute.
    pub attribute: Option<&'static str>,
}

const fn bad(attribute: &'static str) -> BadSender {
    BadSender { reason: Reason::BadEnvelope, attribute: Some(attribute) }
}

const MEDIA_TYPE: BadSender = BadSender { reason: Reason::UnsupportedMediaType, attribute: Some("datacontenttype") };

/// Tells the mode by the content type; a record without one is taken for JSON in binary mode.
///
/// # Errors
/// `unsupported_media_type` for anything else, such as a batch of events or Avro.
pub fn mode(header_of: HeaderOf<'_>) -> Result<Mode, BadSender> {
    let Some(bytes) = header_of(header::CONTENT_TYPE) else { return Ok(Mode::Binary) };
    match media_type(std::str::from_utf8(bytes).map_err(|_| MEDIA_TYPE)?).as_str() {
        "application/json" => Ok(Mode::Binary),
        "application/cloudevents+json" => Ok(Mode::Structured),
        _ => Err(MEDIA_TYPE),
    }
}

/// Reads and checks the envelope of binary mode.
///
/// # Errors
/// `bad_envelope` with the attribute.
pub(crate) fn binary_envelope(header_of: HeaderOf<'_>) -> Result<Envelope, BadSender> {
    let envelope = Envelope::from_headers(|name| header_of(name)).map_err(|error| bad(attribute_of(&error)))?;
    checked(envelope)
}

/// Takes a structured event apart: its envelope, and `data`, which stays where it is.
///
/// # Errors
/// `bad_envelope` with the attribute; `data` counts as one.
pub(crate) fn structured_envelope<'e, 'a>(
    event: &'e mut Object<'a>,
) -> Result<(Envelope, &'e mut Node<'a>), BadSender> {
    if event.get("data_base64").is_some() {
        return Err(BadSender { attribute: Some("data_base64"), ..MEDIA_TYPE });
    }
    if let Some(declared) = event.get("datacontenttype")
        && declared.as_text().map(media_type).as_deref() != Some("application/json")
    {
        return Err(MEDIA_TYPE);
    }
    if event.get("data").is_none() {
        return Err(bad("data"));
    }
    let attribute = |name: &str| {
        let name = name.strip_prefix("ce_").unwrap_or(name);
        // An attribute that is no string is given as bytes that are no text, and refused as such.
        event.get(name).map(|node| node.as_text().map_or(&b"\xff"[..], str::as_bytes))
    };
    let envelope = Envelope::from_headers(attribute).map_err(|error| bad(attribute_of(&error)))?;
    let envelope = checked(envelope)?;
    Ok((envelope, event.get_mut("data").ok_or(bad("data"))?))
}

fn media_type(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What CloudEvents asks of values, beyond their being there.
fn checked(mut envelope: Envelope) -> Result<Envelope, BadSender> {
    let named = [
        ("id", Some(&envelope.id)),
        ("source", Some(&envelope.source)),
        ("type", Some(&envelope.event_type)),
        ("subject", envelope.subject.as_ref()),
        ("correlationid", envelope.correlation_id.as_ref()),
        ("causationid", envelope.causation_id.as_ref()),
        ("partitionkey", envelope.partition_key.as_ref()),
    ];
    for (name, value) in named {
        if value.is_some_and(|text| text.contains(char::is_control)) {
            return Err(bad(name));
        }
    }
    if envelope.time.as_deref().is_some_and(|time| DateTime::parse_from_rfc3339(time).is_err()) {
        return Err(bad("time"));
    }
    // W3C: a trace context that does not parse is dropped, not an error.
    envelope.traceparent = envelope.traceparent.filter(|text| is_traceparent(text));
    Ok(envelope)
}

pub(crate) fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    };
    matches!(parts.as_slice(), [version, trace, span, flags]
        if hex(version, 2) && *version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2))
}

fn attribute_of(error: &BadEnvelope) -> &'static str {
    match error {
        BadEnvelope::Missing(name) | BadEnvelope::NotText(name) | BadEnvelope::TooLong(name) => {
            name.strip_prefix("ce_").unwrap_or(name)
        }
        BadEnvelope::SpecVersion => "specversion",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strict::parse;

    fn structured(text: &str) -> Result<(Envelope, Node<'_>), BadSender> {
        let mut event = parse(text.as_bytes(), 8).expect("rows are JSON");
        let (envelope, data) = structured_envelope(event.as_map_mut().expect("rows are objects"))?;
        Ok((envelope, data.clone()))
    }

    #[test]
    fn the_content_type_tells_the_mode() {
        let rows: &[(Option<&[u8]>, Option<Mode>)] = &[
            (None, Some(Mode::Binary)),
            (Some(b"application/json; charset=utf-8"), Some(Mode::Binary)),
            (Some(b"Application/CloudEvents+JSON"), Some(Mode::Structured)),
            (Some(b"application/cloudevents-batch+json"), None),
            (Some(b"application/avro"), None),
            (Some(b"\xff"), None),
        ];
        for (value, expected) in rows {
            assert_eq!(mode(&|_| *value).ok(), *expected, "{value:?}");
        }
    }

    #[test]
    fn structured_events_come_apart() {
        let text =
            r#"{"specversion":"1.0","id":"1","source":"/los","type":"t","traceparent":"nonsense","data":{"a":1}}"#;
        let (envelope, data) = structured(text).expect("is an event");
        assert_eq!((envelope.id.as_str(), envelope.traceparent), ("1", None));
        assert!(data.as_map().is_some());
        let rows = [
            (r#"{"specversion":"1.0","id":7,"source":"/los","type":"t","data":{}}"#, "id"),
            (r#"{"specversion":"0.3","id":"1","source":"/los","type":"t","data":{}}"#, "specversion"),
            (r#"{"specversion":"1.0","id":"1","source":"/los","type":"t"}"#, "data"),
            (r#"{"specversion":"1.0","id":"1","source":"/los","type":"t","data_base64":"e30="}"#, "data_base64"),
            (r#"{"specversion":"1.0","id":"1","source":"/los","type":"t","time":"noon","data":{}}"#, "time"),
            (r#"{"specversion":"1.0","id":"a\nb","source":"/los","type":"t","data":{}}"#, "id"),
        ];
        for (text, attribute) in rows {
            assert_eq!(structured(text).map(|_| ()).map_err(|bad| bad.attribute), Err(Some(attribute)), "{text}");
        }
    }

    #[test]
    fn a_trace_context_is_kept_when_it_is_one() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!is_traceparent("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!is_traceparent("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
    }
}
