//! What a worker writes: a pure step from records and state to outputs, state changes and one outcome for each record.

use super::record::{Input, Output};
use super::state::{Stored, View};

/// Reason of a record that gives rise to something which no broker takes.
pub const UNPRODUCIBLE: &str = "unproducible";

/// Reason of a control record that nobody could serve and that somebody has passed by.
pub const PASSED_BY: &str = "passed_by";

/// What became of one record. Every record gets exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordOutcome {
    /// Handled; the word is counted, so it must come from a small fixed set.
    Done(&'static str),
    /// Set aside in the dead-letter topic, byte for byte: it cannot be read, or not be handled. Too many of one source pause it
    /// where the loop is told to.
    DeadLetter {
        /// A stable word, counted.
        reason: &'static str,
        /// For people: pointers and limits, never values.
        detail: String,
    },
    /// Set aside likewise, but read and understood: what a sender may do wrong as often as it likes, and no reason to pause.
    Refused {
        /// A stable word, counted.
        reason: &'static str,
        /// For people: pointers and limits, never values.
        detail: String,
    },
}

impl RecordOutcome {
    /// Reason and detail of a record that is set aside.
    pub fn set_aside(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Done(_) => None,
            Self::DeadLetter { reason, detail } | Self::Refused { reason, detail } => Some((reason, detail)),
        }
    }
}

/// Why a block could not be handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// The whole batch is given up and read again after a pause.
    #[error("transient: {0}")]
    Transient(String),
    /// A record in the block breaks the handler. The loop halves the block until it knows which, and sets that one aside.
    #[error("poison: {0}")]
    Poison(String),
    /// This instance lacks something that the stream demands; it stops here and is not ready.
    #[error("not ready: {0}")]
    NotReady(String),
}

/// Outputs and outcomes of a block, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    pub(crate) outputs: Vec<(i32, Output)>,
    pub(crate) outcomes: Vec<RecordOutcome>,
}

impl Outbox {
    /// Writes `output` in the transaction of `input`'s batch.
    pub fn emit(&mut self, input: &Input<'_>, output: Output) {
        self.outputs.push((input.partition, output));
    }

    /// Ends the next record of the block. Called once for each, in the block's order.
    pub fn outcome(&mut self, outcome: RecordOutcome) {
        self.outcomes.push(outcome);
    }
}

/// A worker's thought, behind the one loop.
pub trait Handler: Send {
    /// Key of the state; [`super::NoState`] where there is none.
    type Key: Stored + Eq + std::hash::Hash;
    /// Value of the state.
    type Value: Stored;

    /// Handles a block of records that hold no control record: emits outputs, changes state, gives one outcome each, in order.
    ///
    /// Must be a pure function of block, state and the handler's own immutable parts: the loop may run it again on the same
    /// records, alone or in smaller blocks, and throws away what an aborted run said.
    ///
    /// # Errors
    /// [`HandleError`]; nothing the failed call said is kept.
    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, Self::Key, Self::Value>,
        out: &mut Outbox,
    ) -> Result<(), HandleError>;

    /// Handles one control record, alone. A worker that has nothing to switch passes it on or drops it by a outcome.
    ///
    /// # Errors
    /// [`HandleError`]; nothing the failed call said is kept.
    fn control(
        &mut self,
        record: &Input<'_>,
        state: &mut View<'_, Self::Key, Self::Value>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        let (_, _) = (record, state);
        out.outcome(RecordOutcome::Done("control_ignored"));
        Ok(())
    }

    /// Handles one control record, alone, at which this instance stood and that somebody has passed by: nothing is switched.
    ///
    /// # Errors
    /// [`HandleError`]; nothing the failed call said is kept.
    fn passed_by(
        &mut self,
        record: &Input<'_>,
        state: &mut View<'_, Self::Key, Self::Value>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        let (_, _) = (record, state);
        out.outcome(RecordOutcome::Refused { reason: PASSED_BY, detail: String::new() });
        Ok(())
    }

    /// Takes how many partitions each topic of the deployment has: at the start of a session, before anything is read.
    fn spread_over(&mut self, partitions: i32) {
        let _ = partitions;
    }

    /// Whether state may demand something that an instance lacks; its changelog is then read whole before the worker joins its group.
    fn is_demanding(&self) -> bool {
        false
    }

    /// What this instance lacks of a state entry, for people. A worker that lacks something stays out of its group.
    fn lacks(&mut self, key: &Self::Key, value: &Self::Value) -> Option<String> {
        let (_, _) = (key, value);
        None
    }

    /// Handles one record, alone, that has been handled before and whose outputs, state or dead letter no broker takes: too large,
    /// or refused for what it is. Whoever owes an answer gives a smaller one here. The record is set aside without its body, which
    /// stays where it was read.
    ///
    /// # Errors
    /// [`HandleError`]; nothing the failed call said is kept.
    fn unproducible(
        &mut self,
        record: &Input<'_>,
        state: &mut View<'_, Self::Key, Self::Value>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        let (_, _) = (record, state);
        out.outcome(RecordOutcome::DeadLetter { reason: UNPRODUCIBLE, detail: String::new() });
        Ok(())
    }

    /// Whether a state entry may be forgotten at stream time `now_ms` (the newest input timestamp of its partition).
    fn expired(&self, value: &Self::Value, now_ms: i64) -> bool {
        let (_, _) = (value, now_ms);
        false
    }
}
