//! The thought of `admit`, pure: what is remembered of an application, and what a record of it therefore is. Knows no record,
//! no header and no clock; the broker's time of a record is an argument.

use crate::refusal::Reason;
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

/// What is remembered of an application. Key and entry are 40 bytes; a table at its emptiest, 7/16 full, and its one byte of
/// bookkeeping make that 94 for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// First 16 bytes of the digest of the newest accepted body; zeros when none was accepted.
    digest: [u8; 16],
    /// Revision, with the highest bit set once the application is withdrawn. Revision 0: withdrawn before it came.
    revision_and_end: u32,
    /// When it was received, in seconds since 1970: good until 2106.
    received_at_s: u32,
}

const WITHDRAWN: u32 = 1 << 31;
/// Form of the changelog's bytes.
const VERSION: u8 = 1;

impl Entry {
    fn new(revision: u32, digest: [u8; 16], is_withdrawn: bool, received_at_ms: i64) -> Self {
        let revision_and_end = revision | if is_withdrawn { WITHDRAWN } else { 0 };
        Self { digest, revision_and_end, received_at_s: seconds(received_at_ms) }
    }

    /// The newest accepted revision; 0 when none was accepted.
    pub fn revision(&self) -> u32 {
        self.revision_and_end & !WITHDRAWN
    }

    /// Whether the application was withdrawn.
    pub fn is_withdrawn(&self) -> bool {
        self.revision_and_end & WITHDRAWN != 0
    }

    /// Whether it may be forgotten. A record that is as old as this entry is stale by then, so nothing is decided twice.
    pub fn is_expired(&self, now_ms: i64, window_ms: i64) -> bool {
        now_ms / 1000 > i64::from(self.received_at_s) + 1 + window_ms / 1000
    }

    /// A count of entries on a day, in the form of an entry: an older binary keeps it as an application that nobody sends.
    fn counter(day: u32, count: u32, now_ms: i64) -> Self {
        let mut digest = [0; 16];
        digest[..4].copy_from_slice(&day.to_be_bytes());
        Self::new(count, digest, false, now_ms)
    }

    /// The day of a counter.
    fn day(&self) -> u32 {
        let [a, b, c, d, ..] = self.digest;
        u32::from_be_bytes([a, b, c, d])
    }

    fn refreshed(self, received_at_ms: i64) -> Self {
        Self { received_at_s: self.received_at_s.max(seconds(received_at_ms)), ..self }
    }
}

/// What a record asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To be decided.
    Application {
        /// From 1.
        revision: u32,
        /// First 16 bytes of the digest of its body.
        digest: [u8; 16],
    },
    /// To be ended.
    Withdrawal,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A new application or a higher revision: it goes on.
    Accepted,
    /// A withdrawal of the accepted revision: it goes on.
    Withdrawn {
        /// The revision that it ends.
        revision: u32,
    },
    /// A withdrawal that came before its application, remembered until that comes.
    Noted,
    /// Accepted before, as it is.
    Duplicate,
    /// A higher revision was accepted before.
    Superseded,
    /// Refused.
    Refused(Reason),
}

/// When a record was received and when it is looked at, both by the broker's clock, and how long things are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Milliseconds since 1970 at its first topic.
    pub received_at_ms: i64,
    /// Milliseconds since 1970 of the newest record of this partition.
    pub now_ms: i64,
    /// Milliseconds.
    pub window_ms: i64,
}

/// Says what a record is, and what is to be remembered from now on where that changes.
pub fn admit(ask: Ask, times: Times, known: Option<Entry>) -> (Answer, Option<Entry>) {
    if times.now_ms - times.received_at_ms > times.window_ms {
        return (Answer::Refused(Reason::Stale), None);
    }
    match ask {
        Ask::Application { revision, digest } => admit_application(revision, digest, times, known),
        Ask::Withdrawal => admit_withdrawal(times, known),
    }
}

