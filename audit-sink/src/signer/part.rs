//! What every part of the worker has: its surroundings, a session of its own, the pause between rounds.

use super::metrics::SignerMetrics;
use crate::error::Error;
use runtime::outage::DATABASE;
use runtime::pg::connect;
use runtime::service::ServiceContext;
use runtime::warn_unless_away;
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
        Ok(connect(config).await?)
    }

    /// Waits, or until shutdown.
    pub async fn pause(&self, pause: Duration) {
        if tokio::time::timeout(pause, self.service.shutdown.cancelled()).await.is_ok() {
            tracing::debug!("shutting down");
        }
    }
}

/// Tells that a part of the worker stands still; `what` does.
///
/// # Errors
/// The error itself, where looking again cannot help: the part ends with it.
pub(super) fn stands_still(error: Error, what: &'static str) -> Result<(), Error> {
    if !error.is_transient() {
        return Err(error);
    }
    warn_unless_away!(DATABASE, %error, what, "stands still");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_with_its_knobs_alone() {
        let rows = [
            (Error::Config("[database] url is empty".to_owned()), true),
            (Error::Broken { log: 0, why: "a segment is gone".to_owned() }, false),
            (Error::NotTheSame { log: 0, why: "it is shorter".to_owned() }, false),
            (Error::NotPublished("other".to_owned()), false),
        ];
        for (error, ends) in rows {
            let named = error.to_string();
            assert_eq!(stands_still(error, "samples").is_err(), ends, "{named}");
        }
    }
}
