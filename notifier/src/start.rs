//! Wiring, in order: check, clients, the reader, the workers, the sweep.

use crate::config::Config;
use crate::error::Error;
use crate::handler::Queueing;
use crate::metrics::Meter;
use crate::receipts::KafkaReceipts;
use crate::sender::{DeliveryWorker, Pace};
use crate::standing::Standing;
use crate::store::Store;
use crate::webhook::{Endpoint, Poster};
use runtime::service::ServiceContext;
use runtime::stream::pg::{PgSpec, spawn_pg_loop};
use runtime::task::WorkerHandle;
use schemas::Topic;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The worker's name.
pub const WORKER: &str = "notifier";

/// Starts reader, workers and sweep. Must be called on an async runtime.
///
/// # Errors
/// [`Error`] when the configuration cannot work or a client cannot be made; servers that are away are waited for later.
pub fn start(config: Config, service: ServiceContext) -> Result<Vec<WorkerHandle>, Error> {
    config.check()?;
    let database = service.database.as_ref().ok_or_else(|| Error::Config("needs [database] url".to_owned()))?;
    let enabled = || config.subscriptions.iter().filter(|subscription| subscription.enabled);
    let wake = Arc::new(Notify::new());
    let meter = Meter::new(&service.registry)?;
    let delivery_worker = Arc::new(DeliveryWorker {
        store: Store::new(runtime::pg::Pool::new(database, &service.registry, WORKER)?),
        poster: Poster::new(&config)?,
        receipts: KafkaReceipts::new(&service.kafka, Duration::from_millis(config.receipt_timeout_ms))?,
        meter: meter.clone(),
        standing: Standing::new(service.health.component("notifier-send"), enabled().count()),
        pace: pace(&config),
        chance: rand::random::<f64>,
        wake: wake.clone(),
        shutdown: service.shutdown.clone(),
    });
    let endpoints: Vec<Endpoint> = enabled()
        .map(|subscription| Endpoint::new(subscription, config.allow_private_addresses))
        .collect::<Result<_, _>>()?;

    let subscriptions: Arc<[_]> = config.subscriptions.clone().into();
    endpoints.iter().for_each(|endpoint| meter.watch(&endpoint.subscription));
    let queueing = |_| Queueing::new(subscriptions.clone(), meter.clone(), wake.clone());
    let mut handles = spawn_pg_loop(spec(&config, &service), &service, queueing).map_err(Error::Loop)?;

    let known = endpoints.iter().map(|endpoint| (endpoint.subscription.clone(), endpoint.url_sha256)).collect();
    handles.push(WorkerHandle::task("notifier-sweep", delivery_worker.clone().sweep(known)));
    for endpoint in endpoints {
        handles.push(WorkerHandle::task("notifier-worker", delivery_worker.clone().work(endpoint)));
    }
    Ok(handles)
}

fn spec(config: &Config, service: &ServiceContext) -> PgSpec {
    PgSpec {
        worker: WORKER,
        topics: vec![service.topic(Topic::Decisions.base_name())],
        shards: config.shards,
        plain: Vec::new(),
        gaps: service.topic(Topic::Gaps.base_name()),
        goes_back: true,
        batch_records: config.batch_records,
        batch_bytes: config.batch_bytes,
        linger_ms: config.linger_ms,
    }
}

fn pace(config: &Config) -> Pace {
    Pace {
        claim_rows: config.claim_rows,
        concurrency: config.concurrency,
        lease: Duration::from_millis(config.lease_ms),
        attempt: Duration::from_millis(config.request_timeout_ms),
        idle_poll: Duration::from_millis(config.idle_poll_ms),
        sweep: Duration::from_millis(config.sweep_ms),
        keep_days: config.keep_days,
        schedule: config.schedule(),
    }
}
