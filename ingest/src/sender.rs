//! The CloudEvents envelope as senders give it: binary mode (attributes in headers) and structured mode (one JSON object), on
//! Kafka and over HTTP alike. Says every attribute that is wrong and what is taken in its place, never what it held.

use crate::headers::{HeaderOf, meant, misspelt};
use crate::refusal::{Fault, Reason};
use crate::strict::{Node, Object};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use schemas::Envelope;
use schemas::application::{SUBMITTED, WITHDRAWN};
use schemas::envelope::{JSON, MAX_ATTRIBUTE_BYTES, header};
use schemas::reply::Expected;

/// How the attributes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In headers; the value is `data`.
    Binary,
    /// In the value, beside `data`.
    Structured,
}

/// Media type of structured mode.
const STRUCTURED: &str = "application/cloudevents+json";
/// The attribute that the content type of a record stands for.
const DATA_CONTENT_TYPE: &str = "datacontenttype";
/// The body of a structured event in Base64.
const DATA_BASE64: &str = "data_base64";
/// `traceparent` as an extension attribute, which CloudEvents' own clients write.
const TRACE_ATTRIBUTE: &str = "ce_traceparent";

/// An attribute that is read here.
struct Attribute {
    name: &'static str,
    header: &'static str,
    is_required: bool,
}

/// In the order in which faults are told.
const ATTRIBUTES: [Attribute; 10] = {
    const fn required(name: &'static str, header: &'static str) -> Attribute {
        Attribute { name, header, is_required: true }
    }
    const fn optional(name: &'static str, header: &'static str) -> Attribute {
        Attribute { name, header, is_required: false }
    }
    [
        required("specversion", header::SPECVERSION),
        required("id", header::ID),
        required("source", header::SOURCE),
        required("type", header::TYPE),
        optional("subject", header::SUBJECT),
        optional("time", header::TIME),
        optional("correlationid", header::CORRELATION),
        optional("causationid", header::CAUSATION),
        optional("partitionkey", header::PARTITION_KEY),
        optional(DATA_CONTENT_TYPE, header::CONTENT_TYPE),
    ]
};

/// Tells the mode by the content type; a record without one is taken for JSON in binary mode.
///
/// # Errors
/// `unsupported_media_type` for anything else, such as a batch of events or Avro.
pub fn mode(header_of: HeaderOf<'_>) -> Result<Mode, Fault> {
    let Some(bytes) = header_of.get(header::CONTENT_TYPE).filter(|bytes| !bytes.is_empty()) else {
        return Ok(Mode::Binary);
    };
    if header_of.all().iter().any(|(name, value)| *name == header::CONTENT_TYPE && value.is_some_and(|v| v != bytes)) {
        return Err(Fault::of_attribute(Reason::DuplicateAttribute, DATA_CONTENT_TYPE));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Err(not_json(&[JSON, STRUCTURED])) };
    let media_type = without_parameters(text);
    if media_type.eq_ignore_ascii_case(STRUCTURED) {
        return Ok(Mode::Structured);
    }
    if media_type.eq_ignore_ascii_case("application/cloudevents-batch+json") {
        let each = "a batch of events is not read, each event is a record or a request of its own";
        return Err(not_json(&[JSON, STRUCTURED]).because(each));
    }
    if is_json(media_type) { Ok(Mode::Binary) } else { Err(not_json(&[JSON, STRUCTURED])) }
}

fn not_json(taken: &[&str]) -> Fault {
    let words = taken.iter().map(|word| (*word).to_owned()).collect();
    Fault::of_attribute(Reason::UnsupportedMediaType, DATA_CONTENT_TYPE)
        .expecting(Expected { words, ..Expected::default() })
}

