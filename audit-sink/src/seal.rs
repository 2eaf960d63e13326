//! PURE. Turns a batch of records into what one log gains by it: entries in segments, index rows, tiles, the next head. A
//! topic with personal data leaves coordinates and a keyed digest; its key, its value and its own headers never get in here. A
//! record that no entry can hold leaves the same, whatever its topic: nothing that a sender writes stops the log.

use crate::error::Error;
use crate::source::{Source, Sources};
use crate::tree::{Hash, Tile, Tree, leaf_hash};
use hmac::{Hmac, Mac};
use runtime::stream::{OwnedInput, dead_letter_header};
use schemas::Topic;
use schemas::audit_entry::{Codec, Entry};
use sha2::Sha256;

/// Bytes reserved for the length in front of an entry.
const LENGTH: usize = 4;
/// The longest value of a header that names a failure, bytes. What the loop writes there is a word, a topic or a number.
const LONGEST_FAILURE: usize = 1024;

/// The key of digests: whoever holds it and a record can show that it is the one logged; nobody else can guess at it.
#[derive(Clone)]
pub struct DigestKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl DigestKey {
    /// `id` names the key in each entry; `secret` is at least 32 bytes.
    ///
    /// # Errors
    /// [`Error::Config`] for a short secret or an id that is empty or longer than 64 bytes.
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, Error> {
        if secret.len() < 32 || id.is_empty() || id.len() > 64 {
            return Err(Error::Config("digest_key needs 32 bytes or more, and digest_key_id 1 to 64".to_owned()));
        }
        let mac = Hmac::new_from_slice(secret).map_err(|error| Error::Config(error.to_string()))?;
        Ok(Self { id: id.to_owned(), mac })
    }

    /// u8 length and name of the key, then the MAC over the plain entry.
    fn digest(&self, plain: &Entry<'_>) -> Vec<u8> {
        let mut mac = self.mac.clone();
        plain.digested(|bytes| mac.update(bytes));
        [&[self.id.len() as u8], self.id.as_bytes(), &mac.finalize().into_bytes()].concat()
    }
}

/// Entries one after another, not yet compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number of the first entry.
    pub first_seq: u64,
    /// Sequence number of the last entry.
    pub last_seq: u64,
    /// `len32 ‖ entry`, repeated.
    pub raw: Vec<u8>,
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// Sequence number in its log, from 0.
    pub seq: u64,
    /// Its topic.
    pub source: Source,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// The broker's time, milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Leaf hash.
    pub leaf: Hash,
    /// What of the record is in the log.
    pub held: Held,
}

/// What of a record the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub index: Vec<IndexRow>,
    /// Their entries.
    pub segments: Vec<Segment>,
    /// Tiles that they completed.
    pub tiles: Vec<Tile>,
    /// The tree after them.
    pub tree: Tree,
}

/// Seals `batch` behind `tree`. A segment is closed once it holds `segment_bytes`.
///
/// # Errors
/// [`Error::UnknownTopic`] for a record of a topic that is not audited: a fault of wiring, which no sender can bring about.
pub fn seal(
    batch: &[OwnedInput],
    sources: &Sources,
    key: &DigestKey,
    segment_bytes: usize,
    mut tree: Tree,
) -> Result<Sealed, Error> {
    let (mut index, mut segments, mut tiles) = (Vec::with_capacity(batch.len()), Vec::new(), Vec::new());
    let (mut raw, mut first_seq) = (Vec::with_capacity(segment_bytes), tree.size());
    for record in batch {
        let source = sources.of(&record.topic).ok_or_else(|| Error::UnknownTopic(record.topic.clone()))?;
        let start = raw.len() + LENGTH;
        raw.extend_from_slice(&[0; LENGTH]);
        let held = encode(record, &source, key, &mut raw)?;
        // An entry that fits is far below the u32 of its length.
        let length = (raw.len() - start) as u32;
        raw[start - LENGTH..start].copy_from_slice(&length.to_be_bytes());
        let leaf = leaf_hash(&raw[start..]);
        let (partition, offset, timestamp_ms) = (record.partition, record.offset, record.timestamp_ms);
        index.push(IndexRow { seq: tree.size(), source, partition, offset, timestamp_ms, leaf, held });
        tree.append(leaf, &mut tiles);
        if raw.len() >= segment_bytes {
            let full = std::mem::replace(&mut raw, Vec::with_capacity(segment_bytes));
            segments.push(Segment { first_seq, last_seq: tree.size() - 1, raw: full });
            first_seq = tree.size();
        }
    }
    if !raw.is_empty() {
        segments.push(Segment { first_seq, last_seq: tree.size() - 1, raw });
    }
    Ok(Sealed { index, segments, tiles, tree })
}

