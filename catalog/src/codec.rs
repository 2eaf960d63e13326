//! The bytes of what a worker remembers in its changelog. Two forms, as two workers have always written them; a data directory holds
//! them for good, so that the table below may gain rows and never change one.

use crate::in_force::{Carried, InForce, Slot};
use crate::kind::Kind;
use crate::label::Label;
use schemas::control::Document;
use serde::{Deserialize, Serialize};

/// In front of an entry that says which digest a version has.
const VERSION: &str = "version:";
/// In front of the name of a package.
const MODEL: &str = "model:";

/// Form of a worker's changelog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// The decision worker's: it keeps policies alone, so that no key names a kind; a value is a JSON object.
    Object,
    /// The scorer's: it keeps routes and models; a value is the version and the digest on lines of their own, and a third one with what
    /// was carried, as JSON, where anything was.
    Lines,
}

/// A value of [`Codec::Object`].
#[derive(Serialize, Deserialize)]
struct Object {
    name: String,
    version: String,
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document: Option<Document>,
}

impl Codec {
    /// The bytes of a key.
    pub fn write_slot(self, slot: &Slot) -> Vec<u8> {
        let text = match (self, slot) {
            (_, Slot::Policy) => Kind::Policy.as_str().to_owned(),
            (_, Slot::Route) => Kind::Route.as_str().to_owned(),
            (_, Slot::Model(name)) => format!("{MODEL}{name}"),
            (Self::Object, Slot::Version(_, label)) => format!("{VERSION}{label}"),
            (Self::Lines, Slot::Version(kind, label)) => format!("{VERSION}{kind}:{label}"),
        };
        text.into_bytes()
    }

    /// Reads a key; none where the worker keeps no such thing.
    pub fn read_slot(self, bytes: &[u8]) -> Option<Slot> {
        let text = std::str::from_utf8(bytes).ok()?;
        let version = text.strip_prefix(VERSION);
        match self {
            Self::Object if text == Kind::Policy.as_str() => Some(Slot::Policy),
            Self::Object => Some(Slot::Version(Kind::Policy, Label::split(version?)?)),
            Self::Lines if text == Kind::Route.as_str() => Some(Slot::Route),
            Self::Lines => match version {
                Some(version) => {
                    let (kind, label) = version.split_once(':')?;
                    Some(Slot::Version(Kind::parse(kind)?, Label::split(label)?))
                }
                None => Some(Slot::Model(text.strip_prefix(MODEL)?.to_owned())),
            },
        }
    }

    /// The bytes of a value.
    pub fn write(self, value: &InForce) -> Vec<u8> {
        let InForce { version, digest, carried } = value;
        match self {
            Self::Object => {
                let (name, version) = version.split_once('@').unwrap_or(("", version));
                let (name, version, digest) = (name.to_owned(), version.to_owned(), digest.clone());
                json(&Object { name, version, digest, document: carried.document.clone() })
            }
            Self::Lines if *carried == Carried::default() => format!("{version}\n{digest}").into_bytes(),
            Self::Lines => [format!("{version}\n{digest}\n").into_bytes(), json(carried)].concat(),
        }
    }

    /// Reads a value; none where it is of another form.
    pub fn read(self, bytes: &[u8]) -> Option<InForce> {
        match self {
            Self::Object => {
                let Object { name, version, digest, document } = serde_json::from_slice(bytes).ok()?;
                let carried = Carried { document, packages: None };
                Some(InForce { version: format!("{name}@{version}"), digest, carried })
            }
            Self::Lines => {
                let (version, rest) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
                let (digest, carried) = match rest.split_once('\n') {
                    None => (rest, Carried::default()),
                    Some((digest, carried)) => (digest, serde_json::from_str(carried).ok()?),
                };
                Some(InForce { version: version.to_owned(), digest: digest.to_owned(), carried })
            }
        }
    }

    /// The version that an entry tells of, with its kind and digest; none where it is no entry of that form.
    pub fn told(self, key: &[u8], value: &[u8]) -> Option<(Kind, Label, String)> {
        let InForce { version, digest, .. } = self.read(value)?;
        let (kind, label) = match self.read_slot(key)? {
            Slot::Policy => (Kind::Policy, Label::split(&version)?),
            Slot::Route => (Kind::Route, Label::split(&version)?),
            Slot::Model(name) => (Kind::Model, Label::new(name, version)),
            Slot::Version(kind, label) => (kind, label),
        };
        Some((kind, label, digest))
    }
}