fn admit_application(revision: u32, digest: [u8; 16], times: Times, known: Option<Entry>) -> (Answer, Option<Entry>) {
    let accepted = || (Answer::Accepted, Some(Entry::new(revision, digest, false, times.received_at_ms)));
    let Some(entry) = known else { return accepted() };
    match revision.cmp(&entry.revision()) {
        std::cmp::Ordering::Equal if entry.digest == digest => (Answer::Duplicate, kept_alive(entry, times)),
        std::cmp::Ordering::Equal => (Answer::Refused(Reason::Conflict), None),
        std::cmp::Ordering::Less => (Answer::Superseded, None),
        std::cmp::Ordering::Greater if entry.is_withdrawn() => (Answer::Refused(Reason::Withdrawn), None),
        std::cmp::Ordering::Greater => accepted(),
    }
}

fn admit_withdrawal(times: Times, known: Option<Entry>) -> (Answer, Option<Entry>) {
    match known {
        None => (Answer::Noted, Some(Entry::new(0, [0; 16], true, times.received_at_ms))),
        Some(entry) if entry.is_withdrawn() => (Answer::Duplicate, kept_alive(entry, times)),
        Some(entry) => {
            let ended = Entry { revision_and_end: entry.revision_and_end | WITHDRAWN, ..entry };
            (Answer::Withdrawn { revision: entry.revision() }, Some(ended.refreshed(times.received_at_ms)))
        }
    }
}

/// Counts one more new entry of a tenant on the day of `now_ms`: the counter to be remembered, or none once `quota` entries are
/// made. The day is the greatest seen, so that a clock that is set back starts no new one.
pub fn counted(quota: u32, now_ms: i64, counter: Option<Entry>) -> Option<Entry> {
    let today = seconds(now_ms) / 86_400;
    let (day, count) = match counter {
        Some(counter) if counter.day() >= today => (counter.day(), counter.revision()),
        _ => (today, 0),
    };
    (count < quota).then(|| Entry::counter(day, count + 1, now_ms))
}

/// A sender that goes on resending keeps the memory of it, at the price of one write each half window.
fn kept_alive(entry: Entry, times: Times) -> Option<Entry> {
    let age_ms = times.received_at_ms - i64::from(entry.received_at_s) * 1000;
    (age_ms > times.window_ms / 2).then(|| entry.refreshed(times.received_at_ms))
}

