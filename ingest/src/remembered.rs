//! What `admit` remembers: an application's name, the newest accepted revision and which body it was, in 41 bytes; and their bytes
//! on the changelog. Pure, and small on purpose: there are millions of them.

use crate::config::Equality;
use crate::data_digest::{Keyed, Mark, TenantKeys, UnderKeys};
use runtime::stream::Stored;
use sha2::{Digest as _, Sha256};

/// Names an application in memory: the first 16 bytes of SHA-256 of `tenant|application_id`.
///
/// Two of a thousand million applications share a name with a probability of 1.5e-21 (n²/2¹²⁹). Whoever makes a collision on
/// purpose needs 2⁶⁴ hashes for two ids of his own, which harms nobody else, and 2¹²⁸ for one of another tenant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// The name of the application with this record key.
    pub fn of(record_key: &[u8]) -> Self {
        Self(short(Sha256::digest(record_key).into()))
    }

    /// The name under which the new entries of a tenant are counted. No record key begins with a zero byte.
    pub fn of_quota(tenant: &str) -> Self {
        Self(short(Sha256::new_with_prefix([0]).chain_update("quota").chain_update(tenant).finalize().into()))
    }
}

/// What is remembered of an application. Key and entry are 41 bytes; a table at its emptiest, 7/16 full, and its one byte of
/// bookkeeping make that 96 for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Of the newest accepted body.
    pub(crate) body: Body,
    /// Revision, with the highest bit set once the application is withdrawn. Revision 0: withdrawn before it came. In bytes,
    /// so that nothing is lost to alignment.
    pub(crate) revision_and_end: [u8; 4],
    /// When it was received, in seconds since 1970: good until 2106.
    pub(crate) received_at_s: [u8; 4],
}

/// Which body was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// First 16 bytes of an unkeyed SHA-256: remembered by a version before, until it is touched. Zeros when none was accepted.
    Unkeyed([u8; 16]),
    /// A keyed digest.
    Keyed(Keyed),
}

/// The bit of a withdrawn application.
pub(crate) const WITHDRAWN: u32 = 1 << 31;
/// Form of the changelog's bytes with an unkeyed digest.
const UNKEYED: u8 = 1;
/// Form of the changelog's bytes with a keyed digest.
const KEYED: u8 = 2;

impl Entry {
    pub(crate) fn new(revision: u32, body: Body, is_withdrawn: bool, received_at_ms: i64) -> Self {
        let revision_and_end = revision | if is_withdrawn { WITHDRAWN } else { 0 };
        let [revision_and_end, received_at_s] = [revision_and_end, seconds(received_at_ms)].map(u32::to_be_bytes);
        Self { body, revision_and_end, received_at_s }
    }

    /// The newest accepted revision; 0 when none was accepted.
    pub fn revision(&self) -> u32 {
        u32::from_be_bytes(self.revision_and_end) & !WITHDRAWN
    }

    /// Whether the application was withdrawn.
    pub fn is_withdrawn(&self) -> bool {
        u32::from_be_bytes(self.revision_and_end) & WITHDRAWN != 0
    }

    pub(crate) fn received_at_s(&self) -> u32 {
        u32::from_be_bytes(self.received_at_s)
    }

    /// Whether it may be forgotten. A record that is as old as this entry is stale by then, so nothing is decided twice.
    pub(crate) fn is_expired(&self, now_ms: i64, window_ms: i64) -> bool {
        now_ms / 1000 > i64::from(self.received_at_s()) + 1 + window_ms / 1000
    }

    /// A count of entries on a day, in the form of an entry: an older binary keeps it as an application that nobody sends.
    pub(crate) fn counter(day: u32, count: u32, now_ms: i64) -> Self {
        let mut digest = [0; 16];
        digest[..4].copy_from_slice(&day.to_be_bytes());
        Self::new(count, Body::Unkeyed(digest), false, now_ms)
    }

    /// The day of a counter.
    pub(crate) fn day(&self) -> u32 {
        match self.body {
            Body::Unkeyed([a, b, c, d, ..]) => u32::from_be_bytes([a, b, c, d]),
            Body::Keyed(_) => 0,
        }
    }

    pub(crate) fn refreshed(self, received_at_ms: i64) -> Self {
        Self { received_at_s: self.received_at_s().max(seconds(received_at_ms)).to_be_bytes(), ..self }
    }

    /// With a keyed digest in an unkeyed one's place, where a body was accepted.
    pub(crate) fn converted(self, keys: &TenantKeys) -> Self {
        match self.body {
            Body::Unkeyed(short) if self.revision() > 0 => Self { body: Body::Keyed(keys.kept.keyed(&short)), ..self },
            _ => self,
        }
    }
}

/// The digests that a record brings of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// First 16 bytes of an unkeyed SHA-256: `receive` of a version before wrote the record.
    Unkeyed([u8; 16]),
    /// Keyed ones.
    Keyed {
        /// Of the body as it was sent.
        sent: UnderKeys<Keyed>,
        /// Of its shortest spelling, where that is another one.
        meant: Option<UnderKeys<Keyed>>,
        /// By which of the two a body is remembered.
        by: Equality,
    },
}

