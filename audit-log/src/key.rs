//! Public keys of those who sign notes, as text, and the lines that their signatures stand on (C2SP signed-note).

use crate::note::{BadNote, DASH};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

/// A public key under its name, for one kind of signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedKey {
    pub name: String,
    pub kind: u8,
    pub key: VerifyingKey,
}

impl NamedKey {
    /// Reads `name+key id+key` of a kind.
    pub fn parse(text: &str, kind: u8) -> Result<Self, BadNote> {
        let bad = || BadNote::Key { text: text.trim().to_owned(), kind };
        let (name, rest) = text.trim().split_once('+').ok_or_else(bad)?;
        let (id, key) = rest.split_once('+').ok_or_else(bad)?;
        check_name(name).map_err(|_| bad())?;
        let bytes = BASE64.decode(key).map_err(|_| bad())?;
        let public =
            bytes.strip_prefix(&[kind]).and_then(|public| <[u8; 32]>::try_from(public).ok()).ok_or_else(bad)?;
        let key = VerifyingKey::from_bytes(&public).map_err(|_| bad())?;
        let named = Self { name: name.to_owned(), kind, key };
        (hex::encode(named.id()) == id).then_some(named).ok_or_else(bad)
    }

    pub fn to_text(&self) -> String {
        let key = BASE64.encode([&[self.kind], &self.key.to_bytes()[..]].concat());
        format!("{}+{}+{key}", self.name, hex::encode(self.id()))
    }

    /// What its signatures begin with.
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update([b'\n', self.kind]);
        let hash = hash.chain_update(self.key.to_bytes()).finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// A signature line, with its newline.
    pub fn line(&self, signature: &[u8]) -> String {
        format!("{DASH}{} {}\n", self.name, BASE64.encode([&self.id()[..], signature].concat()))
    }

    /// What lines of this key hold behind its id.
    pub fn signatures<'l>(&'l self, lines: &'l str) -> impl Iterator<Item = Vec<u8>> + 'l {
        let of_name = |line: &'l str| line.strip_prefix(DASH)?.strip_prefix(self.name.as_str())?.strip_prefix(' ');
        let decoded = lines.lines().filter_map(of_name).filter_map(|base64| BASE64.decode(base64).ok());
        decoded.filter_map(|bytes| bytes.strip_prefix(&self.id()[..]).map(<[u8]>::to_vec))
    }
}

/// Whether a name can stand in a verifier key.
pub(crate) fn check_name(name: &str) -> Result<(), BadNote> {
    let fits = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
    fits.then_some(()).ok_or_else(|| BadNote::Name(name.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    fn key() -> NamedKey {
        let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
        NamedKey { name: "a.example".to_owned(), kind: 1, key }
    }

    #[test]
    fn a_key_is_read_back_under_its_own_name_and_kind_only() {
        let text = key().to_text();
        assert_eq!(NamedKey::parse(&format!(" {text}\n"), 1), Ok(key()));
        for (text, kind) in [
            (text.clone(), 4),
            (text.replace("a.example", "b.example"), 1),
            (text.replace("a.example", "a example"), 1),
            (text.replacen("+A", "+B", 1), 1),
            (text.replacen('+', "+0", 1), 1),
            (text[..text.len() - 4].to_owned(), 1),
            ("a.example+00000000".to_owned(), 1),
            (String::new(), 1),
        ] {
            let error = NamedKey::parse(&text, kind).unwrap_err().to_string();
            assert_eq!(error, format!("{text:?}: a verifier key is name+id+key, of type {kind}"));
        }
    }

    #[test]
    fn signatures_are_those_under_the_key() {
        let (own, other) = (key().line(b"mine"), NamedKey { kind: 4, ..key() }.line(b"another kind"));
        let renamed = NamedKey { name: "a".to_owned(), ..key() }.line(b"another name");
        for (lines, expected) in [
            (own.clone(), vec![b"mine".to_vec()]),
            (format!("{other}{own}{renamed}{own}"), vec![b"mine".to_vec(), b"mine".to_vec()]),
            (format!("{other}{renamed}"), vec![]),
            (own.replace(DASH, "- "), vec![]),
            (own.replace(' ', "  "), vec![]),
            ("\u{2014} a.example ???\n".to_owned(), vec![]),
        ] {
            assert_eq!(key().signatures(&lines).collect::<Vec<_>>(), expected, "{lines}");
        }
    }

    #[test]
    fn a_name_has_no_spaces_and_no_plus_signs() {
        for (name, fits) in
            [("a.example/x", true), ("\u{e9}", true), ("", false), ("a b", false), ("a+b", false), ("a\u{7}", false)]
        {
            assert_eq!(check_name(name).is_ok(), fits, "{name:?}");
        }
        assert_eq!(check_name("a b").unwrap_err().to_string(), "\"a b\" is no name of a key: no spaces, no plus signs");
    }
}
