//! A seeded model of the broker's part in a transaction and a take-over. Two producers take turns; a commit is decided first, and
//! its markers reach the changelog and the offsets one by one, in any order; transactions are refused; leaders change; owners are
//! killed at every step, or freeze and wake beside their successors. The engine, its overlays and the restore are the real ones;
//! the steps of an owner are those of the session. One order of all records tells what each must have become.
//!
//! Each flaw is one that the loop or the broker could have. The model must notice every one of them.

use super::engine::{Engine, Prepared, changelog};
use super::handler::{HandleError, Handler, Outbox, RecordOutcome};
use super::offset::{NextOffset, Offset};
use super::position::STATE_POSITION;
use super::record::{Input, OwnedInput};
use super::restore::{Apply, Changelog, restore};
use super::state::{Overlay, View};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::Range;

/// Few keys, so that records meet.
const KEYS: u32 = 12;
const RECORDS: usize = 60;
const SEEDS: u64 = 3_000;
const PRODUCERS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// An owner reads the changelog to where it is visible, without waiting for markers.
    Hasty,
    /// A new leader tells the end of the changelog before it knows it, which KIP-207 forbids.
    LeaderGuesses,
    /// A take-over takes what it has read to the end that was shown to it, which a new leader may show too early, for everything.
    ReadsToAnEnd,
    /// Neither a producer's epoch nor a member's generation is checked.
    NobodyIsFenced,
    /// A batch is folded in when it is handed over.
    FoldsEarly,
    /// After an abort the owner goes on from where it stands.
    NoRewind,
    /// After an abort the batch that was handled on top is written all the same.
    KeepsTheNext,
    /// After an abort the owner goes back to offsets whose markers are still on their way.
    UnstableRewind,
    /// What is forgotten leaves no tombstone.
    NoTombstones,
}

impl Flaw {
    /// Whether it lies in the mark up to which is read. What an offset promises would hide it, and so would a read that stops short;
    /// a version before has promised nothing.
    fn is_of_the_mark(self) -> bool {
        matches!(self, Self::Hasty | Self::LeaderGuesses)
    }
}

/// Admits a key once, until it is forgotten.
struct Ledger;

/// What a record says: to admit a key, or to forget it.
#[derive(Clone, Copy)]
struct Said {
    forget: bool,
    key: u32,
}

impl Said {
    fn bytes(self) -> Vec<u8> {
        [&[u8::from(self.forget)], self.key.to_be_bytes().as_slice()].concat()
    }

    fn of(bytes: &[u8]) -> Self {
        let (forget, key) = bytes.split_first().expect("five bytes");
        Self { forget: *forget == 1, key: u32::from_be_bytes(key.try_into().expect("four bytes")) }
    }

    fn word(self, known: bool) -> &'static str {
        match (self.forget, known) {
            (false, false) => "accepted",
            (false, true) => "duplicate",
            (true, true) => "forgotten",
            (true, false) => "unknown",
        }
    }
}

impl Handler for Ledger {
    type Key = u32;
    type Value = u32;
    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, u32, u32>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        for record in block {
            let said = Said::of(record.payload.expect("a payload"));
            let word = said.word(state.get(0, &said.key).is_some());
            match word {
                "accepted" => state.put(0, said.key, record.offset.get() as u32),
                "forgotten" => state.remove(0, said.key),
                _ => {}
            }
            out.outcome(RecordOutcome::Done(word));
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Open,
    Committed,
    Aborted,
}

/// What is left to do once a batch is flushed.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Stage {
    SendOffsets,
    Commit,
}

struct Transaction {
    producer: usize,
    fate: Fate,
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    outcomes: Vec<(usize, &'static str)>,
    until: NextOffset,
    next_offset: Option<NextOffset>,
    changelog_marker: bool,
    offsets_marker: bool,
}

/// By what the broker knows an owner.
#[derive(Clone, Copy, PartialEq)]
struct Session {
    epochs: [u32; PRODUCERS],
    generation: u32,
}

/// An owner that froze in the middle of a transaction.
struct Zombie {
    session: Session,
    transaction: usize,
    stage: Stage,
}

enum TransactionOutcome {
    Committed,
    Refused,
    /// The owner is killed, frozen or fenced.
    Gone,
}

struct Broker {
    rng: ChaCha8Rng,
    flaw: Flaw,
    current: Session,
    transactions: Vec<Transaction>,
    zombies: Vec<Zombie>,
    /// Records of the changelog that its new leader does not yet know to be safe.
    lag: usize,
    /// How often somebody waited for it to know.
    waits: u32,
}

impl Broker {
    fn new(seed: u64, flaw: Flaw) -> Self {
        let current = Session { epochs: [0; PRODUCERS], generation: 0 };
        let rng = ChaCha8Rng::seed_from_u64(!seed);
        Self { rng, flaw, current, transactions: Vec::new(), zombies: Vec::new(), lag: 0, waits: 0 }
    }

