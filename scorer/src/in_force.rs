//! Which version of a package, and which route, is in force in a partition from here on. Set by activation records alone, so
//! that it is a function of position; remembered through the changelog.

use runtime::stream::Stored;
use serde::{Deserialize, Serialize};

/// The kind of activation record that switches a package's version.
pub const MODEL: &str = "model";
/// The kind that switches the whole route.
pub const ROUTE: &str = "route";

/// What is switched: the state's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Switch {
    /// The version of the package of that name.
    Model(String),
    /// The route.
    Route,
}

/// The version in force: the state's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Version of the package; of a route `name@version`.
    pub version: String,
    /// SHA-256 of the manifest or of the route's bytes, hexadecimal.
    pub digest: String,
}

impl Stored for Switch {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Model(name) => format!("{MODEL}:{name}").into_bytes(),
            Self::Route => ROUTE.as_bytes().to_vec(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        match std::str::from_utf8(bytes).ok()? {
            ROUTE => Some(Self::Route),
            text => Some(Self::Model(text.strip_prefix(MODEL)?.strip_prefix(':')?.to_owned())),
        }
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
        for key in [Switch::Model("m".into()), Switch::Model("route".into()), Switch::Route] {
            assert_eq!(Switch::decode(&key.encode()), Some(key));
        }
        let value = InForce { version: "1.0.0".into(), digest: "00".into() };
        assert_eq!(InForce::decode(&value.encode()), Some(value));
        assert_eq!((Switch::decode(b"policy"), InForce::decode(b"1")), (None, None));
    }
}
