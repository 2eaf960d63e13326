//! Which policy version decides in a partition from here on. Set by activation records alone, so that it is a function of
//! position; remembered through the changelog.

use runtime::stream::Stored;
use schemas::control::Activation;
use serde::{Deserialize, Serialize};

/// The kind of activation record that this room keeps.
pub const POLICY: &str = "policy";

/// What is switched: the state's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kind(pub &'static str);

/// The version in force: the state's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Name of the policy.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub digest: String,
}

impl From<Activation> for InForce {
    fn from(record: Activation) -> Self {
        Self { name: record.name, version: record.version, digest: record.digest }
    }
}

impl Stored for Kind {
    fn encode(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        (bytes == POLICY.as_bytes()).then_some(Self(POLICY))
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
        let value = InForce { name: "standard".into(), version: "1.0.0".into(), digest: "00".into() };
        assert_eq!(InForce::decode(&value.encode()), Some(value));
        assert_eq!(Kind::decode(&Kind(POLICY).encode()), Some(Kind(POLICY)));
        assert_eq!((Kind::decode(b"route"), InForce::decode(b"{}")), (None, None));
    }
}