fn without_parameters(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

/// Whether a media type without parameters is `*/json` or `*/*+json`: CloudEvents' JSON format, 3.1.1.
fn is_json(media_type: &str) -> bool {
    let Some((kind, subtype)) = media_type.split_once('/') else { return false };
    let ending = subtype.len().checked_sub(4).and_then(|at| subtype.split_at_checked(at));
    !kind.is_empty()
        && ending.is_some_and(|(before, last)| {
            last.eq_ignore_ascii_case("json") && (before.is_empty() || (before.ends_with('+') && before.len() > 1))
        })
}

/// Every attribute that stands in two headers with different values. One that is not read is nobody's concern, and a trace
/// context in two headers is none.
pub(crate) fn doubled(header_of: HeaderOf<'_>) -> Vec<Fault> {
    let mut first: [Option<&[u8]>; ATTRIBUTES.len()] = [None; ATTRIBUTES.len()];
    let mut is_doubled = [false; ATTRIBUTES.len()];
    for (name, value) in header_of.all() {
        let place = ATTRIBUTES.iter().position(|attribute| attribute.header == *name);
        let (Some(place), Some(value)) = (place, value) else { continue };
        is_doubled[place] |= *first[place].get_or_insert(value) != *value;
    }
    let of = |(attribute, _): (&Attribute, bool)| Fault::of_attribute(Reason::DuplicateAttribute, attribute.name);
    ATTRIBUTES.iter().zip(is_doubled).filter(|(_, is_doubled)| *is_doubled).map(of).collect()
}

/// Reads and checks the envelope of binary mode.
///
/// # Errors
/// Every attribute that is wrong: `bad_envelope`, `header_spelling`, `duplicate_attribute`.
pub(crate) fn binary_envelope(header_of: HeaderOf<'_>) -> Result<Envelope, Vec<Fault>> {
    let faults = doubled(header_of);
    if faults.is_empty()
        && let Some(envelope) = sound(|name| binary(header_of, name))
    {
        return Ok(envelope);
    }
    Err(binary_faults(header_of, faults))
}

/// A header, and the trace context wherever it stands; one that does not parse is dropped, as W3C says, and is no error.
fn binary<'h>(header_of: HeaderOf<'h>, name: &str) -> Option<&'h [u8]> {
    if name != header::TRACEPARENT {
        return header_of.get(name);
    }
    let trace = header_of.get(header::TRACEPARENT).or_else(|| header_of.get(TRACE_ATTRIBUTE));
    trace.filter(|bytes| is_traceparent(bytes))
}

fn binary_faults(header_of: HeaderOf<'_>, doubled: Vec<Fault>) -> Vec<Fault> {
    let mut faults = doubled;
    let known = faults.len();
    for attribute in &ATTRIBUTES {
        let value = header_of.get(attribute.header).filter(|bytes| !bytes.is_empty());
        if value.is_none() && misspelt(header_of, attribute.name).next().is_some() {
            let names = vec![attribute.header.to_owned()];
            let spelling = Fault::of_attribute(Reason::HeaderSpelling, attribute.name);
            faults.push(spelling.expecting(Expected { names, ..Expected::default() }));
        } else if attribute.name != DATA_CONTENT_TYPE
            && let Some(fault) = fault_of(attribute, value, "it is not UTF-8")
        {
            faults.push(fault);
        }
    }
    // A header that was meant explains more than one that is not there.
    faults[known..].sort_by_key(|fault| fault.reason != Reason::HeaderSpelling);
    faults
}

/// What is wrong with an attribute.
fn fault_of(attribute: &Attribute, value: Option<&[u8]>, not_text: &'static str) -> Option<Fault> {
    let why = match value.map(std::str::from_utf8) {
        None if attribute.is_required => "it is missing",
        None => return None,
        Some(_) if value.is_some_and(|bytes| bytes.len() > MAX_ATTRIBUTE_BYTES) => "it is longer than 256 bytes",
        Some(Err(_)) => not_text,
        Some(Ok(text)) if attribute.name == "specversion" && text != "1.0" => "that version is not read",
        Some(Ok(text)) if attribute.name == "time" && DateTime::parse_from_rfc3339(text).is_err() => "it is no time",
        Some(Ok(text)) if text.contains(char::is_control) => "it holds a control character",
        Some(Ok(_)) => return None,
    };
    Some(Fault::of_attribute(Reason::BadEnvelope, attribute.name).because(why))
}

