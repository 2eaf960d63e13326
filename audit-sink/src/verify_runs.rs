//! PURE. Holds the entries of a segment against the runs of the index: one after another they cover it, and each says where its
//! entries stood.

use audit_log::{BadEntry, Codec, Entry, is_digest};
use schemas::Topic;
use std::iter::Peekable;
use std::vec::IntoIter;

/// In what an entry and the index do not fit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misfit {
    #[error(transparent)]
    Entry(#[from] BadEntry),
    #[error("what it holds is not a digest")]
    NoDigest,
    #[error("no run of the index holds it")]
    NoRun,
    #[error("more than one run of the index holds it")]
    ManyRuns,
    /// Its run says something else.
    #[error("{0}")]
    Another(String),
}

/// A run as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Indexed {
    pub first_seq: i64,
    entries: i64,
    topic: String,
    partition: i32,
    after_offset: Option<i64>,
    first_offset: i64,
    last_offset: i64,
}

impl Indexed {
    /// The columns of a row, in this order.
    pub const COLUMNS: &str = "first_seq, entries, topic, partition, after_offset, first_offset, last_offset";

    pub fn of_row(row: &tokio_postgres::Row) -> Self {
        Self {
            first_seq: row.get(0),
            entries: row.get::<_, i32>(1).into(),
            topic: row.get(2),
            partition: row.get(3),
            after_offset: row.get(4),
            first_offset: row.get(5),
            last_offset: row.get(6),
        }
    }

    fn end(&self) -> i64 {
        self.first_seq.saturating_add(self.entries.max(1))
    }

    /// Whether entry `seq` of the run stood there, where `newest` is the offset before it of its partition.
    fn holds(&self, seq: i64, place: &Place<'_>, newest: Option<i64>) -> bool {
        let (is_first, is_last) = (seq == self.first_seq, seq + 1 == self.end());
        (self.topic.as_str(), self.partition) == (place.topic, place.partition)
            && (place.offset == self.first_offset) == is_first
            && (place.offset == self.last_offset) == is_last
            && (self.first_offset..=self.last_offset).contains(&place.offset)
            && (!is_first || self.after_offset == newest)
    }

    fn says(&self) -> String {
        let Self { topic, partition, first_offset, last_offset, entries, after_offset, .. } = self;
        let after = after_offset.map_or_else(|| "the first".to_owned(), |after| format!("behind @{after}"));
        format!("the index says {entries} of {topic}/{partition}@{first_offset} to @{last_offset}, {after}")
    }
}

/// The runs of a segment, in their order.
pub(crate) struct Runs {
    rows: Peekable<IntoIter<Indexed>>,
    current: Option<Indexed>,
}

impl Runs {
    pub fn new(rows: Vec<Indexed>) -> Self {
        Self { rows: rows.into_iter().peekable(), current: None }
    }

    /// Passes on to an entry; whether its run says that it stood where it says itself. Called for each entry of the segment in
    /// turn, with the offset before it of its partition.
    pub fn pass(&mut self, seq: i64, place: &Place<'_>, newest: Option<i64>) -> Result<(), Misfit> {
        self.pass_over(seq)?;
        let run = self.current.as_ref().ok_or(Misfit::NoRun)?;
        if run.holds(seq, place, newest) { Ok(()) } else { Err(Misfit::Another(run.says())) }
    }

    /// Passes on to an entry that cannot be read.
    pub(crate) fn pass_over(&mut self, seq: i64) -> Result<(), Misfit> {
        if self.current.as_ref().is_some_and(|run| run.end() <= seq) {
            self.current = None;
        }
        let Some(next) = self.rows.next_if(|run| run.first_seq <= seq) else { return Ok(()) };
        match self.current.replace(next) {
            Some(_) => Err(Misfit::ManyRuns),
            None => Ok(()),
        }
    }

