//! The first half: decisions become delivery rows, in the transaction that moves the offsets. Sends nothing.

use crate::config::Subscription;
use crate::metrics::Meter;
use crate::select::{Delivery, select};
use crate::store::Queued;
use runtime::pg::rows::insert_what_fits;
use runtime::stream::OwnedInput;
use runtime::stream::pg::{PgError, PgHandler};
use schemas::envelope::Envelope;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_postgres::{Client, Transaction};

/// Fills the queue.
pub struct Queueing {
    subscriptions: Arc<[Subscription]>,
    meter: Meter,
    wake: Arc<Notify>,
    /// Of the last apply, counted once it is committed.
    queued: u64,
    unreadable: u64,
}

impl Queueing {
    /// Over the subscriptions; `wake` is told after each commit.
    pub fn new(subscriptions: Arc<[Subscription]>, meter: Meter, wake: Arc<Notify>) -> Self {
        Self { subscriptions, meter, wake, queued: 0, unreadable: 0 }
    }

    /// The rows of one record. A decision that cannot be read is nothing that waiting would mend: it is counted and the
    /// stream goes on; the log and its own readers still have it.
    fn deliveries(&mut self, record: &OwnedInput) -> Vec<Delivery> {
        let input = record.as_input();
        let envelope = Envelope::from_headers(|name| input.header(name)).map_err(|error| error.to_string());
        let payload = input.payload.unwrap_or_default();
        let selected = envelope.and_then(|envelope| {
            select(&self.subscriptions, &envelope, payload)
                .map_err(|error| format!("not a decision: {:?}", error.classify()))
        });
        selected.unwrap_or_else(|why| {
            let (topic, partition, offset) = (&record.topic, record.partition, record.offset);
            tracing::error!(%topic, partition, offset, %why, "decision was not told");
            self.unreadable += 1;
            Vec::new()
        })
    }
}

impl PgHandler for Queueing {
    async fn apply(&mut self, tx: &Transaction<'_>, batch: &[OwnedInput]) -> Result<(), PgError> {
        (self.queued, self.unreadable) = (0, 0);
        let deliveries: Vec<Delivery> = batch.iter().flat_map(|record| self.deliveries(record)).collect();
        let inserted = insert_what_fits(tx, &Queued(&deliveries)).await?;
        for (row, word) in &inserted.refused {
            let id = deliveries[*row].id;
            tracing::error!(%id, word = word.code(), "delivery is refused: its decision was not told");
        }
        self.queued = inserted.written;
        self.unreadable += inserted.refused.len() as u64;
        Ok(())
    }

    fn committed(&mut self) {
        self.meter.delivery("queued", self.queued);
        self.meter.delivery("unreadable", self.unreadable);
        if self.queued > 0 {
            self.wake.notify_waiters();
        }
    }

    async fn reset(&mut self, _: &Client) -> Result<(), PgError> {
        (self.queued, self.unreadable) = (0, 0);
        Ok(())
    }
}
