//! Why something is not taken: the closed list of words that replies, dead letters, problems and metrics share, and what is
//! known of the sender. Never holds a value of the body.

use crate::expected;
use runtime::stream::RecordOutcome;
use schemas::reply;

/// A reason, each with one word on the wire.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $status:literal, $title:literal;)+) => {
        /// Why a record is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $variant),+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire and in metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The status with which the HTTP door answers it.
            pub fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// One line for people, the same for every occurrence (RFC 9457 `title`).
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

impl Reason {
    /// What becomes of a refused record. One that was read and understood is the sender's affair; what cannot be read may mean
    /// that something is broken at its source, and counts towards the dead-letter limit.
    pub fn outcome(self, detail: String) -> RecordOutcome {
        let reason = self.as_str();
        match self.http_status() {
            403 | 409 | 422 | 429 => RecordOutcome::Refused { reason, detail },
            _ => RecordOutcome::DeadLetter { reason, detail },
        }
    }
}

reasons! {
    /// No value, or no byte in it.
    Empty = "empty", 400, "The record has no body";
    /// More bytes than the limit.
    BodyTooLarge = "body_too_large", 413, "The body is larger than the limit";
    /// Confluent's wire format: a zero byte and a schema id before the body.
    SchemaRegistryFraming = "schema_registry_framing", 415, "The body is framed for a schema registry; plain JSON is expected";
    /// Neither JSON nor a CloudEvent in JSON.
    UnsupportedMediaType = "unsupported_media_type", 415, "The content type is not one that is read here";
    /// CloudEvents attributes missing or malformed.
    BadEnvelope = "bad_envelope", 400, "A CloudEvents attribute is missing or malformed";
    /// Attributes under the header names of another transport: HTTP's, AMQP's, JMS's, or in capitals.
    HeaderSpelling = "header_spelling", 400, "A CloudEvents header is spelt as for another transport";
    /// A CloudEvent as one JSON document, and nothing that says so.
    UnlabelledEvent = "structured_without_content_type", 400, "A CloudEvent in structured mode came without its content type";
    /// An attribute in two headers that do not agree.
    DuplicateAttribute = "duplicate_attribute", 400, "A CloudEvents attribute stands there twice with different values";
    /// A type that ingest does not take.
    UnknownEventType = "unknown_event_type", 400, "The event type is not one that is taken here";
    /// Bytes that are no UTF-8.
    NotUtf8 = "not_utf8", 400, "The body is not UTF-8";
    /// Not one JSON document.
    NotJson = "not_json", 400, "The body is not one JSON document";
    /// More levels than the limit.
    TooDeep = "too_deep", 400, "The body is nested deeper than the limit";
    /// A key twice in one object.
    DuplicateKey = "duplicate_key", 400, "A key stands twice in one object";
    /// A number that a JSON reader may not hold exactly.
    NumberOutOfRange = "number_out_of_range", 400, "A number is beyond ±(2^53−1)";
    /// U+0000, which databases do not hold.
    NulCharacter = "nul_character", 400, "A string holds U+0000";
    /// A field outside `attributes` that the contract does not have.
    UnknownField = "unknown_field", 422, "A field is not part of the contract";
    /// A required field is absent.
    MissingField = "missing_field", 422, "A required field is absent";
    /// Another JSON type than the contract's.
    WrongType = "wrong_type", 422, "A field has the wrong type";
    /// Outside a range, pattern or length.
    BadValue = "bad_value", 422, "A field is outside its range, pattern or length";
    /// Not a word of a closed list.
    UnknownWord = "unknown_word", 422, "A field holds a word that its list does not have";
    /// Tenant, application id or revision outside its alphabet or range.
    BadIdentifier = "bad_identifier", 422, "An identifier is outside its alphabet, length or range";
    /// Zero, negative or too large where it may not be.
    BadAmount = "bad_amount", 422, "An amount is zero, negative or too large";
    /// Not in ISO 4217.
    UnknownCurrency = "unknown_currency", 422, "A currency is not in ISO 4217";
    /// Not a product of this deployment.
    UnknownProduct = "unknown_product", 422, "The product is not one of this deployment";
    /// In ISO 4217, and not one that the product is lent in; or an amount that a model reads without looking at its currency.
    CurrencyNotOfProduct = "currency_not_of_product", 422, "A currency is not one of the product's";
    /// Not RFC 3339 in UTC, or no date.
    BadTime = "bad_time", 422, "A time is not RFC 3339 in UTC or a date is not a calendar day";
    /// Later than the clock allows.
    FutureTime = "future_time", 422, "A time lies in the future";
    /// For a strict tenant: no model of the product reads an attribute of that name.
    UnknownAttribute = "unknown_attribute", 422, "No model of the product reads an attribute of this name";
    /// For a strict tenant: of another type than its readers take.
    AttributeWrongType = "attribute_wrong_type", 422, "An attribute has a type that no model of the product reads";
    /// For a strict tenant: a word or a currency that no reader knows.
    AttributeUnknownWord = "attribute_unknown_word", 422, "An attribute holds a word that no model of the product knows";
    /// Earlier than the contract allows.
    AncientTime = "ancient_time", 422, "A time lies too far back";
    /// More elements than the bound of a list, or more values than that of a body.
    TooMany = "too_many", 422, "A list or the body has more elements than its bound";
    /// Not exactly one primary applicant, first.
    BadApplicants = "bad_applicants", 422, "Exactly one primary applicant must come first";
    /// A body that names another tenant than its topic or principal.
    TenantMismatch = "tenant_mismatch", 403, "The body names another tenant than the one bound to its sender";
    /// `ce_subject` is not the application id.
    SubjectMismatch = "subject_mismatch", 422, "The subject attribute is not the application id";
    /// A row of a file that its mapping cannot carry.
    UnmappedRow = "unmapped_row", 422, "A row of the file does not fit its mapping";
    /// The same revision with other content.
    Conflict = "conflict", 409, "The same revision was accepted before with other content";
    /// Older than the window of deduplication.
    Stale = "stale", 422, "The record is older than the window of deduplication";
    /// The application was withdrawn before.
    Withdrawn = "withdrawn", 409, "The application was withdrawn before";
    /// More new applications of the tenant than its quota.
    TenantQuota = "tenant_quota", 429, "The tenant's quota of new applications for the day is used up";
    /// An intake record that `receive` cannot have written.
    MalformedIntake = "malformed_intake", 500, "The intake record lacks what receive writes";
}

