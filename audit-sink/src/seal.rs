//! PURE. Turns a batch of records into what one log gains by it: entries in segments, runs of the index, tiles, the next head. A
//! topic with personal data leaves coordinates and a keyed digest; its key, its value and its own headers never get in here. A
//! record that no entry can hold leaves the same, whatever its topic: nothing that a sender writes stops the log.

use crate::error::Error;
use crate::source::{Source, Sources};
use audit_log::{
    Codec, DigestKey, Entry, Hash, Header, LENGTH_BYTES, MAX_OPEN_SEGMENT_BYTES, Tile, Tree, leaf_hash, push_entry,
};
use runtime::stream::{Input, Offset, OwnedInput, dead_letter_header};
use schemas::Topic;
use std::borrow::Cow;

/// The longest value of a header that names a failure, bytes. What the loop writes there is a word, a topic or a number.
const LONGEST_FAILURE: usize = 1024;

/// Entries one after another, not yet compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number of the first entry.
    pub first_seq: u64,
    /// Sequence number of the last entry.
    pub last_seq: u64,
    /// As [`push_entry`] appends them.
    pub raw: Vec<u8>,
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Sequence number in its log, from 0.
    pub seq: u64,
    /// Its topic.
    pub source: Source,
    /// Partition.
    pub partition: i32,
    /// Where it stands in its partition.
    pub offset: Offset,
    /// Leaf hash.
    pub leaf: Hash,
    /// What of the record is in the log.
    pub held: Held,
}

/// Entries of one partition that follow each other within a segment: a row of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Sequence number of the first entry.
    pub first_seq: u64,
    /// How many there are.
    pub entries: u32,
    /// Topic, without prefix.
    pub topic: Cow<'static, str>,
    /// Partition.
    pub partition: i32,
    /// Offset of the first entry.
    pub first_offset: Offset,
    /// Offset of the last entry.
    pub last_offset: Offset,
}

impl Run {
    fn begin(entry: &Placed) -> Self {
        let (topic, partition, offset) = (entry.source.name.clone(), entry.partition, entry.offset);
        Self { first_seq: entry.seq, entries: 1, topic, partition, first_offset: offset, last_offset: offset }
    }

    fn is_continued_by(&self, entry: &Placed) -> bool {
        self.topic == entry.source.name && self.partition == entry.partition && self.last_offset < entry.offset
    }
}

/// What of a record the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// All of it.
    Whole,
    /// Coordinates and a digest, because its topic has personal data.
    Digest,
    /// Coordinates and a digest, because no entry can hold it.
    Oversized,
}

impl Held {
    /// The word of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "plain",
            Self::Digest => "digest_only",
            Self::Oversized => "oversized",
        }
    }
}

/// What a batch adds to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// One for each record, in the batch's order.
    pub entries: Vec<Placed>,
    /// Where they stand, as the index holds it.
    pub runs: Vec<Run>,
    /// Their bytes.
    pub segments: Vec<Segment>,
    /// Tiles that they completed.
    pub tiles: Vec<Tile>,
    /// The tree after them.
    pub tree: Tree,
}

/// Seals `batch` behind `tree`, in its order. A segment is closed once it holds `segment_bytes`, or what a segment may hold.
///
/// # Errors
/// [`Error::UnknownTopic`] for a record of a topic that is not audited: a fault of wiring, which no sender can bring about.
pub fn seal(
    batch: &[OwnedInput],
    sources: &Sources,
    key: &DigestKey,
    segment_bytes: usize,
    tree: Tree,
) -> Result<Sealed, Error> {
    let mut sealer = Sealer::begin(tree, segment_bytes);
    let mut entry = Vec::new();
    for record in batch {
        let source = sources.of(&record.topic).ok_or_else(|| Error::UnknownTopic(record.topic.clone()))?;
        entry.clear();
        let held = encode(&record.as_input(), &source, key, &mut entry)?;
        sealer.add(&source, record.partition, record.offset, held, &entry);
    }
    Ok(sealer.finish())
}

/// Entries on their way into segments, one after another.
pub(crate) struct Sealer {
    sealed: Sealed,
    segment_bytes: usize,
    raw: Vec<u8>,
    first_seq: u64,
}

