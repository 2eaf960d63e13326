//! What needs no database of a batch, on the reader's thread: each record is encoded and read once, as it comes; the batch is then
//! sealed and packed, the entries of a partition side by side, so that runs are long and like bytes pack well.

use crate::error::Error;
use crate::handler::Settings;
use crate::project::{Position, Projected, Projections};
use crate::seal::{Held, Placed, Sealer, encode};
use crate::segment::Packer;
use crate::source::{Source, Sources};
use crate::store::Addition;
use runtime::stream::Input;
use runtime::stream::pg::{PgError, Prepare};
use schemas::audit_tree::Tree;
use std::borrow::Cow;
use std::collections::BTreeMap;

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
    told: Told,
}

/// Records of one partition.
struct Part {
    /// With prefix.
    topic: String,
    partition: i32,
    source: Source,
    /// Their entries as a segment holds them.
    raw: Vec<u8>,
    /// Offset, end in `raw`, what is held, of each.
    entries: Vec<(i64, usize, Held)>,
    /// What they say, numbered from 0.
    projections: Projections,
}

impl Preparing {
    /// Behind a tree.
    pub fn begin(log: i32, settings: Settings, tree: Option<Tree>) -> Self {
        Self { log, settings, tree, packer: None, parts: Vec::new(), newest: 0, told: Told::default() }
    }

    fn add(&mut self, record: &Input<'_>) -> Result<(), Error> {
        let part = part(&mut self.parts, &mut self.newest, &self.settings.sources, record)?;
        let held = encode(record, &part.source, &self.settings.key, &mut part.raw)?;
        let at = Position { log: self.log, seq: part.entries.len() as i64 };
        let outcome = part.projections.add(part.source.topic, record, at);
        part.entries.push((record.offset, part.raw.len(), held));
        if outcome == Projected::Unreadable {
            let (topic, partition, offset) = (&*part.source.name, record.partition, record.offset);
            tracing::warn!(topic, partition, offset, "record is in the log but not in the projections");
        }
        self.told.outcomes[outcome as usize] += 1;
        self.told.newest_ms = self.told.newest_ms.max(record.timestamp_ms);
        Ok(())
    }

    fn seal(&mut self) -> Result<Work, Error> {
        let (mut parts, mut told) = (std::mem::take(&mut self.parts), std::mem::take(&mut self.told));
        parts.sort_by(|a, b| (&a.source.name, a.partition).cmp(&(&b.source.name, b.partition)));
        let tree = self.tree.take().ok_or(Error::HeadMoved(self.log))?;
        let (before, mut projections) = ((tree.size(), tree.root()), Projections::default());
        let mut sealer = Sealer::begin(tree, self.settings.segment_bytes);
        for part in parts {
            projections.append(part.projections, sealer.next_seq() as i64);
            let mut start = 0;
            for (offset, end, held) in part.entries {
                sealer.add(&part.source, part.partition, offset, held, &part.raw[start..end]);
                *told.entries.entry((part.source.name.clone(), held)).or_default() += 1;
                start = end;
            }
        }
        let sealed = sealer.finish();
        let packer = match &mut self.packer {
            Some(packer) => packer,
            None => self.packer.insert(Packer::new(self.settings.zstd_level)?),
        };
        let segments = sealed.segments.iter().map(|segment| packer.pack(segment)).collect::<Result<Vec<_>, _>>()?;
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
        let (topic, partition, projections) = (record.topic.to_owned(), record.partition, Projections::default());
        parts.push(Part { topic, partition, source, raw: Vec::new(), entries: Vec::new(), projections });
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
