//! PURE. What the next transaction takes: the order of the steps, and where partitions that move end them. Where records, time and
//! transactions come from is a [`Source`]; a test is one that says when partitions move.

use std::time::{Duration, Instant};

/// The longest that a worker without records waits for one before it looks at all else.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Where records come from, and the transaction behind which they are collected.
pub(super) trait Source {
    type Record;
    type Error;

    fn now(&self) -> Instant;
    /// Asks once, and waits for so long.
    fn poll(&mut self, wait: Duration) -> Polled<Self::Record>;
    /// Whether partitions have moved: all that was taken before is of the old assignment, all that comes is of the new one.
    fn has_changed(&self) -> bool;
    /// Whether what comes next may lie behind something that could not be unpacked.
    fn is_unreadable(&self) -> bool;
    /// When the pace allows another transaction.
    fn next_turn(&self) -> Instant;
    /// Whether a transaction is under way.
    fn is_in_flight(&self) -> bool;
    /// Waits for its end. False when it was aborted and all that comes is read again from its beginning.
    fn settle(&mut self) -> Result<bool, Self::Error>;
}

/// What came of asking once.
pub(super) enum Polled<R> {
    /// A record, and its bytes.
    Record(R, usize),
    /// Something else that the client had to say.
    Word,
    /// Nothing within the time.
    Nothing,
}

/// Records that are collected for a transaction.
pub(super) struct Batch<R> {
    records: Vec<R>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl<R> Batch<R> {
    pub(super) fn of(most: usize, most_bytes: usize) -> Self {
        Self { records: Vec::with_capacity(most.min(256)), bytes: 0, most, most_bytes }
    }

    fn is_full(&self) -> bool {
        self.records.len() >= self.most || self.bytes >= self.most_bytes
    }

    fn push(&mut self, record: R, bytes: usize) {
        self.bytes += bytes;
        self.records.push(record);
    }
}

/// While a transaction is under way, all that comes until it has ended, since nothing can be written before; a full batch is handled
/// beside it. Otherwise what comes until the pace allows another. Ends with nothing where partitions move: what was collected is of
/// the old assignment, which the new one reads again from its committed offsets; a record polled after it would be of the new one and
/// must not be dropped with the rest.
pub(super) fn collect<S: Source>(source: &mut S, mut batch: Batch<S::Record>) -> Result<Vec<S::Record>, S::Error> {
    let now = source.now();
    take(source, &mut batch, now);
    if source.has_changed() {
        return Ok(Vec::new()); // how the transaction ended is for who follows the change: to go back would be wrong now
    }
    if source.is_in_flight() && !batch.is_full() && !source.settle()? {
        return Ok(Vec::new()); // it was aborted, and the consumer stands at its beginning
    }
    if !source.is_in_flight() && batch.records.is_empty() {
        take_first(source, &mut batch);
    }
    if !source.is_in_flight() && !batch.records.is_empty() {
        let until = source.next_turn();
        take(source, &mut batch, until);
    }
    Ok(if source.has_changed() { Vec::new() } else { batch.records })
}

/// Waits a while for a record.
fn take_first<S: Source>(source: &mut S, batch: &mut Batch<S::Record>) {
    let until = source.now() + LONGEST_WAIT;
    while batch.records.is_empty() && may_take(source) {
        let wait = until.saturating_duration_since(source.now());
        if !take_one(source, batch, wait) && wait.is_zero() {
            return;
        }
    }
}

/// Takes what is there, and what comes until then, unless the batch is full before.
fn take<S: Source>(source: &mut S, batch: &mut Batch<S::Record>, until: Instant) {
    while !batch.is_full() && may_take(source) {
        let wait = until.saturating_duration_since(source.now());
        if !take_one(source, batch, wait) && wait.is_zero() {
            return;
        }
    }
}

fn may_take(source: &impl Source) -> bool {
    !source.is_unreadable() && !source.has_changed()
}

/// Asks once; whether anything came of it.
fn take_one<S: Source>(source: &mut S, batch: &mut Batch<S::Record>, wait: Duration) -> bool {
    match source.poll(wait) {
        Polled::Record(record, bytes) if !source.has_changed() => batch.push(record, bytes),
        Polled::Record(..) | Polled::Word => {}
        Polled::Nothing => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// What one asking brings.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Step {
        Record(u32),
        Nothing,
        /// Partitions move, and nothing else comes.
        Move,
        /// Partitions move, and a record comes with it.
        MoveWith(u32),
        /// Something that cannot be unpacked.
        Unreadable,
    }
    use Step::{Move, MoveWith, Nothing, Record, Unreadable};

    /// A transaction under way, by what comes of waiting for it.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Ends {
        Committed,
        Aborted,
        /// It is refused, and partitions move in the pause behind it.
        AbortedAndMoved,
    }
    use Ends::{Aborted, AbortedAndMoved, Committed};

