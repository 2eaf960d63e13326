//! A request as `receive` sees it: HTTP's `ce-*` headers under Kafka's names, with what a plain client leaves out filled in.
//! One body is one event; NDJSON is one event a line.

use crate::refusal::Reason;
use crate::rules::TenantRule;
use axum::http::HeaderMap;
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

/// Whether a request has one event a line.
pub(crate) fn is_ndjson(headers: &HeaderMap) -> bool {
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

fn event<'b>(
    headers: &HeaderMap,
    body: &'b [u8],
    tenant: &TenantRule,
    content_type: Option<Vec<u8>>,
    line: Option<usize>,
) -> Event<'b> {
    let given = |name: &str| headers.get(name).map(|value| value.as_bytes().to_vec());
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
        (ce::TRACEPARENT, given("traceparent")),
        (ce::CONTENT_TYPE, content_type),
    ];
    Event { headers: named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(), body }
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
    fn lines_are_numbered_as_they_stand() {
        let rows = headers(&[("content-type", "application/x-ndjson; charset=utf-8")]);
        let found = events(&rows, b"{\"a\":1}\n\r\n{\"b\":2}\n", &bank(), 2).unwrap();
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(events(&rows, b"1\n2\n3", &bank(), 2).err(), Some(Reason::TooMany));
        assert_eq!(events(&rows, b"\n\n", &bank(), 2).err(), Some(Reason::Empty));
    }
}
