//! A request as `receive` sees it: HTTP's `ce-*` headers under Kafka's names, with what a plain client leaves out filled in.
//! One body is one event; NDJSON is one event a line.

use super::attribute;
use super::problem::{Problem, Wrong};
use crate::refusal::Reason;
use crate::rules::TenantRule;
use axum::http::{HeaderMap, StatusCode};
use domain::Digest;
use schemas::application::SUBMITTED;
use schemas::envelope::{JSON, header as ce};

/// One event of a request.
pub struct Event<'b> {
    /// Headers by Kafka's names.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// The value.
    pub body: &'b [u8],
}

impl Event<'_> {
    /// A header by Kafka's name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_slice())
    }
}

const NDJSON: &[&str] = &["application/x-ndjson", "application/ndjson", "application/jsonl"];

/// Headers that say one thing or nothing, and the attribute that each becomes.
const ONCE: &[(&str, Option<&str>)] = &[
    ("content-type", None),
    ("idempotency-key", None),
    ("ce-specversion", Some("specversion")),
    ("ce-id", Some("id")),
    ("ce-source", Some("source")),
    ("ce-type", Some("type")),
    ("ce-subject", Some("subject")),
    ("ce-time", Some("time")),
    ("ce-correlationid", Some("correlationid")),
];

/// How the events of a request stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// There is one.
    One,
    /// All lines are taken, or none.
    Whole,
    /// Each line is taken or refused alone.
    Each,
}

/// How the events of a request stand to each other. Lines are one whole unless the sender prefers otherwise (RFC 7240, 4.4).
pub(crate) fn shape(headers: &HeaderMap) -> Shape {
    match (is_ndjson(headers), is_lenient(headers)) {
        (false, _) => Shape::One,
        (true, false) => Shape::Whole,
        (true, true) => Shape::Each,
    }
}

/// Whether the request prefers lenient handling. Of a preference that is there twice the first one counts.
fn is_lenient(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferences = values.flat_map(|value| parts(value, ',')).filter_map(|preference| parts(preference, ';').next());
    let mut handling = preferences.filter_map(|preference| {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        name.trim().eq_ignore_ascii_case("handling").then(|| value.trim().trim_matches('"'))
    });
    handling.next().is_some_and(|value| value.eq_ignore_ascii_case("lenient"))
}

/// What a separator parts, but not inside of quotes.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c| {
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = is_quoted && c == '\\' && !is_escaped;
        c == separator && !is_quoted
    })
}

/// Whether no header of a request says two things: who reads the first and who the last would differ.
///
/// # Errors
/// `ambiguous_header` names the header.
pub(crate) fn unambiguous(headers: &HeaderMap) -> Result<(), Problem> {
    let differ = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let Some((name, attribute)) = ONCE.iter().find(|(name, _)| differ(name)) else { return Ok(()) };
    let title = "A header stands more than once, with different values";
    let problem = Problem::new(StatusCode::BAD_REQUEST, "ambiguous_header", title);
    let wrong = Wrong { attributes: Vec::from_iter(*attribute), ..Wrong::default() };
    Err(Problem { headers: vec![name], wrong: Box::new(wrong), ..problem })
}

/// Whether a request has one event a line.
fn is_ndjson(headers: &HeaderMap) -> bool {
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    NDJSON.contains(&media_type.as_str())
}

/// The events of a request.
///
/// # Errors
/// `too_many` beyond `max_lines`, `empty` without a line.
pub fn events<'b>(
    headers: &HeaderMap,
    body: &'b [u8],
    tenant: &TenantRule,
    max_lines: usize,
) -> Result<Vec<(usize, Event<'b>)>, Reason> {
    if !is_ndjson(headers) {
        let content_type = headers.get("content-type").map(|value| value.as_bytes().to_vec());
        return Ok(vec![(1, event(headers, body, tenant, content_type, None))]);
    }
    let mut events = Vec::new();
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if events.len() == max_lines {
            return Err(Reason::TooMany);
        }
        let line_number = index + 1;
        events.push((line_number, event(headers, line, tenant, Some(JSON.into()), Some(line_number))));
    }
    if events.is_empty() { Err(Reason::Empty) } else { Ok(events) }
}

