//! What every part of the worker has: its surroundings, a session of its own, the pause between rounds.

use super::metrics::SignerMetrics;
use crate::error::Error;
use runtime::pg::connect;
use runtime::service::ServiceContext;
use std::time::Duration;
use tokio_postgres::Client;

/// Pause after a failure.
pub(super) const RETRY: Duration = Duration::from_secs(5);

/// What every part of the worker has.
#[derive(Clone)]
pub(super) struct Part {
    pub service: ServiceContext,
    pub metrics: SignerMetrics,
    pub every: Duration,
}

impl Part {
    /// A session of its own.
    pub async fn connect(&self) -> Result<Client, Error> {
        let config =
            self.service.database.as_ref().ok_or_else(|| Error::Config("[database] url is empty".to_owned()))?;
        connect(config).await.map_err(|error| Error::Connect(error.to_string()))
    }

    /// Waits, or until shutdown.
    pub async fn pause(&self, pause: Duration) {
        if tokio::time::timeout(pause, self.service.shutdown.cancelled()).await.is_ok() {
            tracing::debug!("shutting down");
        }
    }
}
