//! The HTTP door: applications and withdrawals by request. It answers 202 only after Kafka has the records, and anything that
//! `receive` refuses at once, as RFC 9457 problems. What `admit` has to say comes as a reply, as for any other sender.
//!
//! `routes` is a request in order: `entry` says whose it is, `body` reads it, [`request`] turns it into arrivals, `answer` tells what
//! is taken. [`limits`] bounds what is under way, [`keys`] remembers idempotency keys, [`problem`] is how errors look; `products` tells
//! everybody what the models read.

mod answer;
mod attribute;
mod body;
mod entry;
pub mod keys;
pub mod limits;
pub mod problem;
mod products;
pub mod request;
mod routes;
mod state;

use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::publisher::{Grouping, Publisher};
use runtime::clock;
use runtime::health::Component;
use runtime::http::{self, Bounds, Cover};
use runtime::service::ServiceContext;
use runtime::task::{WorkerError, WorkerHandle};
use schemas::Topic;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

pub use routes::router;
pub use state::{Door, SENDER_ROLES};

/// Ready is a door that listens and whose requests can be written.
struct Readiness {
    component: Component,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    listens: bool,
    /// `None` until it is known.
    connected: Option<bool>,
}

impl Readiness {
    fn note(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        match *state {
            State { listens: false, .. } | State { connected: None, .. } => {}
            State { connected: Some(true), .. } => self.component.set_ready(true, "listening"),
            State { connected: Some(false), .. } => self.component.set_ready(false, "kafka is not reachable"),
        }
    }
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
    let address: SocketAddr = config.door_address.parse().map_err(|_| {
        let text = &config.door_address;
        Error::Door(format!(
            "[ingest] door_address = {text:?} is no address with a port: write one such as 127.0.0.1:8080"
        ))
    })?;
    let readiness = Arc::new(Readiness { component: service.health.component("door"), state: Mutex::default() });
    let grouping = Grouping {
        id: format!("ingest-door-{}", service.instance),
        max_records: config.door_group_records,
        timeout_ms: config.door_timeout_ms,
    };
    let hears = readiness.clone();
    let ready = move |connected: bool| hears.note(|state| state.connected = Some(connected));
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
    let (bound, server) = served.map_err(|error| Error::Door(format!("[ingest] door_address {address}: {error}")))?;
    readiness.note(|state| state.listens = true);
    let both = async move {
        server.join().await?;
        if let Some(watching) = watching {
            watching.join().await?;
        }
        // The router is gone with the server, and with it the last way to the publisher, which then ends.
        let ended = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
        if ended.unwrap_or(false) { Ok(()) } else { Err(WorkerError::Panicked("door-publish")) }
    };
    Ok((bound, WorkerHandle::task("door", both)))
}
