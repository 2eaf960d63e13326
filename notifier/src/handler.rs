//! The first half: decisions become delivery rows, in the transaction that moves the offsets. Sends nothing.

use crate::config::Subscription;
use crate::metrics::Meter;
use crate::select::{Delivery, select};
use crate::store::Queued;
use runtime::pg::rows::insert_what_fits;
use runtime::stream::Input;
use runtime::stream::pg::{PgError, PgHandler, Prepare, Preparer};
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
}

/// What a batch of decisions is to be told.
#[derive(Default)]
pub struct Told {
    deliveries: Vec<Delivery>,
    unreadable: u64,
}

/// Makes rows of decisions.
struct Telling {
    subscriptions: Arc<[Subscription]>,
    told: Told,
}

impl Prepare for Telling {
    type Work = Told;

    /// The rows of one record. A decision that cannot be read is nothing that waiting would mend: it is counted and the
    /// stream goes on; the log and its own readers still have it.
    fn take(&mut self, record: &Input<'_>) -> Result<(), PgError> {
        let envelope = Envelope::from_headers(|name| record.header(name)).map_err(|error| error.to_string());
        let payload = record.payload.unwrap_or_default();
        let selected = envelope.and_then(|envelope| {
            select(&self.subscriptions, &envelope, payload)
                .map_err(|error| format!("not a decision: {:?}", error.classify()))
        });
        match selected {
            Ok(deliveries) => self.told.deliveries.extend(deliveries),
            Err(why) => {
                let (topic, partition, offset) = (record.topic, record.partition, record.offset.get());
                tracing::error!(%topic, partition, offset, %why, "decision was not told");
                self.told.unreadable += 1;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Told, PgError> {
        Ok(std::mem::take(&mut self.told))
    }
}

impl PgHandler for Queueing {
    type Work = Told;

    fn preparer(&mut self) -> Preparer<Told> {
        Box::new(Telling { subscriptions: self.subscriptions.clone(), told: Told::default() })
    }

    async fn apply(&mut self, tx: &Transaction<'_>, work: Told) -> Result<(), PgError> {
        let Told { deliveries, unreadable } = work;
        let inserted = insert_what_fits(tx, &Queued(&deliveries)).await?;
        for (row, word) in &inserted.refused {
            let id = deliveries[*row].id;
            tracing::error!(%id, word = word.code(), "delivery is refused: its decision was not told");
        }
        self.queued = inserted.written;
        self.unreadable = unreadable + inserted.refused.len() as u64;
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
