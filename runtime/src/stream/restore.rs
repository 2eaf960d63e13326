//! Taking over a partition: the order in which an owner may believe what it reads. Written against a trait, so that the crash
//! model walks the same steps as the broker.
//!
//! The order is the proof. Committed offsets are asked *stable*: an open transaction that holds offsets of this partition has
//! ended when they come. Its changelog records were flushed before its offsets were sent, so the high watermark, asked next
//! and without isolation, lies beyond them; only their commit markers may still be on the way. Reading committed records
//! until the last stable offset has passed that mark waits for the markers. No record that a committed offset implies can
//! then be missing from the table.
//!
//! A leader that was just elected may show an end below that mark for a moment (KIP-207 makes it honest when it is asked for
//! offsets, not when it is read). The changelog says itself how far it holds its input, and an offset that was committed with it
//! says how far that must be; what was read short of it is read again.

use super::offset::NextOffset;
use super::position::STATE_POSITION;
use super::state::Stored;
use hashbrown::HashMap;
use std::hash::Hash;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;

/// What the restore asks of a broker.
pub(crate) trait Changelog {
    type Error;
    /// Where the group goes on in the input partition, once no open transaction holds one; `None` when there is none.
    fn stable_committed(&mut self, partition: i32) -> Result<Option<NextOffset>, Self::Error>;
    /// The end of the changelog, uncommitted records included.
    fn high_watermark(&mut self, partition: i32) -> Result<NextOffset, Self::Error>;
    /// The offset below which every transaction of the changelog has ended.
    fn last_stable(&mut self, partition: i32) -> Result<NextOffset, Self::Error>;
    /// Waits a moment; gives up when the deadline has passed.
    fn pause(&mut self) -> Result<(), Self::Error>;
    /// The offset up to which the changelog must hold its input: the committed one, where its transaction wrote to the changelog.
    fn promised(&mut self, partition: i32) -> Option<NextOffset>;
    /// Waits for a leader that does not show everything yet; false when it has had its time.
    fn wait_for_leader(&mut self) -> bool;
    /// Committed records from the start up to the last stable offset, in order.
    fn read_committed(&mut self, partition: i32, apply: &mut Apply<'_>) -> Result<(), Self::Error>;
}

/// Takes a key and its value, or a tombstone.
pub(crate) type Apply<'a> = dyn FnMut(&[u8], Option<&[u8]>) + 'a;

/// What an owner starts from.
pub(crate) struct Restored<K, V> {
    /// Where to consume from; `None` is the beginning.
    pub next_offset: Option<NextOffset>,
    pub table: HashMap<K, V>,
    /// The offset up to which the changelog holds its input; none where no version has written it.
    pub position: Option<NextOffset>,
    /// Changelog records that were not of this handler's form and were left out.
    pub unreadable: u64,
}

impl<K, V> Default for Restored<K, V> {
    fn default() -> Self {
        Self { next_offset: None, table: HashMap::new(), position: None, unreadable: 0 }
    }
}

/// Restores one partition.
pub(crate) fn restore<K, V, C>(log: &mut C, partition: i32) -> Result<Restored<K, V>, C::Error>
where
    K: Stored + Eq + Hash,
    V: Stored,
    C: Changelog,
{
    let next_offset = log.stable_committed(partition)?;
    let mut restored = Restored { next_offset, ..Restored::default() };
    let mark = log.high_watermark(partition)?;
    while log.last_stable(partition)? < mark {
        log.pause()?;
    }
    let promised = log.promised(partition);
    loop {
        read(log, partition, &mut restored)?;
        let is_short = promised.is_some_and(|promised| restored.position.is_none_or(|position| position < promised));
        if !is_short || !log.wait_for_leader() {
            return Ok(restored);
        }
        restored = Restored { next_offset, ..Restored::default() };
    }
}

/// Entries that the reader hands over at once.
const ENTRIES: usize = 4096;
/// Lots of them that wait.
const LOTS: usize = 4;

/// Reads and decodes here, and fills the table beside it: where it holds millions, each entry waits for memory.
fn read<K, V, C>(log: &mut C, partition: i32, restored: &mut Restored<K, V>) -> Result<(), C::Error>
where
    K: Stored + Eq + Hash,
    V: Stored,
    C: Changelog,
{
    let (lots, inbox) = sync_channel::<Vec<(K, Option<V>)>>(LOTS);
    let Restored { table, position, unreadable, .. } = restored;
    std::thread::scope(|scope| {
        let filling = scope.spawn(|| inbox.into_iter().flatten().for_each(|entry| put(table, entry)));
        let mut lot = Vec::with_capacity(ENTRIES);
        let hand_over = |lot| lots.send(lot).expect("it takes entries as long as somebody may send them");
        let read = log.read_committed(partition, &mut |key, value| {
            if key == STATE_POSITION {
                *position = value.and_then(NextOffset::from_changelog);
                return;
            }
            match (K::decode(key), value.map(V::decode)) {
                (Some(key), Some(Some(value))) => lot.push((key, Some(value))),
                (Some(key), None) => lot.push((key, None)),
                _ => *unreadable += 1,
            }
            if lot.len() == ENTRIES {
                hand_over(std::mem::replace(&mut lot, Vec::with_capacity(ENTRIES)));
            }
        });
        hand_over(lot);
        drop(lots);
        filling.join().map_or_else(|panic| resume_unwind(panic), |()| read)
    })
}

fn put<K: Eq + Hash, V>(table: &mut HashMap<K, V>, (key, value): (K, Option<V>)) {
    match value {
        Some(value) => drop(table.insert(key, value)),
        None => drop(table.remove(&key)),
    }
}
