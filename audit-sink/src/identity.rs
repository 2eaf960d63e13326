//! The identity store: its own consumer, its own role, its own schema. The one place from which a person can be deleted; no
//! log entry and no projection holds what is kept here.

use crate::error::Error;
use crate::metrics::Metrics;
use crate::project;
use crate::rows::Identities;
use runtime::stream::OwnedInput;
use runtime::stream::pg::{PgError, PgHandler};
use tokio_postgres::{Client, Transaction};

/// Name of the consumer.
pub const ROOM: &str = "identity-store";

/// Writes identities.
pub struct IdentityHandler {
    metrics: Metrics,
    pending: [u64; 2],
}

impl IdentityHandler {
    /// A writer that counts into `metrics`.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, pending: [0; 2] }
    }
}

impl PgHandler for IdentityHandler {
    async fn apply(&mut self, tx: &Transaction<'_>, batch: &[OwnedInput]) -> Result<(), PgError> {
        tx.batch_execute("SET LOCAL ROLE defaultx_identity").await?;
        let mut rows = Identities::default();
        for record in batch {
            match project::identity(record) {
                Some(row) => rows.push(row),
                None => tracing::warn!(partition = record.partition, offset = record.offset, "identity cannot be read"),
            }
        }
        self.pending = [rows.count() as u64, (batch.len() - rows.count()) as u64];
        rows.insert(tx).await?;
        Ok(())
    }

    fn committed(&mut self) {
        for (outcome, count) in ["stored", "unreadable"].into_iter().zip(self.pending) {
            self.metrics.identities.with_label_values(&[outcome]).inc_by(count);
        }
    }

    async fn reset(&mut self, client: &Client) -> Result<(), PgError> {
        self.pending = [0; 2];
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
