//! Walks a whole log again: every entry from its segment, where it stood against the index, every tile, the head, every
//! checkpoint, and that coordinates are unique and in order. Reads in one snapshot and changes nothing; what it finds is in
//! [`Report`].

use crate::error::Error;
use crate::note::{Head, NoteVerifier, read};
use crate::report::{Fault, LogReport, Report};
use crate::segment::Stored;
use crate::verify_coordinates::Coordinates;
use crate::verify_runs::{Indexed, Place, Runs};
use runtime::clock;
use schemas::audit_tree::{Hash, TILE_WIDTH, Tile, Tree, leaf_hash};
use std::collections::VecDeque;
use std::time::Instant;
use tokio_postgres::{Client, IsolationLevel, Transaction};

/// Segments read at a time: at most some tens of megabytes unpacked.
const SEGMENTS_AT_ONCE: i64 = 16;

/// What to hold the log against besides itself.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// C2SP verifier key (`name+id+key`) of the deployment; without it signatures are not checked.
    pub verifier_key: Option<String>,
    /// Checkpoints kept elsewhere: signed notes.
    pub kept_checkpoints: Vec<String>,
    /// Whether the result is written to `audit_verifications`.
    pub record: bool,
}

/// Connects and walks every log.
///
/// # Errors
/// When the database cannot be reached or asked; faults of the log are no errors but in the report.
pub async fn run(database_url: &str, options: &Options) -> Result<Report, Error> {
    let (mut client, connection) = tokio_postgres::connect(database_url, tokio_postgres::NoTls).await?;
    let connection = runtime::task::spawn("verify-connection", connection);
    let report = walk(&mut client, options).await;
    drop(client);
    match connection.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "connection ended"),
        Err(error) => tracing::debug!(%error, "connection task ended"),
    }
    report
}

/// Walks every log over a connection.
///
/// # Errors
/// The database's, or a verifier key that is none.
pub async fn walk(client: &mut Client, options: &Options) -> Result<Report, Error> {
    let started = Instant::now();
    let verifier = match &options.verifier_key {
        Some(key) => Some(NoteVerifier::parse(key)?),
        None => None,
    };
    let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let tx = builder.start().await?;
    let mut report = Report::default();
    let heads = tx.query("SELECT log, shards, size, root FROM defaultx.audit_logs ORDER BY log", &[]).await?;
    for head in &heads {
        let stored = StoredHead { log: head.get(0), shards: head.get(1), size: head.get(2), root: head.get(3) };
        let claims = claims(&tx, stored.log, verifier.as_ref(), options, &mut report.faults).await?;
        report.logs.push(Walk::new(&tx, stored, claims, &mut report.faults).finish().await?);
    }
    headless(&tx, &mut report.faults).await?;
    tx.rollback().await?;
    report.took_ms = started.elapsed().as_millis() as u64;
    if options.record {
        record(client, &report).await?;
    }
    Ok(report)
}

/// Notes what a walk found.
async fn record(client: &mut Client, report: &Report) -> Result<(), Error> {
    let tx = client.transaction().await?;
    tx.batch_execute("SET LOCAL ROLE defaultx_audit").await?;
    for log in &report.logs {
        let insert = "INSERT INTO defaultx.audit_verifications (at, log, size, root, faults, took_ms)
                      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        let (size, faults, took) = (log.size as i64, report.faults.len() as i32, report.took_ms as i64);
        tx.execute(insert, &[&clock::now(), &log.log, &size, &log.root.as_slice(), &faults, &took]).await?;
    }
    Ok(tx.commit().await?)
}

/// Rows of logs whose head is gone.
async fn headless(tx: &Transaction<'_>, faults: &mut Vec<Fault>) -> Result<(), Error> {
    let rows = "SELECT log FROM defaultx.audit_segments s WHERE NOT EXISTS (SELECT FROM defaultx.audit_logs l WHERE l.log = s.log)
                UNION SELECT log FROM defaultx.audit_runs r WHERE NOT EXISTS (SELECT FROM defaultx.audit_logs l WHERE l.log = r.log)
                UNION SELECT log FROM defaultx.audit_checkpoints c
                WHERE NOT EXISTS (SELECT FROM defaultx.audit_logs l WHERE l.log = c.log)";
    faults.extend(tx.query(rows, &[]).await?.iter().map(|row| Fault::NoHead { log: row.get(0) }));
    Ok(())
}