    /// A new owner: each of its producers ends what its predecessor left open, and it is the group's only member.
    fn join(&mut self) -> Session {
        if self.rng.random_bool(0.2) {
            self.leader_changes();
        }
        self.current.epochs = self.current.epochs.map(|epoch| epoch + 1);
        self.current.generation += 1;
        let held: Vec<usize> = self.zombies.iter().map(|zombie| zombie.transaction).collect();
        for (index, transaction) in self.transactions.iter_mut().enumerate() {
            let is_spared = self.flaw == Flaw::NobodyIsFenced && held.contains(&index);
            if transaction.fate == Fate::Open && !is_spared {
                transaction.fate = Fate::Aborted;
            }
        }
        self.current
    }

    fn leader_changes(&mut self) {
        self.lag = self.rng.random_range(1..4).min(self.transactions.len());
    }

    /// Something happens that nobody of the owners does. No transaction of a living owner is open then.
    fn step(&mut self) {
        match self.rng.random_range(0..5) {
            0 if !self.zombies.is_empty() => {
                let chosen = self.rng.random_range(0..self.zombies.len());
                let Zombie { session, transaction, stage } = self.zombies.swap_remove(chosen);
                let stages = [Stage::SendOffsets, Stage::Commit].into_iter().filter(|left| *left >= stage);
                for stage in stages {
                    if !self.go_on(transaction, stage, session) {
                        break;
                    }
                }
            }
            1 => self.lag = self.lag.saturating_sub(1),
            // Nobody comes back to it: the coordinator's time is over.
            2 => {
                if let Some(open) = self.transactions.iter_mut().find(|t| t.fate == Fate::Open) {
                    open.fate = Fate::Aborted;
                }
            }
            _ => self.mark(),
        }
    }

    /// One marker of a decided transaction arrives somewhere.
    fn mark(&mut self) {
        let pending = |t: &Transaction| t.fate != Fate::Open && !(t.changelog_marker && t.offsets_marker);
        let pending: Vec<usize> = (0..self.transactions.len()).filter(|i| pending(&self.transactions[*i])).collect();
        if pending.is_empty() {
            return;
        }
        let chosen = pending[self.rng.random_range(0..pending.len())];
        let changelog_first = self.rng.random_bool(0.5);
        let transaction = &mut self.transactions[chosen];
        if transaction.offsets_marker || (changelog_first && !transaction.changelog_marker) {
            transaction.changelog_marker = true;
        } else {
            transaction.offsets_marker = true;
        }
    }

    /// A batch is written and flushed under the producer whose turn it is, once that one's last markers are written.
    fn produce(&mut self, producer: usize, from: usize, prepared: &Prepared<u32, u32>) -> usize {
        let is_busy = |t: &Transaction| t.producer == producer && !(t.changelog_marker && t.offsets_marker);
        while self.transactions.iter().any(is_busy) {
            self.step();
        }
        let until = NextOffset::new((from + prepared.outcomes.len()) as i64);
        let position = (STATE_POSITION.to_vec(), Some(until.to_changelog().to_vec()));
        let changes = changelog(&prepared.overlay).into_iter().map(|(_, key, value)| (key, value)).chain([position]);
        let no_tombstones = self.flaw == Flaw::NoTombstones;
        let word = |outcome: &RecordOutcome| if let RecordOutcome::Done(word) = outcome { *word } else { "dead" };
        self.transactions.push(Transaction {
            producer,
            fate: Fate::Open,
            changes: changes.filter(|(_, value)| value.is_some() || !no_tombstones).collect(),
            outcomes: (from..).zip(prepared.outcomes.iter().map(word)).collect(),
            until,
            next_offset: None,
            changelog_marker: false,
            offsets_marker: false,
        });
        self.transactions.len() - 1
    }

