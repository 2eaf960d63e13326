//! What the room reads of an accepted application: a view that borrows from the parsed body, and the record's headers in one
//! pass. Judges no fact: ingest has.

use runtime::stream::Input;
use schemas::envelope::header;
use schemas::intake::header as extension;
use serde_json::Value;

/// Headers that the room reads or hands on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heads<'a> {
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
    /// SHA-256 of the sender's `data`.
    pub data_digest: &'a str,
    /// Milliseconds since 1970 at which the house first touched the record.
    pub received_at_ms: Option<i64>,
}

impl<'a> Heads<'a> {
    /// Reads them; the last of a name counts, what is not text is as absent.
    pub fn of(input: &Input<'a>) -> Self {
        let mut heads = Self::default();
        for (name, value) in input.headers() {
            let Some(text) = value.and_then(|bytes| std::str::from_utf8(bytes).ok()) else { continue };
            match name {
                header::TYPE => heads.event_type = text,
                header::ID => heads.id = text,
                header::SUBJECT => heads.subject = Some(text),
                header::CORRELATION => heads.correlation = Some(text),
                header::PARTITION_KEY => heads.partition_key = Some(text),
                header::TRACEPARENT => heads.traceparent = Some(text),
                extension::DATA_DIGEST => heads.data_digest = text,
                extension::RECEIVED_AT => heads.received_at_ms = text.parse().ok(),
                _ => {}
            }
        }
        heads
    }
}

/// An accepted application.
#[derive(Debug, Clone, Copy)]
pub struct Application<'a> {
    /// The whole body.
    pub data: &'a Value,
    /// Tenant.
    pub tenant: &'a str,
    /// The originator's id.
    pub application_id: &'a str,
    /// From 1.
    pub revision: u32,
    /// Product.
    pub product: &'a str,
    /// `decide`, `prequalify` or `score_only`.
    pub intent: &'a str,
    /// `new`, `increase` …
    pub request_type: &'a str,
    /// Sales channel.
    pub channel: &'a str,
    /// ISO 3166-2.
    pub jurisdiction: &'a str,
    /// Amount, term, purpose.
    pub requested: &'a Value,
    /// The sender's clock.
    pub submitted_at: &'a str,
    /// When it was complete.
    pub completed_at: Option<&'a str>,
    /// The date that the facts describe.
    pub as_of: &'a str,
    /// The primary's typed facts, as ingest wrote them.
    pub facts: &'a Value,
    /// Who applies, the primary first.
    pub applicants: &'a [Value],
    /// The primary's pseudonym.
    pub primary_subject: &'a str,
}

impl<'a> Application<'a> {
    /// The view of a parsed body.
    ///
    /// # Errors
    /// The JSON pointer of the first field that is not as ingest writes it.
    pub fn of(data: &'a Value) -> Result<Self, &'static str> {
        let text = |name: &str, pointer| data.get(name).and_then(Value::as_str).ok_or(pointer);
        let applicants = data.get("applicants").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let primary = applicants.first().ok_or("/applicants/0")?;
        let revision = data.get("revision").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        Ok(Self {
            data,
            tenant: text("tenant", "/tenant")?,
            application_id: text("application_id", "/application_id")?,
            revision: revision.ok_or("/revision")?,
            product: text("product", "/product")?,
            intent: text("intent", "/intent")?,
            request_type: text("request_type", "/request_type")?,
            channel: text("channel", "/channel")?,
            jurisdiction: text("jurisdiction", "/jurisdiction")?,
            requested: data.get("requested").filter(|value| value.is_object()).ok_or("/requested")?,
            submitted_at: text("submitted_at", "/submitted_at")?,
            completed_at: data.get("completed_at").and_then(Value::as_str),
            as_of: text("as_of", "/as_of")?,
            facts: primary.get("facts").filter(|value| value.is_object()).ok_or("/applicants/0/facts")?,
            applicants,
            primary_subject: subject_of(primary).map(|(_, subject)| subject).ok_or("/applicants/0/subject")?,
        })
    }
}

/// Key id and pseudonym of an applicant.
pub fn subject_of(applicant: &Value) -> Option<(&str, &str)> {
    let subject = applicant.get("subject")?;
    Some((subject.get("key_id")?.as_str()?, subject.get("subject")?.as_str()?))
}
