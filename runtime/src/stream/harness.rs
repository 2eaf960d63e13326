//! Runs a handler over records without a broker: every call commits at once. For the tests of workers.

use super::handler::{HandleError, Handler, Outbox, RecordOutcome};
use super::record::{Output, OwnedInput};
use super::state::{Stored as _, Tables, View, fold};

/// One outcome for each record, and the outputs with the partition of their inputs.
pub type Fed = (Vec<RecordOutcome>, Vec<(i32, Output)>);

/// A handler with its state, committed after every call.
pub struct Harness<H: Handler> {
    handler: H,
    tables: Tables<H::Key, H::Value>,
}

impl<H: Handler> Harness<H> {
    /// Wraps a handler with empty state.
    pub fn new(handler: H) -> Self {
        Self { handler, tables: Tables::new() }
    }

    /// Handles a block; gives one outcome for each record and the outputs with the partition of their inputs.
    ///
    /// # Errors
    /// The handler's; state is then unchanged.
    pub fn feed(&mut self, block: &[OwnedInput]) -> Result<Fed, HandleError> {
        let inputs: Vec<_> = block.iter().map(OwnedInput::as_input).collect();
        self.step(block, |handler, view, out| handler.handle(&inputs, view, out))
    }

    /// Handles one control record.
    ///
    /// # Errors
    /// The handler's; state is then unchanged.
    pub fn control(&mut self, record: &OwnedInput) -> Result<Fed, HandleError> {
        let input = record.as_input();
        self.step(std::slice::from_ref(record), |handler, view, out| handler.control(&input, view, out))
    }

    /// Takes over an entry of a changelog, as a restore does; false where it cannot be read.
    pub fn restore(&mut self, partition: i32, key: &[u8], value: &[u8]) -> bool {
        let (Some(key), Some(value)) = (H::Key::decode(key), H::Value::decode(value)) else { return false };
        self.tables.entry(partition).or_default().insert(key, value);
        true
    }

    /// The state as a changelog has it: partition, key and value.
    pub fn state(&self) -> impl Iterator<Item = (i32, Vec<u8>, Vec<u8>)> {
        self.tables
            .iter()
            .flat_map(|(partition, table)| table.iter().map(|(key, value)| (*partition, key.encode(), value.encode())))
    }

    /// Handles one control record that somebody has passed by.
    ///
    /// # Errors
    /// The handler's; state is then unchanged.
    pub fn passed_by(&mut self, record: &OwnedInput) -> Result<Fed, HandleError> {
        let input = record.as_input();
        self.step(std::slice::from_ref(record), |handler, view, out| handler.passed_by(&input, view, out))
    }

    /// Handles one record of which it is known that no broker takes what it makes.
    ///
    /// # Errors
    /// The handler's; state is then unchanged.
    pub fn unproducible(&mut self, record: &OwnedInput) -> Result<Fed, HandleError> {
        let input = record.as_input();
        self.step(std::slice::from_ref(record), |handler, view, out| handler.unproducible(&input, view, out))
    }

    fn step(
        &mut self,
        block: &[OwnedInput],
        call: impl FnOnce(&mut H, &mut View<'_, H::Key, H::Value>, &mut Outbox) -> Result<(), HandleError>,
    ) -> Result<Fed, HandleError> {
        for record in block {
            self.tables.entry(record.partition).or_default();
        }
        let mut out = Outbox::default();
        let mut view = View::new(&self.tables, [None, None]);
        call(&mut self.handler, &mut view, &mut out)?;
        let overlay = view.scratch;
        assert_eq!(out.outcomes.len(), block.len(), "one outcome for each record");
        fold(&mut self.tables, overlay);
        Ok((out.outcomes, out.outputs))
    }
}
