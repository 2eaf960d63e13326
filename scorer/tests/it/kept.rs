//! A worker with its changelog: what its state becomes is written down as bytes, and another worker starts from them.

use runtime::stream::harness::Harness;
use runtime::stream::{HandleError, Handler, Input, Outbox, OwnedInput, Stored, View};
use scorer::ScorerHandler;
use scorer::in_force::{InForce, Switch};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Newest value of each key, as bytes; `None` is a tombstone.
pub type Changelog = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

pub struct Kept {
    pub worker: Harness<Watched>,
    changelog: Arc<Mutex<Changelog>>,
}

impl Kept {
    /// A worker that starts from a changelog.
    pub fn new(handler: ScorerHandler, changelog: Changelog) -> Self {
        let shared = Arc::new(Mutex::new(changelog.clone()));
        let watched = Watched { handler, to_restore: changelog, changelog: Arc::clone(&shared) };
        Self { worker: Harness::new(watched), changelog: shared }
    }

    pub fn control(&mut self, record: &OwnedInput) {
        self.worker.control(record).unwrap();
    }

    pub fn changelog(&self) -> Changelog {
        self.changelog.lock().unwrap().clone()
    }
}

/// The worker's handler between its state and the changelog; of one partition.
pub struct Watched {
    handler: ScorerHandler,
    to_restore: Changelog,
    changelog: Arc<Mutex<Changelog>>,
}

impl Watched {
    fn restore(&mut self, partition: i32, state: &mut View<'_, Switch, InForce>) {
        for (key, value) in std::mem::take(&mut self.to_restore) {
            let key = Switch::decode(&key).unwrap();
            match value {
                Some(value) => state.put(partition, key, InForce::decode(&value).unwrap()),
                None => state.remove(partition, key),
            }
        }
    }
}

impl Handler for Watched {
    type Key = Switch;
    type Value = InForce;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, Switch, InForce>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        self.restore(block[0].partition, state);
        self.handler.handle(block, state, out)
    }

    fn control(
        &mut self,
        record: &Input<'_>,
        state: &mut View<'_, Switch, InForce>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        self.restore(record.partition, state);
        self.handler.control(record, state, out)?;
        let names = ["taiwan-lightgbm", "taiwan-scorecard"].map(|name| Switch::Model(name.to_owned()));
        let mut changelog = self.changelog.lock().unwrap();
        for key in names.into_iter().chain([Switch::Route]) {
            let value = state.get(record.partition, &key).map(|value| value.encode());
            if value.is_some() || changelog.contains_key(&key.encode()) {
                changelog.insert(key.encode(), value);
            }
        }
        Ok(())
    }
}