/// Heads that the log must have passed through, in order of size.
async fn claims(
    tx: &Transaction<'_>,
    log: i32,
    verifier: Option<&NoteVerifier>,
    options: &Options,
    faults: &mut Vec<Fault>,
) -> Result<VecDeque<Head>, Error> {
    let mut claims = Vec::new();
    let rows = "SELECT size, root, note FROM defaultx.audit_checkpoints WHERE log = $1 ORDER BY size";
    for row in tx.query(rows, &[&log]).await? {
        let (size, root, note): (i64, &[u8], &str) = (row.get(0), row.get(1), row.get(2));
        match open(verifier, note) {
            Ok(head) if head.log == log && head.size as i64 == size && head.root[..] == *root => claims.push(head),
            Ok(_) => faults.push(Fault::Checkpoint { log, size, why: "the note speaks of another head".to_owned() }),
            Err(error) => faults.push(Fault::Checkpoint { log, size, why: error.to_string() }),
        }
    }
    for note in &options.kept_checkpoints {
        match open(verifier, note) {
            Ok(head) if head.log == log => claims.push(head),
            Ok(_) => {}
            Err(error) => faults.push(Fault::Checkpoint { log, size: -1, why: format!("kept elsewhere: {error}") }),
        }
    }
    claims.sort_by_key(|head| head.size);
    Ok(claims.into())
}

fn open(verifier: Option<&NoteVerifier>, note: &str) -> Result<Head, Error> {
    verifier.map_or_else(|| read(note).map(|(_, head)| head), |verifier| verifier.open(note))
}

struct StoredHead {
    log: i32,
    shards: i32,
    size: i64,
    root: Vec<u8>,
}

/// The walk over one log.
struct Walk<'a, 't> {
    tx: &'a Transaction<'t>,
    head: StoredHead,
    claims: VecDeque<Head>,
    faults: &'a mut Vec<Fault>,
    report: LogReport,
    /// `None` once an entry has neither body nor leaf: nothing above it can be computed any more.
    tree: Option<Tree>,
    tiles: Vec<Tile>,
    /// Runs of the index that were held against entries.
    runs: i64,
    coordinates: Coordinates,
}

impl<'a, 't> Walk<'a, 't> {
    fn new(tx: &'a Transaction<'t>, head: StoredHead, claims: VecDeque<Head>, faults: &'a mut Vec<Fault>) -> Self {
        let report = LogReport { log: head.log, checkpoints: claims.len() as u64, ..LogReport::default() };
        let coordinates = Coordinates::new(head.log, head.shards);
        Self { tx, head, claims, faults, report, tree: Some(Tree::default()), tiles: Vec::new(), runs: 0, coordinates }
    }

    async fn finish(mut self) -> Result<LogReport, Error> {
        self.pass_claims(); // a checkpoint of the empty log
        let mut next = 0;
        loop {
            let segments = self.segments(next).await?;
            if segments.is_empty() {
                break;
            }
            for segment in segments {
                next = self.segment(next, segment).await?;
            }
        }
        self.missing(next, self.head.size.max(next)).await?;
        self.check_rest().await?;
        self.check_head();
        self.coordinates.check_offsets(self.tx, self.faults).await?;
        self.report.skipped_offsets = self.coordinates.skipped();
        Ok(self.report)
    }

    async fn segments(&self, from: i64) -> Result<Vec<Stored>, Error> {
        let query = format!(
            "SELECT {} FROM defaultx.audit_segments WHERE log = $1 AND first_seq >= $2 ORDER BY first_seq LIMIT $3",
            Stored::COLUMNS
        );
        let rows = self.tx.query(&query, &[&self.head.log, &from, &SEGMENTS_AT_ONCE]).await?;
        Ok(rows.iter().map(Stored::of_row).collect())
    }