fn seconds(ms: i64) -> u32 {
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
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.digest);
        bytes.extend_from_slice(&self.revision_and_end.to_be_bytes());
        bytes.extend_from_slice(&self.received_at_s.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let rest: &[u8; 24] = rest.try_into().ok()?;
        let word = |at: usize| Some(u32::from_be_bytes(rest[at..at + 4].try_into().ok()?));
        let entry = Self { digest: rest[..16].try_into().ok()?, revision_and_end: word(16)?, received_at_s: word(20)? };
        (*version == VERSION).then_some(entry)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const WINDOW: i64 = 1_000_000;
    const A: [u8; 16] = [1; 16];
    const B: [u8; 16] = [2; 16];

    fn app(revision: u32, digest: [u8; 16]) -> Ask {
        Ask::Application { revision, digest }
    }

    /// Plays asks in order, each received and looked at at its time, and gives the answers.
    fn play(asks: &[(i64, Ask)]) -> Vec<Answer> {
        let mut known: Option<Entry> = None;
        let step = |(at, ask): &(i64, Ask)| {
            known = known.filter(|entry| !entry.is_expired(*at, WINDOW));
            let times = Times { received_at_ms: *at, now_ms: *at, window_ms: WINDOW };
            let (answer, change) = admit(*ask, times, known);
            known = change.or(known);
            answer
        };
        asks.iter().map(step).collect()
    }

    #[test]
    fn every_history_has_its_answers() {
        use Answer::{Accepted, Duplicate, Noted, Refused, Superseded, Withdrawn};
        let end = Ask::Withdrawal;
        let rows: &[(&str, &[(i64, Ask)], &[Answer])] = &[
            ("sent twice", &[(1, app(1, A)), (2, app(1, A))], &[Accepted, Duplicate]),
            ("other content", &[(1, app(1, A)), (2, app(1, B))], &[Accepted, Refused(Reason::Conflict)]),
            ("next revision", &[(1, app(1, A)), (2, app(2, A)), (3, app(1, A))], &[Accepted, Accepted, Superseded]),
            ("a gap is no fault", &[(1, app(7, A)), (2, app(9, B)), (3, app(8, B))], &[Accepted, Accepted, Superseded]),
            ("withdrawn", &[(1, app(3, A)), (2, end), (3, end)], &[Accepted, Withdrawn { revision: 3 }, Duplicate]),
            (
                "revised after",
                &[(1, app(1, A)), (2, end), (3, app(2, B))],
                &[Accepted, Withdrawn { revision: 1 }, Refused(Reason::Withdrawn)],
            ),
            (
                "resent after",
                &[(1, app(1, A)), (2, end), (3, app(1, A))],
                &[Accepted, Withdrawn { revision: 1 }, Duplicate],
            ),
            ("withdrawn first", &[(1, end), (2, app(1, A)), (3, end)], &[Noted, Refused(Reason::Withdrawn), Duplicate]),
            ("forgotten", &[(0, app(1, A)), (WINDOW + 3000, app(1, A))], &[Accepted, Accepted]),
            (
                "kept alive",
                &[(0, app(1, A)), (WINDOW - 1, app(1, A)), (WINDOW + 3000, app(1, A))],
                &[Accepted, Duplicate, Duplicate],
            ),
        ];
        for (name, asks, answers) in rows {
            assert_eq!(play(asks), *answers, "{name}");
        }
    }

    #[test]
    fn a_record_is_stale_before_its_entry_is_forgotten() {
        let entry = Entry::new(1, A, false, 999);
        for now_ms in [WINDOW, WINDOW + 999, WINDOW + 1500, WINDOW + 2500, WINDOW + 9000] {
            let times = Times { received_at_ms: 999, now_ms, window_ms: WINDOW };
            let stale = admit(app(1, A), times, None).0 == Answer::Refused(Reason::Stale);
            assert!(stale || !entry.is_expired(now_ms, WINDOW), "{now_ms}");
        }
    }

    #[test]
    fn a_day_has_so_many_new_entries_and_no_more() {
        const DAY: i64 = 86_400_000;
        let mut counter = None;
        let mut enter = |now_ms: i64| {
            let more = counted(2, now_ms, counter);
            counter = more.map(|entry| Entry::decode(&entry.encode()).unwrap()).or(counter);
            more.is_some()
        };
        let rows = [
            (DAY - 2, true),
            (DAY - 1, true),
            (DAY - 1, false),
            (DAY, true),
            // Set back by a day: still the second day.
            (1, true),
            (DAY - 1, false),
            (2 * DAY - 1, false),
            (9 * DAY, true),
        ];
        for (now_ms, expected) in rows {
            assert_eq!(enter(now_ms), expected, "{now_ms}");
        }
        assert_eq!(counted(0, DAY, None), None);
        assert_ne!(Key::of_quota("a"), Key::of_quota("b"));
        assert_eq!(Key::of_quota("a"), Key::of(b"\0quotaa"));
    }

    #[test]
    fn an_entry_is_small_and_comes_back_as_it_went() {
        assert_eq!(size_of::<(Key, Entry)>(), 40);
        for entry in [Entry::new(0, [0; 16], true, 0), Entry::new(i32::MAX as u32, B, true, 1_800_000_000_123)] {
            assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }
        assert_eq!(Entry::new(5, A, true, 0).revision(), 5);
        let mut newer = Entry::new(5, A, true, 0).encode();
        newer[0] = 2;
        assert_eq!(Entry::decode(&newer), None);
        assert_eq!(Entry::decode(&[]), None);
    }
}
