//! What the handlers of all routes share.

use crate::config::Config;
use crate::error::Error;
use crate::limit::{Limiter, Turns};
use crate::metrics::Metrics;
use crate::recorder::Recorder;
use crate::store::Store;
use runtime::auth::Verifier;
use runtime::clock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What handlers share.
pub struct App {
    /// Where answers come from.
    pub store: Store,
    /// Where whole events come from, by position: the log holds those of every tenant.
    pub log: Store,
    /// Who may ask.
    pub verifier: Verifier,
    /// Where it is told who looked.
    pub recorder: Arc<Recorder>,
    /// What is measured.
    pub metrics: Metrics,
    /// As configured.
    pub config: Config,
    pub(crate) places: Semaphore,
    pub(crate) turns: Arc<Turns>,
    pub(crate) timeout: Duration,
    limiter: Mutex<Limiter>,
}

impl App {
    /// Over its stores: of rows, and of the log.
    ///
    /// # Errors
    /// [`Error::Config`] when the token key is no good.
    pub fn new(
        config: Config,
        (store, log): (Store, Store),
        recorder: Arc<Recorder>,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        Ok(Self {
            store,
            log,
            verifier: config.verifier()?,
            recorder,
            metrics,
            places: Semaphore::new(config.concurrency.max(1)),
            turns: Turns::new(config.concurrency_per_tenant.max(1)),
            timeout: Duration::from_millis(config.timeout_ms),
            limiter: Mutex::new(Limiter::new(config.requests_per_minute)),
            config,
        })
    }

    /// Counts a request of a token holder.
    ///
    /// # Errors
    /// Seconds to wait, when it is one too many.
    pub fn admit(&self, holder: &str) -> Result<(), u64> {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.admit(holder, clock::now().timestamp())
    }
}
