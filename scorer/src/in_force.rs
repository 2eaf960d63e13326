//! Which version of a package, and which route, is in force in a partition from here on. Set by activation records alone, so
//! that it is a function of position; remembered through the changelog, a route with its document.

use runtime::stream::{Stored, View};
use schemas::control::{Activation, Document};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The kind of activation record that switches a package's version.
pub const MODEL: &str = "model";
/// The kind that switches the whole route.
pub const ROUTE: &str = "route";
/// In front of what says which digest a version has.
const VERSION: &str = "version:";

/// What is remembered: the state's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Switch {
    /// The version of the package of that name.
    Model(String),
    /// The route.
    Route,
    /// The digest with which a version, `kind:name@version`, was first activated in this partition.
    Version(String),
}

/// The version in force: the state's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Version of the package; of a route `name@version`.
    pub version: String,
    /// SHA-256 of the manifest or of the route's bytes, hexadecimal.
    pub digest: String,
    /// What its activation carried.
    pub carried: Carried,
}

/// What an activation of a route carries; nothing where it was written by a version before, or is a model's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The route's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
    /// The packages that it names, `name@version`, with their digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<BTreeMap<String, String>>,
}

/// A version that an activation asks for, and what remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What it switches.
    pub switch: Switch,
    /// What says which digest it has.
    pub remembered: Switch,
    /// The version.
    pub in_force: InForce,
}

impl Asked {
    /// What an activation asks of this worker; none where it is of another kind.
    pub fn of(activation: Activation) -> Option<Self> {
        let label = activation.label();
        let Activation { kind, name, version, digest, document, packages, .. } = activation;
        let (switch, version, carried) = match kind.as_str() {
            MODEL => (Switch::Model(name), version, Carried::default()),
            ROUTE => (Switch::Route, label.clone(), Carried { document, packages }),
            _ => return None,
        };
        let remembered = Switch::Version(format!("{kind}:{label}"));
        Some(Self { switch, remembered, in_force: InForce { version, digest, carried } })
    }

    /// The digest that the version has had in a partition, where it is another one: a version means one content, for good.
    pub fn contradicted(&self, partition: i32, state: &View<'_, Switch, InForce>) -> Option<String> {
        let known = state.get(partition, &self.remembered);
        let is_it = |current: &InForce| current.version == self.in_force.version;
        let known = known.or_else(|| state.get(partition, &self.switch).filter(is_it));
        known.map(|known| known.digest).filter(|digest| *digest != self.in_force.digest)
    }

    /// From here on it is in force in a partition.
    pub fn enter(self, partition: i32, state: &mut View<'_, Switch, InForce>) {
        let remembered = InForce { carried: Carried::default(), ..self.in_force.clone() };
        state.put(partition, self.remembered, remembered);
        state.put(partition, self.switch, self.in_force);
    }
}

impl Stored for Switch {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Model(name) => format!("{MODEL}:{name}").into_bytes(),
            Self::Route => ROUTE.as_bytes().to_vec(),
            Self::Version(version) => format!("{VERSION}{version}").into_bytes(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if text == ROUTE {
            return Some(Self::Route);
        }
        if let Some(version) = text.strip_prefix(VERSION) {
            return Some(Self::Version(version.to_owned()));
        }
        Some(Self::Model(text.strip_prefix(MODEL)?.strip_prefix(':')?.to_owned()))
    }
}

impl Stored for InForce {
    fn encode(&self) -> Vec<u8> {
        let Self { version, digest, carried } = self;
        let mut bytes = format!("{version}\n{digest}").into_bytes();
        if *carried != Carried::default() {
            bytes.push(b'\n');
            bytes.extend(serde_json::to_vec(carried).unwrap_or_default());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        let (digest, carried) = match rest.split_once('\n') {
            None => (rest, Carried::default()),
            Some((digest, carried)) => (digest, serde_json::from_str(carried).ok()?),
        };
        Some(Self { version: version.to_owned(), digest: digest.to_owned(), carried })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_comes_back_as_it_went() {
        for key in [
            Switch::Model("m".into()),
            Switch::Model("route".into()),
            Switch::Route,
            Switch::Version("route:r@1.0.0".into()),
        ] {
            assert_eq!(Switch::decode(&key.encode()), Some(key));
        }
        let before = InForce { version: "1.0.0".into(), digest: "00".into(), carried: Carried::default() };
        assert_eq!(before.encode(), b"1.0.0\n00", "as a version before wrote it");
        let packages = Some([("m@1.0.0".to_owned(), "11".to_owned())].into());
        let carried = Carried { document: Some("name = \"r\"\n\u{1}ä".into()), packages };
        for value in [InForce { carried, ..before.clone() }, before] {
            assert_eq!(InForce::decode(&value.encode()), Some(value));
        }
        assert_eq!((Switch::decode(b"policy"), InForce::decode(b"1"), InForce::decode(b"1\n2\n3")), (None, None, None));
    }
}
