//! What each part of this process says of itself: ready or not, and why; and whether it is beyond help. Judges nothing.

use prometheus::{IntGaugeVec, Opts, Registry};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// 1 while a component is ready.
pub const READY: &str = "defaultx_ready";

/// The health of a process. Clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    states: Arc<Mutex<BTreeMap<String, State>>>,
    gauge: IntGaugeVec,
}

/// One component's own view.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct State {
    /// Takes work.
    pub ready: bool,
    /// False once only a restart helps.
    pub live: bool,
    /// In words, without values.
    pub reason: String,
}

/// The handle by which a component reports.
#[derive(Debug, Clone)]
pub struct Component {
    name: String,
    health: Health,
}

impl Default for Health {
    fn default() -> Self {
        let gauge = IntGaugeVec::new(Opts::new(READY, "1 while a component is ready"), &["component"]);
        Self { states: Arc::default(), gauge: gauge.expect("a constant name and label are valid") }
    }
}

impl Health {
    /// No component yet; exports [`READY`] through the registry.
    ///
    /// # Errors
    /// When the registry holds that name already.
    pub fn registered(registry: &Registry) -> Result<Self, prometheus::Error> {
        let health = Self::default();
        registry.register(Box::new(health.gauge.clone()))?;
        Ok(health)
    }

    /// The component of that name; starts as not ready.
    pub fn component(&self, name: &str) -> Component {
        let component = Component { name: name.to_owned(), health: self.clone() };
        if !self.lock().contains_key(name) {
            component.report(State { ready: false, live: true, reason: "starting".to_owned() });
        }
        component
    }

    /// Every component's state.
    pub fn states(&self) -> BTreeMap<String, State> {
        self.lock().clone()
    }

    /// Every component is ready, and there is one.
    pub fn is_ready(&self) -> bool {
        let states = self.lock();
        !states.is_empty() && states.values().all(|state| state.ready)
    }

    /// No component is beyond help.
    pub(crate) fn is_live(&self) -> bool {
        self.lock().values().all(|state| state.live)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Component {
    /// Ready or not, and why. A component that [failed](Self::fail) stays failed.
    pub fn set_ready(&self, ready: bool, reason: impl Into<String>) {
        self.report(State { ready, live: true, reason: reason.into() });
    }

    /// Beyond help: the process should be restarted.
    pub fn fail(&self, reason: impl Into<String>) {
        self.report(State { ready: false, live: false, reason: reason.into() });
    }

    fn report(&self, new: State) {
        let mut states = self.health.lock();
        let old = states.get(&self.name);
        if old.is_some_and(|old| !old.live || *old == new) {
            return;
        }
        self.health.gauge.with_label_values(&[&self.name]).set(new.ready.into());
        tracing::info!(component = self.name, ready = new.ready, reason = new.reason, "health");
        states.insert(self.name.clone(), new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_all_and_failed_means_for_good() {
        let health = Health::default();
        assert!(!health.is_ready() && health.is_live(), "nothing has started");
        let (scorer, door) = (health.component("scorer"), health.component("door"));
        scorer.set_ready(true, "assigned");
        assert!(!health.is_ready(), "the door is still starting");
        door.set_ready(true, "listening");
        assert!(health.is_ready());
        door.fail("port lost");
        door.set_ready(true, "listening");
        assert!(!health.is_ready() && !health.is_live());
        assert_eq!(health.states()["door"].reason, "port lost");
    }
}