/// Strings, which JSON always holds.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn value(version: &str, document: Option<&str>, packages: Option<&[(&str, &str)]>) -> InForce {
        let packages =
            packages.map(|packages| packages.iter().map(|(p, d)| ((*p).to_owned(), (*d).to_owned())).collect());
        let carried = Carried { document: document.map(Document::from), packages };
        InForce { version: version.to_owned(), digest: DIGEST.to_owned(), carried }
    }

    /// As the workers have written them since activations carry documents (ADR 41); the rows without any, since there are activations.
    #[test]
    fn the_bytes_of_an_entry_are_pinned() {
        use Codec::{Lines, Object};
        let label = || Label::new("standard", "1.0.0");
        let text = "name: a\n\"ä\" \u{1}";
        let rows = [
            (
                Object,
                Slot::Policy,
                "policy",
                value("standard@1.0.0", None, None),
                format!(r#"{{"name":"standard","version":"1.0.0","digest":"{DIGEST}"}}"#),
            ),
            (
                Object,
                Slot::Policy,
                "policy",
                value("standard@1.0.0", Some(text), None),
                format!(
                    r#"{{"name":"standard","version":"1.0.0","digest":"{DIGEST}","document":"name: a\n\"ä\" \u0001"}}"#
                ),
            ),
            (
                Object,
                Slot::Version(Kind::Policy, label()),
                "version:standard@1.0.0",
                value("standard@1.0.0", None, None),
                format!(r#"{{"name":"standard","version":"1.0.0","digest":"{DIGEST}"}}"#),
            ),
            (Lines, Slot::Route, "route", value("standard@1.0.0", None, None), format!("standard@1.0.0\n{DIGEST}")),
            (
                Lines,
                Slot::Route,
                "route",
                value("standard@1.0.0", Some(text), Some(&[("b@1", "11"), ("a@1", "00")])),
                format!(
                    "standard@1.0.0\n{DIGEST}\n{}",
                    r#"{"document":"name: a\n\"ä\" \u0001","packages":{"a@1":"00","b@1":"11"}}"#
                ),
            ),
            (
                Lines,
                Slot::Route,
                "route",
                value("standard@1.0.0", None, Some(&[])),
                format!("standard@1.0.0\n{DIGEST}\n{}", r#"{"packages":{}}"#),
            ),
            (
                Lines,
                Slot::Model("taiwan-net".to_owned()),
                "model:taiwan-net",
                value("1.0.0", None, None),
                format!("1.0.0\n{DIGEST}"),
            ),
            (
                Lines,
                Slot::Model("route".to_owned()),
                "model:route",
                value("1.0.0", None, None),
                format!("1.0.0\n{DIGEST}"),
            ),
            (
                Lines,
                Slot::Version(Kind::Route, label()),
                "version:route:standard@1.0.0",
                value("standard@1.0.0", None, None),
                format!("standard@1.0.0\n{DIGEST}"),
            ),
            (
                Lines,
                Slot::Version(Kind::Model, Label::new("taiwan-net", "1.0.0")),
                "version:model:taiwan-net@1.0.0",
                value("1.0.0", None, None),
                format!("1.0.0\n{DIGEST}"),
            ),
        ];
        for (codec, slot, key, value, bytes) in rows {
            let told = format!("{codec:?} {key}");
            assert_eq!(String::from_utf8_lossy(&codec.write_slot(&slot)), key, "{told}");
            assert_eq!(String::from_utf8_lossy(&codec.write(&value)), bytes, "{told}");
            assert_eq!(
                (codec.read_slot(key.as_bytes()), codec.read(bytes.as_bytes())),
                (Some(slot), Some(value)),
                "{told}"
            );
        }
    }

    #[test]
    fn what_another_worker_keeps_or_another_version_writes_is_not_read() {
        let rows: [(Codec, &[&str], &[&str]); 2] = [
            (
                Codec::Object,
                &["route", "model:a", "version:a", "\0position", ""],
                &["{}", "1.0.0\n00", r#"{"name":"a","version":"1"}"#],
            ),
            (
                Codec::Lines,
                &["policy", "model", "version:a@1", "version:scales:a@1", ""],
                &["1", "1\n2\n3", r#"{"name":"a"}"#],
            ),
        ];
        for (codec, keys, values) in rows {
            keys.iter().for_each(|key| assert_eq!(codec.read_slot(key.as_bytes()), None, "{codec:?} {key}"));
            values.iter().for_each(|value| assert_eq!(codec.read(value.as_bytes()), None, "{codec:?} {value}"));
        }
        assert!(
            Codec::Object.read(br#"{"name":"a","version":"1","digest":"00","more":1}"#).is_some(),
            "a member of tomorrow"
        );
    }

    #[test]
    fn an_entry_tells_of_a_version() {
        let rows = [
            (Codec::Object, "policy", r#"{"name":"a","version":"1","digest":"00"}"#, "policy a@1 00"),
            (Codec::Object, "version:a@1", r#"{"name":"a","version":"1","digest":"00"}"#, "policy a@1 00"),
            (Codec::Lines, "route", "a@1\n00", "route a@1 00"),
            (Codec::Lines, "model:a", "1\n00", "model a@1 00"),
            (Codec::Lines, "version:model:a@1", "1\n00", "model a@1 00"),
        ];
        for (codec, key, value, expected) in rows {
            let told = codec.told(key.as_bytes(), value.as_bytes());
            let told = told.map(|(kind, label, digest)| format!("{kind} {label} {digest}"));
            assert_eq!(told.as_deref(), Some(expected), "{key}");
        }
    }
}
