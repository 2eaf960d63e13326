//! Wiring: the writers of the logs, the identity store, reference distributions.

use crate::config::Config;
use crate::error::Error;
use crate::handler::AuditHandler;
use crate::identity::{self, IdentityHandler};
use crate::metrics::Metrics;
use crate::prepare::Settings;
use crate::reference::{Folder, Package};
use crate::source::{Sources, WORKER};
use runtime::outage::DATABASE;
use runtime::pg::{DatabaseConfig, connect};
use runtime::service::ServiceContext;
use runtime::stream::pg::{PgSpec, spawn_pg_loop};
use runtime::task::WorkerHandle;
use runtime::warn_unless_away;
use schemas::Topic;
use schemas::rights::Principal;
use std::path::PathBuf;
use std::time::Duration;

/// How often the packages are looked at.
const LOOK: Duration = Duration::from_secs(10);

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
        let loading = load_references(PathBuf::from(config.models_dir), service);
        workers.push(WorkerHandle::task("audit-references", loading));
    }
    Ok(workers)
}

fn no_shards() -> Error {
    Error::Config("shards must be at least 1".to_owned())
}

/// Keeps the reference distributions of the packages in the database, those of packages that come later too. Dashboards do without them
/// meanwhile, and without those of a package that cannot be read.
async fn load_references(dir: PathBuf, service: ServiceContext) -> Result<(), Error> {
    let config = service.database.ok_or_else(|| Error::Config("references need a database".to_owned()))?;
    let mut folder = Folder::new(dir);
    loop {
        let (packages, faults) = folder.news();
        for fault in faults {
            tracing::warn!(error = %fault, "a model package has no reference distributions to compare with");
        }
        match written(&config, &packages).await {
            Ok(()) => folder.keep(packages),
            Err(error) if error.is_transient() => {
                warn_unless_away!(DATABASE, %error, "reference distributions are not written")
            }
            Err(error) => return Err(error),
        }
        if tokio::time::timeout(LOOK, service.shutdown.cancelled()).await.is_ok() {
            return Ok(());
        }
    }
}

async fn written(config: &DatabaseConfig, packages: &[Package]) -> Result<(), Error> {
    if packages.is_empty() {
        return Ok(());
    }
    let client = connect(config).await?;
    for package in packages {
        package.write(&client).await?;
    }
    Ok(())
}