/// At most so many faults of a record are told.
pub(crate) const MAX_FAULTS: usize = 16;

/// One thing that is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its word.
    pub reason: Reason,
    /// JSON pointer (RFC 6901) into `data`; empty for the whole.
    pub pointer: String,
    /// The CloudEvents attribute, where it is one.
    pub attribute: Option<&'static str>,
    /// What may be said beyond the title, where the word alone does not tell.
    pub remark: Option<String>,
    /// What is taken there; none where that is not known, or not yet.
    pub expected: Option<Box<reply::Expected>>,
}

/// Pointers longer than this are cut: a sender's key is in them.
const MAX_POINTER_BYTES: usize = 256;
/// Objects whose keys are nobody's affair: a key can itself be a value.
const PERSONAL: [&str; 2] = ["identity", "protected"];
/// Members of an applicant in which a pointer goes on. What stands below any other is personal, or was meant to be.
const TOLD_WITHIN: [&str; 3] = ["consents", "facts", "reports"];

/// Cuts a pointer behind the step at which personal data begins.
fn stop_at_personal(pointer: &mut String) {
    let (mut end, mut before) = (0, [""; 2]);
    for step in pointer.split('/').skip(1) {
        end += 1 + step.len();
        let is_of_applicant = before[0] == "applicants";
        if PERSONAL.contains(&step) || (is_of_applicant && !TOLD_WITHIN.contains(&step)) {
            break;
        }
        before = [before[1], step];
    }
    pointer.truncate(end);
}

impl Fault {
    /// A fault with its pointer, which stops at a personal object and is cut where it is overlong.
    pub fn new(reason: Reason, mut pointer: String) -> Self {
        stop_at_personal(&mut pointer);
        if pointer.len() > MAX_POINTER_BYTES {
            let cut = (0..=MAX_POINTER_BYTES).rev().find(|at| pointer.is_char_boundary(*at)).unwrap_or(0);
            pointer.truncate(cut);
            // Not within an escape.
            pointer.truncate(pointer.strip_suffix('~').map_or(cut, str::len));
        }
        Self { reason, pointer, attribute: None, remark: None, expected: None }
    }

    /// A fault of a CloudEvents attribute.
    pub(crate) fn of_attribute(reason: Reason, attribute: &'static str) -> Self {
        Self { attribute: Some(attribute), ..Self::new(reason, String::new()) }
    }

    /// With a remark, which holds nothing of the record.
    pub(crate) fn because(self, remark: impl Into<String>) -> Self {
        Self { remark: Some(remark.into()), ..self }
    }

    /// With what is taken in its place.
    pub(crate) fn expecting(self, expected: reply::Expected) -> Self {
        Self { expected: Some(Box::new(expected)), ..self }
    }