    /// The rest of a transaction, with whatever happens on the way.
    fn finish(&mut self, transaction: usize, session: Session) -> TransactionOutcome {
        for stage in [Stage::SendOffsets, Stage::Commit] {
            match self.rng.random_range(0..20) {
                0 => return TransactionOutcome::Gone,
                1 => {
                    self.zombies.push(Zombie { session, transaction, stage });
                    return TransactionOutcome::Gone;
                }
                2 | 3 => {
                    self.transactions[transaction].fate = Fate::Aborted;
                    return TransactionOutcome::Refused;
                }
                4 => self.leader_changes(),
                _ => {}
            }
            if !self.go_on(transaction, stage, session) {
                return TransactionOutcome::Gone;
            }
        }
        // Decided; the owner may die before it hears so, and before any marker is written.
        if self.rng.random_bool(0.05) { TransactionOutcome::Gone } else { TransactionOutcome::Committed }
    }

    /// One call of an owner; false where the broker knows better.
    fn go_on(&mut self, transaction: usize, stage: Stage, session: Session) -> bool {
        let at = &mut self.transactions[transaction];
        let known = match stage {
            Stage::SendOffsets => session.generation == self.current.generation,
            Stage::Commit => at.next_offset.is_some(),
        };
        let is_current = known && session.epochs[at.producer] == self.current.epochs[at.producer];
        if at.fate != Fate::Open || !(is_current || self.flaw == Flaw::NobodyIsFenced) {
            return false;
        }
        match stage {
            Stage::SendOffsets => at.next_offset = Some(at.until),
            Stage::Commit => at.fate = Fate::Committed,
        }
        true
    }

    /// How far the changelog can be read.
    fn visible(&self) -> usize {
        let open = |t: &Transaction| !t.changes.is_empty() && !t.changelog_marker;
        self.transactions.iter().position(open).unwrap_or(self.transactions.len())
    }

    /// The end of the changelog as its leader tells it: a new one says that it does not know yet, and is asked again.
    fn end(&mut self) -> usize {
        while self.lag > 0 && self.flaw != Flaw::LeaderGuesses {
            self.step();
        }
        self.transactions.len() - self.lag
    }

    fn committed(&self, is_marked: impl Fn(&Transaction) -> bool) -> Option<NextOffset> {
        let committed = self.transactions.iter().filter(|t| t.fate == Fate::Committed && is_marked(t));
        committed.filter_map(|t| t.next_offset).max()
    }
}

impl Changelog for Broker {
    type Error = ();

    fn stable_committed(&mut self, _: i32) -> Result<Option<NextOffset>, ()> {
        while self.transactions.iter().any(|t| t.next_offset.is_some() && !t.offsets_marker) {
            self.step();
        }
        Ok(self.committed(|_| true))
    }

    fn high_watermark(&mut self, _: i32) -> Result<NextOffset, ()> {
        let end = self.end();
        Ok(NextOffset::new(if self.flaw == Flaw::Hasty { self.visible().min(end) } else { end } as i64))
    }

    fn last_stable(&mut self, _: i32) -> Result<NextOffset, ()> {
        let end = self.end();
        Ok(NextOffset::new(self.visible().min(end) as i64))
    }

    fn pause(&mut self) -> Result<(), ()> {
        self.step();
        Ok(())
    }

    fn promised(&mut self, _: i32) -> Option<NextOffset> {
        self.committed(|_| true).filter(|_| self.flaw != Flaw::ReadsToAnEnd && !self.flaw.is_of_the_mark())
    }

    fn wait_for_leader(&mut self) -> bool {
        self.step();
        self.waits += 1;
        self.waits < 10_000
    }

