//! PURE. The two numbers of a partition that look alike and are one apart: where a record stands, and where reading goes on.

use serde::Deserialize;
use std::fmt;
use std::ops::Sub;

/// Where a record stands in its partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Offset(i64);

/// Where reading goes on: what a group commits, what a changelog holds, where a partition begins and ends. All before it has been
/// read, or never is; the record that stands at it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct NextOffset(i64);

impl Offset {
    /// Of a number that is a record's.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// As a number, for what is written or shown.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Where reading goes on behind this record.
    pub const fn next(self) -> NextOffset {
        NextOffset(self.0 + 1)
    }
}

impl NextOffset {
    /// Where a partition begins that has lost nothing.
    pub(crate) const START: Self = Self(0);

    /// Of a number that says where reading goes on.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// As a number, for what is written or shown.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The first record that can come.
    pub(crate) const fn first(self) -> Offset {
        Offset(self.0)
    }

    /// The last record that has been read, or never is.
    pub(crate) const fn last_before(self) -> Offset {
        Offset(self.0 - 1)
    }

    /// Whether a record lies before it.
    pub(crate) const fn has_passed(self, record: Offset) -> bool {
        record.0 < self.0
    }

    /// So many records further.
    pub(crate) const fn further(self, records: i64) -> Self {
        Self(self.0 + records)
    }

    /// As the client knows it. None of its words for a place that it looks up itself, as it does where nothing is committed.
    pub(crate) const fn from_kafka(offset: rdkafka::Offset) -> Option<Self> {
        match offset {
            rdkafka::Offset::Offset(number) => Some(Self(number)),
            _ => None,
        }
    }

    /// As the client takes it: to be committed, or read from.
    pub(crate) const fn to_kafka(self) -> rdkafka::Offset {
        rdkafka::Offset::Offset(self.0)
    }

    /// From the value of a changelog's entry; none where it is of another form.
    pub(crate) fn from_changelog(value: &[u8]) -> Option<Self> {
        value.try_into().ok().map(i64::from_be_bytes).map(Self)
    }

    /// The value of a changelog's entry: eight bytes, the highest first.
    pub(crate) const fn to_changelog(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// How many offsets lie between, markers of transactions included.
impl Sub for NextOffset {
    type Output = i64;

    fn sub(self, from: Self) -> i64 {
        self.0 - from.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NextOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_goes_on_one_behind_a_record() {
        // A record, where reading goes on, and whether it lies behind the record.
        let rows = [(0, 0, false), (0, 1, true), (7, 7, false), (7, 8, true), (7, 6, false), (6, 8, true)];
        for (record, next, has_passed) in rows {
            let (record, next) = (Offset::new(record), NextOffset::new(next));
            assert_eq!(next.has_passed(record), has_passed, "{next} behind {record}");
            assert_eq!(next >= record.next(), has_passed, "{next} behind {record}");
            assert_eq!((record.next().first() > record, record.next().last_before()), (true, record));
            assert_eq!(
                (next - record.next(), record.next().further(next - record.next())),
                (next.get() - record.get() - 1, next)
            );
        }
    }

    #[test]
    fn the_client_commits_numbers_and_its_words_are_none() {
        use rdkafka::Offset::{Beginning, End, Invalid, OffsetTail, Stored};
        for number in [0, 1, i64::MAX] {
            let next = NextOffset::new(number);
            assert_eq!(next.to_kafka().to_raw(), Some(number));
            assert_eq!(NextOffset::from_kafka(next.to_kafka()), Some(next));
        }
        for word in [Beginning, End, Stored, Invalid, OffsetTail(3)] {
            assert_eq!(NextOffset::from_kafka(word), None, "{word:?}");
        }
    }

    #[test]
    fn bytes_and_words_stay_what_they_are() {
        let rows: [(i64, [u8; 8], &str); 3] = [
            (0, [0; 8], "0"),
            (258, [0, 0, 0, 0, 0, 0, 1, 2], "258"),
            (1 << 40, [0, 0, 1, 0, 0, 0, 0, 0], "1099511627776"),
        ];
        for (number, bytes, text) in rows {
            let (record, next) = (Offset::new(number), NextOffset::new(number));
            assert_eq!(next.to_changelog(), bytes, "{number}");
            assert_eq!(NextOffset::from_changelog(&bytes), Some(next));
            assert_eq!([record.to_string(), next.to_string()], [text; 2]);
            assert_eq!(serde_json::from_str::<Offset>(text).ok(), Some(record));
            assert_eq!(serde_json::from_str::<NextOffset>(text).ok(), Some(next));
        }
        for bytes in [&[][..], &[0; 7], &[0; 9]] {
            assert_eq!(NextOffset::from_changelog(bytes), None, "{bytes:?}");
        }
    }
}
