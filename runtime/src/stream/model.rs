//! A seeded model of the broker's part in a take-over: transactions whose commit is decided but whose markers reach the
//! changelog, the outputs and the offsets one by one, in any order. Owners are killed at every step; the engine and the restore
//! are the real ones.

use super::engine::{Engine, changelog};
use super::handler::{HandleError, Handler, Outbox, Verdict};
use super::record::{Input, OwnedInput};
use super::restore::{Apply, Changelog, restore};
use super::state::View;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Admits a key once.
struct AdmitOnce;

impl Handler for AdmitOnce {
    type Key = u32;
    type Value = u32;
    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, u32, u32>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        for record in block {
            let key = record.payload.and_then(|p| p.try_into().ok()).map_or(0, u32::from_be_bytes);
            let seen = state.get(0, &key).is_some();
            state.put(0, key, 1);
            out.verdict(Verdict::Done(if seen { "duplicate" } else { "accepted" }));
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

struct Transaction {
    fate: Fate,
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    accepted: Vec<u32>,
    next_offset: Option<i64>,
    changelog_marker: bool,
    offsets_marker: bool,
}

struct Broker {
    rng: ChaCha8Rng,
    transactions: Vec<Transaction>,
    /// An owner that does not wait for markers, to show that the model would notice.
    hasty: bool,
}

impl Broker {
    /// One marker of a decided transaction arrives somewhere.
    fn step(&mut self) {
        let pending: Vec<usize> = (0..self.transactions.len())
            .filter(|i| {
                let t = &self.transactions[*i];
                t.fate != Fate::Open && !(t.changelog_marker && t.offsets_marker)
            })
            .collect();
        if pending.is_empty() {
            return;
        }
        let chosen = pending[self.rng.random_range(0..pending.len())];
        let changelog_first = self.rng.random_bool(0.5);
        let transaction = &mut self.transactions[chosen];
        match (transaction.changelog_marker, transaction.offsets_marker) {
            (true, _) => transaction.offsets_marker = true,
            (_, true) => transaction.changelog_marker = true,
            _ if changelog_first => transaction.changelog_marker = true,
            _ => transaction.offsets_marker = true,
        }
    }

    fn visible(&self) -> usize {
        let open = |t: &Transaction| !t.changes.is_empty() && !t.changelog_marker;
        self.transactions.iter().position(open).unwrap_or(self.transactions.len())
    }

    /// What `init_transactions` of the next owner does: an undecided transaction is aborted.
    fn fence(&mut self) {
        for transaction in &mut self.transactions {
            if transaction.fate == Fate::Open {
                transaction.fate = Fate::Aborted;
            }
        }
    }
}

impl Changelog for Broker {
    type Error = ();

    fn stable_committed(&mut self, _: i32) -> Result<Option<i64>, ()> {
        while self.transactions.iter().any(|t| t.next_offset.is_some() && !t.offsets_marker) {
            self.step();
        }
        let committed = self.transactions.iter().filter(|t| t.fate == Fate::Committed).filter_map(|t| t.next_offset);
        Ok(committed.max())
    }

    fn high_watermark(&mut self, _: i32) -> Result<i64, ()> {
        Ok(if self.hasty { self.visible() } else { self.transactions.len() } as i64)
    }

    fn last_stable(&mut self, _: i32) -> Result<i64, ()> {
        Ok(self.visible() as i64)
    }

    fn pause(&mut self) -> Result<(), ()> {
        self.step();
        Ok(())
    }

    fn read_committed(&mut self, _: i32, apply: &mut Apply<'_>) -> Result<(), ()> {
        let visible = self.visible();
        for transaction in self.transactions[..visible].iter().filter(|t| t.fate == Fate::Committed) {
            transaction.changes.iter().for_each(|(key, value)| apply(key, value.as_deref()));
        }
        Ok(())
    }
}

/// Runs owners over the input until one reaches its end; gives every key accepted by a committed transaction.
fn run(seed: u64, hasty: bool) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let keys: Vec<u32> = (0..60).map(|_| rng.random_range(0..20)).collect();
    let records: Vec<OwnedInput> = keys
        .iter()
        .enumerate()
        .map(|(offset, key)| OwnedInput {
            topic: "in".into(),
            offset: offset as i64,
            payload: Some(key.to_be_bytes().to_vec()),
            ..OwnedInput::default()
        })
        .collect();
    let mut broker = Broker { rng: ChaCha8Rng::seed_from_u64(!seed), transactions: Vec::new(), hasty };
    loop {
        broker.fence();
        let restored = restore::<u32, u32, _>(&mut broker, 0).expect("the model does not fail");
        let mut engine = Engine::new(AdmitOnce, None);
        engine.assign(0, restored.table);
        let mut at = restored.next_offset.unwrap_or(0) as usize;
        loop {
            if at == records.len() {
                let committed = broker.transactions.iter().filter(|t| t.fate == Fate::Committed);
                return committed.flat_map(|t| t.accepted.clone()).collect();
            }
            let until = (at + rng.random_range(1..6usize)).min(records.len());
            let inputs: Vec<_> = records[at..until].iter().map(OwnedInput::as_input).collect();
            let prepared = engine.prepare(&inputs, None);
            let crash = if rng.random_bool(0.3) { rng.random_range(0..4) } else { 9 };
            if crash == 0 {
                break; // before anything was produced
            }
            let accepted = keys[at..until].iter().zip(&prepared.verdicts);
            broker.transactions.push(Transaction {
                fate: Fate::Open,
                changes: changelog(&prepared.overlay).into_iter().map(|(_, key, value)| (key, value)).collect(),
                accepted: accepted.filter(|(_, v)| **v == Verdict::Done("accepted")).map(|(key, _)| *key).collect(),
                next_offset: None,
                changelog_marker: false,
                offsets_marker: false,
            });
            let last = broker.transactions.len() - 1;
            if crash == 1 {
                break; // flushed, offsets not sent
            }
            broker.transactions[last].next_offset = Some(until as i64);
            if crash == 2 {
                break; // offsets sent, commit not decided
            }
            broker.transactions[last].fate = Fate::Committed;
            if crash == 3 {
                break; // decided; no marker is visible yet
            }
            while !(broker.transactions[last].changelog_marker && broker.transactions[last].offsets_marker) {
                broker.step();
            }
            engine.committed(prepared.overlay);
            at = until;
        }
    }
}

fn is_doubled(mut accepted: Vec<u32>) -> bool {
    let all = accepted.len();
    accepted.sort_unstable();
    accepted.dedup();
    accepted.len() != all
}

#[test]
fn no_owner_admits_a_second_time() {
    for seed in 0..3_000 {
        let mut accepted = run(seed, false);
        assert!(!is_doubled(accepted.clone()), "seed {seed}: {accepted:?}");
        accepted.sort_unstable();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut keys: Vec<u32> = (0..60).map(|_| rng.random_range(0..20)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(accepted, keys, "seed {seed}: every key is admitted");
    }
}

#[test]
fn the_model_notices_an_owner_that_does_not_wait_for_markers() {
    assert!((0..3_000).any(|seed| is_doubled(run(seed, true))));
}