impl Sealer {
    /// Behind `tree`. A segment is closed once it holds `segment_bytes`, or [`MAX_OPEN_SEGMENT_BYTES`].
    pub fn begin(tree: Tree, segment_bytes: usize) -> Self {
        let (first_seq, segment_bytes) = (tree.size(), segment_bytes.min(MAX_OPEN_SEGMENT_BYTES));
        let sealed = Sealed { entries: Vec::new(), runs: Vec::new(), segments: Vec::new(), tiles: Vec::new(), tree };
        Self { sealed, segment_bytes, raw: Vec::with_capacity(segment_bytes), first_seq }
    }

    /// Number of the next entry.
    pub(crate) fn next_seq(&self) -> u64 {
        self.sealed.tree.size()
    }

    /// Adds an entry, given as [`encode`] wrote it.
    pub fn add(&mut self, source: &Source, partition: i32, offset: Offset, held: Held, entry: &[u8]) {
        let Sealed { entries, runs, tiles, tree, .. } = &mut self.sealed;
        let leaf = leaf_hash(&entry[LENGTH_BYTES..]);
        let placed = Placed { seq: tree.size(), source: source.clone(), partition, offset, leaf, held };
        let begins_segment = self.raw.is_empty();
        match runs.last_mut().filter(|run| !begins_segment && run.is_continued_by(&placed)) {
            Some(run) => (run.entries, run.last_offset) = (run.entries + 1, offset),
            None => runs.push(Run::begin(&placed)),
        }
        entries.push(placed);
        tree.append(leaf, tiles);
        self.raw.extend_from_slice(entry);
        if self.raw.len() >= self.segment_bytes {
            self.close();
        }
    }

    fn close(&mut self) {
        let raw = std::mem::replace(&mut self.raw, Vec::with_capacity(self.segment_bytes));
        let (first_seq, end) = (self.first_seq, self.next_seq());
        self.sealed.segments.push(Segment { first_seq, last_seq: end - 1, raw });
        self.first_seq = end;
    }

    /// What came of it.
    pub fn finish(mut self) -> Sealed {
        if !self.raw.is_empty() {
            self.close();
        }
        self.sealed
    }
}

/// Appends what a segment holds of a record.
pub(crate) fn encode(record: &Input<'_>, source: &Source, key: &DigestKey, out: &mut Vec<u8>) -> Result<Held, Error> {
    let headers = record.headers_as_text();
    let headers = headers.iter().map(|(name, value)| (&**name, *value)).collect();
    let entry = plain(record, &source.name, headers);
    let fits = entry.fits();
    if fits && source.topic.body_is_logged() {
        push_entry(out, &entry)?;
        return Ok(Held::Whole);
    }
    let digest = key.digest(&entry);
    let headers = if source.topic == Topic::DeadLetters { names_of_failure(&entry) } else { Vec::new() };
    push_entry(out, &Entry { codec: Codec::DigestOnly, key: None, headers, value: Some(&digest), ..entry })?;
    Ok(if fits { Held::Digest } else { Held::Oversized })
}

fn plain<'a>(record: &Input<'a>, topic: &'a str, headers: Vec<Header<'a>>) -> Entry<'a> {
    Entry {
        codec: Codec::Plain,
        topic,
        partition: record.partition,
        offset: record.offset.get(),
        timestamp_ms: record.timestamp_ms,
        key: record.key,
        headers,
        value: record.payload,
    }
}

