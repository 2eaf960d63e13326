//! Wiring: the writers of the logs, the identity store, reference distributions.

use crate::config::Config;
use crate::error::Error;
use crate::handler::AuditHandler;
use crate::identity::{self, IdentityHandler};
use crate::metrics::Metrics;
use crate::prepare::Settings;
use crate::reference;
use crate::source::{Sources, WORKER};
use runtime::pg::connect;
use runtime::service::ServiceContext;
use runtime::stream::pg::{PgSpec, spawn_pg_loop};
use runtime::task::WorkerHandle;
use schemas::Topic;
use schemas::rights::Principal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Starts every part of the worker.
///
/// # Errors
/// [`Error::Config`] for knobs that cannot be used, [`Error::Start`] without a database.
pub fn start(config: Config, service: ServiceContext) -> Result<Vec<WorkerHandle>, Error> {
    let sources = Sources::new(&service.topic(""), &config.sender_topics);
    let settings = Settings {
        sources: sources.clone(),
        key: config.digest_key()?,
        segment_bytes: config.segment_bytes.max(1),
        zstd_level: config.zstd_level,
        shards: i32::try_from(config.shards).ok().filter(|shards| *shards > 0).ok_or_else(no_shards)?,
    };
    let metrics = Metrics::new(&service.registry)?;

    let spec = PgSpec {
        worker: WORKER,
        topics: sources.names().collect(),
        shards: config.shards,
        plain: sources.plain().collect(),
        gaps: service.topic(Topic::Gaps.base_name()),
        goes_back: false,
        batch_records: config.batch_records,
        batch_bytes: config.batch_bytes,
        linger_ms: config.linger_ms,
    };
    let identities = PgSpec {
        worker: identity::WORKER,
        topics: vec![service.topic(Topic::Identities.base_name())],
        plain: Vec::new(),
        shards: 1,
        goes_back: true,
        ..spec.clone()
    };
    let writer = |log| AuditHandler::new(log, settings.clone(), metrics.clone());
    let mut workers = spawn_pg_loop(spec, &service, writer)?;
    let keeper = |_| IdentityHandler::new(metrics.clone());
    workers.extend(spawn_pg_loop(identities, &service.acting_as(Principal::IdentityStore.name()), keeper)?);

    if !config.models_dir.is_empty() {
        let loading = load_references(Arc::from(config.models_dir), service);
        workers.push(WorkerHandle::task("audit-references", loading));
    }
    Ok(workers)
}

fn no_shards() -> Error {
    Error::Config("shards must be at least 1".to_owned())
}

/// Loads reference distributions, until it worked once. Dashboards do without them meanwhile.
async fn load_references(dir: Arc<str>, service: ServiceContext) -> Result<(), Error> {
    while let Err(error) = load_once(&dir, &service).await {
        if !error.is_transient() {
            return Err(error);
        }
        tracing::warn!(%error, "reference distributions are not loaded");
        if tokio::time::timeout(Duration::from_secs(10), service.shutdown.cancelled()).await.is_ok() {
            return Ok(());
        }
    }
    service.shutdown.cancelled().await;
    Ok(())
}

async fn load_once(dir: &str, service: &ServiceContext) -> Result<usize, Error> {
    let config = service.database.as_ref().ok_or_else(|| Error::Config("references need a database".to_owned()))?;
    let client = connect(config).await?;
    reference::load(&client, &PathBuf::from(dir)).await
}
