//! What stands in an entry for a record that the log does not hold whole: the name of a key, and a MAC under that key over the entry
//! that would have held it. Whoever has key and record can show that it is the one logged; nobody else can guess at it.

use crate::entry::Entry;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The shortest secret, bytes.
const MIN_SECRET_BYTES: usize = 32;
/// The longest name of a key, bytes. A writer keeps to it; whoever reads takes what a u8 can count.
const MAX_ID_BYTES: usize = 64;
/// Bytes of a MAC.
const MAC_BYTES: usize = 32;

/// A key that no digest is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("digest_key needs {MIN_SECRET_BYTES} bytes or more, and digest_key_id 1 to {MAX_ID_BYTES}")]
pub struct BadDigestKey;

/// The key of digests.
#[derive(Clone)]
pub struct DigestKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl DigestKey {
    /// `id` names the key in each entry, 1 to 64 bytes; `secret` is at least 32 bytes.
    ///
    /// # Errors
    /// [`BadDigestKey`].
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, BadDigestKey> {
        if secret.len() < MIN_SECRET_BYTES || id.is_empty() || id.len() > MAX_ID_BYTES {
            return Err(BadDigestKey);
        }
        let mac = Hmac::new_from_slice(secret).map_err(|_| BadDigestKey)?;
        Ok(Self { id: id.to_owned(), mac })
    }

    /// u8 length and name of the key, then the MAC over the plain entry, or over its wide form where it does not fit.
    pub fn digest(&self, plain: &Entry<'_>) -> Vec<u8> {
        let mut mac = self.mac.clone();
        plain.digested(|bytes| mac.update(bytes));
        [&[self.id.len() as u8], self.id.as_bytes(), &mac.finalize().into_bytes()].concat()
    }
}

/// Whether the stored value of an entry has the form of a digest. Whose it is needs the key.
pub fn is_digest(value: &[u8]) -> bool {
    value.first().is_some_and(|name| value.len() == 1 + usize::from(*name) + MAC_BYTES)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::entry::Codec;

    fn entry(value: &[u8]) -> Entry<'_> {
        let (topic, headers) = ("t", Vec::new());
        Entry {
            codec: Codec::Plain,
            topic,
            partition: 1,
            offset: 2,
            timestamp_ms: 3,
            key: None,
            headers,
            value: Some(value),
        }
    }

    #[test]
    fn the_form_of_a_digest_never_moves() {
        let digest = DigestKey::new("k1", &[7; 32]).unwrap().digest(&entry(b"v"));
        // Made with another implementation: hmac.new(bytes([7]) * 32, entry, "sha256").
        let mac = "35f62ccc3c7f8227c71a2d50a59b50bbdaa3029cb27637d1e2554e92274f582c";
        assert_eq!(hex::encode(&digest), format!("02{}{mac}", hex::encode("k1")));
        let plain = entry(b"v");
        let others = [entry(b"w"), Entry { offset: 3, ..plain.clone() }, Entry { key: Some(b""), ..plain.clone() }];
        for other in others {
            assert_ne!(DigestKey::new("k1", &[7; 32]).unwrap().digest(&other), digest, "{other:?}");
        }
        assert_ne!(DigestKey::new("k1", &[8; 32]).unwrap().digest(&plain), digest);
    }

    #[test]
    fn a_digest_is_known_by_its_lengths() {
        let longest = DigestKey::new(&"k".repeat(64), &[7; 32]).unwrap().digest(&entry(b"v"));
        for (what, value, expected) in [
            ("the longest name", longest.clone(), true),
            ("the longest that can be counted", [&[255][..], &[0; 255 + 32]].concat(), true),
            ("no name", vec![0; 33], true),
            ("nothing", Vec::new(), false),
            ("a byte less", longest[..longest.len() - 1].to_vec(), false),
            ("a byte more", [&longest[..], &[0]].concat(), false),
        ] {
            assert_eq!(is_digest(&value), expected, "{what}");
        }
    }

    #[test]
    fn a_short_secret_and_a_long_name_are_refused() {
        let (short, long) = ("k".repeat(64), "k".repeat(65));
        for (id, secret, fits) in
            [("k", 32, true), ("k", 31, false), ("", 32, false), (&short, 64, true), (&long, 32, false)]
        {
            assert_eq!(DigestKey::new(id, &vec![7; secret]).is_ok(), fits, "{} {secret}", id.len());
        }
    }
}
