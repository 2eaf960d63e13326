//! The tables of the log: reads the right edge of a tree, appends what was sealed. Never updates or deletes anything but the
//! head, which only grows.

use crate::copy::Copy;
use crate::error::Error;
use crate::seal::Run;
use crate::segment::Stored;
use crate::source::WORKER;
use audit_log::{Hash, TILE_WIDTH, Tile, Tree, empty_root, entries, leaf_hash};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use tokio_postgres::{GenericClient, Transaction};

/// Makes the head of a log that has no entries yet.
///
/// # Errors
/// [`Error::Broken`] when the log was begun with another number of shards.
pub(crate) async fn begin_log(client: &impl GenericClient, log: i32, shards: i32) -> Result<(), Error> {
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

/// Refuses a database that holds the log of another deployment: topics stand there without their prefix, and each would contradict the
/// other. `consumer` is the one that writes here.
///
/// # Errors
/// [`Error::Config`] with the other prefix.
pub async fn check_deployment(client: &impl GenericClient, consumer: &str) -> Result<(), Error> {
    let other = "SELECT consumer FROM defaultx.stream_offsets WHERE consumer LIKE '%' || $1 AND consumer <> $2 LIMIT 1";
    let Some(row) = client.query_opt(other, &[&WORKER, &consumer]).await? else { return Ok(()) };
    let prefix = |consumer: &str| consumer.strip_suffix(WORKER).unwrap_or(consumer).to_owned();
    Err(Error::Config(format!(
        "this database holds the log of the deployment with [kafka] topic_prefix = {:?}, not {:?}: each deployment has a database of its own",
        prefix(row.get(0)),
        prefix(consumer)
    )))
}

/// Reads the right edge of a log's tree and proves it against the head.
///
/// # Errors
/// [`Error::Broken`] when rows are missing or the root is not the head's.
pub(crate) async fn load_tree(client: &impl GenericClient, log: i32) -> Result<Tree, Error> {
    let broken = |why: &str| Error::Broken { log, why: why.to_owned() };
    let head = client.query_opt("SELECT size, root FROM defaultx.audit_logs WHERE log = $1", &[&log]).await?;
    let head = head.ok_or_else(|| broken("it has no head"))?;
    let (size, root): (i64, Vec<u8>) = (head.get(0), head.get(1));
    let size = u64::try_from(size).map_err(|_| broken("negative size"))?;
    let mut edge = Vec::new();
    for (level, range) in Tree::edge_ranges(size).into_iter().enumerate() {
        edge.push(edge_level(client, log, level, range).await?);
    }
    let tree = Tree::from_edge(size, edge).ok_or_else(|| broken("entries or tiles of its right edge are missing"))?;
    if tree.root()[..] != root[..] {
        return Err(broken("its right edge does not give the root of its head"));
    }
    Ok(tree)
}

/// The hashes of a level at these places: leaves of entries, or roots of the tiles one level below.
async fn edge_level(
    client: &impl GenericClient,
    log: i32,
    level: usize,
    range: Range<u64>,
) -> Result<Vec<Hash>, Error> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let (first, end) = (range.start as i64, range.end as i64);
    if level == 0 {
        return newest_leaves(client, log, first).await;
    }
    let roots = "SELECT root FROM defaultx.audit_tiles
                 WHERE log = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index";
    let rows = client.query(roots, &[&log, &(level as i16 - 1), &first, &end]).await?;
    let hashes = rows.iter().map(|row| hash(row.get(0)).ok_or(Error::HeadMoved(log)));
    hashes.collect()
}

/// The leaves of entries from `first` on, out of their segments.
async fn newest_leaves(client: &impl GenericClient, log: i32, first: i64) -> Result<Vec<Hash>, Error> {
    let query = format!(
        "SELECT {} FROM defaultx.audit_segments WHERE log = $1 AND first_seq >= coalesce((
             SELECT max(first_seq) FROM defaultx.audit_segments WHERE log = $1 AND first_seq <= $2), $2) ORDER BY first_seq",
        Stored::COLUMNS
    );
    let mut leaves = Vec::new();
    for row in client.query(&query, &[&log, &first]).await? {
        let segment = Stored::of_row(&row);
        let broken = |why: String| Error::Broken { log, why: format!("segment at {}: {why}", segment.first_seq) };
        let raw = segment.unpack().map_err(|error| broken(error.to_string()))?;
        for (seq, bytes) in (segment.first_seq..).zip(entries(&raw)) {
            let bytes = bytes.map_err(|error| broken(error.to_string()))?;
            if seq >= first {
                leaves.push(leaf_hash(bytes));
            }
        }
    }
    Ok(leaves)
}

/// 32 bytes as a hash.
pub(crate) fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok()
}

