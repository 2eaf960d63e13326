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
    #[serde(default, rename = "by", skip_serializing_if = "Option::is_none")]
    activated_by: Option<String>,
    #[serde(default, rename = "at", skip_serializing_if = "Option::is_none")]
    activated_at: Option<String>,
}

impl Codec {
    /// Whether the worker of that form switches a kind; each kind has one that does.
    pub fn keeps(self, kind: Kind) -> bool {
        self == match kind {
            Kind::Policy => Self::Object,
            Kind::Route | Kind::Model => Self::Lines,
        }
    }

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
                let Carried { document, activated_by, activated_at, .. } = carried.clone();
                json(&Object { name, version, digest, document, activated_by, activated_at })
            }
            Self::Lines if *carried == Carried::default() => format!("{version}\n{digest}").into_bytes(),
            Self::Lines => [format!("{version}\n{digest}\n").into_bytes(), json(carried)].concat(),
        }
    }

    /// Reads a value; none where it is of another form.
    pub fn read(self, bytes: &[u8]) -> Option<InForce> {
        match self {
            Self::Object => {
                let Object { name, version, digest, document, activated_by, activated_at } =
                    serde_json::from_slice(bytes).ok()?;
                let carried = Carried { document, packages: None, activated_by, activated_at };
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

    /// What a text carries that JSON has to escape, and one that it does not.
    const TEXT: &str = "a: 1\n\"ä\" \u{1}";

    fn value(version: &str, document: Option<&str>, packages: Option<&[&str]>) -> InForce {
        let packages = packages.map(|all| all.iter().map(|package| ((*package).to_owned(), "11".to_owned())).collect());
        let carried = Carried { document: document.map(Document::from), packages, ..Carried::default() };
        InForce { version: version.to_owned(), digest: "00".to_owned(), carried }
    }

    /// As the workers have written them since activations carry documents (ADR 41); the rows without any, since there are activations.
    #[test]
    fn the_bytes_of_an_entry_are_pinned() {
        use Codec::{Lines, Object};
        let model = |name: &str| Slot::Model(name.to_owned());
        let version = |kind, name: &str| Slot::Version(kind, Label::new(name, "1.0"));
        let plain = |version: &str| value(version, None, None);
        let object = r#"{"name":"a","version":"1.0","digest":"00"}"#;
        let object_with = r#"{"name":"a","version":"1.0","digest":"00","document":"a: 1\n\"ä\" \u0001"}"#;
        let lines_with =
            "a@1.0\n00\n{\"document\":\"a: 1\\n\\\"ä\\\" \\u0001\",\"packages\":{\"m@1\":\"11\",\"n@1\":\"11\"}}";
        let asked = |mut of: InForce| {
            (of.carried.activated_by, of.carried.activated_at) = (Some("risk".to_owned()), Some("2026".to_owned()));
            of
        };
        let object_by = r#"{"name":"a","version":"1.0","digest":"00","by":"risk","at":"2026"}"#;
        let lines_by = "1.0\n00\n{\"by\":\"risk\",\"at\":\"2026\"}";
        let rows: [(Codec, Slot, &str, InForce, &str); 12] = [
            (Object, Slot::Policy, "policy", asked(plain("a@1.0")), object_by),
            (Lines, model("m"), "model:m", asked(plain("1.0")), lines_by),
            (Object, Slot::Policy, "policy", plain("a@1.0"), object),
            (Object, Slot::Policy, "policy", value("a@1.0", Some(TEXT), None), object_with),
            (Object, version(Kind::Policy, "a"), "version:a@1.0", plain("a@1.0"), object),
            (Lines, Slot::Route, "route", plain("a@1.0"), "a@1.0\n00"),
            (Lines, Slot::Route, "route", value("a@1.0", Some(TEXT), Some(&["n@1", "m@1"])), lines_with),
            (Lines, Slot::Route, "route", value("a@1.0", None, Some(&[])), "a@1.0\n00\n{\"packages\":{}}"),
            (Lines, model("taiwan-net"), "model:taiwan-net", plain("1.0"), "1.0\n00"),
            (Lines, model("route"), "model:route", plain("1.0"), "1.0\n00"),
            (Lines, version(Kind::Route, "a"), "version:route:a@1.0", plain("a@1.0"), "a@1.0\n00"),
            (Lines, version(Kind::Model, "m"), "version:model:m@1.0", plain("1.0"), "1.0\n00"),
        ];
        for (codec, slot, key, value, bytes) in rows {
            assert_eq!(String::from_utf8_lossy(&codec.write_slot(&slot)), key);
            assert_eq!(String::from_utf8_lossy(&codec.write(&value)), bytes, "{key}");
            assert_eq!(
                (codec.read_slot(key.as_bytes()), codec.read(bytes.as_bytes())),
                (Some(slot), Some(value)),
                "{key}"
            );
        }
    }

    #[test]
    fn what_another_worker_keeps_or_another_version_writes_is_not_read() {
        let rows: [(Codec, &[&str], &[&str]); 2] = [
            (Codec::Object, &["route", "model:a", "version:a", "\0position", ""], &["{}", "1\n0", r#"{"name":"a"}"#]),
            (Codec::Lines, &["policy", "model", "version:a@1", "version:x:a@1", ""], &["1", "1\n2\n3", "{}"]),
        ];
        for (codec, keys, values) in rows {
            keys.iter().for_each(|key| assert_eq!(codec.read_slot(key.as_bytes()), None, "{codec:?} {key}"));
            values.iter().for_each(|value| assert_eq!(codec.read(value.as_bytes()), None, "{codec:?} {value}"));
        }
        let tomorrow = br#"{"name":"a","version":"1","digest":"00","more":1}"#;
        assert_eq!(Codec::Object.read(tomorrow), Some(value("a@1", None, None)), "a member that a later version adds");
    }

    #[test]
    fn an_entry_tells_of_a_version() {
        let object = r#"{"name":"a","version":"1","digest":"00"}"#;
        let rows = [
            (Codec::Object, "policy", object, "policy a@1 00"),
            (Codec::Object, "version:a@1", object, "policy a@1 00"),
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
