//! The audit log as it stands in the database: each entry's place and leaf hash, and the root over them. Reads the segments with a
//! few lines of its own, because the code that writes and reads them is what is compared.

use crate::database::Database;
use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Bytes of an entry in front of its topic: version, codec, and the length of the name.
const FRONT: usize = 4;

/// Where an entry stands, by its own bytes.
#[derive(Debug, PartialEq, Eq)]
struct Coordinates {
    topic: String,
    partition: i32,
    offset: i64,
}

/// A line for each entry of each log, in the order of the log.
///
/// # Errors
/// When a segment cannot be read.
pub fn leaves(database: &Database) -> Result<Vec<String>> {
    let segments = "SELECT log, first_seq, raw_bytes, body FROM defaultx.audit_segments ORDER BY log, first_seq";
    let mut lines = Vec::new();
    for row in database.rows(segments)? {
        let (log, first_seq): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
        let raw = zstd::bulk::decompress(row.try_get(3)?, usize::try_from(row.try_get::<_, i32>(2)?)?)?;
        for (seq, entry) in (first_seq..).zip(entries(&raw)?) {
            let Coordinates { topic, partition, offset } = coordinates(entry)?;
            lines.push(
                json!({
                    "log": log,
                    "seq": seq,
                    "topic": topic,
                    "partition": partition,
                    "offset": offset,
                    "bytes": entry.len(),
                    "leaf": leaf(entry),
                })
                .to_string(),
            );
        }
    }
    Ok(lines)
}

/// A line for the head of each log.
///
/// # Errors
/// The database's.
pub fn heads(database: &Database) -> Result<Vec<String>> {
    let heads = "SELECT json_build_object('log', log, 'size', size, 'root', encode(root, 'hex'))::text
                 FROM defaultx.audit_logs ORDER BY log";
    database.rows(heads)?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The entries of a segment, each behind its length.
fn entries(mut raw: &[u8]) -> Result<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while !raw.is_empty() {
        let (length, rest) = raw.split_first_chunk().context("a segment ends early")?;
        let (entry, rest) =
            rest.split_at_checked(u32::from_be_bytes(*length) as usize).context("a segment ends early")?;
        entries.push(entry);
        raw = rest;
    }
    Ok(entries)
}

/// SHA-256(0x00 ‖ entry), as RFC 9162 has it, hexadecimal.
fn leaf(entry: &[u8]) -> String {
    format!("{:x}", Sha256::new().chain_update([0]).chain_update(entry).finalize())
}

fn coordinates(entry: &[u8]) -> Result<Coordinates> {
    let ends = || "an entry ends early";
    let length = entry.get(2..FRONT).with_context(ends)?;
    let behind = FRONT + usize::from(u16::from_be_bytes(length.try_into()?));
    let topic = std::str::from_utf8(entry.get(FRONT..behind).with_context(ends)?)?.to_owned();
    let partition = i32::from_be_bytes(entry.get(behind..behind + 4).with_context(ends)?.try_into()?);
    let offset = i64::from_be_bytes(entry.get(behind + 4..behind + 12).with_context(ends)?.try_into()?);
    Ok(Coordinates { topic, partition, offset })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use audit_log::{Codec, Entry, LENGTH_BYTES, leaf_hash, push_entry};

    #[test]
    fn what_is_read_by_hand_is_what_the_log_says() {
        let entry = Entry {
            codec: Codec::Plain,
            topic: "credit.risk.v1",
            partition: 2,
            offset: 7,
            timestamp_ms: 3,
            key: Some(b"k"),
            headers: vec![("h", None)],
            value: Some(b"v"),
        };
        let mut segment = Vec::new();
        push_entry(&mut segment, &entry).unwrap();
        let bytes = segment[LENGTH_BYTES..].to_vec();
        let expected = Coordinates { topic: "credit.risk.v1".into(), partition: 2, offset: 7 };
        assert_eq!(coordinates(&bytes).unwrap(), expected);
        let hash: String = leaf_hash(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(leaf(&bytes), hash);
        segment.extend([0; LENGTH_BYTES]);
        assert_eq!(entries(&segment).unwrap(), [bytes.as_slice(), &[]]);
        assert!(entries(&segment[..9]).is_err() && coordinates(&bytes[..9]).is_err());
    }
}
