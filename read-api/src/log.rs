//! Reads whole events back from the audit log, and says where each stands and whether its bytes are still those of the tree.
//! Shows only what it is asked for by position; whose positions those are is the caller's to know.

use crate::edge;
use crate::problem::Problem;
use crate::segment::{read, unreadable};
use audit_log::{BadEntry, Codec, Entry, Hash, TILE_WIDTH, entries, leaf_hash};
use chrono::{DateTime, Utc};
use runtime::clock::{rfc3339, time_of_ms};
use schemas::envelope::header as envelope;
use schemas::intake::header as intake;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use tokio_postgres::Transaction;
use utoipa::ToSchema;

/// (log, seq).
pub type Position = (i32, i64);

/// Where an event stands in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditPosition {
    /// The log.
    pub log: i32,
    /// Its number in the log, from 0.
    pub seq: i64,
    /// Topic without prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// The broker's time.
    #[schema(format = DateTime)]
    pub at: String,
    /// Leaf hash of the Merkle tree (RFC 9162), hexadecimal.
    pub leaf: String,
    /// True where everything shown beside it is out of the stored bytes, the row that led to them says the same, and the bytes are those of
    /// the tree: they have the leaf hash of their tile, or, behind the last complete tile, the newest entries together give the root of the
    /// log. False where one of these was found not to be so, null where it cannot be told.
    pub intact: Option<bool>,
    /// Why `intact` is not true: `bytes_differ`, `row_differs`, `another_event`, `digest_only`, `queue` or `part_not_intact`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_intact: Option<String>,
}

/// Why something shown is not, or may not be, what was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The stored bytes are not those of the tree.
    BytesDiffer,
    /// The row says something else than the event, which is shown.
    RowDiffers,
    /// The event at the row's place is not of this application and kind: the row is shown.
    AnotherEvent,
    /// The log holds a digest in place of the event: the row is shown.
    DigestOnly,
    /// A part of it is the delivery queue's.
    Queue,
    /// It shows another event in brief that is not intact.
    PartNotIntact,
}

impl Doubt {
    /// What `intact` says, and the word of `not_intact`.
    fn said(self) -> (Option<bool>, &'static str) {
        match self {
            Self::BytesDiffer => (Some(false), "bytes_differ"),
            Self::RowDiffers => (Some(false), "row_differs"),
            Self::AnotherEvent => (Some(false), "another_event"),
            Self::DigestOnly => (None, "digest_only"),
            Self::Queue => (None, "queue"),
            Self::PartNotIntact => (None, "part_not_intact"),
        }
    }
}

impl AuditPosition {
    /// Takes a doubt down; the first that makes it false stands.
    pub(crate) fn doubt(&mut self, doubt: Doubt) {
        let (intact, word) = doubt.said();
        if self.intact != Some(false) && (self.intact.is_some() || intact.is_some()) {
            (self.intact, self.not_intact) = (intact, Some(word.to_owned()));
        }
    }
}

/// How far the logs of a detail are attested.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attested {
    /// The log.
    pub log: i32,
    /// Entries that it has.
    pub size: i64,
    /// The first signed checkpoint that covers every event of this detail.
    pub checkpoint: Option<Checkpoint>,
    /// The newest walk over the whole log that covered them.
    pub verification: Option<Verification>,
}

/// A signed head of a log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checkpoint {
    /// Entries under it.
    pub size: i64,
    /// Root of the tree, hexadecimal.
    pub root: String,
    /// When it was signed.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// What a walk over a whole log found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verification {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Entries walked.
    pub size: i64,
    /// Faults found; 0 is whole.
    pub faults: i32,
}

/// An event as logged.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Where it stands.
    pub at: AuditPosition,
    /// Its type, as its header says.
    pub kind: String,
    /// Its id, as its header says.
    pub id: Option<String>,
    /// The broker's time.
    pub time: DateTime<Utc>,
    /// When the deployment first had the application, milliseconds since 1970, where the event carries it.
    pub received_ms: Option<i64>,
    /// Its body; absent when the log keeps only a digest.
    pub body: Option<Vec<u8>>,
    /// SHA-256 of the sender's `data`, hexadecimal, where the event carries it.
    pub data_digest: Option<String>,
}

