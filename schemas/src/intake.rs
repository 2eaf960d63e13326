//! What `receive` hands to `admit`, and what `admit` hands to the scorer. The facts that `admit` decides on travel in
//! headers, so that it never parses a body; the body is the normalised application without personal data. And what was
//! stripped on the way, in bodies of their own.

use crate::Word;
use crate::application::{Collateral, Consent, Document, Facts, Report, Requested};
use crate::risk::Subject;
use domain::{ApplicantKind, Intent, RequestType, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `ce_type` on `credit.intake.v1`.
pub const RECEIVED: &str = "application.received.v1";
/// `ce_type` on `credit.applications.v1`.
pub const ACCEPTED: &str = "application.accepted.v1";
/// `ce_type` on `credit.identities.v1`.
pub const IDENTITY: &str = "identity.received.v1";
/// `ce_type` on `credit.protected.v1`.
pub const PROTECTED: &str = "protected.received.v1";

/// Extension attributes as header names.
pub mod header {
    /// The tenant.
    pub const TENANT: &str = "ce_tenant";
    /// The revision, decimal.
    pub const REVISION: &str = "ce_revision";
    /// HMAC-SHA-256(the tenant's digest key, first 16 bytes of SHA-256 of the RFC 8785 form of the sender's `data`), hexadecimal.
    /// Without [`DATA_DIGEST_KEY`] beside it: that SHA-256 itself, by a version before.
    pub const DATA_DIGEST: &str = "ce_datadigest";
    /// Id of the key of [`DATA_DIGEST`].
    pub const DATA_DIGEST_KEY: &str = "ce_datadigestkey";
    /// While the key is changed: `key id:digest` under the other one. On `credit.intake.v1` alone.
    pub const DATA_DIGEST_ALSO: &str = "ce_datadigestalso";
    /// `form:key id:digest`, made as [`DATA_DIGEST`] is, of the shortest spelling of `data`: bodies that share it say the same. The
    /// form is the version of that spelling, and a reader passes over one that it does not know. Absent where `data` was sent in
    /// its shortest spelling, and from a version before. On `credit.intake.v1` alone.
    pub const MEANING_DIGEST: &str = "ce_meaningdigest";
    /// While the key is changed: the same under the other one.
    pub const MEANING_DIGEST_ALSO: &str = "ce_meaningdigestalso";
    /// Of an application with attributes that no model reads as they were sent: a JSON list of what its sender is told
    /// ([`crate::reply::Warning`]). On `credit.intake.v1` alone.
    pub const ATTRIBUTE_WARNINGS: &str = "ce_attributewarnings";
    /// Milliseconds since 1970 at which the first topic took the record; absent where the intake topic is the first.
    pub const RECEIVED_AT: &str = "ce_receivedat";
    /// The sender's event id.
    pub const ORIGIN_ID: &str = "ce_originid";
    /// How it came, a [`domain::Channel`].
    pub const ORIGIN_CHANNEL: &str = "ce_originchannel";
    /// Who sent it through the HTTP door: the subject of the token. Absent for records of a topic or a file.
    pub const ACTOR: &str = "ce_actor";
    /// Id of that token.
    pub const TOKEN_ID: &str = "ce_tokenid";
    /// Topic of the sender's record.
    pub const ORIGIN_TOPIC: &str = "ce_origintopic";
    /// Partition of the sender's record.
    pub const ORIGIN_PARTITION: &str = "ce_originpartition";
    /// Offset of the sender's record.
    pub const ORIGIN_OFFSET: &str = "ce_originoffset";
}

/// The body of `identity.received.v1`: who the applicants of one received body are. Written before deduplication, so a reader
/// that keeps one body per revision keeps the one whose `data_digest` was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identities {
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: u32,
    /// Keyed digest of the RFC 8785 form of the sender's `data`.
    pub data_digest: String,
    /// Id of the key that made it; absent where a version before made an unkeyed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_digest_key: Option<String>,
    /// In the order of the application.
    pub applicants: Vec<Identity>,
    /// Members of `attributes` that a feature contract calls personal.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
}

/// One applicant's identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The pseudonym that the deployment knows.
    #[serde(flatten)]
    pub subject: Subject,
    /// The sender's reference behind it.
    pub customer_ref: String,
    /// Names, national id, address, contacts, as sent.
    pub identity: Map<String, Value>,
    /// Of reports, the fields that a feature contract calls personal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<PersonalReport>,
}

/// Personal fields of a bureau's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PersonalReport {
    /// The bureau.
    pub source: String,
    /// Its id of the report.
    pub report_id: String,
    /// As sent.
    pub fields: Map<String, Value>,
}

/// The body of `protected.received.v1`: protected characteristics of the applicants of one received body, for fairness
/// reports only. Not written when nobody states any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protecteds {
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: u32,
    /// Keyed digest of the RFC 8785 form of the sender's `data`.
    pub data_digest: String,
    /// Id of the key that made it; absent where a version before made an unkeyed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_digest_key: Option<String>,
    /// In the order of the application.
    pub applicants: Vec<ProtectedOf>,
}

/// One applicant's protected characteristics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProtectedOf {
    /// The pseudonym that the deployment knows.
    #[serde(flatten)]
    pub subject: Subject,
    /// Sex, age, marital status, ethnicity …, as sent.
    pub protected: Map<String, Value>,
}

/// The body of `application.received.v1` and `application.accepted.v1`: the sender's, without `identity` and `protected`,
/// with a keyed subject in place of each `customer_ref`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in [`crate::application::Application`]
pub struct Received {
    pub tenant: String,
    pub application_id: String,
    pub revision: u32,
    pub product: String,
    pub intent: Word<Intent>,
    pub request_type: Word<RequestType>,
    pub channel: String,
    pub jurisdiction: String,
    pub requested: Requested,
    #[serde(default)]
    pub collateral: Vec<Collateral>,
    #[serde(default)]
    pub documents: Vec<Document>,
    pub submitted_at: String,
    #[serde(default)]
    pub completed_at: Option<String>,
    pub as_of: String,
    pub applicants: Vec<ReceivedApplicant>,
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// An applicant without personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceivedApplicant {
    /// Part in the application.
    pub role: Word<Role>,
    /// A person or an organisation.
    pub kind: Word<ApplicantKind>,
    /// In place of the sender's `customer_ref`.
    pub subject: SubjectRef,
    /// What was agreed to.
    #[serde(default)]
    pub consents: Vec<Consent>,
    /// Typed facts.
    #[serde(default)]
    pub facts: Facts,
    /// Bureau reports.
    #[serde(default)]
    pub reports: Vec<Report>,
}

/// A person or organisation under a tenant's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectRef {
    /// Which tenant key made it.
    pub key_id: String,
    /// HMAC-SHA-256(tenant key, customer_ref), hexadecimal.
    pub subject: String,
}
