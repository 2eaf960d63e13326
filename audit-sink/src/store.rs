//! The tables of the log: reads the right edge of a tree, appends what was sealed. Never updates or deletes anything but the
//! head, which only grows.

use crate::error::Error;
use crate::project::time_of_ms;
use crate::seal::{IndexRow, Sealed, Segment};
use crate::tree::{Hash, TILE_WIDTH, Tile, Tree, empty_root};
use futures_util::pin_mut;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Transaction};

/// Makes the head of a log that has no entries yet.
///
/// # Errors
/// [`Error::Broken`] when the log was begun with another number of shards.
pub async fn begin_log(client: &impl GenericClient, log: i32, shards: i32) -> Result<(), Error> {
    let insert =
        "INSERT INTO defaultx.audit_logs (log, shards, size, root) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING";
    client.execute(insert, &[&log, &shards, &empty_root().as_slice()]).await?;
    let other =
        client.query_opt("SELECT shards FROM defaultx.audit_logs WHERE shards <> $1 LIMIT 1", &[&shards]).await?;
    match other {
        Some(row) => {
            let why = format!("it was begun with {} shards, not {shards}", row.get::<_, i32>(0));
            Err(Error::Broken { log, why })
        }
        None => Ok(()),
    }
}

/// Reads the right edge of a log's tree and proves it against the head.
///
/// # Errors
/// [`Error::Broken`] when rows are missing or the root is not the head's.
pub async fn load_tree(client: &impl GenericClient, log: i32) -> Result<Tree, Error> {
    let broken = |why: &str| Error::Broken { log, why: why.to_owned() };
    let head = client.query_opt("SELECT size, root FROM defaultx.audit_logs WHERE log = $1", &[&log]).await?;
    let head = head.ok_or_else(|| broken("it has no head"))?;
    let (size, root): (i64, Vec<u8>) = (head.get(0), head.get(1));
    let size = u64::try_from(size).map_err(|_| broken("negative size"))?;
    let mut edge = Vec::new();
    for (level, count) in Tree::edge_lengths(size).into_iter().enumerate() {
        edge.push(edge_level(client, log, size, level, count).await?);
    }
    let tree = Tree::from_edge(size, edge).ok_or_else(|| broken("entries or tiles of its right edge are missing"))?;
    if tree.root()[..] != root[..] {
        return Err(broken("its right edge does not give the root of its head"));
    }
    Ok(tree)
}

/// The newest `count` hashes of a level: leaves of entries, or roots of the tiles one level below.
async fn edge_level(
    client: &impl GenericClient,
    log: i32,
    size: u64,
    level: usize,
    count: u64,
) -> Result<Vec<Hash>, Error> {
    let complete = (size >> (8 * level)) as i64;
    let first = complete - count as i64;
    let rows = if level == 0 {
        let leaves = "SELECT leaf FROM defaultx.audit_entries WHERE log = $1 AND seq >= $2 AND seq < $3 ORDER BY seq";
        client.query(leaves, &[&log, &first, &complete]).await?
    } else {
        let roots = "SELECT root FROM defaultx.audit_tiles
                     WHERE log = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index";
        client.query(roots, &[&log, &(level as i16 - 1), &first, &complete]).await?
    };
    let hashes = rows.iter().map(|row| hash(row.get(0)).ok_or(Error::HeadMoved(log)));
    hashes.collect()
}

/// 32 bytes as a hash.
pub(crate) fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok()
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Compressed bytes.
    pub segment_bytes: u64,
    /// Bytes before compression.
    pub raw_bytes: u64,
}

/// Appends a sealed batch to a log that still stands where `before` says.
///
/// # Errors
/// [`Error::HeadMoved`] when it does not; the database's otherwise. The transaction must then be rolled back.
pub async fn append(
    tx: &Transaction<'_>,
    log: i32,
    before: &Tree,
    sealed: &Sealed,
    zstd_level: i32,
) -> Result<Written, Error> {
    let update = "UPDATE defaultx.audit_logs SET size = $2, root = $3, updated_at = now()
                  WHERE log = $1 AND size = $4 AND root = $5";
    let (old, new) = (before.size() as i64, sealed.tree.size() as i64);
    let (old_root, new_root) = (before.root(), sealed.tree.root());
    let moved = tx.execute(update, &[&log, &new, &new_root.as_slice(), &old, &old_root.as_slice()]).await?;
    if moved != 1 {
        return Err(Error::HeadMoved(log));
    }
    let written = copy_segments(tx, log, &sealed.segments, zstd_level).await?;
    copy_index(tx, log, &sealed.index).await?;
    copy_tiles(tx, log, &sealed.tiles).await?;
    Ok(written)
}

async fn copy_segments(
    tx: &Transaction<'_>,
    log: i32,
    segments: &[Segment],
    zstd_level: i32,
) -> Result<Written, Error> {
    let copy = "COPY defaultx.audit_segments (log, first_seq, last_seq, raw_bytes, body) FROM STDIN BINARY";
    let types = [Type::INT4, Type::INT8, Type::INT8, Type::INT4, Type::BYTEA];
    let writer = BinaryCopyInWriter::new(tx.copy_in(copy).await?, &types);
    pin_mut!(writer);
    let mut written = Written::default();
    for segment in segments {
        let body = zstd::bulk::compress(&segment.raw, zstd_level).map_err(Error::Zstd)?;
        written.segment_bytes += body.len() as u64;
        written.raw_bytes += segment.raw.len() as u64;
        let (first, last, raw) = (segment.first_seq as i64, segment.last_seq as i64, segment.raw.len() as i32);
        writer.as_mut().write(&[&log, &first, &last, &raw, &body]).await?;
    }
    writer.finish().await?;
    Ok(written)
}

async fn copy_index(tx: &Transaction<'_>, log: i32, index: &[IndexRow]) -> Result<(), Error> {
    let copy = "COPY defaultx.audit_entries (log, seq, topic, partition, \"offset\", at, leaf) FROM STDIN BINARY";
    let types = [Type::INT4, Type::INT8, Type::TEXT, Type::INT4, Type::INT8, Type::TIMESTAMPTZ, Type::BYTEA];
    let writer = BinaryCopyInWriter::new(tx.copy_in(copy).await?, &types);
    pin_mut!(writer);
    for row in index {
        let (seq, topic, at) = (row.seq as i64, &*row.source.name, time_of_ms(row.timestamp_ms));
        let leaf = row.leaf.as_slice();
        writer.as_mut().write(&[&log, &seq, &topic, &row.partition, &row.offset, &at, &leaf]).await?;
    }
    writer.finish().await?;
    Ok(())
}

async fn copy_tiles(tx: &Transaction<'_>, log: i32, tiles: &[Tile]) -> Result<(), Error> {
    if tiles.is_empty() {
        return Ok(());
    }
    let copy = "COPY defaultx.audit_tiles (log, level, index, root, hashes) FROM STDIN BINARY";
    let types = [Type::INT4, Type::INT2, Type::INT8, Type::BYTEA, Type::BYTEA];
    let writer = BinaryCopyInWriter::new(tx.copy_in(copy).await?, &types);
    pin_mut!(writer);
    for tile in tiles {
        debug_assert_eq!(tile.hashes.len(), TILE_WIDTH * 32);
        let (level, index, root) = (i16::from(tile.level), tile.index as i64, tile.root.as_slice());
        writer.as_mut().write(&[&log, &level, &index, &root, &tile.hashes]).await?;
    }
    writer.finish().await?;
    Ok(())
}