/// Whole events. One segment is held at a time; what is not in the log is absent from the answer.
///
/// # Errors
/// 503, or 500 when a segment cannot be read.
pub async fn events(tx: &Transaction<'_>, wanted: &[Position]) -> Result<HashMap<Position, Logged>, Problem> {
    let (logs, seqs): (Vec<i32>, Vec<i64>) = wanted.iter().copied().unzip();
    let find = "SELECT w.log, w.seq, s.first_seq
                FROM unnest($1::int4[], $2::int8[]) AS w(log, seq) CROSS JOIN LATERAL (
                    SELECT first_seq, last_seq FROM defaultx.audit_segments x
                    WHERE x.log = w.log AND x.first_seq <= w.seq ORDER BY x.first_seq DESC LIMIT 1
                ) s WHERE s.last_seq >= w.seq";
    let mut segments: BTreeMap<(i32, i64), Vec<i64>> = BTreeMap::new();
    for row in tx.query(find, &[&logs, &seqs]).await? {
        segments.entry((row.try_get(0)?, row.try_get(2)?)).or_default().push(row.try_get(1)?);
    }
    let mut found = HashMap::new();
    for ((log, first_seq), seqs) in segments {
        let fetch = "SELECT raw_bytes, body FROM defaultx.audit_segments WHERE log = $1 AND first_seq = $2";
        let row = tx.query_one(fetch, &[&log, &first_seq]).await?;
        let (raw_bytes, body): (i32, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let pick = move |raw: &[u8]| pick(raw, log, first_seq, &seqs);
        let events = read(body, raw_bytes, pick).await.map_err(|error| unreadable(log, first_seq, &error))?;
        found.extend(events.into_iter().map(|event| ((log, event.at.seq), event)));
    }
    hold(tx, (&logs, &seqs), &mut found).await?;
    Ok(found)
}

/// Holds events against the tree: against their tiles, and those behind the last complete tile against the root.
async fn hold(
    tx: &Transaction<'_>,
    (logs, seqs): (&[i32], &[i64]),
    found: &mut HashMap<Position, Logged>,
) -> Result<(), Problem> {
    let query = "SELECT w.log, w.seq, substring(t.hashes FROM (w.seq % $3)::int * $4::int + 1 FOR $4::int)
                 FROM unnest($1::int4[], $2::int8[]) AS w(log, seq)
                 JOIN defaultx.audit_tiles t ON t.log = w.log AND t.level = 0 AND t.index = w.seq / $3";
    let (width, bytes) = (TILE_WIDTH as i64, size_of::<Hash>() as i32);
    let mut leaves: HashMap<Position, String> = HashMap::new();
    for row in tx.query(query, &[&logs, &seqs, &width, &bytes]).await? {
        leaves.insert((row.try_get(0)?, row.try_get(1)?), hex::encode(row.try_get::<_, Vec<u8>>(2)?));
    }
    let mut edges: BTreeMap<i32, bool> = BTreeMap::new();
    for (position, Logged { at, .. }) in found {
        let is_proven = match leaves.get(position) {
            Some(leaf) => std::mem::replace(&mut at.leaf, leaf.clone()) == *leaf,
            None => match edges.get(&at.log) {
                Some(proven) => *proven,
                None => *edges.entry(at.log).or_insert(edge::is_proven(tx, at.log).await?),
            },
        };
        at.intact = Some(true);
        if !is_proven {
            at.doubt(Doubt::BytesDiffer);
            tracing::error!(log = at.log, seq = at.seq, "audit entry is not the one of the tree");
        }
    }
    Ok(())
}

/// How far the logs of these positions are attested.
///
/// # Errors
/// 503.
pub async fn attested(tx: &Transaction<'_>, positions: &[Position]) -> Result<Vec<Attested>, Problem> {
    let mut newest: BTreeMap<i32, i64> = BTreeMap::new();
    for (log, seq) in positions {
        let newest = newest.entry(*log).or_default();
        *newest = (*newest).max(*seq);
    }
    let (logs, seqs): (Vec<i32>, Vec<i64>) = newest.into_iter().unzip();
    let query = "SELECT l.log, l.size, c.size, c.root, c.created_at, v.at, v.size, v.faults
                 FROM unnest($1::int4[], $2::int8[]) AS w(log, seq) JOIN defaultx.audit_logs l USING (log)
                 LEFT JOIN LATERAL (
                     SELECT size, root, created_at FROM defaultx.audit_checkpoints x
                     WHERE x.log = w.log AND x.size > w.seq AND x.size <= l.size ORDER BY x.size LIMIT 1
                 ) c ON true
                 LEFT JOIN LATERAL (
                     SELECT at, size, faults FROM defaultx.audit_verifications x
                     WHERE x.log = w.log AND x.size > w.seq AND x.at <= now() ORDER BY x.at DESC LIMIT 1
                 ) v ON true ORDER BY l.log";
    let rows = tx.query(query, &[&logs, &seqs]).await?;
    let attested = rows.iter().map(|row| {
        let signed = row.try_get::<_, Option<i64>>(2)?;
        let walked = row.try_get::<_, Option<DateTime<Utc>>>(5)?;
        Ok(Attested {
            log: row.try_get(0)?,
            size: row.try_get(1)?,
            checkpoint: signed.map(|size| Checkpoint::new(size, row.try_get(3), row.try_get(4))).transpose()?,
            verification: walked.map(|at| verification(at, row.try_get(6), row.try_get(7))).transpose()?,
        })
    });
    attested.collect()
}

type Got<T> = Result<T, tokio_postgres::Error>;

impl Checkpoint {
    pub(crate) fn new(size: i64, root: Got<Vec<u8>>, created_at: Got<DateTime<Utc>>) -> Got<Self> {
        Ok(Self { size, root: hex::encode(root?), created_at: rfc3339(created_at?) })
    }
}

pub(crate) fn verification(at: DateTime<Utc>, size: Got<i64>, faults: Got<i32>) -> Got<Verification> {
    Ok(Verification { at: rfc3339(at), size: size?, faults: faults? })
}

/// The wanted entries of a segment.
fn pick(raw: &[u8], log: i32, first_seq: i64, wanted: &[i64]) -> Result<Vec<Logged>, BadEntry> {
    let mut found = Vec::new();
    for (seq, bytes) in (first_seq..).zip(entries(raw)) {
        let bytes = bytes?;
        if wanted.contains(&seq) {
            found.push(logged(bytes, log, seq)?);
        }
    }
    Ok(found)
}

fn logged(bytes: &[u8], log: i32, seq: i64) -> Result<Logged, BadEntry> {
    let entry = Entry::decode(bytes)?;
    let header = |name| entry.header(name).and_then(|value| std::str::from_utf8(value).ok());
    let time = time_of_ms(entry.timestamp_ms);
    let at = AuditPosition {
        log,
        seq,
        topic: entry.topic.to_owned(),
        partition: entry.partition,
        offset: entry.offset,
        at: rfc3339(time),
        leaf: hex::encode(leaf_hash(bytes)),
        intact: None,
        not_intact: None,
    };
    let body = entry.value.filter(|_| entry.codec == Codec::Plain).map(<[u8]>::to_vec);
    Ok(Logged {
        at,
        kind: header(envelope::TYPE).unwrap_or_default().to_owned(),
        id: header(envelope::ID).map(str::to_owned),
        time,
        received_ms: header(intake::RECEIVED_AT).and_then(|ms| ms.parse().ok()),
        body,
        data_digest: header(intake::DATA_DIGEST).map(str::to_owned),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use audit_log::push_entry;

    fn segment(bodies: &[&[u8]]) -> Vec<u8> {
        let mut raw = Vec::new();
        for body in bodies {
            let headers = vec![("ce_datadigest", Some(&b"d1"[..]))];
            let entry = Entry {
                codec: if body.is_empty() { Codec::DigestOnly } else { Codec::Plain },
                topic: "credit.risk.v1",
                partition: 0,
                offset: 0,
                timestamp_ms: 0,
                key: None,
                headers,
                value: Some(body),
            };
            push_entry(&mut raw, &entry).unwrap();
        }
        raw
    }

    #[test]
    fn entries_are_found_by_their_number() {
        let found = pick(&segment(&[b"a", b"b", b""]), 0, 10, &[11, 12, 99]).unwrap();
        let bodies: Vec<_> = found.iter().map(|event| (event.at.seq, event.body.as_deref())).collect();
        assert_eq!(bodies, [(11, Some(&b"b"[..])), (12, None)], "a digest is no body");
        assert_eq!(found[0].data_digest.as_deref(), Some("d1"));
        assert_eq!(
            (found[0].at.topic.as_str(), found[0].at.at.as_str()),
            ("credit.risk.v1", "1970-01-01T00:00:00.000Z")
        );
    }

    #[test]
    fn a_segment_that_is_cut_short_says_so() {
        let raw = segment(&[b"a", b"b"]);
        for (cut, expected) in [(0, Ok(1)), (1, Err(BadEntry::Short)), (raw.len() / 2 + 1, Err(BadEntry::Short))] {
            let found = pick(&raw[..raw.len() - cut], 0, 10, &[11]).map(|found| found.len());
            assert_eq!(found, expected, "{cut} bytes less");
        }
    }
}
