//! From records to work, before the database is asked.

use super::error::PgError;
use crate::stream::record::Input;

/// Turns records into work, batch by batch.
pub trait Prepare: Send {
    /// What a batch is before the database is asked.
    type Work;

    /// Takes the next record of a batch.
    ///
    /// # Errors
    /// [`PgError`]; the batch is read again after a pause.
    fn take(&mut self, record: &Input<'_>) -> Result<(), PgError>;

    /// The batch, as work; the next record begins another one.
    ///
    /// # Errors
    /// [`PgError`]; the batch is read again after a pause.
    fn finish(&mut self) -> Result<Self::Work, PgError>;
}

/// What turns the records of a shard into work.
pub type Preparer<W> = Box<dyn Prepare<Work = W>>;
