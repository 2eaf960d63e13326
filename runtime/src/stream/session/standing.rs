//! A worker before something that it cannot serve: a control record, or what one has put in force. It waits a moment, hears whether
//! somebody has passed the record by, and then leaves its group, so that an instance that lacks nothing may go on.

use super::trouble::Standing;
use super::{Consuming, Session};
use crate::stream::engine::{Engine, Place};
use crate::stream::error::LoopError;
use crate::stream::handler::{HandleError, Handler};
use crate::stream::offset::NextOffset;
use crate::stream::position::{Passed, passed_by};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a worker stands before it leaves its group.
const STANDS_FOR: Duration = Duration::from_secs(3);
/// Between two tries.
const TRIES_EVERY: Duration = Duration::from_millis(500);
/// Between two looks for somebody who has passed the record by.
const HEARS_EVERY: Duration = Duration::from_secs(2);

impl Session<'_> {
    /// Waits, and reads again from where the handler stopped. Ends the session where it has stood there for a while.
    pub(super) fn stand<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        error: &HandleError,
        place: Place,
    ) -> Result<(), LoopError> {
        tracing::error!(worker = self.spec.worker, %error, "worker waits");
        self.service.health.component(self.spec.worker).set_ready(false, error.to_string());
        let known = self.standing.borrow_mut().take();
        let mut here =
            known.unwrap_or_else(|| Standing { places: BTreeMap::new(), since: Instant::now(), heard: None });
        here.places.insert((place.0.clone(), place.1), place.2);
        let lacks = matches!(error, HandleError::NotReady(_));
        if lacks && here.heard.is_none_or(|at| at.elapsed() > HEARS_EVERY) {
            here.heard = Some(Instant::now());
            self.hear_of_passed(engine);
        }
        let is_passed_by = engine.is_passed_by(&place);
        let is_long = here.since.elapsed() > STANDS_FOR;
        *self.standing.borrow_mut() = Some(here);
        if lacks && is_long && !is_passed_by {
            return Err(LoopError::Lacking(error.to_string()));
        }
        if !is_passed_by {
            std::thread::sleep(TRIES_EVERY);
        }
        self.rewind(consumer)
    }

    /// The worker is ready again once what it stood before has been handled.
    pub(super) fn walk_on(&self, offsets: &BTreeMap<(String, i32), NextOffset>) {
        let mut standing = self.standing.borrow_mut();
        let Some(here) = standing.as_mut() else { return };
        here.places.retain(|place, record| offsets.get(place).is_none_or(|next| !next.has_passed(*record)));
        if here.places.is_empty() {
            *standing = None;
            drop(standing);
            self.show_ready("reading again");
        }
    }

    fn hear_of_passed<H: Handler>(&self, engine: &mut Engine<H>) {
        let timeout = Duration::from_millis(self.spec.tuning.timeout_ms);
        let group = self.service.kafka.topic(self.spec.worker);
        match passed_by(&self.service.kafka.client(), &self.spec.gaps, &group, timeout) {
            Ok(passed) => engine
                .pass_by(passed.into_iter().map(|Passed { topic, partition, offset, .. }| (topic, partition, offset))),
            Err(error) => tracing::error!(topic = &*self.spec.gaps, %error, "what was passed by cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::engine::place_of;
    use crate::stream::handler::{Outbox, PASSED_BY, RecordOutcome};
    use crate::stream::offset::Offset;
    use crate::stream::record::{Input, OwnedInput};
    use crate::stream::state::View;
    use hashbrown::HashMap;

    #[test]
    fn a_control_record_that_is_passed_by_switches_nothing_and_stops_nobody() {
        let mut engine = Engine::new(Switch, Some(("kind", "control")));
        engine.assign(0, HashMap::new());
        let control = |(offset, payload): (usize, &str)| OwnedInput {
            topic: "t".into(),
            offset: Offset::new(offset as i64),
            payload: Some(payload.as_bytes().to_vec()),
            headers: vec![("kind".to_owned(), Some(b"control.x".to_vec()))],
            ..OwnedInput::default()
        };
        let records: Vec<_> = ["lacking", "held"].into_iter().enumerate().map(control).collect();
        let inputs: Vec<_> = records.iter().map(OwnedInput::as_input).collect();
        let stopped = engine.prepare(&inputs, None);
        assert!(stopped.outcomes.is_empty() && matches!(stopped.stopped, Some(HandleError::NotReady(_))));
        engine.pass_by([place_of(&inputs[0])]);
        let prepared = engine.prepare(&inputs, None);
        let set_aside: Vec<_> = prepared.dead_letters.iter().map(|d| (d.index, d.reason, d.cut)).collect();
        assert_eq!(set_aside, [(0, PASSED_BY, false)]);
        assert_eq!(
            (prepared.outcomes.len(), prepared.overlay.get(&(0, 1))),
            (2, Some(&Some(1))),
            "the next one counts"
        );
    }

    /// Counts the control records that it can serve.
    struct Switch;

    impl Handler for Switch {
        type Key = u32;
        type Value = u32;
        fn handle(&mut self, _: &[Input<'_>], _: &mut View<'_, u32, u32>, _: &mut Outbox) -> Result<(), HandleError> {
            Ok(())
        }
        fn control(
            &mut self,
            record: &Input<'_>,
            state: &mut View<'_, u32, u32>,
            out: &mut Outbox,
        ) -> Result<(), HandleError> {
            if record.payload == Some(b"lacking") {
                return Err(HandleError::NotReady("lacking".into()));
            }
            state.put(record.partition, 1, state.get(record.partition, &1).unwrap_or(0) + 1);
            out.outcome(RecordOutcome::Done("switched"));
            Ok(())
        }
    }
}