impl Asked {
    /// What is remembered of it.
    pub(crate) fn remembered(self) -> Body {
        match self {
            Self::Unkeyed(short) => Body::Unkeyed(short),
            Self::Keyed { sent, by: Equality::Spelling, .. } => Body::Keyed(sent.kept),
            Self::Keyed { sent, meant, by: Equality::Meaning } => Body::Keyed(meant.unwrap_or(sent).kept),
        }
    }

    /// What is remembered from here on of the accepted body, which it is: under the key that records bring, and never by its spelling
    /// again where its meaning is known. A record of a version before brings nothing.
    pub(crate) fn confirmed(self, accepted: Body, keys: &TenantKeys) -> Body {
        match self {
            Self::Unkeyed(_) => accepted,
            Self::Keyed { meant: Some(meant), .. } if meant.are_of(accepted, keys) => Body::Keyed(meant.kept),
            Self::Keyed { .. } => self.remembered(),
        }
    }

    /// Whether it says what the accepted body said. Where nothing that it brings was made as the accepted one's digest was, nobody can
    /// tell, and it does not.
    pub(crate) fn is(self, accepted: Body, keys: &TenantKeys) -> bool {
        match (accepted, self) {
            (_, Self::Keyed { sent, meant, .. }) => {
                sent.are_of(accepted, keys) || meant.is_some_and(|meant| meant.are_of(accepted, keys))
            }
            (Body::Unkeyed(accepted), Self::Unkeyed(asked)) => accepted == asked,
            (Body::Keyed(accepted), Self::Unkeyed(asked)) => {
                keys.marked(accepted.mark).map(|key| key.keyed(&asked)) == Some(accepted)
            }
        }
    }
}

impl UnderKeys<Keyed> {
    /// Whether one of them is that of the accepted body.
    fn are_of(self, accepted: Body, keys: &TenantKeys) -> bool {
        let mut digests = [Some(self.kept), self.also].into_iter().flatten();
        match accepted {
            Body::Keyed(accepted) => digests.any(|digest| digest == accepted),
            Body::Unkeyed(accepted) => {
                digests.any(|digest| keys.marked(digest.mark).map(|key| key.keyed(&accepted)) == Some(digest))
            }
        }
    }
}

/// Whole seconds of milliseconds, as an entry has them.
pub(crate) fn seconds(ms: i64) -> u32 {
    u32::try_from(ms / 1000).unwrap_or(if ms < 0 { 0 } else { u32::MAX })
}

/// The first half of a SHA-256.
pub fn short(digest: [u8; 32]) -> [u8; 16] {
    domain::Digest(digest).short()
}

impl Stored for Key {
    fn encode(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl Stored for Entry {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(25);
        match &self.body {
            Body::Unkeyed(short) => {
                bytes.push(UNKEYED);
                bytes.extend_from_slice(short);
            }
            Body::Keyed(Keyed { mark, front }) => {
                bytes.extend_from_slice(&[KEYED, mark.byte()]);
                bytes.extend_from_slice(front);
            }
        }
        bytes.extend_from_slice(&self.revision_and_end);
        bytes.extend_from_slice(&self.received_at_s);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (form, rest) = bytes.split_first()?;
        let rest: &[u8; 24] = rest.try_into().ok()?;
        let body = match *form {
            UNKEYED => Body::Unkeyed(rest[..16].try_into().ok()?),
            KEYED => Body::Keyed(Keyed { mark: Mark::from_byte(rest[0])?, front: rest[1..16].try_into().ok()? }),
            _ => return None,
        };
        let word = |at: usize| rest[at..at + 4].try_into().ok();
        Some(Self { body, revision_and_end: word(16)?, received_at_s: word(20)? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small_and_comes_back_as_it_went() {
        assert_eq!(size_of::<(Key, Entry)>(), 41);
        let keyed = Body::Keyed(Keyed::of("k1", &[1; 32]));
        let entries = [
            Entry::new(0, Body::Unkeyed([0; 16]), true, 0),
            Entry::new(i32::MAX as u32, Body::Unkeyed([2; 16]), true, 1_800_000_000_123),
            Entry::new(i32::MAX as u32, keyed, false, 1_800_000_000_123),
        ];
        for entry in entries {
            assert_eq!(Entry::decode(&entry.encode()), Some(entry));
            assert_eq!(entry.encode().len(), 25);
        }
        assert_eq!(Entry::new(5, Body::Unkeyed([1; 16]), true, 0).revision(), 5);
        let mut newer = Entry::new(5, Body::Unkeyed([1; 16]), true, 0).encode();
        newer[0] = 3;
        assert_eq!(Entry::decode(&newer), None);
        assert_eq!(Entry::decode(&[]), None);
    }
}
