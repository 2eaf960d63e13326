//! What the worker reads of an accepted application: a view that borrows from the body's text, closed words as words, and the
//! record's headers in one pass. Judges no fact: ingest has.

use domain::{ApplicantKind, Intent, RequestType, Role};
use runtime::stream::Input;
use schemas::Word;
use schemas::envelope::header;
use schemas::intake::header as extension;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Headers that the worker reads or hands on.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordHeaders<'a> {
    /// `ce_type`.
    pub event_type: &'a str,
    /// `ce_id`.
    pub id: &'a str,
    /// `ce_subject`.
    pub subject: Option<&'a str>,
    /// `ce_correlationid`.
    pub correlation: Option<&'a str>,
    /// `ce_partitionkey`.
    pub partition_key: Option<&'a str>,
    /// `traceparent`.
    pub traceparent: Option<&'a str>,
    /// Keyed digest of the sender's `data`.
    pub data_digest: &'a str,
    /// Id of its key.
    pub data_digest_key: Option<&'a str>,
    /// Milliseconds since 1970 at which the deployment first touched the record.
    pub received_at_ms: Option<i64>,
}

impl<'a> RecordHeaders<'a> {
    /// Reads them; the last of a name counts, what is not text is as absent.
    pub fn of(input: &Input<'a>) -> Self {
        let mut headers = Self::default();
        for (name, value) in input.headers() {
            let Some(text) = value.and_then(|bytes| std::str::from_utf8(bytes).ok()) else { continue };
            match name {
                header::TYPE => headers.event_type = text,
                header::ID => headers.id = text,
                header::SUBJECT => headers.subject = Some(text),
                header::CORRELATION => headers.correlation = Some(text),
                header::PARTITION_KEY => headers.partition_key = Some(text),
                header::TRACEPARENT => headers.traceparent = Some(text),
                extension::DATA_DIGEST => headers.data_digest = text,
                extension::DATA_DIGEST_KEY => headers.data_digest_key = Some(text),
                extension::RECEIVED_AT => headers.received_at_ms = text.parse().ok(),
                _ => {}
            }
        }
        headers
    }
}

/// An accepted application. Fields that only pass through stay the text that they were.
#[derive(Debug, Deserialize)]
pub struct Application<'a> {
    /// The whole body.
    #[serde(skip)]
    pub text: &'a str,
    /// Tenant.
    #[serde(borrow)]
    pub tenant: Cow<'a, str>,
    /// The originator's id.
    #[serde(borrow)]
    pub application_id: Cow<'a, str>,
    /// From 1.
    pub revision: u32,
    /// Product.
    #[serde(borrow)]
    pub product: Cow<'a, str>,
    /// What is wanted.
    pub intent: Word<Intent>,
    /// What kind of request it is.
    pub request_type: Word<RequestType>,
    /// Sales channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    /// ISO 3166-2.
    #[serde(borrow)]
    pub jurisdiction: Cow<'a, str>,
    /// Amount, term, purpose.
    #[serde(borrow)]
    pub requested: &'a RawValue,
    /// The sender's clock.
    #[serde(borrow)]
    pub submitted_at: Cow<'a, str>,
    /// When it was complete.
    #[serde(borrow, default)]
    pub completed_at: Option<Cow<'a, str>>,
    /// The date that the facts describe.
    #[serde(borrow)]
    pub as_of: Cow<'a, str>,
    /// Who applies, the primary first.
    #[serde(borrow)]
    pub applicants: Vec<Applicant<'a>>,
}

/// One of those who apply.
#[derive(Debug, Deserialize)]
pub struct Applicant<'a> {
    /// Part in the application.
    pub role: Word<Role>,
    /// A person or an organisation.
    pub kind: Word<ApplicantKind>,
    /// The pseudonym.
    #[serde(borrow)]
    pub subject: Subject<'a>,
    /// Typed facts, as ingest wrote them.
    #[serde(borrow, default)]
    pub facts: Option<&'a RawValue>,
    /// Bureau reports, as ingest wrote them.
    #[serde(borrow, default)]
    pub reports: Option<&'a RawValue>,
}

/// A person or organisation under a tenant's key.
#[derive(Debug, Deserialize)]
pub struct Subject<'a> {
    /// Which tenant key made it.
    #[serde(borrow)]
    pub key_id: Cow<'a, str>,
    /// HMAC-SHA-256(tenant key, customer_ref), hexadecimal.
    #[serde(borrow)]
    pub subject: Cow<'a, str>,
}

impl<'a> Application<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is not as ingest writes it: the place only, because the parser's words may quote values.
    pub fn of(payload: &'a [u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(payload).map_err(|error| format!("byte {}", error.valid_up_to()))?;
        let place = |error: serde_json::Error| format!("line {} column {}", error.line(), error.column());
        let mut application: Self = serde_json::from_str(text).map_err(place)?;
        application.text = text;
        match application.applicants.is_empty() {
            true => Err("/applicants".to_owned()),
            false => Ok(application),
        }
    }

    /// Who is judged.
    pub fn primary(&self) -> &Applicant<'a> {
        &self.applicants[0]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"tenant": "bank", "application_id": "L-1", "revision": 1, "product": "card", "intent": "decide",
        "request_type": "new", "channel": "online", "jurisdiction": "US-CA", "requested": {}, "submitted_at": "",
        "as_of": "2026-11-01", "applicants": [{"role": "primary", "kind": "person", "subject": {"key_id": "k", "subject": "00"}}]}"#;

    #[test]
    fn closed_words_are_read_once_and_those_of_tomorrow_stay_what_they_are() {
        let application = Application::of(BODY.as_bytes()).unwrap();
        assert!(application.intent.is(Intent::Decide) && application.request_type.is(RequestType::New));
        assert!(application.primary().role.is(Role::Primary) && application.primary().kind.is(ApplicantKind::Person));
        let body = BODY.replace("decide", "muse").replace("primary", "patron");
        let application = Application::of(body.as_bytes()).unwrap();
        assert_eq!((application.intent.as_str(), application.intent.known()), ("muse", None));
        assert_eq!(application.primary().role, Word::Other("patron".to_owned()));
    }

    #[test]
    fn a_body_that_is_none_is_told_by_its_place_and_never_quoted() {
        let rows = [
            (BODY.replace(r#""intent": "decide""#, r#""intent": 7"#), "line 1"),
            (BODY.replace(r#""kind": "person""#, r#""kind": null"#), "line 3"),
            (format!("{}[]}}", BODY.split_once("[{").unwrap().0), "/applicants"),
        ];
        for (body, expected) in rows {
            let place = Application::of(body.as_bytes()).unwrap_err();
            assert!(place.starts_with(expected), "{place}: {body}");
        }
    }
}