    /// What is wrong with the index where the segment ends.
    pub fn finish(self, end: i64) -> Option<(i64, String)> {
        let last = self.rows.last().or(self.current)?;
        (last.end() != end).then(|| (last.first_seq, "a run of the index ends elsewhere than its segment".to_owned()))
    }
}

/// Where an entry says that its record stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    /// A digest, on a topic whose bodies are logged: no entry could hold the record.
    pub oversized: bool,
}

impl<'a> Place<'a> {
    /// Reads an entry.
    pub fn of(bytes: &'a [u8]) -> Result<Self, Misfit> {
        let entry = Entry::decode(bytes)?;
        let Entry { topic, partition, offset, .. } = entry;
        if entry.codec == Codec::DigestOnly && !is_digest(entry.value.unwrap_or_default()) {
            return Err(Misfit::NoDigest);
        }
        let is_whole = || Topic::of_name("", topic).is_some_and(Topic::body_is_logged);
        Ok(Self { topic, partition, offset, oversized: entry.codec == Codec::DigestOnly && is_whole() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Entries 10 to 14: offsets 4, 6, 7 of partition 0 behind 2, then 0, 1 of partition 1.
    const PLACES: [(i32, i64); 5] = [(0, 4), (0, 6), (0, 7), (1, 0), (1, 1)];

    fn rows() -> Vec<Indexed> {
        let run = |first_seq, entries, partition, after_offset, first_offset, last_offset| Indexed {
            first_seq,
            entries,
            topic: "t".to_owned(),
            partition,
            after_offset,
            first_offset,
            last_offset,
        };
        vec![run(10, 3, 0, Some(2), 4, 7), run(13, 2, 1, None, 0, 1)]
    }

    /// The entries at which something is found, and whether something is at the end.
    fn found(rows: Vec<Indexed>) -> (Vec<i64>, bool) {
        let (mut runs, mut faults) = (Runs::new(rows), Vec::new());
        for (seq, (partition, offset)) in (10..).zip(PLACES) {
            let place = Place { topic: "t", partition, offset, oversized: false };
            let newest = if partition == 0 { Some(2) } else { None };
            faults.extend(runs.pass(seq, &place, newest).is_err().then_some(seq));
        }
        (faults, runs.finish(15).is_some())
    }

    #[test]
    fn every_way_in_which_a_run_may_differ_is_found() {
        assert_eq!(found(rows()), (vec![], false));
        type Change = fn(&mut Vec<Indexed>);
        let changes: [(&str, Change, &[i64], bool); 14] = [
            ("removed", |rows| drop(rows.remove(1)), &[13, 14], false),
            ("the first removed", |rows| drop(rows.remove(0)), &[10, 11, 12], false),
            ("one too many", |rows| rows.insert(1, rows[0].clone()), &[11], false),
            ("one behind all", |rows| rows.push(Indexed { first_seq: 14, entries: 2, ..rows[1].clone() }), &[14], true),
            ("counts one more", |rows| rows[0].entries = 4, &[12, 13], false),
            ("counts one less", |rows| rows[0].entries = 2, &[11, 12], false),
            ("the last counts more", |rows| rows[1].entries = 3, &[14], true),
            ("moved", |rows| rows[1].first_seq = 14, &[13, 14], true),
            ("another topic", |rows| rows[1].topic = "u".to_owned(), &[13, 14], false),
            ("another partition", |rows| rows[1].partition = 2, &[13, 14], false),
            ("begins elsewhere", |rows| rows[0].first_offset = 3, &[10], false),
            ("ends elsewhere", |rows| rows[0].last_offset = 8, &[12], false),
            ("behind another", |rows| rows[0].after_offset = Some(1), &[10], false),
            ("behind none", |rows| rows[0].after_offset = None, &[10], false),
        ];
        for (name, change, faults, at_end) in changes {
            let mut changed = rows();
            change(&mut changed);
            assert_eq!(found(changed), (faults.to_vec(), at_end), "{name}");
        }
    }
}
