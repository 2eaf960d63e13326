//! Reads whole events back from the audit log, and says where each stands and whether its bytes are still those of the tree.
//! Shows only what it is asked for by position; whose positions those are is the caller's to know.

use crate::edge;
use crate::problem::Problem;
use chrono::{DateTime, Utc};
use runtime::clock::{LATEST_MS, rfc3339};
use schemas::audit_entry::{Codec, Entry, entries};
use schemas::audit_tree::{Hash, TILE_WIDTH, leaf_hash};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use tokio_postgres::Transaction;
use utoipa::ToSchema;

/// The most that a segment may claim to unpack to, in bytes: a full segment and the largest record behind it.
const SEGMENT_BYTES_MAX: i32 = 1 << 26;

/// (log, seq).
pub type Position = (i32, i64);

/// Where an event stands in the audit log.
#[derive(Debug, Clone, Serialize, ToSchema)]
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
    /// Whether the stored bytes are those of the tree: they have the leaf hash of their tile, or, behind the last complete tile, the
    /// newest entries together give the root of the log.
    pub intact: bool,
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
        at.intact = match leaves.get(position) {
            Some(leaf) => std::mem::replace(&mut at.leaf, leaf.clone()) == *leaf,
            None => match edges.get(&at.log) {
                Some(proven) => *proven,
                None => *edges.entry(at.log).or_insert(edge::is_proven(tx, at.log).await?),
            },
        };
        if !at.intact {
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

/// What `pick` takes of a segment's bytes, or why they cannot be read.
pub(crate) async fn read<T: Send + 'static>(
    body: Vec<u8>,
    raw_bytes: i32,
    pick: impl FnOnce(&[u8]) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    // Uncompressing is a millisecond of work: off the threads that serve everybody.
    let read = tokio::task::spawn_blocking(move || pick(&unpack(&body, raw_bytes)?)).await;
    read.map_err(|_| "panicked".to_owned())?
}

pub(crate) fn unreadable(log: i32, first_seq: i64, error: &str) -> Problem {
    tracing::error!(log, first_seq, error, "segment of the audit log cannot be read");
    Problem::internal()
}

fn unpack(body: &[u8], raw_bytes: i32) -> Result<Vec<u8>, String> {
    let capacity = usize::try_from(raw_bytes.min(SEGMENT_BYTES_MAX)).map_err(|error| error.to_string())?;
    zstd::bulk::decompress(body, capacity).map_err(|error| error.to_string())
}

/// The wanted entries of a segment.
fn pick(raw: &[u8], log: i32, first_seq: i64, wanted: &[i64]) -> Result<Vec<Logged>, String> {
    let mut found = Vec::new();
    for (seq, bytes) in (first_seq..).zip(entries(raw)) {
        let bytes = bytes.map_err(|error| error.to_string())?;
        if wanted.contains(&seq) {
            found.push(logged(bytes, log, seq)?);
        }
    }
    Ok(found)
}

fn logged(bytes: &[u8], log: i32, seq: i64) -> Result<Logged, String> {
    let entry = Entry::decode(bytes).map_err(|error| error.to_string())?;
    let digest = entry.header(schemas::intake::header::DATA_DIGEST).and_then(|value| std::str::from_utf8(value).ok());
    let time = DateTime::from_timestamp_millis(entry.timestamp_ms.clamp(0, LATEST_MS)).unwrap_or_default();
    let at = AuditPosition {
        log,
        seq,
        topic: entry.topic.to_owned(),
        partition: entry.partition,
        offset: entry.offset,
        at: rfc3339(time),
        leaf: hex::encode(leaf_hash(bytes)),
        intact: false,
    };
    let body = entry.value.filter(|_| entry.codec == Codec::Plain).map(<[u8]>::to_vec);
    Ok(Logged { at, body, data_digest: digest.map(str::to_owned) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn segment(bodies: &[&[u8]]) -> Vec<u8> {
        let mut raw = Vec::new();
        for body in bodies {
            let headers = vec![("ce_datadigest", Some(&b"d1"[..]))];
            let mut bytes = Vec::new();
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
            entry.encode_into(&mut bytes).unwrap();
            raw.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
            raw.extend_from_slice(&bytes);
        }
        raw
    }

    fn found(packed: &[u8], raw_bytes: i32, wanted: &[i64]) -> Result<Vec<Logged>, String> {
        pick(&unpack(packed, raw_bytes)?, 0, 10, wanted)
    }

    #[test]
    fn entries_are_found_by_their_number() {
        let raw = segment(&[b"a", b"b", b""]);
        let packed = zstd::bulk::compress(&raw, 1).unwrap();
        let found = found(&packed, raw.len() as i32, &[11, 12, 99]).unwrap();
        let bodies: Vec<_> = found.iter().map(|event| (event.at.seq, event.body.as_deref())).collect();
        assert_eq!(bodies, [(11, Some(&b"b"[..])), (12, None)], "a digest is no body");
        assert_eq!(found[0].data_digest.as_deref(), Some("d1"));
        assert_eq!(
            (found[0].at.topic.as_str(), found[0].at.at.as_str()),
            ("credit.risk.v1", "1970-01-01T00:00:00.000Z")
        );
    }

    #[test]
    fn a_segment_that_does_not_unpack_says_so() {
        let raw = segment(&[b"a"]);
        let packed = zstd::bulk::compress(&raw, 1).unwrap();
        assert!(found(&packed, 3, &[10]).is_err(), "it claims less than it holds");
        assert!(found(&packed[..4], raw.len() as i32, &[10]).is_err(), "it is cut short");
        assert!(found(&packed, -1, &[10]).is_err(), "it claims a negative size");
    }
}