/// Reads the envelope of a structured event. An attribute that is null is unset: CloudEvents' JSON format, 2.2.
///
/// # Errors
/// Every attribute that is wrong; `data` and `data_base64` count as such.
pub(crate) fn structured_envelope(event: &Node<'_>) -> Result<Envelope, Vec<Fault>> {
    let Some(event) = event.as_map() else {
        let whole = Fault::new(Reason::BadEnvelope, String::new()).because("the event is not an object");
        return Err(vec![whole.expecting(types(&["object"]))]);
    };
    let envelope = sound(|name| structured(event, name));
    let mut faults = data_faults(event);
    match envelope {
        Some(envelope) if faults.is_empty() => Ok(envelope),
        _ => {
            let attributes = ATTRIBUTES.iter().filter(|attribute| attribute.name != DATA_CONTENT_TYPE);
            let wrong = attributes.filter_map(|attribute| {
                let value = structured(event, attribute.header).filter(|bytes| !bytes.is_empty());
                fault_of(attribute, value, "it is not a string")
            });
            faults.splice(..0, wrong.collect::<Vec<_>>());
            Err(faults)
        }
    }
}

/// An attribute of a structured event by its header's name; one that is no string is given as bytes that are no text.
fn structured<'e>(event: &'e Object<'_>, name: &str) -> Option<&'e [u8]> {
    let node = set(event, name.strip_prefix("ce_").unwrap_or(name))?;
    let bytes = node.as_text().map_or(&b"\xff"[..], str::as_bytes);
    (name != header::TRACEPARENT || is_traceparent(bytes)).then_some(bytes)
}

/// A member that is there and not null.
fn set<'e, 'a>(event: &'e Object<'a>, name: &str) -> Option<&'e Node<'a>> {
    event.get(name).filter(|node| **node != Node::Null)
}

/// What is wrong with how the body is given.
fn data_faults(event: &Object<'_>) -> Vec<Fault> {
    let bad = |name, why: &str| Fault::of_attribute(Reason::BadEnvelope, name).because(why);
    let mut faults = Vec::new();
    if let Some(declared) = set(event, DATA_CONTENT_TYPE)
        && !declared.as_text().is_some_and(|text| is_json(without_parameters(text)))
    {
        faults.push(not_json(&[JSON]));
    }
    match (event.get("data"), set(event, DATA_BASE64)) {
        (None, None) => faults.push(bad("data", "it is missing").expecting(types(&["object"]))),
        (Some(data), Some(_)) if !matches!(data, Node::Null) => faults.push(bad(DATA_BASE64, "data is there as well")),
        (_, Some(node)) if node.as_text().is_none() => {
            faults.push(bad(DATA_BASE64, "it is not a string").expecting(types(&["string"])));
        }
        _ => {}
    }
    faults
}

fn types(types: &[&str]) -> Expected {
    Expected { types: types.iter().map(|name| (*name).to_owned()).collect(), ..Expected::default() }
}

/// The bytes of a body that came in Base64 (RFC 4648); none where it came as JSON.
///
/// # Errors
/// `bad_envelope` where it is no Base64.
pub(crate) fn decoded(event: &Node<'_>) -> Result<Option<Vec<u8>>, Fault> {
    let text = event.as_map().and_then(|event| set(event, DATA_BASE64)?.as_text());
    let bad = |_| Fault::of_attribute(Reason::BadEnvelope, DATA_BASE64).because("it is no Base64 (RFC 4648)");
    text.map(|text| STANDARD.decode(text).map_err(bad)).transpose()
}

