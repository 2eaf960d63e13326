//! `credit.revocations.v1`: tokens that were called back before they expire. Compacted, so that every server knows all of them from its
//! start; keyed `token|id` or `subject|name`.

use serde::{Deserialize, Serialize};

/// `ce_type` of the record.
pub const REVOKED: &str = "token.revoked.v1";

/// The body of the record: a token, or all of a subject's that were made before a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Id of the token (`jti`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The person or program (`sub`), of whatever tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its tokens made before this time are worth nothing, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Who revoked it.
    pub revoked_by: String,
    /// RFC 3339.
    pub revoked_at: String,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
