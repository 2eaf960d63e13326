//! Reads whole events back from the audit log, and says where each stands and whether its bytes are still those of its leaf.
//! Shows only what it is asked for by position; whose positions those are is the caller's to know.

use crate::problem::Problem;
use chrono::{DateTime, Utc};
use runtime::clock::rfc3339;
use schemas::audit_entry::{Codec, Entry, entries};
use serde::Serialize;
use sha2::{Digest, Sha256};
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
    /// Whether the stored bytes have this leaf hash; absent where they were not read for this answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intact: Option<bool>,
}

/// How far the logs of a story are attested.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attested {
    /// The log.
    pub log: i32,
    /// Entries that it has.
    pub size: i64,
    /// The first signed checkpoint that covers every event of this story.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its body; absent when the log keeps only a digest.
    pub body: Option<Vec<u8>>,
    /// SHA-256 of the sender's `data`, hexadecimal, where the event carries it.
    pub data_digest: Option<String>,
    leaf: Vec<u8>,
}

/// Index rows of events.
///
/// # Errors
/// 503.
pub async fn positions(tx: &Transaction<'_>, wanted: &[Position]) -> Result<HashMap<Position, AuditPosition>, Problem> {
    let (logs, seqs): (Vec<i32>, Vec<i64>) = wanted.iter().copied().unzip();
    let query = "SELECT e.log, e.seq, e.topic, e.partition, e.\"offset\", e.at, e.leaf
                 FROM unnest($1::int4[], $2::int8[]) AS w(log, seq) JOIN defaultx.audit_entries e USING (log, seq)";
    let mut found = HashMap::new();
    for row in tx.query(query, &[&logs, &seqs]).await? {
        let (log, seq) = (row.try_get(0)?, row.try_get(1)?);
        let position = AuditPosition {
            log,
            seq,
            topic: row.try_get(2)?,
            partition: row.try_get(3)?,
            offset: row.try_get(4)?,
            at: rfc3339(row.try_get(5)?),
            leaf: hex::encode(row.try_get::<_, Vec<u8>>(6)?),
            intact: None,
        };
        found.insert((log, seq), position);
    }
    Ok(found)
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
        // Uncompressing is a millisecond of work: off the threads that serve everybody.
        let read = tokio::task::spawn_blocking(move || unpack(&body, raw_bytes, first_seq, &seqs)).await;
        let events = read.map_err(|_| "panicked".to_owned()).and_then(|read| read).map_err(|error| {
            tracing::error!(log, first_seq, error, "segment of the audit log cannot be read");
            Problem::internal()
        })?;
        found.extend(events.into_iter().map(|(seq, event)| ((log, seq), event)));
    }
    Ok(found)
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
                     SELECT * FROM defaultx.audit_checkpoints x WHERE x.log = w.log AND x.size > w.seq ORDER BY x.size LIMIT 1
                 ) c ON true
                 LEFT JOIN LATERAL (
                     SELECT * FROM defaultx.audit_verifications x
                     WHERE x.log = w.log AND x.size > w.seq ORDER BY x.at DESC LIMIT 1
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

impl Logged {
    /// Holds the stored bytes against the index.
    pub fn check(&self, position: &mut AuditPosition) {
        let intact = hex::encode(&self.leaf) == position.leaf;
        if !intact {
            tracing::error!(
                log = position.log,
                seq = position.seq,
                "audit entry does not have the leaf hash of its index row"
            );
        }
        position.intact = Some(intact);
    }
}

/// The wanted entries of a segment, or why it cannot be read.
fn unpack(body: &[u8], raw_bytes: i32, first_seq: i64, wanted: &[i64]) -> Result<Vec<(i64, Logged)>, String> {
    let capacity = usize::try_from(raw_bytes.min(SEGMENT_BYTES_MAX)).map_err(|error| error.to_string())?;
    let raw = zstd::bulk::decompress(body, capacity).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for (seq, bytes) in (first_seq..).zip(entries(&raw)) {
        let bytes = bytes.map_err(|error| error.to_string())?;
        if wanted.contains(&seq) {
            found.push((seq, logged(bytes)?));
        }
    }
    Ok(found)
}

fn logged(bytes: &[u8]) -> Result<Logged, String> {
    let entry = Entry::decode(bytes).map_err(|error| error.to_string())?;
    let digest = entry.header(schemas::intake::header::DATA_DIGEST).and_then(|value| std::str::from_utf8(value).ok());
    let leaf = Sha256::new().chain_update([0]).chain_update(bytes).finalize().to_vec();
    let body = entry.value.filter(|_| entry.codec == Codec::Plain).map(<[u8]>::to_vec);
    Ok(Logged { body, data_digest: digest.map(str::to_owned), leaf })
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

    #[test]
    fn entries_are_found_by_their_number() {
        let raw = segment(&[b"a", b"b", b""]);
        let packed = zstd::bulk::compress(&raw, 1).unwrap();
        let found = unpack(&packed, raw.len() as i32, 10, &[11, 12, 99]).unwrap();
        let bodies: Vec<_> = found.iter().map(|(seq, event)| (*seq, event.body.as_deref())).collect();
        assert_eq!(bodies, [(11, Some(&b"b"[..])), (12, None)], "a digest is no body");
        assert_eq!(found[0].1.data_digest.as_deref(), Some("d1"));
    }

    #[test]
    fn a_segment_that_does_not_unpack_says_so() {
        let raw = segment(&[b"a"]);
        let packed = zstd::bulk::compress(&raw, 1).unwrap();
        assert!(unpack(&packed, 3, 0, &[0]).is_err(), "it claims less than it holds");
        assert!(unpack(&packed[..4], raw.len() as i32, 0, &[0]).is_err(), "it is cut short");
        assert!(unpack(&packed, -1, 0, &[0]).is_err(), "it claims a negative size");
    }
}
