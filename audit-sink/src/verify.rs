//! Walks a whole log again: every entry from its segment, where it stood against the index, every tile, the head, every
//! checkpoint, and that coordinates are unique and in order; and holds the projections against it. Reads in one snapshot and changes
//! nothing; what it finds, and what it could not check, is in [`Report`].

use crate::error::Error;
use crate::evidence::{Claim, Evidence, Keys, Placed, place};
use crate::report::{EpochReport, Fault, LogReport, Report, time};
use crate::segment::Stored;
use crate::snapshot;
use crate::verify_coordinates::Coordinates;
use crate::verify_projections::Tables;
use crate::verify_promises::{Brought, promises};
use crate::verify_runs::{Indexed, Place, Runs};
use crate::verify_tables;
use audit_log::{Hash, TILE_WIDTH, Tile, Tree, leaf_hash};
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;
use tokio_postgres::{Client, Transaction};

/// Segments read at a time: at most some tens of megabytes unpacked.
const SEGMENTS_AT_ONCE: i64 = 16;

/// What to hold the log against besides itself.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// C2SP verifier keys (`name+id+key`) of the log's signers, earlier ones too; without any, signatures are not checked.
    pub keys: Vec<String>,
    /// Verifier keys of witnesses.
    pub witnesses: Vec<String>,
    /// What was kept elsewhere: texts of one signed note or more, checkpoints and openings of epochs.
    pub kept: Vec<String>,
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
    let keys = Keys::parse(&options.keys, &options.witnesses)?;
    let mut brought = Brought { keys: keys.logs.len(), witnesses: keys.witnesses.len(), ..Brought::default() };
    let tx = snapshot::reading(client).await?;
    let rows = tx.query("SELECT note FROM defaultx.audit_epochs ORDER BY log, epoch, created_at", &[]).await?;
    let openings: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut evidence = Evidence::new(keys, &options.kept, &openings);
    (brought.notes, brought.disregarded) = (evidence.kept.len(), evidence.disregarded);
    brought.cosigned = evidence.kept.iter().filter(|claim| !claim.witnesses.is_empty()).count();
    let mut report = Report { faults: std::mem::take(&mut evidence.faults), ..Report::default() };
    report.faults.extend(verify_tables::faults(&tx).await?);
    let mut tables = Tables::begin(&tx).await?;
    let heads = tx.query("SELECT log, shards, size, root FROM defaultx.audit_logs ORDER BY log", &[]).await?;
    for head in &heads {
        let stored = StoredHead { log: head.get(0), shards: head.get(1), size: head.get(2), root: head.get(3) };
        let claims = claims(&tx, stored.log, &evidence, &mut report.faults).await?;
        brought.timed += claims.holding.iter().filter(|claim| claim.signed_at.is_some()).count();
        report.logs.push(Walk::new(&tx, stored, claims, &mut report.faults, &mut tables).finish().await?);
    }
    headless(&tx, &evidence, &mut report).await?;
    let walked: Vec<i32> = report.logs.iter().map(|log| log.log).collect();
    report.projections = tables.finish(&tx, &walked, &mut report.faults).await?;
    tx.rollback().await?;
    report.took_ms = started.elapsed().as_millis() as u64;
    report.promises = promises(&report, brought);
    Ok(report)
}

/// What speaks of a log that is not there: its rows, signed checkpoints, notes from outside, and the offsets of its consumer.
async fn headless(tx: &Transaction<'_>, evidence: &Evidence, report: &mut Report) -> Result<(), Error> {
    let logs: Vec<i32> = report.logs.iter().map(|log| log.log).collect();
    let rows = "SELECT DISTINCT log FROM (SELECT log FROM defaultx.audit_segments UNION ALL SELECT log FROM defaultx.audit_runs) r
                WHERE log <> ALL ($1) ORDER BY log";
    let mut gone: BTreeSet<i32> = tx.query(rows, &[&logs]).await?.iter().map(|row| row.get(0)).collect();
    let notes = "SELECT log, note FROM defaultx.audit_checkpoints WHERE log <> ALL ($1)";
    for row in tx.query(notes, &[&logs]).await? {
        let log: i32 = row.get(0);
        gone.extend(evidence.keys.open_stored(row.get(1)).ok().filter(|claim| claim.head.log == log).map(|_| log));
    }
    report.faults.extend(gone.into_iter().map(|log| Fault::NoHead { log }));
    for claim in evidence.kept.iter().filter(|claim| !logs.contains(&claim.head.log)) {
        let (log, size) = (claim.head.log, claim.head.size as i64);
        report.faults.push(Fault::Checkpoint { log, size, why: "the log is not there".to_owned() });
    }
    let shards = "SELECT coalesce(max(shards), 1) FROM defaultx.audit_logs";
    let shards: i32 = tx.query_one(shards, &[]).await?.get(0);
    Coordinates::headless(tx, shards, &logs, &mut report.faults).await
}

/// Heads that a log must have passed through.
struct Claims {
    /// In order of size.
    holding: VecDeque<Claim>,
    disregarded: u64,
    epochs: Vec<EpochReport>,
}

