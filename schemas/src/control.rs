//! Activation records: which version is in force from here on. Written to every partition in one transaction, passed on by
//! each hop, so that the version in force is a function of position.

use serde::{Deserialize, Serialize};

/// `ce_type` of an activation record; the runtime tells control records from data by it.
pub const ACTIVATED: &str = "control.activated.v1";

/// The body of an activation record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    /// `policy`, `route` or `model`.
    pub kind: String,
    /// Name of the document.
    pub name: String,
    /// Version that is in force after this record.
    pub version: String,
    /// SHA-256 of the document.
    pub digest: String,
    /// Who asked for it.
    pub activated_by: String,
    /// RFC 3339.
    pub activated_at: String,
}
