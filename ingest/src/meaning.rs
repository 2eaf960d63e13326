//! PURE. The shortest spelling of an application. Two bodies say the same when they share it: what the contract reads alike is
//! written alike, and everything else stays as RFC 8785 writes it. `docs/equality.md` has the table for senders.

use crate::strict::canonical::{write_canonical, write_text};
use crate::strict::node::by_utf16;
use crate::strict::{Node, Object};
use std::borrow::Cow;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Version of this form, told wherever a digest of it travels. Another idea of what is the same is another version. The first was
/// RFC 8785 as it stands.
pub(crate) const FORM: u32 = 2;

/// The groups of facts: an empty one asks nothing.
const GROUPS: [&str; 5] = ["accounts", "assets", "employment", "housing", "obligations"];

/// Bytes of the shortest spelling of a checked application, and whether it was sent in it.
pub(crate) fn shortest(data: &Node<'_>) -> (Vec<u8>, bool) {
    let mut speller = Speller { out: Vec::with_capacity(2048), is_as_sent: true };
    speller.node(data, Place::Application);
    (speller.out, speller.is_as_sent)
}

/// A customer reference as its subject is made of it: NFC, without white space (Unicode `White_Space`) around it.
pub(crate) fn reference(text: &str) -> Cow<'_, str> {
    nfc(text.trim())
}

/// Where in an application a node stands, as far as its spelling depends on it.
#[derive(Clone, Copy)]
enum Place {
    Application,
    Applicants,
    Applicant,
    Facts,
    Consents,
    Consent,
    Reports,
    Report,
    Documents,
    Document,
    /// RFC 3339 in UTC.
    Instant,
    /// Hexadecimal digits.
    Digits,
    /// The sender's name of a customer.
    Reference,
    /// Anywhere else.
    Elsewhere,
}

impl Place {
    fn member(self, key: &str) -> Self {
        match (self, key) {
            (Self::Application, "applicants") => Self::Applicants,
            (Self::Application, "documents") => Self::Documents,
            (Self::Application, "submitted_at" | "completed_at") => Self::Instant,
            (Self::Applicant, "consents") => Self::Consents,
            (Self::Applicant, "reports") => Self::Reports,
            (Self::Applicant, "facts") => Self::Facts,
            (Self::Applicant, "customer_ref") => Self::Reference,
            (Self::Consent, "granted_at") | (Self::Report, "pulled_at") => Self::Instant,
            (Self::Document, "sha256") => Self::Digits,
            _ => Self::Elsewhere,
        }
    }

    fn element(self) -> Self {
        match self {
            Self::Applicants => Self::Applicant,
            Self::Consents => Self::Consent,
            Self::Reports => Self::Report,
            Self::Documents => Self::Document,
            _ => Self::Elsewhere,
        }
    }

    /// Whether a member says as much as its absence. Lists of facts do not: there, absent means not asked. Nor does null, which was
    /// asked and is not known, but for `completed_at`.
    fn says_nothing(self, key: &str, node: &Node<'_>) -> bool {
        match (self, node) {
            (Self::Application, Node::Null) => key == "completed_at",
            (Self::Application, Node::List(list)) => list.is_empty() && matches!(key, "collateral" | "documents"),
            (Self::Application, Node::Map(object)) => object.is_empty() && key == "attributes",
            (Self::Applicant, Node::List(list)) => list.is_empty() && matches!(key, "consents" | "reports"),
            (Self::Applicant, Node::Map(object)) => match key {
                "identity" | "protected" => object.is_empty(),
                "facts" => object.members().all(|(key, node)| Self::Facts.says_nothing(key, node)),
                _ => false,
            },
            (Self::Facts, Node::Map(object)) => object.is_empty() && GROUPS.contains(&key),
            (Self::Report, Node::Map(object)) => object.is_empty() && key == "fields",
            _ => false,
        }
    }
}

/// Writes the form, and notices where it is not what was sent.
struct Speller {
    out: Vec<u8>,
    is_as_sent: bool,
}

impl Speller {
    fn node(&mut self, node: &Node<'_>, place: Place) {
        match node {
            Node::Text(text) => self.text(text, place),
            Node::List(list) => {
                self.out.push(b'[');
                for (index, element) in list.iter().enumerate() {
                    if index > 0 {
                        self.out.push(b',');
                    }
                    self.node(element, place.element());
                }
                self.out.push(b']');
            }
            Node::Map(object) => self.object(object, place),
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Float(_) => write_canonical(node, &mut self.out),
        }
    }

    fn object(&mut self, object: &Object<'_>, place: Place) {
        // Asked before anything is written: each node is then written once, however deep it lies.
        if !object.members().all(|(key, _)| is_normal(key)) {
            return self.object_with_other_keys(object, place);
        }
        let start = self.out.len();
        self.out.push(b'{');
        for (key, node) in object.members() {
            self.member(key, node, place, start);
        }
        self.out.push(b'}');
    }