async fn claims(tx: &Transaction<'_>, log: i32, evidence: &Evidence, faults: &mut Vec<Fault>) -> Result<Claims, Error> {
    let (mut claims, mut disregarded, epochs) = (Vec::new(), 0, evidence.epochs(log));
    let rows = "SELECT size, root, note FROM defaultx.audit_checkpoints WHERE log = $1 ORDER BY size";
    for row in tx.query(rows, &[&log]).await? {
        let (size, root, note): (i64, &[u8], &str) = (row.get(0), row.get(1), row.get(2));
        match evidence.keys.open_stored(note) {
            Ok(claim) if claim.head.log == log && claim.head.size as i64 == size && claim.head.root[..] == *root => {
                claims.push(claim);
            }
            Ok(_) => faults.push(Fault::Checkpoint { log, size, why: "the note speaks of another head".to_owned() }),
            // Without a key nobody can tell junk from a changed row.
            Err(error) if evidence.keys.logs.is_empty() => {
                faults.push(Fault::Checkpoint { log, size, why: error.to_string() });
            }
            Err(_) => disregarded += 1,
        }
    }
    claims.extend(evidence.kept.iter().filter(|claim| claim.head.log == log).cloned());
    let beginnings = epochs.iter().map(|epoch| (epoch.beginning(), epoch.at));
    claims.extend(beginnings.map(|(head, at)| Claim {
        head,
        is_kept: false,
        signed_at: Some(at),
        witnesses: Vec::new(),
    }));
    let mut reports: Vec<EpochReport> = epochs.iter().map(EpochReport::of).collect();
    claims.retain(|claim| match place(&claim.head, epochs) {
        Placed::Holds => true,
        Placed::Superseded(epoch) => {
            reports.iter_mut().filter(|report| report.epoch == epoch).for_each(|report| report.superseded += 1);
            false
        }
        Placed::Unexplained(why) => {
            faults.push(Fault::Checkpoint { log, size: claim.head.size as i64, why });
            false
        }
    });
    claims.sort_by_key(|claim| claim.head.size);
    Ok(Claims { holding: claims.into(), disregarded, epochs: reports })
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
    claims: VecDeque<Claim>,
    faults: &'a mut Vec<Fault>,
    tables: &'a mut Tables,
    report: LogReport,
    /// `None` once an entry has neither body nor leaf: nothing above it can be computed any more.
    tree: Option<Tree>,
    tiles: Vec<Tile>,
    /// Runs of the index that were held against entries.
    runs: i64,
    coordinates: Coordinates,
}

impl<'a, 't> Walk<'a, 't> {
    fn new(
        tx: &'a Transaction<'t>,
        head: StoredHead,
        claims: Claims,
        faults: &'a mut Vec<Fault>,
        tables: &'a mut Tables,
    ) -> Self {
        let Claims { holding: claims, disregarded, epochs } = claims;
        let checkpoints = claims.len() as u64;
        let report = LogReport { log: head.log, checkpoints, disregarded, epochs, ..LogReport::default() };
        let coordinates = Coordinates::new(head.log, head.shards);
        tables.begin_log(head.log);
        let (tree, tiles) = (Some(Tree::default()), Vec::new());
        Self { tx, head, claims, faults, tables, report, tree, tiles, runs: 0, coordinates }
    }

    async fn finish(mut self) -> Result<LogReport, Error> {
        self.pass_claims(); // a checkpoint of the empty log
        let mut next = 0;
        while next < i64::MAX {
            let segments = self.segments(next).await?;
            if segments.is_empty() {
                break;
            }
            for segment in segments {
                next = self.segment(next, segment).await?;
                self.tables.pass(self.tx, next).await?;
            }
        }
        self.missing(next, self.head.size.max(next)).await?;
        self.tables.end_log(self.tx).await?;
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
        let Some(end) = segment.end() else {
            let why = format!("it says that its last entry is {}", segment.last_seq);
            self.faults.push(Fault::Segment { log, first_seq: segment.first_seq, why });
            let end = segment.first_seq.saturating_add(1);
            self.go_by_tiles(segment.first_seq, end).await?;
            return Ok(end);
        };
        self.report.segments += 1;
        self.report.segment_bytes += segment.body.len() as u64;
        let runs = self.runs(&segment).await?;
        match segment.unpack() {
            Ok(raw) => {
                self.report.raw_bytes += raw.len() as u64;
                self.entries(&segment, &raw, runs).await?;
            }
            Err(error) => {
                let why = error.to_string();
                self.faults.push(Fault::Segment { log, first_seq: segment.first_seq, why });
                self.go_by_tiles(segment.first_seq, end).await?;
            }
        }
        Ok(end)
    }

    async fn entries(&mut self, segment: &Stored, raw: &[u8], mut runs: Runs) -> Result<(), Error> {
        let log = self.head.log;
        let mut seq = segment.first_seq;
        for bytes in audit_log::entries(raw) {
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
                Err(why) => self.faults.push(Fault::Entry { log, seq, why: why.to_string() }),
            }
            self.tables.add(seq, bytes);
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
        self.tables.add_hole(from, to);
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
        while let Some(Claim { head, is_kept, signed_at, .. }) =
            self.claims.pop_front_if(|c| c.head.size == tree.size())
        {
            if head.root != tree.root() {
                let why = "the log did not have this root at this size".to_owned();
                self.faults.push(Fault::Checkpoint { log: head.log, size: head.size as i64, why });
            } else if is_kept {
                (self.report.covered, self.report.covered_at) = (head.size, signed_at.and_then(time));
            }
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
            self.report.uncovered = (self.head.size.max(0) as u64).saturating_sub(self.report.covered);
            self.faults.push(Fault::Head { log, why: "the tree cannot be computed".to_owned() });
            return;
        };
        (self.report.size, self.report.root) = (tree.size(), tree.root());
        self.report.uncovered = tree.size() - self.report.covered;
        if tree.size() as i64 != self.head.size {
            let why = format!("it says {} entries, there are {}", self.head.size, tree.size());
            self.faults.push(Fault::Head { log, why });
        } else if tree.root()[..] != self.head.root[..] {
            self.faults.push(Fault::Head { log, why: "its root is not that of the entries".to_owned() });
        }
        for claim in &self.claims {
            let why = format!("the log has {} entries only", tree.size());
            self.faults.push(Fault::Checkpoint { log, size: claim.head.size as i64, why });
        }
    }
}
