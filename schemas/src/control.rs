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

impl Activation {
    /// Whether its fields are as long as the schema allows, in characters. A longer one is no activation, wherever it stands.
    pub fn fits(&self) -> bool {
        let Self { kind, name, version, digest, activated_by, .. } = self;
        let fields = [(kind, 64), (name, 128), (version, 64), (digest, 64), (activated_by, 256)];
        fields.iter().all(|(text, most)| text.chars().count() <= *most && !text.contains('\0'))
    }
}
