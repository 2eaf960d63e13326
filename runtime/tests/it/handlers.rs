//! What workers of the tests do with a record.

use runtime::stream::{HandleError, Handler, Input, NoState, Outbox, Output, RecordOutcome, Route, View};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number(pub u32);

impl runtime::stream::Stored for Number {
    fn encode(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|b| Self(u32::from_be_bytes(b)))
    }
}

/// Admits each number once.
pub struct AdmitOnce {
    pub out: Arc<str>,
}

impl Handler for AdmitOnce {
    type Key = Number;
    type Value = Number;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, Number, Number>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        for record in block {
            let payload = record.payload.unwrap_or_default();
            let Ok(bytes) = payload.try_into() else {
                if payload == b"bad" {
                    out.outcome(RecordOutcome::DeadLetter { reason: "bad", detail: String::new() });
                    continue;
                }
                return Err(HandleError::Poison("not a number".into()));
            };
            let key = Number(u32::from_be_bytes(bytes));
            if state.get(record.partition, &key).is_some() {
                out.outcome(RecordOutcome::Done("duplicate"));
                continue;
            }
            state.put(record.partition, key, key);
            let output = Output {
                topic: self.out.clone(),
                route: Route::Same,
                key: record.key.map(<[u8]>::to_vec),
                payload: Some(payload.to_vec()),
                headers: vec![],
            };
            out.emit(record, output);
            out.outcome(RecordOutcome::Done("accepted"));
        }
        Ok(())
    }
}

/// Passes everything on and remembers nothing, so that it reads as soon as it has partitions.
pub struct PassOn {
    pub out: Arc<str>,
}

impl Handler for PassOn {
    type Key = NoState;
    type Value = NoState;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        _: &mut View<'_, NoState, NoState>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        for record in block {
            if record.payload == Some(b"bad") {
                out.outcome(RecordOutcome::DeadLetter { reason: "bad", detail: String::new() });
                continue;
            }
            let (topic, route) = (self.out.clone(), Route::Same);
            let (key, payload) = (record.key.map(<[u8]>::to_vec), record.payload.map(<[u8]>::to_vec));
            out.emit(record, Output { topic, route, key, payload, headers: vec![] });
            out.outcome(RecordOutcome::Done("passed"));
        }
        Ok(())
    }
}

/// [`AdmitOnce`] whose entries expire once it is allowed.
pub struct Forgetful {
    pub admit: AdmitOnce,
    pub may_forget: Arc<AtomicBool>,
}

impl Handler for Forgetful {
    type Key = Number;
    type Value = Number;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, Number, Number>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        self.admit.handle(block, state, out)
    }

    fn expired(&self, _: &Number, _: i64) -> bool {
        self.may_forget.load(Ordering::Relaxed)
    }
}