/// A partition of the log: topic without prefix, and number.
pub(crate) type Part = (Cow<'static, str>, i32);

/// The last offset that each partition has in the index, as far as it was asked for; `None` where it has none.
pub(crate) type Ends = HashMap<Part, Option<i64>>;

/// What a batch adds to the tables of a log.
pub(crate) struct Addition {
    /// Size and root before it.
    pub before: (u64, Hash),
    /// Size and root behind it.
    pub after: (u64, Hash),
    pub segments: Vec<Stored>,
    pub runs: Vec<Run>,
    pub tiles: Vec<Tile>,
}

/// Appends to a log that still stands where `addition` says; gives the ends of the partitions that it moved.
///
/// # Errors
/// [`Error::HeadMoved`] when it does not; the database's otherwise, a repeated coordinate among them. The transaction must then be
/// rolled back.
pub(crate) async fn append(tx: &Transaction<'_>, log: i32, addition: &Addition, ends: &Ends) -> Result<Ends, Error> {
    let update = "UPDATE defaultx.audit_logs SET size = $2, root = $3, updated_at = now()
                  WHERE log = $1 AND size = $4 AND root = $5";
    let ((old, old_root), (new, new_root)) = (&addition.before, &addition.after);
    let (old, new) = (*old as i64, *new as i64);
    let moved = tx.execute(update, &[&log, &new, &new_root.as_slice(), &old, &old_root.as_slice()]).await?;
    if moved != 1 {
        return Err(Error::HeadMoved(log));
    }
    copy_segments(tx, log, &addition.segments).await?;
    let mut moved = ask_ends(tx, &addition.runs, ends).await?;
    copy_runs(tx, log, &addition.runs, ends, &mut moved).await?;
    copy_tiles(tx, log, &addition.tiles).await?;
    Ok(moved)
}

async fn copy_segments(tx: &Transaction<'_>, log: i32, segments: &[Stored]) -> Result<(), Error> {
    let mut copy = Copy::new(5);
    for Stored { first_seq, last_seq, raw_bytes, body } in segments {
        copy.row().put(&log).put(first_seq).put(last_seq).put(raw_bytes).put(body.as_slice());
    }
    let columns = format!("log, {}", Stored::COLUMNS);
    Ok(copy.send(tx, "defaultx.audit_segments", &columns).await?)
}

/// The ends of partitions that `ends` does not know.
async fn ask_ends(tx: &Transaction<'_>, runs: &[Run], ends: &Ends) -> Result<Ends, Error> {
    let parts: BTreeSet<Part> = runs.iter().map(part).filter(|part| !ends.contains_key(part)).collect();
    if parts.is_empty() {
        return Ok(Ends::new());
    }
    let (topics, partitions): (Vec<&str>, Vec<i32>) = parts.iter().map(|(topic, id)| (&**topic, *id)).unzip();
    let query = "SELECT (SELECT max(last_offset) FROM defaultx.audit_runs r WHERE r.topic = p.topic AND r.partition = p.partition)
                 FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS p(topic, partition, n) ORDER BY n";
    let rows = tx.query(query, &[&topics, &partitions]).await?;
    let found: Vec<Option<i64>> = rows.iter().map(|row| row.get(0)).collect();
    Ok(parts.into_iter().zip(found).collect())
}

/// Each run names the end of the one before it, which is what the database holds coordinates together by.
async fn copy_runs(tx: &Transaction<'_>, log: i32, runs: &[Run], ends: &Ends, moved: &mut Ends) -> Result<(), Error> {
    let mut copy = Copy::new(8);
    for run in runs {
        let part = part(run);
        let after = moved.get(&part).or_else(|| ends.get(&part)).copied().flatten();
        copy.row()
            .put(&log)
            .put(&(run.first_seq as i64))
            .put(&(run.entries as i32))
            .put(&*run.topic)
            .put(&run.partition);
        copy.put(&after).put(&run.first_offset.get()).put(&run.last_offset.get());
        moved.insert(part, Some(run.last_offset.get()));
    }
    let columns = "log, first_seq, entries, topic, partition, after_offset, first_offset, last_offset";
    Ok(copy.send(tx, "defaultx.audit_runs", columns).await?)
}

fn part(run: &Run) -> Part {
    (run.topic.clone(), run.partition)
}

async fn copy_tiles(tx: &Transaction<'_>, log: i32, tiles: &[Tile]) -> Result<(), Error> {
    if tiles.is_empty() {
        return Ok(());
    }
    let mut copy = Copy::new(5);
    for tile in tiles {
        debug_assert_eq!(tile.hashes.len(), TILE_WIDTH * 32);
        let (level, index) = (i16::from(tile.level), tile.index as i64);
        copy.row().put(&log).put(&level).put(&index).put(tile.root.as_slice()).put(tile.hashes.as_slice());
    }
    Ok(copy.send(tx, "defaultx.audit_tiles", "log, level, index, root, hashes").await?)
}