/// One event of a request: its body, or a line of it.
pub(crate) fn event<'b>(
    headers: &HeaderMap,
    body: &'b [u8],
    tenant: &TenantRule,
    content_type: Option<Vec<u8>>,
    line: Option<usize>,
) -> Event<'b> {
    let given = |name: &str| headers.get(name).map(|value| attribute::decoded(value.as_bytes()).into_owned());
    let id = given("ce-id").or_else(|| idempotency_key(headers)).unwrap_or_else(|| fallback_id(body, tenant));
    let id = match line {
        Some(line) => [id, format!(":{line}").into_bytes()].concat(),
        None => id,
    };
    let named = [
        (ce::SPECVERSION, given("ce-specversion").or(Some(b"1.0".to_vec()))),
        (ce::ID, Some(id)),
        (ce::SOURCE, given("ce-source").or_else(|| Some(format!("/http/{}", tenant.tenant().as_str()).into_bytes()))),
        (ce::TYPE, given("ce-type").or_else(|| Some(SUBMITTED.into()))),
        (ce::SUBJECT, given("ce-subject")),
        (ce::TIME, given("ce-time")),
        (ce::CORRELATION, given("ce-correlationid")),
        (ce::TRACEPARENT, traceparent(headers).or_else(|| given("ce-traceparent"))),
        (ce::CONTENT_TYPE, content_type),
    ];
    Event { headers: named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(), body }
}

/// The trace that a request is part of. Two differing ones are none (W3C Trace Context, 3.2).
fn traceparent(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut all = headers.get_all("traceparent").iter();
    let first = all.next()?;
    let is_one = all.all(|other| other == first);
    Some(if is_one { first.as_bytes().to_vec() } else { Vec::new() })
}

/// The key that makes a retry recognisable; a structured string's quotes are not part of it.
pub fn idempotency_key(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get("idempotency-key")?.as_bytes();
    let bare = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    Some(bare.to_vec())
}