    /// Checks a segment that should begin at `next`; gives the sequence number behind it.
    async fn segment(&mut self, next: i64, segment: Stored) -> Result<i64, Error> {
        let log = self.head.log;
        if segment.first_seq < next {
            self.faults.push(Fault::Overlap { log, first_seq: segment.first_seq });
            return Ok(next);
        }
        self.missing(next, segment.first_seq).await?;
        self.report.segments += 1;
        self.report.segment_bytes += segment.body.len() as u64;
        let runs = self.runs(&segment).await?;
        match segment.unpack() {
            Ok(raw) => {
                self.report.raw_bytes += raw.len() as u64;
                self.entries(&segment, &raw, runs).await?;
            }
            Err(why) => {
                self.faults.push(Fault::Segment { log, first_seq: segment.first_seq, why });
                self.go_by_tiles(segment.first_seq, segment.last_seq + 1).await?;
            }
        }
        Ok(segment.last_seq + 1)
    }

    async fn entries(&mut self, segment: &Stored, raw: &[u8], mut runs: Runs) -> Result<(), Error> {
        let log = self.head.log;
        let mut seq = segment.first_seq;
        for bytes in schemas::audit_entry::entries(raw) {
            let Ok(bytes) = bytes else { break };
            let checked = match Place::of(bytes) {
                Ok(place) => {
                    let newest = self.coordinates.newest(place.topic, place.partition);
                    runs.pass(seq, &place, newest).map(|()| place)
                }
                Err(why) => runs.pass_over(seq).and(Err(why)),
            };
            match checked {
                Ok(Place { topic, partition, offset, oversized }) => {
                    self.report.oversized += u64::from(oversized);
                    self.coordinates.pass(topic, partition, offset, seq, self.faults);
                }
                Err(why) => self.faults.push(Fault::Entry { log, seq, why }),
            }
            self.append(leaf_hash(bytes)).await?;
            seq += 1;
        }
        if seq != segment.last_seq + 1 {
            let why = format!("it holds {} entries, not {}", seq - segment.first_seq, segment.len());
            self.faults.push(Fault::Segment { log, first_seq: segment.first_seq, why });
            self.go_by_tiles(seq, segment.last_seq + 1).await?;
        }
        if let Some((first_seq, why)) = runs.finish(segment.last_seq + 1) {
            self.faults.push(Fault::Run { log, first_seq, why });
        }
        Ok(())
    }

    /// The runs that begin in a segment.
    async fn runs(&mut self, segment: &Stored) -> Result<Runs, Error> {
        let query = format!(
            "SELECT {} FROM defaultx.audit_runs WHERE log = $1 AND first_seq >= $2 AND first_seq <= $3 ORDER BY first_seq",
            Indexed::COLUMNS
        );
        let rows = self.tx.query(&query, &[&self.head.log, &segment.first_seq, &segment.last_seq]).await?;
        self.runs += rows.len() as i64;
        Ok(Runs::new(rows.iter().map(Indexed::of_row).collect()))
    }

    /// Entries `from..to` have no segment: says so, and goes on with the leaves of their tiles.
    async fn missing(&mut self, from: i64, to: i64) -> Result<(), Error> {
        if from < to {
            self.faults.push(Fault::Missing { log: self.head.log, from, to });
            self.go_by_tiles(from, to).await?;
        }
        Ok(())
    }

    /// Goes on with the leaves of complete tiles. Behind the last of them there are none, and the walk can prove nothing more.
    async fn go_by_tiles(&mut self, from: i64, to: i64) -> Result<(), Error> {
        let width = TILE_WIDTH as i64;
        let mut seq = from;
        while seq < to && self.tree.is_some() {
            let tile = self.stored_tile(0, seq / width).await?;
            let Some((_, hashes)) = tile else {
                self.tree = None;
                break;
            };
            let (leaves, _) = hashes.as_chunks::<{ size_of::<Hash>() }>();
            let end = to.min((seq / width + 1) * width);
            for leaf in leaves.iter().skip((seq % width) as usize).take((end - seq) as usize) {
                self.append(*leaf).await?;
            }
            seq = end;
        }
        Ok(())
    }

