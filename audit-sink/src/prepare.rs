//! What needs no database of a batch, on the reader's thread: each record is encoded and read once, as it comes; the batch is then
//! sealed and packed, the entries of a partition side by side, so that runs are long and like bytes pack well.

use crate::error::Error;
use crate::project::{Position, Projected, Projections};
use crate::seal::{Held, Placed, Sealer, encode};
use crate::segment::Stored;
use crate::source::{Source, Sources};
use crate::store::Addition;
use audit_log::{DigestKey, Packer, Tree};
use runtime::stream::pg::{PgError, Prepare};
use runtime::stream::{Input, Offset};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Bits of a place within a part: more records than a batch holds.
const PLACE_BITS: u32 = 32;
/// Bytes that a part keeps for the next batch.
const KEPT_BYTES: usize = 1 << 20;

/// What the writers of all logs share.
#[derive(Clone)]
pub struct Settings {
    /// Which topics are taken.
    pub sources: Sources,
    /// Key of digests.
    pub key: DigestKey,
    /// Bytes of a segment before compression.
    pub segment_bytes: usize,
    /// zstd level.
    pub zstd_level: i32,
    /// Number of logs.
    pub shards: i32,
}

/// A batch on its way into the log.
pub struct Work {
    pub(crate) addition: Addition,
    pub(crate) projections: Projections,
    pub(crate) told: Told,
}

/// What is told of a batch once it is committed.
#[derive(Default)]
pub(crate) struct Told {
    pub entries: BTreeMap<(Cow<'static, str>, Held), u64>,
    pub oversized: Vec<Placed>,
    pub outcomes: [u64; 3],
    pub raw_bytes: u64,
    pub segment_bytes: u64,
    pub size: u64,
    pub newest_ms: i64,
}

/// Makes work for one log.
pub(crate) struct Preparing {
    log: i32,
    settings: Settings,
    /// The tree behind the last batch; `None` when it is not known.
    tree: Option<Tree>,
    packer: Option<Packer>,
    parts: Vec<Part>,
    /// The part of the newest record: records of a partition come in rows.
    newest: usize,
    /// What the records say, each numbered by its part and its place in there.
    projections: Projections,
    told: Told,
}

/// Records of one partition. Parts stay from batch to batch: there are as many as partitions.
struct Part {
    /// With prefix.
    topic: String,
    partition: i32,
    source: Source,
    /// Their entries as a segment holds them.
    raw: Vec<u8>,
    /// Offset, end in `raw`, what is held, of each.
    entries: Vec<(Offset, usize, Held)>,
    /// Number of the first of them in the log, once it is known.
    first_seq: i64,
}

impl Preparing {
    /// Behind a tree.
    pub fn begin(log: i32, settings: Settings, tree: Option<Tree>) -> Self {
        let (projections, told) = (Projections::default(), Told::default());
        Self { log, settings, tree, packer: None, parts: Vec::new(), newest: 0, projections, told }
    }

    fn add(&mut self, record: &Input<'_>) -> Result<(), Error> {
        let part = part(&mut self.parts, &mut self.newest, &self.settings.sources, record)?;
        let index = self.newest;
        let held = encode(record, &part.source, &self.settings.key, &mut part.raw)?;
        let at = Position { log: self.log, seq: ((index as i64) << PLACE_BITS) + part.entries.len() as i64 };
        let outcome = self.projections.add(part.source.topic, record, at);
        part.entries.push((record.offset, part.raw.len(), held));
        if outcome == Projected::Unreadable {
            let (topic, partition, offset) = (&*part.source.name, record.partition, record.offset.get());
            tracing::warn!(topic, partition, offset, "record is in the log but not in the projections");
        }
        self.told.outcomes[outcome as usize] += 1;
        self.told.newest_ms = self.told.newest_ms.max(record.timestamp_ms);
        Ok(())
    }

    fn seal(&mut self) -> Result<Work, Error> {
        let (mut projections, mut told) = (std::mem::take(&mut self.projections), std::mem::take(&mut self.told));
        let mut order: Vec<usize> = (0..self.parts.len()).collect();
        let place = |part: &Part| (part.source.name.clone(), part.partition);
        order.sort_by_cached_key(|index| place(&self.parts[*index]));
        let tree = self.tree.take().ok_or(Error::HeadMoved(self.log))?;
        let before = (tree.size(), tree.root());
        let mut sealer = Sealer::begin(tree, self.settings.segment_bytes);
        for index in order {
            let part = &mut self.parts[index];
            part.first_seq = sealer.next_seq() as i64;
            let mut start = 0;
            for (offset, end, held) in part.entries.drain(..) {
                sealer.add(&part.source, part.partition, offset, held, &part.raw[start..end]);
                *told.entries.entry((part.source.name.clone(), held)).or_default() += 1;
                start = end;
            }
            part.raw.clear();
            part.raw.shrink_to(KEPT_BYTES);
        }
        let parts = &self.parts;
        projections.number(|seq| parts[(seq >> PLACE_BITS) as usize].first_seq + (seq & ((1 << PLACE_BITS) - 1)));
        let sealed = sealer.finish();
        let packer = match &mut self.packer {
            Some(packer) => packer,
            None => self.packer.insert(Packer::new(self.settings.zstd_level)?),
        };
        let segments: Vec<_> =
            sealed.segments.iter().map(|segment| Stored::pack(segment, packer)).collect::<Result<_, _>>()?;
        told.oversized = sealed.entries.into_iter().filter(|entry| entry.held == Held::Oversized).collect();
        told.raw_bytes = sealed.segments.iter().map(|segment| segment.raw.len() as u64).sum();
        told.segment_bytes = segments.iter().map(|segment| segment.body.len() as u64).sum();
        told.size = sealed.tree.size();
        let after = (sealed.tree.size(), sealed.tree.root());
        self.tree = Some(sealed.tree);
        let addition = Addition { before, after, segments, runs: sealed.runs, tiles: sealed.tiles };
        Ok(Work { addition, projections, told })
    }
}

/// The part of a record; `newest` is where the one before it stands.
fn part<'p>(
    parts: &'p mut Vec<Part>,
    newest: &mut usize,
    sources: &Sources,
    record: &Input<'_>,
) -> Result<&'p mut Part, Error> {
    let is = |part: &Part| part.partition == record.partition && part.topic == record.topic;
    if !parts.get(*newest).is_some_and(is) {
        *newest = parts.iter().position(is).unwrap_or(parts.len());
    }
    if *newest == parts.len() {
        let source = sources.of(record.topic).ok_or_else(|| Error::UnknownTopic(record.topic.to_owned()))?;
        let (topic, partition) = (record.topic.to_owned(), record.partition);
        parts.push(Part { topic, partition, source, raw: Vec::new(), entries: Vec::new(), first_seq: 0 });
    }
    Ok(&mut parts[*newest])
}

impl Prepare for Preparing {
    type Work = Work;

    fn take(&mut self, record: &Input<'_>) -> Result<(), PgError> {
        Ok(self.add(record)?)
    }

    fn finish(&mut self) -> Result<Work, PgError> {
        Ok(self.seal()?)
    }
}