/// What the loop itself put on a dead letter, without its detail in words. The last of a name is the loop's; one that the
/// sender wrote under the same name stands before it and is left out.
fn names_of_failure<'a>(entry: &Entry<'a>) -> Vec<(&'a str, Option<&'a [u8]>)> {
    use dead_letter_header::{OFFSET, PARTITION, REASON, STAGE, TOPIC};
    let last = |name| entry.headers.iter().rev().find(|(header, _)| *header == name).copied();
    let short = |(_, value): &(&str, Option<&[u8]>)| value.is_none_or(|value| value.len() <= LONGEST_FAILURE);
    [REASON, STAGE, TOPIC, PARTITION, OFFSET].into_iter().filter_map(last).filter(short).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use audit_log::entries;

    fn key() -> DigestKey {
        DigestKey::new("k1", &[7; 32]).unwrap()
    }

    fn sources() -> Sources {
        Sources::new("t.", &["bank-b.v1".to_owned()])
    }

    fn record(topic: Topic, offset: i64) -> OwnedInput {
        let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
        OwnedInput {
            topic: topic.name("t."),
            partition: 3,
            offset: Offset::new(offset),
            timestamp_ms: 1_000 + offset,
            key: Some(b"bank|Anna Svensson".to_vec()),
            payload: Some(br#"{"name":"Anna Svensson"}"#.to_vec()),
            headers: vec![
                header("dl_reason", "Anna Svensson"),
                header("from", "Anna Svensson"),
                header("dl_reason", "schema_violation"),
                header("dl_detail", "Anna Svensson"),
            ],
        }
    }

    fn whole(record: &OwnedInput, topic: Topic) -> Entry<'_> {
        let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        plain(&record.as_input(), topic.base_name(), headers)
    }

    fn sealed(batch: &[OwnedInput], segment_bytes: usize) -> Sealed {
        seal(batch, &sources(), &key(), segment_bytes, Tree::default()).unwrap()
    }

    #[test]
    fn a_logged_body_comes_back_whole() {
        let batch = [record(Topic::Risk, 5)];
        let sealed = sealed(&batch, 1 << 20);
        let bytes = entries(&sealed.segments[0].raw).next().unwrap().unwrap();
        let entry = Entry::decode(bytes).unwrap();
        assert_eq!(entry, whole(&batch[0], Topic::Risk));
        assert_eq!(sealed.entries[0].leaf, leaf_hash(bytes));
        assert_eq!(sealed.tree.root(), leaf_hash(bytes));
    }

    #[test]
    fn topics_with_personal_data_leave_coordinates_and_a_digest() {
        for topic in Topic::ALL.iter().copied().filter(|topic| topic.is_audited() && !topic.body_is_logged()) {
            let raw = sealed(&[record(topic, 5)], 1 << 20).segments.remove(0).raw;
            assert!(!raw.windows(4).any(|bytes| bytes == b"Anna"), "{topic:?}");
            let entry = Entry::decode(entries(&raw).next().unwrap().unwrap()).unwrap();
            let digest = key().digest(&whole(&record(topic, 5), topic));
            assert_eq!(entry.value, Some(digest.as_slice()), "{topic:?}");
            assert_eq!((entry.key, entry.partition, entry.offset), (None, 3, 5), "{topic:?}");
            let reason = (topic == Topic::DeadLetters).then_some(&b"schema_violation"[..]);
            assert_eq!(entry.header("dl_reason"), reason, "{topic:?}");
        }
    }

    #[test]
    fn a_record_of_a_senders_own_topic_leaves_a_digest_under_its_name() {
        let theirs = OwnedInput { topic: "t.bank-b.v1".to_owned(), ..record(Topic::LoanApplications, 5) };
        let sealed = sealed(&[theirs], 1 << 20);
        assert_eq!((&*sealed.entries[0].source.name, sealed.entries[0].held), ("bank-b.v1", Held::Digest));
        let raw = &sealed.segments[0].raw;
        assert!(!raw.windows(4).any(|bytes| bytes == b"Anna"));
        assert_eq!(Entry::decode(entries(raw).next().unwrap().unwrap()).unwrap().topic, "bank-b.v1");
    }

    /// Whatever a sender puts into a record, on any topic.
    #[test]
    fn nothing_in_a_record_keeps_it_out_of_the_log() {
        type Change = fn(&mut OwnedInput);
        let rows: [(&str, Change, bool); 10] = [
            ("a long header name", |r| r.headers.push(("n".repeat(70_000), None)), false),
            ("the longest header name", |r| r.headers.push(("n".repeat(65_535), None)), true),
            ("many headers", |r| r.headers = vec![("h".to_owned(), Some(Vec::new())); 100_000], true),
            ("a header without a name", |r| r.headers.push((String::new(), None)), true),
            ("a long key", |r| r.key = Some(vec![0xff; 1 << 20]), true),
            ("the largest value of a topic", |r| r.payload = Some(vec![0; 17 << 20]), true),
            ("a larger one", |r| r.payload = Some(vec![0; 40 << 20]), false),
            ("a long word of failure", |r| r.headers.push(("dl_reason".to_owned(), Some(vec![b'x'; 2_000]))), true),
            ("a time before all", |r| r.timestamp_ms = i64::MIN, true),
            ("a time behind all", |r| r.timestamp_ms = i64::MAX, true),
        ];
        for topic in [Topic::LoanApplications, Topic::LoanReplies, Topic::Decisions, Topic::DeadLetters] {
            for (name, change, fits) in rows {
                let mut hostile = record(topic, 6);
                change(&mut hostile);
                let expected = match (fits, topic.body_is_logged()) {
                    (false, _) => Held::Oversized,
                    (true, true) => Held::Whole,
                    (true, false) => Held::Digest,
                };
                let timestamp_ms = hostile.timestamp_ms;
                let sealed = sealed(&[record(topic, 5), hostile, record(topic, 7)], usize::MAX >> 40);
                let held: Vec<_> = sealed.entries.iter().map(|row| row.held).collect();
                assert_eq!(held[1], expected, "{name} on {topic:?}");
                let raw: Vec<u8> = sealed.segments.iter().flat_map(|segment| segment.raw.clone()).collect();
                let entry = Entry::decode(entries(&raw).nth(1).unwrap().unwrap()).unwrap();
                assert_eq!((entry.partition, entry.offset, entry.timestamp_ms), (3, 6, timestamp_ms), "{name}");
                assert_eq!(entry.codec == Codec::Plain, expected == Held::Whole, "{name} on {topic:?}");
                assert!(
                    entry.codec == Codec::Plain || raw.len() < 1_000 || topic.body_is_logged(),
                    "{name} stays small"
                );
            }
        }
    }

    #[test]
    fn segments_follow_each_other_without_a_gap() {
        let batch: Vec<_> = (0..7).map(|offset| record(Topic::Decisions, offset)).collect();
        let one = sealed(&batch[..1], usize::MAX >> 40).segments[0].raw.len();
        let sealed = sealed(&batch, 3 * one);
        let spans: Vec<_> = sealed.segments.iter().map(|s| (s.first_seq, s.last_seq)).collect();
        assert_eq!(spans, [(0, 2), (3, 5), (6, 6)]);
        assert_eq!(sealed.entries.iter().map(|row| row.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn runs_are_of_one_partition_and_one_segment() {
        let at = |topic: Topic, partition, offset| OwnedInput { partition, ..record(topic, offset) };
        let (risk, decisions) = (Topic::Risk, Topic::Decisions);
        let mut batch = [at(risk, 1, 7), at(decisions, 0, 3), at(risk, 0, 4), at(risk, 1, 9), at(decisions, 0, 5)];
        let told = |sealed: &Sealed| -> Vec<_> {
            let runs = sealed.runs.iter();
            runs.map(|run| (run.first_seq, run.entries, run.partition, run.first_offset.get(), run.last_offset.get()))
                .collect()
        };
        let as_they_came = sealed(&batch, usize::MAX >> 40);
        assert_eq!(as_they_came.runs.len(), 5, "each begins a run: another partition stands between");
        batch.sort_by_key(|record| (record.topic.clone(), record.partition));
        assert_eq!(told(&sealed(&batch, usize::MAX >> 40)), [(0, 2, 0, 3, 5), (2, 1, 0, 4, 4), (3, 2, 1, 7, 9)]);
        let short = [(0, 1, 0, 3, 3), (1, 1, 0, 5, 5), (2, 1, 0, 4, 4), (3, 1, 1, 7, 7), (4, 1, 1, 9, 9)];
        assert_eq!(told(&sealed(&batch, 1)), short, "a run ends with its segment");
        let twice = [at(risk, 0, 4), at(risk, 0, 4)];
        assert_eq!(told(&sealed(&twice, usize::MAX >> 40)).len(), 2, "a repeated offset is for the database to refuse");
    }

    #[test]
    fn what_the_log_does_not_take_is_refused() {
        for topic in ["t.credit.checkpoints.v1", "u.credit.risk.v1", "t.unknown"] {
            let record = OwnedInput { topic: topic.to_owned(), ..OwnedInput::default() };
            let result = seal(&[record], &sources(), &key(), 1, Tree::default());
            assert!(matches!(result, Err(Error::UnknownTopic(_))), "{topic}");
        }
    }

    #[test]
    fn a_segment_is_closed_before_it_is_too_large_to_read() {
        for (asked, closed_at) in [(1, 1), (1 << 20, 1 << 20), (usize::MAX, MAX_OPEN_SEGMENT_BYTES)] {
            assert_eq!(Sealer::begin(Tree::default(), asked).segment_bytes, closed_at, "{asked}");
        }
        let sealed = sealed(&[record(Topic::Decisions, 1), record(Topic::Decisions, 2)], usize::MAX);
        assert_eq!(sealed.segments.len(), 1);
    }
}
