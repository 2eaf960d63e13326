//! The identity store: its own consumer, its own login, its own schema. The one place from which a person can be deleted; no
//! log entry and no projection holds what is kept here.

use crate::error::Error;
use crate::metrics::Metrics;
use crate::project;
use crate::rows::Identities;
use runtime::pg::rows::{Inserted, Rows, all_or_none, insert_what_fits};
use runtime::stream::pg::{PgError, PgHandler, Prepare, Preparer};
use runtime::stream::{Input, Offset};
use tokio_postgres::{Client, Transaction};

/// Name of the consumer.
pub const WORKER: &str = "identity-store";

/// Writes identities.
pub struct IdentityHandler {
    metrics: Metrics,
    /// Stored or there already, unreadable, refused; counted once they are committed.
    pending: [u64; 3],
}

impl IdentityHandler {
    /// A writer that counts into `metrics`.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, pending: [0; 3] }
    }
}

/// What a batch of identities is.
#[derive(Default)]
pub struct Told {
    rows: Identities,
    /// Partition and offset of each row.
    places: Vec<(i32, Offset)>,
    unreadable: u64,
}

impl Prepare for Told {
    type Work = Self;

    fn take(&mut self, record: &Input<'_>) -> Result<(), PgError> {
        let (partition, offset) = (record.partition, record.offset);
        match project::identity(record).and_then(|row| self.rows.push(row)) {
            Some(()) => self.places.push((partition, offset)),
            None => {
                self.unreadable += 1;
                tracing::warn!(partition, offset = offset.get(), "identity cannot be read");
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Self, PgError> {
        Ok(std::mem::take(self))
    }
}

impl PgHandler for IdentityHandler {
    type Work = Told;

    fn preparer(&mut self) -> Preparer<Told> {
        Box::new(Told::default())
    }

    async fn apply(&mut self, tx: &Transaction<'_>, work: Told) -> Result<(), PgError> {
        let Told { rows, places, unreadable } = work;
        let mut inserted = Inserted { written: rows.count() as u64, refused: Vec::new() };
        if !all_or_none(tx, rows.copy(tx)).await? {
            inserted = insert_what_fits(tx, &rows).await?;
        }
        for (row, word) in &inserted.refused {
            let (partition, offset) = (places[*row].0, places[*row].1.get());
            tracing::error!(partition, offset, word = word.code(), "identity is refused: its topic has it");
        }
        let refused = inserted.refused.len() as u64;
        self.pending = [rows.count() as u64 - refused, unreadable, refused];
        Ok(())
    }

    fn committed(&mut self) {
        for (outcome, count) in ["stored", "unreadable", "refused"].into_iter().zip(self.pending) {
            self.metrics.identities.with_label_values(&[outcome]).inc_by(count);
        }
        self.metrics.projection_failures.with_label_values(&["identities"]).inc_by(self.pending[2]);
    }

    async fn reset(&mut self, client: &Client) -> Result<(), PgError> {
        self.pending = [0; 3];
        client.simple_query("SELECT FROM identity.identities LIMIT 0").await?;
        Ok(())
    }
}

/// Deletes what is known of an application's applicants, all revisions. Gives the number of rows.
///
/// # Errors
/// The database's.
pub async fn erase(client: &Client, tenant: &str, application_id: &str) -> Result<u64, Error> {
    let delete = "DELETE FROM identity.identities WHERE tenant = $1 AND application_id = $2";
    Ok(client.execute(delete, &[&tenant, &application_id]).await?)
}
