//! Which policy version decides in a partition from here on. Set by activation records alone, so that it is a function of
//! position; remembered through the changelog, with its document, so that a later owner needs nothing else.

use runtime::stream::{Stored, View};
use schemas::control::{Activation, Document};
use serde::{Deserialize, Serialize};

/// The kind of activation record that this worker keeps.
pub const POLICY: &str = "policy";
/// In front of the `name@version` of an entry that says which digest a version has.
const VERSION: &str = "version:";

/// What is remembered: the state's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kept {
    /// The policy in force.
    Policy,
    /// The digest with which a version, `name@version`, was first activated in this partition.
    Version(String),
}

/// A version: the state's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Name of the policy.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub digest: String,
    /// Its text. None where its activation carried none, and where only the digest is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
}

impl InForce {
    /// `name@version`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// The digest that its version has had in a partition, where it is another one: a version means one document, for good.
    pub fn contradicted(&self, partition: i32, state: &View<'_, Kept, Self>) -> Option<String> {
        let known = state.get(partition, &Kept::Version(self.label()));
        let current = || state.get(partition, &Kept::Policy).filter(|current| current.label() == self.label());
        known.or_else(current).map(|known| known.digest).filter(|digest| *digest != self.digest)
    }

    /// From here on it is in force in a partition.
    pub fn enter(self, partition: i32, state: &mut View<'_, Kept, Self>) {
        let remembered = Self { document: None, ..self.clone() };
        state.put(partition, Kept::Version(self.label()), remembered);
        state.put(partition, Kept::Policy, self);
    }
}

impl From<Activation> for InForce {
    fn from(record: Activation) -> Self {
        let Activation { name, version, digest, document, .. } = record;
        Self { name, version, digest, document }
    }
}

impl Stored for Kept {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Policy => POLICY.as_bytes().to_vec(),
            Self::Version(label) => format!("{VERSION}{label}").into_bytes(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        match std::str::from_utf8(bytes).ok()? {
            POLICY => Some(Self::Policy),
            text => text.strip_prefix(VERSION).map(|label| Self::Version(label.to_owned())),
        }
    }
}

impl Stored for InForce {
    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_comes_back_as_it_went() {
        let before = InForce { name: "standard".into(), version: "1.0.0".into(), digest: "00".into(), document: None };
        let value = InForce { document: Some("name: standard\n\"\u{1}ä".into()), ..before.clone() };
        assert_eq!(InForce::decode(&value.encode()), Some(value));
        let old = br#"{"name":"standard","version":"1.0.0","digest":"00"}"#;
        assert_eq!(
            (InForce::decode(old), before.encode()),
            (Some(before), old.to_vec()),
            "as a version before wrote it"
        );
        for key in [Kept::Policy, Kept::Version("standard@1.0.0".into()), Kept::Version("policy".into())] {
            assert_eq!(Kept::decode(&key.encode()), Some(key));
        }
        assert_eq!((Kept::decode(b"route"), InForce::decode(b"{}")), (None, None));
    }
}