fn encode(record: &OwnedInput, source: &Source, key: &DigestKey, out: &mut Vec<u8>) -> Result<Held, Error> {
    let entry = plain(record, &source.name);
    let fits = entry.fits();
    if fits && source.topic.body_is_logged() {
        entry.encode_into(out)?;
        return Ok(Held::Whole);
    }
    let digest = key.digest(&entry);
    let headers = if source.topic == Topic::DeadLetters { names_of_failure(&entry) } else { Vec::new() };
    let kept = Entry { codec: Codec::DigestOnly, key: None, headers, value: Some(&digest), ..entry };
    kept.encode_into(out)?;
    Ok(if fits { Held::Digest } else { Held::Oversized })
}

fn plain<'a>(record: &'a OwnedInput, topic: &'a str) -> Entry<'a> {
    Entry {
        codec: Codec::Plain,
        topic,
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.as_deref(),
        headers: record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect(),
        value: record.payload.as_deref(),
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
    use schemas::audit_entry::entries;

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
            offset,
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

    fn sealed(batch: &[OwnedInput], segment_bytes: usize) -> Sealed {
        seal(batch, &sources(), &key(), segment_bytes, Tree::default()).unwrap()
    }

    #[test]
    fn a_logged_body_comes_back_whole() {
        let batch = [record(Topic::Risk, 5)];
        let sealed = sealed(&batch, 1 << 20);
        let bytes = entries(&sealed.segments[0].raw).next().unwrap().unwrap();
        let entry = Entry::decode(bytes).unwrap();
        assert_eq!(entry, plain(&batch[0], Topic::Risk.base_name()));
        assert_eq!(sealed.index[0].leaf, leaf_hash(bytes));
        assert_eq!(sealed.tree.root(), leaf_hash(bytes));
    }

    #[test]
    fn topics_with_personal_data_leave_coordinates_and_a_digest() {
        for topic in Topic::ALL.iter().copied().filter(|topic| topic.is_audited() && !topic.body_is_logged()) {
            let raw = sealed(&[record(topic, 5)], 1 << 20).segments.remove(0).raw;
            assert!(!raw.windows(4).any(|bytes| bytes == b"Anna"), "{topic:?}");
            let entry = Entry::decode(entries(&raw).next().unwrap().unwrap()).unwrap();
            let digest = key().digest(&plain(&record(topic, 5), topic.base_name()));
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
        assert_eq!((&*sealed.index[0].source.name, sealed.index[0].held), ("bank-b.v1", Held::Digest));
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
                let held: Vec<_> = sealed.index.iter().map(|row| row.held).collect();
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
        assert_eq!(sealed.index.iter().map(|row| row.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn what_the_log_does_not_take_is_refused() {
        for topic in ["t.credit.checkpoints.v1", "u.credit.risk.v1", "t.unknown"] {
            let record = OwnedInput { topic: topic.to_owned(), ..OwnedInput::default() };
            let result = seal(&[record], &sources(), &key(), 1, Tree::default());
            assert!(matches!(result, Err(Error::UnknownTopic(_))), "{topic}");
        }
        assert!(DigestKey::new("k", &[0; 31]).is_err());
    }
}
