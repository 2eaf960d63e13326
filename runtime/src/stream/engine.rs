//! The loop's mind: turns a batch into what its transaction must hold. Pure but for the handler it owns; speaks to no broker,
//! so that the crash model in the tests drives exactly this code.

use super::handler::{HandleError, Handler, Outbox, RecordOutcome};
use super::offset::{NextOffset, Offset};
use super::record::{Input, Output};
use super::state::{Overlay, Stored, Tables, View, fold};
use crate::clock;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Reason of a record that breaks its handler even when alone.
pub const HANDLER_FAILED: &str = "handler_failed";
/// At most this many entries are forgotten in one batch, so that a sweep never makes a transaction long.
const SWEEP_MAX: usize = 5_000;
/// Stream time between two sweeps of a partition.
const SWEEP_EVERY_MS: i64 = 3_600_000;

/// How far a record's time may run ahead of this machine's and still make entries expire. A broker whose clock jumps must not
/// empty the state.
const CLOCKS_DIFFER_MS: i64 = 3_600_000;
/// Most records remembered as unproducible.
const UNPRODUCIBLE_MAX: usize = 1_000;

/// Topic, partition and offset of a record.
pub(crate) type Place = (String, i32, Offset);

/// A record set aside: whole, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    /// Index in the batch.
    pub index: usize,
    pub reason: &'static str,
    pub detail: String,
    /// Without its body: with it, no broker takes it.
    pub cut: bool,
}

/// What the transaction of one batch must hold.
pub(crate) struct Prepared<K, V> {
    pub outputs: Vec<(i32, Output)>,
    pub dead_letters: Vec<DeadLetter>,
    /// One for each record that was handled, in order; shorter than the batch when `stopped`.
    pub outcomes: Vec<RecordOutcome>,
    pub overlay: Overlay<K, V>,
    /// Where reading goes on in each (topic, partition) that was touched.
    pub offsets: BTreeMap<(String, i32), NextOffset>,
    /// Why the rest of the batch must wait.
    pub stopped: Option<HandleError>,
}

pub(crate) struct Engine<H: Handler> {
    handler: H,
    control: Option<(&'static str, &'static str)>,
    tables: Tables<H::Key, H::Value>,
    swept_at: HashMap<i32, i64>,
    clock: fn() -> i64,
    /// Records whose outputs no broker takes.
    unproducible: BTreeSet<Place>,
    /// Control records that somebody has passed by.
    passed_by: BTreeSet<Place>,
    /// Most records of the next session's first batch, where the last one lost a transaction of more: its abort may have failed
    /// for a record that no broker takes, and the search for it must not begin again each time.
    pub limit: Option<usize>,
}

/// How a block is handled.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Plain,
    Control,
    PassedBy,
    Unproducible,
}

impl<H: Handler> Engine<H> {
    /// `control` names the header and the prefix of its value that make a record a control record.
    pub fn new(handler: H, control: Option<(&'static str, &'static str)>) -> Self {
        Self {
            handler,
            control,
            tables: Tables::new(),
            swept_at: HashMap::new(),
            clock: clock::now_ms,
            unproducible: BTreeSet::new(),
            passed_by: BTreeSet::new(),
            limit: None,
        }
    }

    /// Takes over a partition with its restored table.
    pub fn assign(&mut self, partition: i32, table: HashMap<H::Key, H::Value>) {
        self.tables.insert(partition, table);
    }

    /// Lets every partition go.
    pub(crate) fn revoke_all(&mut self) {
        self.tables.clear();
        self.swept_at.clear();
        self.unproducible.clear();
    }

    /// Entries held, over all partitions.
    pub fn entries(&self) -> usize {
        self.tables.values().map(HashMap::len).sum()
    }

    /// From now on these control records are passed by.
    pub fn pass_by(&mut self, places: impl IntoIterator<Item = Place>) {
        self.passed_by = places.into_iter().collect();
    }

    /// Whether a control record is passed by.
    pub(crate) fn is_passed_by(&self, place: &Place) -> bool {
        self.passed_by.contains(place)
    }

    /// Tells the handler how many partitions each topic of the deployment has.
    pub fn spread_over(&mut self, partitions: i32) {
        self.handler.spread_over(partitions);
    }

    /// Whether what is in force may demand what this instance lacks.
    pub fn is_demanding(&self) -> bool {
        self.handler.is_demanding()
    }

    /// What this instance lacks of an entry, for people.
    pub fn lacks(&mut self, key: &H::Key, value: &H::Value) -> Option<String> {
        self.handler.lacks(key, value)
    }

