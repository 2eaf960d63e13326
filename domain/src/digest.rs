//! SHA-256 digests as values: of a document, a graph, a policy. Never an identity: two retries of one event keep one id.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256 digest (FIPS 180-4), 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// Text that is not 64 lower- or upper-case hexadecimal digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a SHA-256 digest is 64 hexadecimal digits, got {0} characters or another alphabet")]
pub struct NotADigest(usize);

impl Digest {
    /// Digests `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Parses 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`NotADigest`] on any other length or alphabet.
    pub fn parse(text: &str) -> Result<Self, NotADigest> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(NotADigest(digits.len()));
        }
        let mut out = [0u8; 32];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            let high = nibble(pair[0]).ok_or(NotADigest(64))?;
            let low = nibble(pair[1]).ok_or(NotADigest(64))?;
            *byte = high << 4 | low;
        }
        Ok(Self(out))
    }

    /// The first 16 bytes: enough to tell contents apart where a table holds millions.
    pub fn short(&self) -> [u8; 16] {
        let mut out = [0u8; 16];
        out.copy_from_slice(&self.0[..16]);
        out
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_digest_is_the_standard_one() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), text);
        assert_eq!(Digest::parse(text), Ok(Digest::of(b"")));
        assert_eq!(Digest::parse("00"), Err(NotADigest(2)));
        assert_eq!(Digest::parse(&"g".repeat(64)), Err(NotADigest(64)));
    }
    #[test]
    fn either_case_is_read_and_the_lower_one_is_written() {
        let digest = Digest::of(b"a");
        let text = digest.to_string();
        assert_eq!(Digest::parse(&text.to_uppercase()), Ok(digest));
        assert_eq!(format!("{digest:?}"), text, "in debug output too");
        assert_eq!(digest.short(), digest.0[..16], "the first half");
        assert_eq!(Digest::parse(&"ä".repeat(32)), Err(NotADigest(64)), "bytes, not characters");
    }
}