    /// As replies and problems tell it.
    pub(crate) fn told(&self) -> reply::Fault {
        reply::Fault {
            kind: self.reason.as_str().to_owned(),
            pointer: (self.attribute.is_none() || !self.pointer.is_empty()).then(|| self.pointer.clone()),
            attribute: self.attribute.map(str::to_owned),
            detail: self.sentence(),
            expected: self.expected.as_deref().cloned(),
        }
    }

    /// The title, what is known beyond it, and what is taken.
    fn sentence(&self) -> String {
        let expected = self.expected.as_deref();
        let header = expected.and_then(|expected| expected.names.first().filter(|_| self.attribute.is_some()));
        let taken = match (expected.and_then(expected::say), header) {
            (None, None) => None,
            (None, Some(header)) => Some(format!("the header {header}")),
            (Some(said), Some(header)) => Some(format!("the header {header}: {said}")),
            (said, None) => said,
        };
        let remark = self.remark.as_ref().map(|remark| format!(": {remark}"));
        let taken = taken.map(|taken| format!("; expected is {taken}"));
        [self.reason.title(), &remark.unwrap_or_default(), &taken.unwrap_or_default()].concat()
    }
}

/// What is known of a refused record, for its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// The tenant that topic or principal is bound to.
    pub tenant: String,
    /// From the body, when it is an identifier.
    pub application_id: Option<String>,
    /// From the body, when it is a revision.
    pub revision: Option<u32>,
    /// The sender's event id.
    pub event_id: Option<String>,
    /// The sender's thread.
    pub correlation_id: Option<String>,
    /// The sender's trace.
    pub traceparent: Option<String>,
}

/// A refused record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The word of the first fault.
    pub reason: Reason,
    /// Where in `data`, first fault first, without repetition.
    pub pointers: Vec<String>,
    /// CloudEvents attributes that are missing or wrong.
    pub attributes: Vec<&'static str>,
    /// Each thing that is wrong, in that order.
    pub faults: Vec<Fault>,
    /// Whom to answer.
    pub who: Who,
}

impl Refusal {
    /// The refusal for these faults, of which there is one at least.
    pub(crate) fn of(faults: Vec<Fault>, who: Who) -> Self {
        let reason = faults.first().map_or(Reason::BadValue, |fault| fault.reason);
        let (mut pointers, mut attributes): (Vec<String>, Vec<&'static str>) = Default::default();
        for fault in &faults {
            if !fault.pointer.is_empty() && !pointers.contains(&fault.pointer) {
                pointers.push(fault.pointer.clone());
            }
            attributes.extend(fault.attribute.filter(|attribute| !attributes.contains(attribute)));
        }
        Self { reason, pointers, attributes, faults, who }
    }

    /// The refusal of a record as a whole.
    pub(crate) fn whole(reason: Reason, who: Who) -> Self {
        Self::of(vec![Fault::new(reason, String::new())], who)
    }

    /// The detail of a dead letter: where, never what.
    pub fn detail(&self) -> String {
        let attributes = self.attributes.iter().map(|name| format!("attribute {name}"));
        self.pointers.iter().cloned().chain(attributes).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_answers_are_errors() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert!((400..600).contains(&reason.http_status()), "{}", reason.as_str());
            assert!(Reason::ALL[..index].iter().all(|other| other.as_str() != reason.as_str()), "{}", reason.as_str());
        }
    }

    #[test]
    fn a_pointer_stops_where_personal_data_begins() {
        let rows = [
            ("", ""),
            ("/revision", "/revision"),
            ("/applicants/0/identity", "/applicants/0/identity"),
            ("/applicants/0/identity/Anna Svensson", "/applicants/0/identity"),
            ("/applicants/12/protected/sex/0", "/applicants/12/protected"),
            ("/data/applicants/0/identity/a~1b/c", "/data/applicants/0/identity"),
            // Meant to be one of them, and not known as such.
            ("/applicants/0/Identity/Anna", "/applicants/0/Identity"),
            ("/applicant/0/identity/Anna", "/applicant/0/identity"),
            ("/applicants/identity/Anna", "/applicants/identity"),
            ("/applicants/0/facts/income/0/period", "/applicants/0/facts/income/0/period"),
            ("/applicants/0/reports/0/fields/inquiries", "/applicants/0/reports/0/fields/inquiries"),
            ("/attributes/utilisation", "/attributes/utilisation"),
        ];
        for (pointer, told) in rows {
            assert_eq!(Fault::new(Reason::BadValue, pointer.to_owned()).pointer, told);
        }
    }

    #[test]
    fn a_pointer_is_cut_between_characters() {
        let fault = Fault::new(Reason::UnknownField, format!("/{}", "ä".repeat(200)));
        assert_eq!(fault.pointer.len(), 255);
    }
}
