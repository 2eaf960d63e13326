//! When a worker stands still: a handler that must wait, too many dead letters, a state that is full. It keeps its membership.

use super::{Assigned, Consuming, InFlight, Session};
use crate::health::Component;
use crate::stream::assignment::Change;
use crate::stream::engine::Engine;
use crate::stream::handler::{HandleError, Handler};
use crate::stream::run::LoopError;
use crate::stream::state::Stored;
use rdkafka::consumer::Consumer;
use std::hash::Hash;
use std::time::Duration;

impl Session<'_> {
    /// Waits until the handler may go on, and reads again from where it stopped.
    pub(super) fn wait_and_rewind<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        component: &Component,
        error: &HandleError,
    ) -> Result<(), LoopError> {
        tracing::error!(room = self.spec.room, %error, "room waits");
        component.set_ready(false, error.to_string());
        std::thread::sleep(Duration::from_millis(500));
        self.rewind(consumer)?;
        component.set_ready(true, "reading again");
        Ok(())
    }

    /// The flood limit was reached: nothing of this batch is kept, and the room stands still until someone looks.
    pub(super) fn hold<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        component: &Component,
    ) -> Result<(), LoopError> {
        self.meter.flood_stopped.set(1);
        component.set_ready(false, "flood limit of dead letters reached");
        tracing::error!(room = self.spec.room, "flood limit of dead letters reached: room stopped");
        consumer.pause(&consumer.assignment()?)?;
        self.idle_until(consumer, || false)
    }

    /// Pauses intake while the state is full, rather than forget an application.
    pub(super) fn respect_cap<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        in_flight: &mut Option<InFlight<H>>,
        component: &Component,
    ) -> Result<(), LoopError> {
        if engine.entries() < self.spec.tuning.state_cap {
            return Ok(());
        }
        self.settle(consumer, engine, in_flight)?;
        self.meter.state_paused.set(1);
        component.set_ready(false, "state cap reached: intake paused");
        tracing::error!(room = self.spec.room, cap = self.spec.tuning.state_cap, "state cap reached: intake paused");
        consumer.pause(&consumer.assignment()?)?;
        self.idle_until(consumer, || false)
    }

    /// Keeps the group membership alive without reading, until told to stop, a condition holds, or partitions move.
    fn idle_until<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        done: impl Fn() -> bool,
    ) -> Result<(), LoopError> {
        while !self.shell.shutdown.is_cancelled() && !done() {
            Self::able(consumer)?;
            drop(consumer.poll(Duration::from_millis(200)));
            for change in consumer.context().take_changes() {
                if matches!(change, Change::Assigned(_)) {
                    consumer.pause(&consumer.assignment()?)?;
                }
            }
        }
        Ok(())
    }
}