    /// From now on a record is handled as one whose outputs no broker takes. False when it was before.
    pub(crate) fn set_unproducible(&mut self, place: Place) -> bool {
        if self.unproducible.len() >= UNPRODUCIBLE_MAX {
            self.unproducible.clear(); // most lie behind the committed offsets; the others are found again
        }
        self.unproducible.insert(place)
    }

    /// Handles a batch against the tables plus the overlay of the batch whose commit is under way.
    pub fn prepare(
        &mut self,
        batch: &[Input<'_>],
        in_flight: Option<&Overlay<H::Key, H::Value>>,
    ) -> Prepared<H::Key, H::Value> {
        let mut prepared = Prepared {
            outputs: Vec::with_capacity(batch.len() * 2),
            dead_letters: Vec::new(),
            outcomes: Vec::with_capacity(batch.len()),
            overlay: Overlay::new(),
            offsets: BTreeMap::new(),
            stopped: None,
        };
        let mut from = 0;
        while from < batch.len() && prepared.stopped.is_none() {
            let way = self.way(&batch[from]);
            let until = match way {
                Way::Plain => batch[from..].iter().position(|r| self.way(r) != way).map_or(batch.len(), |n| from + n),
                Way::Control | Way::PassedBy | Way::Unproducible => from + 1,
            };
            if let Err(error) = self.block(&batch[from..until], from, way, in_flight, &mut prepared) {
                prepared.stopped = Some(error);
            }
            from = until;
        }
        for record in &batch[..prepared.outcomes.len()] {
            advance(&mut prepared.offsets, record);
        }
        let mut newest: HashMap<i32, i64> = HashMap::new();
        for record in &batch[..prepared.outcomes.len()] {
            let at = newest.entry(record.partition).or_insert(i64::MIN);
            *at = record.timestamp_ms.max(*at);
        }
        self.sweep(newest, in_flight, &mut prepared.overlay);
        prepared
    }

    /// What has expired by this machine's clock, in every partition: for a worker that reads nothing, so that no record's time
    /// moves it on.
    pub(crate) fn expire(&mut self) -> Prepared<H::Key, H::Value> {
        let now_ms = (self.clock)();
        let partitions = self.tables.keys().map(|partition| (*partition, now_ms)).collect();
        self.swept_at.clear();
        let mut overlay = Overlay::new();
        self.sweep(partitions, None, &mut overlay);
        Prepared {
            outputs: Vec::new(),
            dead_letters: Vec::new(),
            outcomes: Vec::new(),
            overlay,
            offsets: BTreeMap::new(),
            stopped: None,
        }
    }

    /// Folds in what a transaction has committed.
    pub fn committed(&mut self, overlay: Overlay<H::Key, H::Value>) {
        fold(&mut self.tables, overlay);
    }

    fn way(&self, record: &Input<'_>) -> Way {
        let is_control = self.control.is_some_and(|(header, prefix)| {
            record.header(header).is_some_and(|value| value.starts_with(prefix.as_bytes()))
        });
        match is_control {
            _ if self.is_unproducible(record) => Way::Unproducible,
            true if self.passed_by.contains(&place_of(record)) => Way::PassedBy,
            true => Way::Control,
            false => Way::Plain,
        }
    }

    fn is_unproducible(&self, record: &Input<'_>) -> bool {
        // Almost always empty, so that no name is copied.
        !self.unproducible.is_empty() && self.unproducible.contains(&place_of(record))
    }

    /// Handles one block; halves it while the handler breaks, until the record that breaks it stands alone.
    fn block(
        &mut self,
        block: &[Input<'_>],
        index: usize,
        way: Way,
        in_flight: Option<&Overlay<H::Key, H::Value>>,
        prepared: &mut Prepared<H::Key, H::Value>,
    ) -> Result<(), HandleError> {
        let mut out = Outbox::default();
        let mut view = View::new(&self.tables, [in_flight, Some(&prepared.overlay)]);
        let handler = &mut self.handler;
        let call = AssertUnwindSafe(|| match way {
            Way::Plain => handler.handle(block, &mut view, &mut out),
            Way::Control => handler.control(&block[0], &mut view, &mut out),
            Way::PassedBy => handler.passed_by(&block[0], &mut view, &mut out),
            Way::Unproducible => handler.unproducible(&block[0], &mut view, &mut out),
        });
        let result = catch_unwind(call).unwrap_or_else(|panic| Err(HandleError::Poison(panic_text(&*panic))));
        let scratch = view.scratch;
        let result = match result {
            Ok(()) if out.outcomes.len() != block.len() => {
                Err(HandleError::Poison(format!("{} outcomes for {} records", out.outcomes.len(), block.len())))
            }
            other => other,
        };
        match result {
            Ok(()) => {
                let cut = way == Way::Unproducible;
                for (at, outcome) in out.outcomes.iter().enumerate() {
                    if let Some((reason, detail)) = outcome.set_aside() {
                        let detail = detail.to_owned();
                        prepared.dead_letters.push(DeadLetter { index: index + at, reason, detail, cut });
                    }
                }
                prepared.outputs.append(&mut out.outputs);
                prepared.outcomes.append(&mut out.outcomes);
                prepared.overlay.extend(scratch);
                Ok(())
            }
            Err(HandleError::Poison(why)) if block.len() == 1 => {
                tracing::error!(
                    why,
                    partition = block[0].partition,
                    offset = block[0].offset.get(),
                    "record breaks its handler"
                );
                let cut = way == Way::Unproducible;
                prepared.dead_letters.push(DeadLetter { index, reason: HANDLER_FAILED, detail: why.clone(), cut });
                prepared.outcomes.push(RecordOutcome::DeadLetter { reason: HANDLER_FAILED, detail: why });
                Ok(())
            }
            Err(HandleError::Poison(_)) => {
                let (left, right) = block.split_at(block.len() / 2);
                self.block(left, index, way, in_flight, prepared)?;
                self.block(right, index + left.len(), way, in_flight, prepared)
            }
            Err(other) => Err(other),
        }
    }

    /// Forgets what has expired, once an hour of stream time for each partition.
    fn sweep(
        &mut self,
        newest: HashMap<i32, i64>,
        in_flight: Option<&Overlay<H::Key, H::Value>>,
        into: &mut Overlay<H::Key, H::Value>,
    ) {
        let latest = (self.clock)().saturating_add(CLOCKS_DIFFER_MS);
        for (partition, now_ms) in newest {
            if now_ms > latest {
                tracing::error!(
                    partition,
                    "records are dated over an hour ahead of this clock: nothing expires by them"
                );
            }
            let now_ms = now_ms.min(latest);
            let due = self.swept_at.entry(partition).or_insert(i64::MIN);
            if now_ms < due.saturating_add(SWEEP_EVERY_MS) {
                continue;
            }
            let Some(table) = self.tables.get(&partition) else { continue };
            let changing = |key: &H::Key| {
                let place = (partition, key.clone());
                into.contains_key(&place) || in_flight.is_some_and(|o| o.contains_key(&place))
            };
            let expired: Vec<_> = table
                .iter()
                .filter(|(key, value)| self.handler.expired(value, now_ms) && !changing(key))
                .map(|(key, _)| key.clone())
                .take(SWEEP_MAX)
                .collect();
            if expired.len() < SWEEP_MAX {
                *due = now_ms;
            }
            into.extend(expired.into_iter().map(|key| ((partition, key), None)));
        }
    }
}

/// Where a record stands.
pub(crate) fn place_of(record: &Input<'_>) -> Place {
    (record.topic.to_owned(), record.partition, record.offset)
}

fn advance(offsets: &mut BTreeMap<(String, i32), NextOffset>, record: &Input<'_>) {
    let place = (record.topic.to_owned(), record.partition);
    let next = offsets.entry(place).or_insert(NextOffset::START);
    *next = (*next).max(record.offset.next());
}

/// Records of the changelog: (partition, key bytes, value bytes or a tombstone).
pub(crate) fn changelog<K: Stored, V: Stored>(overlay: &Overlay<K, V>) -> Vec<(i32, Vec<u8>, Option<Vec<u8>>)> {
    overlay.iter().map(|((partition, key), value)| (*partition, key.encode(), value.as_ref().map(V::encode))).collect()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::record::OwnedInput;

    /// Counts each key; breaks on `boom`, panics on `panic`, waits on `wait`; forgets what is older than an hour.
    struct Count;

    impl Handler for Count {
        type Key = u32;
        type Value = u32;
        fn handle(
            &mut self,
            block: &[Input<'_>],
            state: &mut View<'_, u32, u32>,
            out: &mut Outbox,
        ) -> Result<(), HandleError> {
            for record in block {
                match record.payload {
                    Some(b"boom") => return Err(HandleError::Poison("boom".into())),
                    Some(b"panic") => panic!("panic"),
                    Some(b"wait") => return Err(HandleError::NotReady("wait".into())),
                    _ => {}
                }
                let seen = state.get(record.partition, &1).unwrap_or(0) + 1;
                state.put(record.partition, 1, seen);
                out.outcome(RecordOutcome::Done("counted"));
            }
            Ok(())
        }
        fn expired(&self, value: &u32, now_ms: i64) -> bool {
            i64::from(*value) < now_ms
        }
    }

    fn batch(payloads: &[&str]) -> Vec<OwnedInput> {
        let record = |(offset, payload): (usize, &&str)| OwnedInput {
            topic: "t".into(),
            offset: Offset::new(offset as i64),
            payload: Some(payload.as_bytes().to_vec()),
            ..OwnedInput::default()
        };
        payloads.iter().enumerate().map(record).collect()
    }

    fn prepare(engine: &mut Engine<Count>, records: &[OwnedInput]) -> Prepared<u32, u32> {
        let inputs: Vec<_> = records.iter().map(OwnedInput::as_input).collect();
        engine.prepare(&inputs, None)
    }

    #[test]
    fn only_the_record_that_breaks_is_set_aside() {
        for bad in ["boom", "panic"] {
            let mut engine = Engine::new(Count, None);
            engine.assign(0, HashMap::new());
            let prepared = prepare(&mut engine, &batch(&["a", "b", "c", bad, "d"]));
            assert_eq!(prepared.dead_letters.len(), 1, "{bad}");
            assert_eq!(prepared.dead_letters[0].index, 3);
            assert_eq!(prepared.outcomes.len(), 5);
            assert_eq!(prepared.overlay[&(0, 1)], Some(4), "every other record is counted once");
            assert_eq!(prepared.offsets[&("t".to_owned(), 0)], NextOffset::new(5));
        }
    }

    #[test]
    fn a_batch_is_seen_by_the_next_before_it_is_committed() {
        let mut engine = Engine::new(Count, None);
        engine.assign(0, HashMap::new());
        let records = batch(&["a", "b"]);
        let first = prepare(&mut engine, &records);
        let inputs: Vec<_> = records.iter().map(OwnedInput::as_input).collect();
        let second = engine.prepare(&inputs, Some(&first.overlay));
        assert_eq!(second.overlay[&(0, 1)], Some(4));
        assert_eq!(engine.entries(), 0, "nothing is folded before a commit");
        engine.committed(first.overlay);
        assert_eq!(engine.entries(), 1);
    }

    #[test]
    fn a_record_that_must_wait_stops_the_batch_before_it() {
        let mut engine = Engine::new(Count, None);
        engine.assign(0, HashMap::new());
        let prepared = prepare(&mut engine, &batch(&["wait"]));
        assert!(matches!(prepared.stopped, Some(HandleError::NotReady(_))));
        assert!(prepared.outcomes.is_empty() && prepared.offsets.is_empty());
    }

    #[test]
    fn a_clock_that_jumped_empties_no_state() {
        let mut engine = Engine::new(Count, None);
        engine.clock = || 10;
        let ahead = CLOCKS_DIFFER_MS as u32 + 100;
        engine.assign(0, [(7, 5), (8, ahead)].into_iter().collect());
        let mut records = batch(&["a"]);
        records[0].timestamp_ms = i64::MAX;
        let prepared = prepare(&mut engine, &records);
        assert_eq!(prepared.overlay.get(&(0, 7)), Some(&None), "an hour's difference is none");
        assert_eq!(prepared.overlay.get(&(0, 8)), None);
    }

    #[test]
    fn a_worker_that_reads_nothing_forgets_by_its_own_clock() {
        let mut engine = Engine::new(Count, None);
        engine.clock = || 10;
        engine.assign(0, [(7, 5), (8, 50)].into_iter().collect());
        let prepared = engine.expire();
        assert_eq!(prepared.overlay.into_iter().collect::<Vec<_>>(), [((0, 7), None)]);
    }

    #[test]
    fn what_nobody_takes_is_handled_alone_and_set_aside_without_its_body() {
        let mut engine = Engine::new(Count, None);
        engine.assign(0, HashMap::new());
        let records = batch(&["a", "b", "c"]);
        let place = (records[1].topic.clone(), 0, Offset::new(1));
        assert!(engine.set_unproducible(place.clone()));
        assert!(!engine.set_unproducible(place), "known already");
        let prepared = prepare(&mut engine, &records);
        let cut: Vec<_> = prepared.dead_letters.iter().map(|d| (d.index, d.reason, d.cut)).collect();
        assert_eq!(cut, [(1, super::super::handler::UNPRODUCIBLE, true)]);
        assert_eq!(prepared.overlay[&(0, 1)], Some(2), "the others are counted");
        assert_eq!((prepared.outcomes.len(), prepared.offsets[&("t".to_owned(), 0)]), (3, NextOffset::new(3)));
    }

    #[test]
    fn what_expires_is_forgotten_by_stream_time() {
        let mut engine = Engine::new(Count, None);
        engine.assign(0, [(7, 5), (8, 50)].into_iter().collect());
        let mut records = batch(&["a"]);
        records[0].timestamp_ms = 20;
        let prepared = prepare(&mut engine, &records);
        assert_eq!(prepared.overlay.get(&(0, 7)), Some(&None));
        assert_eq!(prepared.overlay.get(&(0, 8)), None);
    }
}