    /// An object with keys that are not in NFC. Where two of them are one in NFC they are told apart as they were sent.
    fn object_with_other_keys(&mut self, object: &Object<'_>, place: Place) {
        let mut members: Vec<(Cow<'_, str>, &Node<'_>)> =
            object.members().map(|(key, node)| (nfc(key), node)).collect();
        members.sort_by(|a, b| by_utf16(&a.0, &b.0));
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            members = object.members().map(|(key, node)| (Cow::Borrowed(key), node)).collect();
        } else {
            self.is_as_sent = false;
        }
        let start = self.out.len();
        self.out.push(b'{');
        for (key, node) in &members {
            self.member(key, node, place, start);
        }
        self.out.push(b'}');
    }

    /// A member of the object that begins at `start`, where it says something.
    fn member(&mut self, key: &str, node: &Node<'_>, place: Place, start: usize) {
        if place.says_nothing(key, node) {
            self.is_as_sent = false;
            return;
        }
        if self.out.len() > start + 1 {
            self.out.push(b',');
        }
        write_text(key, &mut self.out);
        self.out.push(b':');
        self.node(node, place.member(key));
    }

    fn text(&mut self, sent: &str, place: Place) {
        let text = match place {
            Place::Instant => instant(sent),
            Place::Digits if sent.bytes().any(|byte| byte.is_ascii_uppercase()) => sent.to_ascii_lowercase().into(),
            Place::Reference => reference(sent),
            _ => nfc(sent),
        };
        // What is borrowed is a part of what was sent, and what is owned is something else.
        self.is_as_sent &= matches!(text, Cow::Borrowed(text) if text.len() == sent.len());
        write_text(&text, &mut self.out);
    }
}

/// Whether the standard form of Unicode, NFC, leaves a text as it is.
fn is_normal(text: &str) -> bool {
    text.is_ascii() || is_nfc(text)
}

fn nfc(text: &str) -> Cow<'_, str> {
    if is_normal(text) { text.into() } else { text.nfc().collect::<String>().into() }
}

/// An instant without the zeros behind its fraction of a second.
fn instant(text: &str) -> Cow<'_, str> {
    match text.strip_suffix('Z') {
        Some(time) if time.ends_with('0') && time.contains('.') => {
            (time.trim_end_matches('0').trim_end_matches('.').to_owned() + "Z").into()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::strict::{canonical_bytes, parse};
    use proptest::prelude::*;

    fn spelt(text: &str) -> (String, bool) {
        let (bytes, is_as_sent) = shortest(&parse(text.as_bytes(), 16).unwrap());
        (String::from_utf8(bytes).unwrap(), is_as_sent)
    }

    /// Were a nest written twice at each level, these would be thousands of millions of nodes.
    #[test]
    fn each_node_is_written_once_whatever_its_keys_are() {
        let nest = |key: &str| (0..30).fold("1".to_owned(), |inner, _| format!("{{\"a\":{inner},\"{key}\":1}}"));
        let (text, is_as_sent) = {
            let (bytes, is_as_sent) = shortest(&parse(nest("z\u{301}").as_bytes(), 32).unwrap());
            (String::from_utf8(bytes).unwrap(), is_as_sent)
        };
        assert_eq!((text, is_as_sent), (nest("ź"), false));
    }

    #[test]
    fn each_place_has_its_shortest_spelling() {
        let rows = [
            (r#"{"collateral":[],"documents":[],"attributes":{},"completed_at":null}"#, "{}"),
            (r#"{"submitted_at":"2026-01-01T00:00:00.000Z"}"#, r#"{"submitted_at":"2026-01-01T00:00:00Z"}"#),
            (r#"{"submitted_at":"2026-01-01T00:00:00.120Z"}"#, r#"{"submitted_at":"2026-01-01T00:00:00.12Z"}"#),
            (r#"{"documents":[{"sha256":"AB"}]}"#, r#"{"documents":[{"sha256":"ab"}]}"#),
            (r#"{"applicants":[{"facts":{"housing":{}},"identity":{}}]}"#, r#"{"applicants":[{}]}"#),
            (r#"{"applicants":[{"customer_ref":" e\u0301 "}]}"#, r#"{"applicants":[{"customer_ref":"é"}]}"#),
            (r#"{"applicants":[{"reports":[{"fields":{},"x":1}]}]}"#, r#"{"applicants":[{"reports":[{"x":1}]}]}"#),
            (r#"{"attributes":{"e\u0301":1,"z":2}}"#, r#"{"attributes":{"z":2,"é":1}}"#),
        ];
        for (sent, shortest) in rows {
            assert_eq!(spelt(sent), (shortest.to_owned(), false), "{sent}");
            assert_eq!(spelt(shortest), (shortest.to_owned(), true));
        }
    }

    #[test]
    fn what_says_something_stays() {
        let rows = [
            r#"{"as_of":null,"requested":{},"x":[],"y":{}}"#,
            r#"{"submitted_at":"2026-01-01T00:00:10Z"}"#,
            r#"{"attributes":{"at":"2026-01-01T00:00:00.0Z","collateral":[],"facts":{},"w":" a ","x":null}}"#,
            r#"{"applicants":[{"facts":{"debts":[],"housing":null,"income":[]},"x":{}}]}"#,
            // Two names that Unicode calls one.
            "{\"attributes\":{\"e\u{301}\":1,\"\u{e9}\":2}}",
        ];
        for sent in rows {
            assert_eq!(spelt(sent), (sent.to_owned(), true));
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(serde_json::Value::from),
            "[a\" \u{1}e\u{301}\u{e9}\u{1f600}\u{212b}]{0,4}".prop_map(serde_json::Value::from),
            Just("2026-01-01T00:00:00.100Z".into()),
        ];
        leaf.prop_recursive(5, 48, 4, |inner| {
            let key = prop_oneof![
                "[ae\u{301}\u{e9}\u{fb33}]{0,3}",
                prop::sample::select(vec!["applicants", "documents", "facts", "housing", "reports", "submitted_at"])
                    .prop_map(str::to_owned),
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(key, inner, 0..5).prop_map(serde_json::Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_shortest_spelling_is_its_own(value in json()) {
            let text = value.to_string();
            let (once, is_as_sent) = spelt(&text);
            prop_assert_eq!(spelt(&once), (once.clone(), true));
            let standard = canonical_bytes(&parse(text.as_bytes(), 16).unwrap());
            prop_assert_eq!(is_as_sent, once.as_bytes() == standard.as_slice());
        }
    }
}