/// Without a key, the same bytes are the same event. Keyed, for it travels with the event and would give away what is in them.
fn fallback_id(body: &[u8], tenant: &TenantRule) -> Vec<u8> {
    format!("body:{}", tenant.digests().kept.name(&Digest::of(body))).into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{Config, DEMO_KEY};
    use crate::data_digest::Secrets;

    fn bank() -> TenantRule {
        TenantRule::new("bank", DEMO_KEY, &Secrets::new(&Config::default()).unwrap()).unwrap()
    }

    fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
        rows.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn an_id_comes_from_the_key_the_header_or_the_bytes() {
        let id = |rows: &[(&'static str, &str)]| {
            let events = events(&headers(rows), b"{}", &bank(), 9).unwrap();
            String::from_utf8(events[0].1.header(ce::ID).unwrap().to_vec()).unwrap()
        };
        assert_eq!(id(&[("idempotency-key", "k-1")]), "k-1");
        assert_eq!(id(&[("idempotency-key", "\"k-1\"")]), "k-1");
        assert_eq!(id(&[("ce-id", "7"), ("idempotency-key", "k-1")]), "7");
        let made = id(&[]);
        assert!(made.starts_with("body:") && made.len() == 69 && id(&[]) == made, "{made}");
        assert!(!made.contains(&Digest::of(b"{}").to_string()), "whoever guesses the body could tell");
        assert_eq!(id(&[("content-type", "application/x-ndjson"), ("idempotency-key", "k")]), "k:1");
    }

    #[test]
    fn values_are_decoded_as_the_binding_says() {
        let row = [("ce-id", "a%20b"), ("ce-subject", "\"L-1\""), ("traceparent", "%30"), ("ce-source", "/l%C3%B6s")];
        let found = events(&headers(&row), b"{}", &bank(), 9).unwrap().remove(0).1;
        let values = [ce::ID, ce::SUBJECT, ce::TRACEPARENT, ce::SOURCE].map(|name| found.header(name).unwrap());
        assert_eq!(values, [b"a b".as_slice(), b"L-1", b"%30", "/l\u{f6}s".as_bytes()]);
    }

    #[test]
    fn a_trace_is_the_requests_own_before_the_events() {
        let trace = |rows: &[(&'static str, &str)]| {
            let mut all = HeaderMap::new();
            for (name, value) in rows {
                all.append(*name, value.parse().unwrap());
            }
            let found = events(&all, b"{}", &bank(), 9).unwrap().remove(0).1;
            found.header(ce::TRACEPARENT).map(|value| String::from_utf8(value.to_vec()).unwrap())
        };
        assert_eq!(trace(&[("traceparent", "1"), ("ce-traceparent", "2")]).as_deref(), Some("1"));
        assert_eq!(trace(&[("ce-traceparent", "2")]).as_deref(), Some("2"));
        assert_eq!(trace(&[("traceparent", "1"), ("traceparent", "1")]).as_deref(), Some("1"));
        assert_eq!(trace(&[("traceparent", "1"), ("traceparent", "3")]).as_deref(), Some(""), "none");
        assert_eq!(trace(&[]), None);
    }

    #[test]
    fn lines_are_one_whole_unless_the_sender_prefers_otherwise() {
        let rows: [(&[&str], Shape); 12] = [
            (&[], Shape::Whole),
            (&["handling=lenient"], Shape::Each),
            (&["respond-async, Handling = \"LENIENT\"; a=b"], Shape::Each),
            (&["wait=1", "handling=lenient"], Shape::Each),
            (&["handling=strict"], Shape::Whole),
            (&["handling=strict, handling=lenient"], Shape::Whole),
            (&["handling=lenient", "handling=strict"], Shape::Each),
            (&["handling, handling=lenient"], Shape::Whole),
            (&["a=\"x, handling=lenient\""], Shape::Whole),
            (&["a=\"x\\\", handling=lenient\""], Shape::Whole),
            (&["a;handling=lenient"], Shape::Whole),
            (&["handling=lenient2"], Shape::Whole),
        ];
        for (prefer, expected) in rows {
            let mut all = headers(&[("content-type", "application/x-ndjson")]);
            for value in prefer {
                all.append("prefer", value.parse().unwrap());
            }
            assert_eq!(shape(&all), expected, "{prefer:?}");
            all.insert("content-type", "application/json".parse().unwrap());
            assert_eq!(shape(&all), Shape::One, "{prefer:?}");
        }
    }

    #[test]
    fn a_header_says_one_thing() {
        for (name, attribute) in ONCE {
            let mut all = headers(&[]);
            for (value, fits) in [("a", true), ("a", true), ("b", false)] {
                all.append(*name, value.parse().unwrap());
                let refused = unambiguous(&all).err();
                assert_eq!(refused.is_none(), fits, "{name}");
                if let Some(problem) = refused {
                    assert_eq!((problem.headers, problem.wrong.attributes), (vec![*name], Vec::from_iter(*attribute)));
                }
            }
        }
    }

    #[test]
    fn lines_are_numbered_as_they_stand() {
        let rows = headers(&[("content-type", "application/x-ndjson; charset=utf-8")]);
        let found = events(&rows, b"{\"a\":1}\n\r\n{\"b\":2}\n", &bank(), 2).unwrap();
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(events(&rows, b"1\n2\n3", &bank(), 2).err(), Some(Reason::TooMany));
        assert_eq!(events(&rows, b"\n\n", &bank(), 2).err(), Some(Reason::Empty));
    }
}
