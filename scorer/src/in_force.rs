//! Which version of a package scores in a partition from here on. Set by activation records alone, so that it is a function of
//! position; remembered through the changelog.

use runtime::stream::Stored;
use schemas::control::Activation;
use serde::{Deserialize, Serialize};

/// The kind of activation record that switches a package's version.
pub const MODEL: &str = "model";
/// The kind that switches the whole route; an instance serves the one it is configured with.
pub const ROUTE: &str = "route";

/// What is switched: the package's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Package(pub String);

/// The version in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Its version.
    pub version: String,
    /// SHA-256 of its manifest, hexadecimal.
    pub digest: String,
}

impl From<Activation> for InForce {
    fn from(record: Activation) -> Self {
        Self { version: record.version, digest: record.digest }
    }
}

impl Stored for Package {
    fn encode(&self) -> Vec<u8> {
        format!("{MODEL}:{}", self.0).into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(bytes).ok()?.strip_prefix(MODEL)?.strip_prefix(':')?;
        Some(Self(name.to_owned()))
    }
}

impl Stored for InForce {
    fn encode(&self) -> Vec<u8> {
        format!("{}\n{}", self.version, self.digest).into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, digest) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        Some(Self { version: version.to_owned(), digest: digest.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_comes_back_as_it_went() {
        let (key, value) = (Package("m".into()), InForce { version: "1.0.0".into(), digest: "00".into() });
        assert_eq!(Package::decode(&key.encode()), Some(key));
        assert_eq!(InForce::decode(&value.encode()), Some(value));
        assert_eq!((Package::decode(b"policy"), InForce::decode(b"1")), (None, None));
    }
}