    struct Script {
        steps: VecDeque<Step>,
        in_flight: Option<Ends>,
        settled: usize,
        changed: bool,
        unreadable: bool,
        now: Instant,
        next_turn: Instant,
    }

    impl Source for Script {
        type Record = u32;
        type Error = std::convert::Infallible;

        fn now(&self) -> Instant {
            self.now
        }

        fn poll(&mut self, wait: Duration) -> Polled<u32> {
            assert!(!self.changed, "what comes behind a change is of the new assignment, and would be lost");
            let step = self.steps.pop_front().unwrap_or(Nothing);
            self.changed = matches!(step, Move | MoveWith(_));
            self.unreadable = step == Unreadable;
            match step {
                Record(number) | MoveWith(number) => Polled::Record(number, 1),
                Unreadable => Polled::Word,
                Nothing | Move => {
                    self.now += wait;
                    Polled::Nothing
                }
            }
        }

        fn has_changed(&self) -> bool {
            self.changed
        }

        fn is_unreadable(&self) -> bool {
            self.unreadable
        }

        fn next_turn(&self) -> Instant {
            self.next_turn
        }

        fn is_in_flight(&self) -> bool {
            self.in_flight.is_some()
        }

        fn settle(&mut self) -> Result<bool, Self::Error> {
            self.settled += 1;
            let ended = self.in_flight.take();
            self.changed |= ended == Some(AbortedAndMoved);
            Ok(ended.is_none_or(|ended| ended == Committed))
        }
    }

    /// What is handled, and how often the end of a transaction was waited for; batches are of three.
    fn check(name: &str, in_flight: Option<Ends>, steps: &[Step], expected: (&[u32], usize)) {
        let (now, pace) = (Instant::now(), Duration::from_millis(30));
        let steps = steps.iter().copied().collect();
        let (settled, changed, unreadable, next_turn) = (0, false, false, now + pace);
        let mut script = Script { steps, in_flight, settled, changed, unreadable, now, next_turn };
        let Ok(records) = collect(&mut script, Batch::of(3, 1_000));
        assert_eq!((records.as_slice(), script.settled), expected, "{name}");
    }

    #[test]
    fn what_comes_until_a_transaction_has_ended_is_the_next_ones() {
        check("nothing comes", None, &[], (&[], 0));
        let paced = [Record(1), Nothing, Record(2), Nothing, Nothing, Record(3)];
        check("until the pace allows another", None, &paced, (&[1, 2], 0));
        check("the first is waited for", None, &[Nothing, Record(1)], (&[1], 0));
        check("a full batch waits for no pace", None, &[Record(1), Record(2), Record(3), Record(4)], (&[1, 2, 3], 0));
        check("behind one that commits", Some(Committed), &[Record(1), Nothing, Record(2)], (&[1, 2], 1));
        check("nothing lies behind it", Some(Committed), &[Nothing, Record(1)], (&[1], 1));
        check("beside it, where the batch is full", Some(Aborted), &[Record(1), Record(2), Record(3)], (&[1, 2, 3], 0));
        check("behind one that is aborted", Some(Aborted), &[Record(1), Nothing, Record(2)], (&[], 1));
        check("what cannot be unpacked ends it", None, &[Record(1), Unreadable, Record(2)], (&[1], 0));
    }

    /// Nothing of what was collected is handled, nothing is asked for any more, and nobody waits for the transaction here: whoever
    /// follows the change takes its end, without going back.
    #[test]
    fn partitions_that_move_end_a_collection_with_nothing() {
        for (name, in_flight) in [("commits", Committed), ("is aborted", Aborted)] {
            let behind = |what: &str| format!("{what} behind a transaction that {name}");
            check(&behind("at once"), Some(in_flight), &[Move, Record(9)], (&[], 0));
            check(&behind("with records in hand"), Some(in_flight), &[Record(1), Record(2), Move, Record(9)], (&[], 0));
            check(&behind("with a record that comes with it"), Some(in_flight), &[Record(1), MoveWith(2)], (&[], 0));
        }
        check(
            "with what would fill the batch",
            Some(Committed),
            &[Record(1), Record(2), MoveWith(3), Record(9)],
            (&[], 0),
        );
        check("in the pause behind a refusal", Some(AbortedAndMoved), &[Record(1), Nothing, Record(9)], (&[], 1));
        check(
            "behind a commit, until the pace ends",
            Some(Committed),
            &[Record(1), Nothing, Move, Record(9)],
            (&[], 1),
        );
        check("while the first is waited for", None, &[Nothing, Move, Record(9)], (&[], 0));
        check("until the pace ends", None, &[Record(1), Nothing, Record(2), Move, Record(9)], (&[], 0));
    }
}
