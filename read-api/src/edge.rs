//! The right edge of a log: the entries behind its last complete tile have no stored leaf hash. Whether they are those that were
//! written is told by the root, which they must give together with the tiles.

use crate::problem::Problem;
use crate::segment::{read, unreadable};
use schemas::audit_entry::entries;
use schemas::audit_tree::{Hash, Tree, leaf_hash};
use tokio_postgres::Transaction;

/// Whether the newest entries of a log, fewer than a tile holds, give the root of its head.
///
/// # Errors
/// 503, or 500 when a segment cannot be read.
pub(crate) async fn is_proven(tx: &Transaction<'_>, log: i32) -> Result<bool, Problem> {
    let head = "SELECT size, root FROM defaultx.audit_logs WHERE log = $1";
    let Some(head) = tx.query_opt(head, &[&log]).await? else { return Ok(false) };
    let (size, root): (i64, Vec<u8>) = (head.try_get(0)?, head.try_get(1)?);
    let size = size.max(0) as u64;
    let mut edge = Vec::new();
    for (level, count) in Tree::edge_lengths(size).into_iter().enumerate() {
        let complete = (size >> (8 * level)) as i64;
        let first = complete - count as i64;
        edge.push(match level {
            0 => leaves(tx, log, first, complete).await?,
            _ => roots(tx, log, level as i16 - 1, first, complete).await?,
        });
    }
    Ok(Tree::from_edge(size, edge).is_some_and(|tree| tree.root()[..] == root[..]))
}

async fn roots(tx: &Transaction<'_>, log: i32, level: i16, first: i64, end: i64) -> Result<Vec<Hash>, Problem> {
    let query = "SELECT root FROM defaultx.audit_tiles
                 WHERE log = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index";
    let mut roots = Vec::new();
    for row in tx.query(query, &[&log, &level, &first, &end]).await? {
        roots.extend(Hash::try_from(row.try_get::<_, &[u8]>(0)?));
    }
    Ok(roots)
}

async fn leaves(tx: &Transaction<'_>, log: i32, first: i64, end: i64) -> Result<Vec<Hash>, Problem> {
    let query = "SELECT first_seq, raw_bytes, body FROM defaultx.audit_segments
                 WHERE log = $1 AND last_seq >= $2 AND first_seq < $3 AND first_seq >= coalesce((
                     SELECT max(first_seq) FROM defaultx.audit_segments WHERE log = $1 AND first_seq <= $2), $2)
                 ORDER BY first_seq";
    let mut leaves = Vec::new();
    for row in tx.query(query, &[&log, &first, &end]).await? {
        let (first_seq, raw_bytes, body): (i64, i32, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let pick = move |raw: &[u8]| -> Result<Vec<Hash>, String> {
            let all = (first_seq..).zip(entries(raw)).filter(|(seq, _)| *seq >= first);
            all.map(|(_, bytes)| bytes.map(leaf_hash).map_err(|error| error.to_string())).collect()
        };
        leaves.extend(read(body, raw_bytes, pick).await.map_err(|error| unreadable(log, first_seq, &error))?);
    }
    Ok(leaves)
}