/// Whether a body is a whole event, which its content type did not say.
pub(crate) fn is_unlabelled(body: &Node<'_>) -> bool {
    let Some(body) = body.as_map() else { return false };
    let is_text = |name| body.get(name).is_some_and(|node| node.as_text().is_some());
    ["specversion", "type", "source"].iter().all(|name| is_text(name)) && body.get("tenant").is_none()
}

/// The fault of such a body.
pub(crate) fn unlabelled() -> Fault {
    let (names, words) = (vec![header::CONTENT_TYPE.to_owned()], vec![STRUCTURED.to_owned()]);
    Fault::of_attribute(Reason::UnlabelledEvent, DATA_CONTENT_TYPE).expecting(Expected {
        names,
        words,
        ..Expected::default()
    })
}

/// The fault of a type that is not taken.
pub(crate) fn unknown_type() -> Fault {
    let words = [SUBMITTED, WITHDRAWN].map(str::to_owned).into();
    Fault::of_attribute(Reason::UnknownEventType, "type").expecting(Expected { words, ..Expected::default() })
}

/// The envelope, where CloudEvents has nothing to object to it.
fn sound<'v>(value_of: impl Fn(&str) -> Option<&'v [u8]>) -> Option<Envelope> {
    let envelope = Envelope::from_headers(value_of).ok()?;
    let texts = [
        Some(&envelope.id),
        Some(&envelope.source),
        Some(&envelope.event_type),
        envelope.subject.as_ref(),
        envelope.correlation_id.as_ref(),
        envelope.causation_id.as_ref(),
        envelope.partition_key.as_ref(),
    ];
    let is_plain = texts.into_iter().flatten().all(|text| !text.contains(char::is_control));
    let is_time = envelope.time.as_deref().is_none_or(|time| DateTime::parse_from_rfc3339(time).is_ok());
    (is_plain && is_time).then_some(envelope)
}

/// What is known of a refused record's sender: an attribute by its name, from wherever it stands.
pub(crate) fn attribute_of(
    header_of: HeaderOf<'_>,
    event: Option<&Object<'_>>,
    header: &'static str,
) -> Option<String> {
    fn sound(bytes: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(bytes).ok()?;
        let is_sound = (1..=MAX_ATTRIBUTE_BYTES).contains(&text.len()) && !text.contains(char::is_control);
        is_sound.then(|| text.to_owned())
    }
    let inside = event.and_then(|event| structured(event, header)).and_then(sound);
    match header {
        header::TRACEPARENT => inside.or_else(|| binary(header_of, header).and_then(sound)),
        _ => inside.or_else(|| meant(header_of, header).find_map(sound)),
    }
}