    /// Root and hashes of a tile.
    async fn stored_tile(&self, level: i16, index: i64) -> Result<Option<(Vec<u8>, Vec<u8>)>, Error> {
        let query = "SELECT root, hashes FROM defaultx.audit_tiles WHERE log = $1 AND level = $2 AND index = $3";
        let row = self.tx.query_opt(query, &[&self.head.log, &level, &index]).await?;
        Ok(row.map(|row| (row.get(0), row.get(1))))
    }

    async fn append(&mut self, leaf: Hash) -> Result<(), Error> {
        self.report.entries += 1;
        if let Some(tree) = self.tree.as_mut() {
            tree.append(leaf, &mut self.tiles);
        }
        self.pass_claims();
        for tile in std::mem::take(&mut self.tiles) {
            self.report.tiles += 1;
            self.check_tile(&tile).await?;
        }
        Ok(())
    }

    async fn check_tile(&mut self, tile: &Tile) -> Result<(), Error> {
        let (log, level, index) = (self.head.log, i16::from(tile.level), tile.index as i64);
        let stored = self.stored_tile(level, index).await?;
        if stored.as_ref().is_some_and(|(root, hashes)| root[..] == tile.root && *hashes == tile.hashes) {
            return Ok(());
        }
        self.faults.push(Fault::Tile { log, level, index, missing: stored.is_none() });
        let width = size_of::<Hash>();
        let pairs = stored.iter().flat_map(|(_, hashes)| hashes.chunks(width).zip(tile.hashes.chunks(width)));
        if let Some(first) = (level == 0).then_some(pairs).and_then(|mut pairs| pairs.position(|(a, b)| a != b)) {
            let why = "its bytes do not have the leaf hash of its tile".to_owned();
            self.faults.push(Fault::Entry { log, seq: index * TILE_WIDTH as i64 + first as i64, why });
        }
        Ok(())
    }

    /// Holds the tree against every claim about its present size.
    fn pass_claims(&mut self) {
        let Some(tree) = &self.tree else { return };
        while let Some(claim) = self.claims.front().filter(|claim| claim.size == tree.size()) {
            if claim.root != tree.root() {
                let why = "the log did not have this root at this size".to_owned();
                self.faults.push(Fault::Checkpoint { log: claim.log, size: claim.size as i64, why });
            }
            self.claims.pop_front();
        }
    }

    /// Rows that no segment accounts for.
    async fn check_rest(&mut self) -> Result<(), Error> {
        let (log, tiles) = (self.head.log, self.report.tiles as i64);
        let query = "SELECT (SELECT count(*) FROM defaultx.audit_runs WHERE log = $1),
                            (SELECT count(*) FROM defaultx.audit_tiles WHERE log = $1)";
        let row = self.tx.query_one(query, &[&log]).await?;
        let (runs, stored): (i64, i64) = (row.get(0), row.get(1));
        if runs > self.runs {
            self.faults.push(Fault::Beyond { log, what: "runs", count: runs - self.runs });
        }
        if self.tree.is_some() && stored > tiles {
            self.faults.push(Fault::Beyond { log, what: "tiles", count: stored - tiles });
        }
        Ok(())
    }

    fn check_head(&mut self) {
        let log = self.head.log;
        let Some(tree) = &self.tree else {
            self.faults.push(Fault::Head { log, why: "the tree cannot be computed".to_owned() });
            return;
        };
        (self.report.size, self.report.root) = (tree.size(), tree.root());
        if tree.size() as i64 != self.head.size {
            let why = format!("it says {} entries, there are {}", self.head.size, tree.size());
            self.faults.push(Fault::Head { log, why });
        } else if tree.root()[..] != self.head.root[..] {
            self.faults.push(Fault::Head { log, why: "its root is not that of the entries".to_owned() });
        }
        for claim in &self.claims {
            let why = format!("the log has {} entries only", tree.size());
            self.faults.push(Fault::Checkpoint { log, size: claim.size as i64, why });
        }
    }
}
