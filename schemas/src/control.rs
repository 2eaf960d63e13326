//! Activation records: which version is in force from here on. Written to every partition in one transaction, passed on by
//! each hop, so that the version in force is a function of position; and that somebody passes one by that nobody can serve.

use domain::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// `ce_type` of an activation record; the runtime tells control records from data by it.
pub const ACTIVATED: &str = "control.activated.v1";
/// `ce_type` of a record of `credit.gaps.v1` that says that an activation record is passed by.
pub const PASSED: &str = "activation.passed.v1";

/// Reason of a dead letter: an activation of a version that had another digest before. A version means one content, for good.
pub const OTHER_DIGEST: &str = "version_has_another_digest";

/// The longest document that an activation carries, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 256 << 10;
/// Most packages that an activation of a route names.
pub(crate) const MAX_PACKAGES: usize = 1_000;

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
    /// The document itself, of a policy or a route. Records of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
    /// Of a route: the packages that it names, `name@version`, with the digest of each. Records of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<BTreeMap<String, String>>,
}

/// The text of a document. Clones share it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Document(Arc<str>);

/// The body of the record that passes an activation by, at one place of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationPassed {
    /// Consumer group, with the deployment's prefix.
    pub group: String,
    /// Topic, with the deployment's prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Where the activation record stands.
    pub offset: i64,
    /// What it would put in force.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// Who passes it by.
    pub passed_by: String,
    /// RFC 3339.
    pub passed_at: String,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Activation {
    /// `name@version`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Whether it is as the schema allows. What is not is no activation, wherever it stands.
    pub fn fits(&self) -> bool {
        self.fault().is_none()
    }

    /// What is wrong with it: a field that is too long, in characters, or a document that is not the one of its digest.
    pub fn fault(&self) -> Option<&'static str> {
        let Self { kind, name, version, digest, activated_by, .. } = self;
        let fields = [(kind, 64), (name, 128), (version, 64), (digest, 64), (activated_by, 256)];
        if !fields.iter().all(|(text, most)| text.chars().count() <= *most && !text.contains('\0')) {
            return Some("a field is too long");
        }
        // Workers keep them on lines of their own.
        if [name, version].iter().any(|text| text.contains(char::is_control)) {
            return Some("its name or version holds a control character");
        }
        if self.packages.as_ref().is_some_and(|packages| packages.len() > MAX_PACKAGES) {
            return Some("it names too many packages");
        }
        let document = self.document.as_ref()?.as_str();
        if document.len() > MAX_DOCUMENT_BYTES {
            return Some("the document is too long");
        }
        (Digest::of(document.as_bytes()).to_string() != *digest).then_some("the document is not that of the digest")
    }
}

impl Document {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Document {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Document {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<Document> for String {
    fn from(document: Document) -> Self {
        document.0.as_ref().to_owned()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_that_of_its_digest_and_no_longer_than_it_may_be() {
        let activation = |document: &str, digest: &str| Activation {
            kind: "policy".into(),
            name: "standard".into(),
            version: "1.0.0".into(),
            digest: digest.into(),
            activated_by: "risk-team".into(),
            activated_at: "2026-11-02T09:00:00Z".into(),
            document: Some(document.into()),
            packages: None,
        };
        let of = |document: &str| activation(document, &Digest::of(document.as_bytes()).to_string());
        assert_eq!(of("a").fault(), None);
        assert_eq!(of(&"a".repeat(MAX_DOCUMENT_BYTES)).fault(), None);
        assert_eq!(of(&"a".repeat(MAX_DOCUMENT_BYTES + 1)).fault(), Some("the document is too long"));
        assert_eq!(activation("a", &"0".repeat(64)).fault(), Some("the document is not that of the digest"));
        let without = Activation { document: None, ..activation("a", &"0".repeat(64)) };
        assert!(without.fits() && !serde_json::to_string(&without).is_ok_and(|text| text.contains("document")));
        let many = (0..=MAX_PACKAGES).map(|at| (format!("m@{at}"), "00".to_owned())).collect();
        assert!(!Activation { packages: Some(many), ..without.clone() }.fits());
        assert!(!Activation { name: "x".repeat(129), ..without.clone() }.fits());
        for (name, version) in [("a\nb", "1.0.0"), ("a", "1.0.0\n00"), ("a\0", "1.0.0")] {
            let (name, version) = (name.to_owned(), version.to_owned());
            assert!(!Activation { name, version, ..without.clone() }.fits());
        }
    }
}