/// Whether it is a trace context that W3C lets a receiver use: an id of zeros alone is none.
fn is_traceparent(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|byte| *byte == b'-');
    let hex = |part: &[u8], len: usize| {
        part.len() == len && part.iter().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    };
    let id = |part: &[u8], len: usize| hex(part, len) && part.iter().any(|b| *b != b'0');
    let mut next = || parts.next().unwrap_or_default();
    let (version, trace, span, flags) = (next(), next(), next(), next());
    let is_one = hex(version, 2) && version != b"ff" && id(trace, 32) && id(span, 16) && hex(flags, 2);
    is_one && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::RecordHeaders;
    use crate::strict::parse;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn structured(members: &str) -> Result<Envelope, Vec<(&'static str, String)>> {
        let event = parse(members.as_bytes(), 8).expect("rows are JSON");
        structured_envelope(&event).map_err(told)
    }

    fn told(faults: Vec<Fault>) -> Vec<(&'static str, String)> {
        faults
            .into_iter()
            .map(|fault| (fault.attribute.unwrap_or_default(), fault.remark.unwrap_or_default()))
            .collect()
    }

    fn headers<'h>(rows: &'h [(&'h str, &'h str)]) -> RecordHeaders<'h> {
        RecordHeaders::new(rows.iter().map(|(name, value)| (*name, Some(value.as_bytes()))).collect())
    }

    #[test]
    fn the_content_type_tells_the_mode() {
        let rows: &[(Option<&[u8]>, Option<Mode>)] = &[
            (None, Some(Mode::Binary)),
            (Some(b""), Some(Mode::Binary)),
            (Some(b"application/json; charset=utf-8"), Some(Mode::Binary)),
            (Some(b"text/json"), Some(Mode::Binary)),
            (Some(b"application/vnd.bank.loan.v2+JSON;charset=UTF-8"), Some(Mode::Binary)),
            (Some(b"Application/CloudEvents+JSON"), Some(Mode::Structured)),
            (Some(b"application/cloudevents+json; charset=utf-8"), Some(Mode::Structured)),
            (Some(b"application/cloudevents-batch+json"), None),
            (Some(b"application/cloudevents+avro"), None),
            (Some(b"application/avro"), None),
            (Some(b"application/+json"), None),
            (Some(b"application/notjson"), None),
            (Some(b"json"), None),
            (Some(b"\xff"), None),
        ];
        for (value, expected) in rows {
            assert_eq!(mode(&|_: &str| *value).ok(), *expected, "{value:?}");
        }
        let batch = mode(&|_: &str| Some(&b"application/cloudevents-batch+json"[..])).map_err(|fault| fault.remark);
        assert!(batch.is_err_and(|remark| remark.is_some_and(|remark| remark.contains("a batch of events"))));
    }

    #[test]
    fn structured_events_come_apart() {
        let with = |members: &str| format!(r#"{{"specversion":"1.0","id":"1","source":"/los","type":"t"{members}}}"#);
        let envelope = structured(&with(r#","traceparent":"nonsense","data":{"a":1}"#)).expect("is an event");
        assert_eq!((envelope.id.as_str(), envelope.traceparent), ("1", None));
        let good = [
            r#","subject":null,"time":null,"correlationid":null,"datacontenttype":null,"data_base64":null,"data":{}"#,
            r#","datacontenttype":"application/vnd.bank+json; charset=utf-8","data":{}"#,
            r#","datacontenttype":"text/json","data_base64":"e30="}"#.trim_end_matches('}'),
            r#","data":null,"data_base64":"e30=""#,
        ];
        for members in good {
            assert_eq!(structured(&with(members)).map(|_| ()), Ok(()), "{members}");
        }
        let rows = [
            (with(""), "data", "it is missing"),
            (with(r#","data":{},"data_base64":"e30=""#), "data_base64", "data is there as well"),
            (with(r#","data_base64":7"#), "data_base64", "it is not a string"),
            (with(r#","datacontenttype":"application/xml","data":"<a/>""#), "datacontenttype", ""),
            (with(r#","time":"noon","data":{}"#), "time", "it is no time"),
            (with(r#","data":{}"#).replace(r#""1""#, "7"), "id", "it is not a string"),
            (with(r#","data":{}"#).replace(r#""1""#, "null"), "id", "it is missing"),
            (with(r#","data":{}"#).replace("1.0", "0.3"), "specversion", "that version is not read"),
            (with(r#","data":{}"#).replace(r#""1""#, r#""a\nb""#), "id", "it holds a control character"),
        ];
        for (text, attribute, why) in rows {
            assert_eq!(structured(&text).map(|_| ()), Err(vec![(attribute, why.to_owned())]), "{text}");
        }
        let all: Vec<_> = structured("{}").err().into_iter().flatten().map(|fault| fault.0).collect();
        assert_eq!(all, ["specversion", "id", "source", "type", "data"]);
    }

    #[test]
    fn base64_is_taken_by_its_letter() {
        let of =
            |text: &str| decoded(&parse(text.as_bytes(), 8).expect("rows are JSON")).map_err(|fault| fault.attribute);
        assert_eq!(of(r#"{"data_base64":"eyJhIjoxfQ=="}"#), Ok(Some(br#"{"a":1}"#.to_vec())));
        assert_eq!(of(r#"{"data_base64":null,"data":{}}"#), Ok(None));
        assert_eq!(of(r#"{"data_base64":"***"}"#), Err(Some("data_base64")));
    }

    #[test]
    fn every_attribute_that_is_wrong_is_told() {
        let rows: [(&[(&str, &str)], &[(Reason, &str)]); 6] = [
            (
                &[],
                &[
                    (Reason::BadEnvelope, "specversion"),
                    (Reason::BadEnvelope, "id"),
                    (Reason::BadEnvelope, "source"),
                    (Reason::BadEnvelope, "type"),
                ],
            ),
            (
                &[
                    ("ce_specversion", "0.3"),
                    ("ce_id", "1"),
                    ("ce_type", ""),
                    ("ce_source", "/los"),
                    ("ce_time", "noon"),
                ],
                &[(Reason::BadEnvelope, "specversion"), (Reason::BadEnvelope, "type"), (Reason::BadEnvelope, "time")],
            ),
            (
                &[("ce_specversion", "1.0"), ("ce-id", "1"), ("CE_TYPE", "t"), ("cloudEvents:time", "noon")],
                &[
                    (Reason::HeaderSpelling, "id"),
                    (Reason::HeaderSpelling, "type"),
                    (Reason::HeaderSpelling, "time"),
                    (Reason::BadEnvelope, "source"),
                ],
            ),
            (
                &[
                    ("cloudEvents_specversion", "1.0"),
                    ("cloudEvents_id", "1"),
                    ("cloudEvents_source", "/"),
                    ("ce_type", "t"),
                ],
                &[
                    (Reason::HeaderSpelling, "specversion"),
                    (Reason::HeaderSpelling, "id"),
                    (Reason::HeaderSpelling, "source"),
                ],
            ),
            (
                &[("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "/"), ("ce_type", "t"), ("ce_id", "2")],
                &[(Reason::DuplicateAttribute, "id")],
            ),
            (&[("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "/"), ("ce_type", "t"), ("ce_id", "1")], &[]),
        ];
        for (row, expected) in rows {
            let faults = binary_envelope(&headers(row)).err().unwrap_or_default();
            let found: Vec<_> =
                faults.iter().map(|fault| (fault.reason, fault.attribute.unwrap_or_default())).collect();
            assert_eq!(found, expected, "{row:?}");
        }
    }

    #[test]
    fn a_trace_context_is_kept_when_it_is_one() {
        let zeros = |part: &str| TRACE.replace(part, &"0".repeat(part.len()));
        assert!(is_traceparent(TRACE.as_bytes()));
        let wrong = [
            TRACE.replacen("00", "ff", 1),
            TRACE.to_uppercase(),
            zeros("4bf92f3577b34da6a3ce929d0e0e4736"),
            zeros("00f067aa0ba902b7"),
            format!("{TRACE}-01"),
            "x".repeat(999),
        ];
        let of = |rows: &[(&str, &str)]| {
            let good = [("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "/"), ("ce_type", "t")];
            let rows: Vec<_> = good.iter().chain(rows).copied().collect();
            binary_envelope(&headers(&rows)).expect("a trace is no reason to refuse").traceparent
        };
        for text in &wrong {
            assert_eq!(of(&[("traceparent", text)]), None, "{text}");
            assert_eq!(of(&[("ce_traceparent", text)]), None, "{text}");
        }
        let other = TRACE.replace("4bf9", "aaaa");
        assert_eq!(of(&[("ce_traceparent", TRACE)]).as_deref(), Some(TRACE));
        assert_eq!(of(&[("ce_traceparent", &other), ("traceparent", TRACE)]).as_deref(), Some(TRACE));
    }
}
