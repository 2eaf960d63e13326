//! The HTTP door: applications and withdrawals by request. It answers 202 only after Kafka has the records, and anything that
//! `receive` refuses at once, as RFC 9457 problems. What `admit` has to say comes as a reply, as for any other sender.
//!
//! [`request`] turns a request into arrivals, [`limits`] bounds what is under way, [`keys`] remembers idempotency keys, [`problem`]
//! is how errors look.

pub mod keys;
pub mod limits;
pub mod problem;
pub mod request;
mod routes;

use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::outputs::Topics;
use crate::publisher::{Grouping, Publisher};
use crate::rules::{Rules, TenantRule, Tenants};
use keys::Keys;
use limits::{Bucket, Limits, Patience, Shares};
use runtime::auth::Verifier;
use runtime::clock;
use runtime::http::{self, Bounds, Cover};
use runtime::service::ServiceContext;
use runtime::task::{self, WorkerHandle};
use schemas::Topic;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

pub use routes::router;

/// Roles of a token that may send: an origination system's own, the people who take applications in, and Admin. A Reviewer
/// only looks.
pub const SENDER_ROLES: &[&str] = &["Originator", "Officer", "Admin"];

/// What every request needs. Shared, immutable but for what is taken of its limits.
pub struct Door {
    rules: Rules,
    tenants: Tenants,
    topics: Topics,
    publisher: Publisher,
    metrics: Metrics,
    verifier: Option<Verifier>,
    open_tenant: Option<Arc<TenantRule>>,
    shares: Arc<Shares>,
    /// Requests a second over all senders.
    bucket: Mutex<Bucket>,
    /// A body's tree is many times its bytes, so that few are made at once.
    parsing: Arc<Semaphore>,
    patience: Patience,
    keys: Arc<Keys>,
    max_request_bytes: usize,
    max_lines: usize,
    /// Milliseconds since 1970.
    clock: fn() -> i64,
}

impl Door {
    /// Joins configuration and publisher.
    ///
    /// # Errors
    /// [`Error`] when a key, a tenant or a binding is no good.
    pub fn new(
        config: &Config,
        service: &ServiceContext,
        publisher: Publisher,
        metrics: Metrics,
        clock: fn() -> i64,
    ) -> Result<Self, Error> {
        let tenants = Tenants::new(config, &service.kafka.topic_prefix)?;
        let verifier = config.door_verifier()?;
        let named = |tenant: &str| {
            tenants.named(tenant).cloned().ok_or_else(|| Error::Door(format!("tenant {tenant:?} has no subject key")))
        };
        let open = Some(config.door_tenant.as_str()).filter(|tenant| verifier.is_none() && !tenant.is_empty());
        Ok(Self {
            rules: Rules::new(config)?,
            open_tenant: open.map(named).transpose()?,
            verifier,
            topics: Topics::new(&service.kafka),
            shares: Shares::new(limits(config)?),
            bucket: Mutex::new(Bucket::new(config.door_requests_per_second, 1)),
            parsing: Arc::new(Semaphore::new(config.door_max_parsing.max(1))),
            patience: Patience {
                grace: Duration::from_millis(config.door_body_grace_ms),
                bytes_per_second: config.door_body_bytes_per_second,
            },
            keys: Keys::new(config.door_idempotency_keys),
            max_request_bytes: config.door_max_request_bytes,
            max_lines: config.door_max_lines,
            tenants,
            publisher,
            metrics,
            clock,
        })
    }
}

fn limits(config: &Config) -> Result<Limits, Error> {
    let limits = Limits {
        places: config.door_max_concurrent,
        places_per_tenant: config.door_max_concurrent_per_tenant,
        bytes: config.door_max_held_bytes,
        bytes_per_tenant: config.door_max_held_bytes_per_tenant,
        records_per_second: config.door_records_per_second_per_tenant,
        burst_seconds: config.door_burst_seconds,
    };
    if limits.bytes.min(limits.bytes_per_tenant) < config.door_max_request_bytes {
        let why =
            "door_max_held_bytes and door_max_held_bytes_per_tenant must hold one request of door_max_request_bytes";
        return Err(Error::Door(why.to_owned()));
    }
    Ok(limits)
}

/// Opens the door; gives the address that is bound.
///
/// # Errors
/// [`Error`] when the configuration is no good or the address is taken.
pub async fn open(
    config: &Config,
    service: &ServiceContext,
    metrics: Metrics,
) -> Result<(SocketAddr, WorkerHandle), Error> {
    let address: SocketAddr = config
        .door_address
        .parse()
        .map_err(|_| Error::Door(format!("{:?} is no address with a port", config.door_address)))?;
    let component = service.health.component("door");
    let grouping = Grouping {
        id: format!("ingest-door-{}", service.instance),
        max_records: config.door_group_records,
        timeout_ms: config.door_timeout_ms,
    };
    let ready = move |connected: bool| {
        component.set_ready(connected, if connected { "listening" } else { "kafka is not reachable" });
    };
    let (publisher, thread) = Publisher::start(service.kafka.clone(), grouping, metrics.clone(), ready)?;
    let door = Arc::new(Door::new(config, service, publisher, metrics, clock::now_ms)?);
    let topic = service.topic(Topic::Revocations.base_name());
    let watching =
        door.verifier.as_ref().map(|verifier| verifier.watch(service, topic, "door-revocations")).transpose();
    let watching = watching.map_err(|error| Error::Door(error.to_string()))?;
    let cover = Cover::of(service.allow_plaintext_listeners);
    let bounds = Bounds { per_address: config.door_connections_per_address, cover, ..Bounds::default() };
    let served =
        http::serve_within("door", service.listener(address), router(door), service.shutdown.clone(), bounds).await;
    let (bound, server) = served.map_err(|error| Error::Door(format!("{address}: {error}")))?;
    let both = async move {
        server.join().await?;
        if let Some(watching) = watching {
            watching.join().await?;
        }
        // The router is gone with the server, and with it the last way to the publisher, which then ends.
        WorkerHandle::thread("door-publish", publish_end(thread)?).join().await
    };
    Ok((bound, WorkerHandle::task("door", task::spawn("door", both))))
}

fn publish_end(thread: std::thread::JoinHandle<()>) -> Result<std::thread::JoinHandle<Result<(), String>>, String> {
    let wait = move || thread.join().map_err(|_| "the publisher panicked".to_owned());
    task::thread("door-end", wait).map_err(|error| error.to_string())
}