    fn read_committed(&mut self, _: i32, apply: &mut Apply<'_>) -> Result<(), ()> {
        if self.rng.random_bool(0.1) {
            self.leader_changes();
        }
        // Who reads is not told that the leader does not know everything yet.
        let end = if self.flaw.is_of_the_mark() { self.end() } else { self.transactions.len() - self.lag };
        let visible = self.visible().min(end);
        for transaction in self.transactions[..visible].iter().filter(|t| t.fate == Fate::Committed) {
            transaction.changes.iter().for_each(|(key, value)| apply(key, value.as_deref()));
        }
        Ok(())
    }
}

/// One owner from its take-over to the end of the input, or to its own: true when all is committed.
fn own(broker: &mut Broker, records: &[OwnedInput], rng: &mut ChaCha8Rng) -> bool {
    let flaw = broker.flaw;
    let session = broker.join();
    let restored = restore::<u32, u32, _>(broker, 0).expect("the model does not fail");
    let mut engine = Engine::new(Ledger, None);
    engine.assign(0, restored.table);
    let mut at = index(restored.next_offset);
    let mut turns = (0..PRODUCERS).cycle();
    let mut in_flight: Option<(usize, Overlay<u32, u32>)> = None;
    loop {
        let handled: Range<usize> = at..(at + rng.random_range(1..6)).min(records.len());
        let inputs: Vec<_> = records[handled.clone()].iter().map(OwnedInput::as_input).collect();
        // Handled on top of the batch whose commit is under way.
        let prepared = engine.prepare(&inputs, in_flight.as_ref().map(|(_, overlay)| overlay));
        at = handled.end;
        if let Some((transaction, overlay)) = in_flight.take() {
            match broker.finish(transaction, session) {
                TransactionOutcome::Gone => return false,
                TransactionOutcome::Committed if flaw == Flaw::FoldsEarly => {}
                TransactionOutcome::Committed => engine.committed(overlay),
                TransactionOutcome::Refused if flaw == Flaw::KeepsTheNext => {}
                TransactionOutcome::Refused => {
                    at = match flaw {
                        Flaw::NoRewind => at,
                        Flaw::UnstableRewind => index(broker.committed(|t| t.offsets_marker)),
                        _ => index(broker.stable_committed(0).expect("the model does not fail")),
                    };
                    continue;
                }
            }
        }
        if handled.is_empty() {
            return true;
        }
        if rng.random_bool(0.03) {
            return false; // killed before anything was produced
        }
        if flaw == Flaw::FoldsEarly {
            engine.committed(prepared.overlay.clone());
        }
        let producer = turns.next().expect("turns have no end");
        in_flight = Some((broker.produce(producer, handled.start, &prepared), prepared.overlay));
    }
}

/// The record with which an owner goes on.
fn index(next: Option<NextOffset>) -> usize {
    next.unwrap_or(NextOffset::START).get() as usize
}

/// Runs owners over the input until one reaches its end; gives what does not fit.
fn faults(seed: u64, flaw: Flaw) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let said = |rng: &mut ChaCha8Rng| Said { forget: rng.random_bool(0.3), key: rng.random_range(0..KEYS) };
    let said: Vec<Said> = (0..RECORDS).map(|_| said(&mut rng)).collect();
    let record = |(offset, said): (usize, &Said)| OwnedInput {
        topic: "in".into(),
        offset: Offset::new(offset as i64),
        payload: Some(said.bytes()),
        ..OwnedInput::default()
    };
    let records: Vec<OwnedInput> = said.iter().enumerate().map(record).collect();
    let mut broker = Broker::new(seed, flaw);
    while !own(&mut broker, &records, &mut rng) {}

    let mut words: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
    for transaction in broker.transactions.iter().filter(|t| t.fate == Fate::Committed) {
        transaction.outcomes.iter().for_each(|(offset, word)| words.entry(*offset).or_default().push(word));
    }
    let mut table = BTreeMap::new();
    let mut faults = Vec::new();
    for (offset, said) in said.iter().enumerate() {
        let due = said.word(table.contains_key(&said.key));
        match due {
            "accepted" => drop(table.insert(said.key, offset as u32)),
            "forgotten" => drop(table.remove(&said.key)),
            _ => {}
        }
        let found = words.remove(&offset).unwrap_or_default();
        if found != [due] {
            faults.push(format!("record {offset}: {found:?} where {due} is due"));
        }
    }
    broker.join();
    let restored = restore::<u32, u32, _>(&mut broker, 0).expect("the model does not fail");
    if restored.table.into_iter().collect::<BTreeMap<_, _>>() != table {
        faults.push("the changelog holds another table".to_owned());
    }
    faults
}

#[test]
fn every_record_is_handled_once_as_if_in_one_order() {
    for seed in 0..SEEDS {
        let faults = faults(seed, Flaw::None);
        assert!(faults.is_empty(), "seed {seed}: {faults:?}");
    }
}

#[test]
fn the_model_notices_every_flaw() {
    let flaws = [
        Flaw::Hasty,
        Flaw::LeaderGuesses,
        Flaw::ReadsToAnEnd,
        Flaw::NobodyIsFenced,
        Flaw::FoldsEarly,
        Flaw::NoRewind,
        Flaw::KeepsTheNext,
        Flaw::UnstableRewind,
        Flaw::NoTombstones,
    ];
    for flaw in flaws {
        assert!((0..SEEDS).any(|seed| !faults(seed, flaw).is_empty()), "{flaw:?}");
    }
}
