//! How the sending half stands: whether its queue can be read, and which endpoints are disabled. What it says of itself on /readyz.

use runtime::health::Component;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What all subscriptions of a process have told.
#[derive(Debug)]
pub struct Standing {
    component: Component,
    endpoints: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Why the queue cannot be read.
    unread: Option<String>,
    disabled: BTreeSet<String>,
}

impl Standing {
    /// Of so many endpoints; nothing is wrong yet.
    pub fn new(component: Component, endpoints: usize) -> Self {
        let standing = Self { component, endpoints, state: Mutex::default() };
        standing.note(|_| {});
        standing
    }

    /// The queue was read for a subscription, whose endpoint is enabled or not.
    pub(crate) fn read(&self, subscription: &str, is_disabled: bool) {
        self.note(|state| {
            state.unread = None;
            match is_disabled {
                true => drop(state.disabled.insert(subscription.to_owned())),
                false => drop(state.disabled.remove(subscription)),
            }
        });
    }

    /// The queue could not be read.
    pub(crate) fn unread(&self, why: &str) {
        self.note(|state| state.unread = Some(why.to_owned()));
    }

    fn note(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let (ready, words) = words(&state, self.endpoints);
        self.component.set_ready(ready, words);
    }
}

fn words(State { unread, disabled }: &State, endpoints: usize) -> (bool, String) {
    if let Some(why) = unread {
        return (false, format!("the queue cannot be read: {why}"));
    }
    if disabled.is_empty() {
        return (true, format!("sending to {endpoints} endpoints"));
    }
    let names: Vec<&str> = disabled.iter().map(String::as_str).collect();
    let (sent_to, names) = (endpoints.saturating_sub(names.len()), names.join(", "));
    (true, format!("sending to {sent_to} of {endpoints} endpoints; disabled, and kept for: {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::health::Health;

    #[test]
    fn a_queue_that_cannot_be_read_is_not_ready_and_a_disabled_endpoint_is_named() {
        let health = Health::default();
        let standing = Standing::new(health.component("notifier-send"), 2);
        let said = || health.states().remove("notifier-send").map(|state| (state.ready, state.reason));
        assert_eq!(said(), Some((true, "sending to 2 endpoints".to_owned())));
        standing.read("crm", true);
        assert_eq!(said(), Some((true, "sending to 1 of 2 endpoints; disabled, and kept for: crm".to_owned())));
        standing.unread("connection refused");
        assert_eq!(said(), Some((false, "the queue cannot be read: connection refused".to_owned())));
        standing.read("los", false);
        assert_eq!(said(), Some((true, "sending to 1 of 2 endpoints; disabled, and kept for: crm".to_owned())));
        standing.read("crm", false);
        assert_eq!(said(), Some((true, "sending to 2 endpoints".to_owned())));
    }
}
