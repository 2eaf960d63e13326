//! Workers in this process until they are told to stop or one of them ends. Whatever ends a process but the signal to stop is a
//! failure, so that a supervisor starts it again under the same ids.

use crate::attributes;
use crate::judge;
use crate::settings::Settings;
use crate::topics;
use crate::workers::Worker;
use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use runtime::http::{self, Cover, Listener, Tls};
use runtime::metrics;
use runtime::service::{OBSERVER, ServiceContext};
use runtime::task::{self, WorkerError, WorkerHandle};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Workers that run in this process.
#[derive(Debug)]
pub struct Running {
    /// Their surroundings.
    pub service: ServiceContext,
    /// Where /livez, /readyz and /metrics are.
    pub ops: SocketAddr,
    handles: Vec<WorkerHandle>,
    drain: Duration,
}

/// Starts workers; they stop when `shutdown` is cancelled.
///
/// # Errors
/// Why one of them cannot run; those before it are told to stop.
pub async fn start(settings: &Settings, workers: &[Worker], shutdown: CancellationToken) -> Result<Running> {
    settings.kafka.check_plaintext()?;
    let mut service = ServiceContext::new(settings.kafka.clone());
    service.instance.clone_from(&settings.process.instance);
    service.shutdown = shutdown;
    service.allow_plaintext_listeners = settings.process.allow_plaintext_listeners;
    service.database = Some(settings.database.clone()).filter(|database| !database.url.is_empty());
    let names: Vec<&str> = workers.iter().map(|worker| worker.name()).collect();
    metrics::register_process(&service.registry, env!("CARGO_PKG_VERSION"), &service.instance, &names)?;
    let listen = &settings.process.ops_listen;
    let address = judge::address("[process] ops_listen", listen)?;
    service.tls = Tls::of(&settings.tls)?;
    let listener = Listener { tls: service.tls.clone().filter(|_| settings.tls.ops), ..service.listener(address) };
    let (health, registry, stop) = (service.health.clone(), service.registry.clone(), service.shutdown.clone());
    let cover = Cover::of(service.allow_plaintext_listeners);
    let served = http::serve_ops(listener, health, registry, stop, cover).await;
    let (ops, handle) = served.with_context(|| format!("[process] ops_listen {address}"))?;
    let drain = Duration::from_secs(settings.process.drain_seconds);
    let mut running = Running { service, ops, handles: vec![handle], drain };
    for worker in workers {
        match worker.start(settings, running.service.clone()).await {
            Ok(handles) => running.handles.extend(handles),
            Err(error) => {
                running.service.shutdown.cancel();
                return Err(error);
            }
        }
    }
    if workers.iter().any(|worker| matches!(worker, Worker::Ingest | Worker::ReadApi)) {
        running.handles.push(attributes::follow(settings, &running.service));
    }
    if workers.contains(&Worker::Ingest) {
        tell_of_topics(settings, &running.service);
    }
    Ok(running)
}

/// Says in the log what `topics check` finds, once, beside the workers: they run, but a record's time may be its sender's choice,
/// or an outage may cost more than it should.
fn tell_of_topics(settings: &Settings, service: &ServiceContext) {
    let (kafka, senders, stop) =
        (settings.kafka.of(OBSERVER), settings.ingest.sender_topics(), service.shutdown.clone());
    let current = tokio::runtime::Handle::current();
    let check = move || current.block_on(stop.run_until_cancelled(topics::check_topics(&kafka, &senders)));
    let check = tokio::task::spawn_blocking(check); // it asks with calls that block
    drop(task::spawn("topics-check", async {
        match check.await {
            Ok(Some(Ok(findings))) => findings.iter().for_each(|finding| tracing::warn!("{finding}")),
            Ok(Some(Err(error))) => tracing::warn!(error = crate::say::told(&error), "the topics could not be checked"),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the check of the topics ended"),
        }
    }));
}

/// Where the servers of a process listen: the ports that were taken, whatever was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Of /livez, /readyz and /metrics.
    pub ops: SocketAddr,
    /// Of read-api, where it runs here.
    pub read_api: Option<SocketAddr>,
    /// Of the HTTP door, where it is open here.
    pub door: Option<SocketAddr>,
    /// Whether ingest runs here without one.
    pub lacks_door: bool,
}

impl Addresses {
    /// A line for each.
    pub(crate) fn lines(&self, settings: &Settings) -> Vec<String> {
        let scheme = |is_secure: bool| if is_secure { "https" } else { "http" };
        let (outer, ops) = (scheme(!settings.tls.certificate.is_empty()), scheme(settings.tls.ops));
        let api = self.read_api.map(|at| format!("read-api     {outer}://{at}/v1/applications"));
        let door = self.door.map(|at| format!("HTTP door    {outer}://{at}/v1/applications"));
        let no_door =
            self.lacks_door.then(|| "HTTP door    none: set [ingest] door_address, such as 127.0.0.1:8080".to_owned());
        let ops = [format!("metrics      {ops}://{}/metrics", self.ops)];
        api.into_iter().chain(door).chain(no_door).chain(ops).collect()
    }
}

impl Running {
    /// Waits until every server that these workers have listens, and gives where; for ever where one cannot.
    pub fn addresses(&self, settings: &Settings, workers: &[Worker]) -> impl Future<Output = Addresses> + use<> {
        let (bound, ops) = (self.service.bound.clone(), self.ops);
        let has_api = workers.contains(&Worker::ReadApi);
        let has_ingest = workers.contains(&Worker::Ingest);
        let has_door = has_ingest && !settings.ingest.door_address.is_empty();
        async move {
            let read_api = if has_api { Some(bound.of("read-api").await) } else { None };
            let door = if has_door { Some(bound.of("door").await) } else { None };
            Addresses { ops, read_api, door, lacks_door: has_ingest && !has_door }
        }
    }

    /// Waits until every component is ready, for however long; whoever also waits for an end hears of that there.
    pub(crate) fn all_ready(&self) -> impl Future<Output = ()> + use<> {
        let health = self.service.health.clone();
        async move {
            while !health.is_ready() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Waits until every component is ready.
    ///
    /// # Errors
    /// When that takes too long, with what is not; or a worker has ended.
    pub async fn ready(&mut self, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        while !self.service.health.is_ready() {
            if let Some(at) = self.handles.iter().position(WorkerHandle::is_finished) {
                let (name, result) = ended(self.handles.swap_remove(at)).await;
                bail!("{name} ended at its start: {}", result.err().map(|why| why.to_string()).unwrap_or_default());
            }
            if Instant::now() > until {
                let states = self.service.health.states();
                let waiting = states.iter().filter(|(_, state)| !state.ready);
                let waiting: Vec<String> = waiting.map(|(name, state)| format!("{name}: {}", state.reason)).collect();
                bail!("not ready: {}", waiting.join(", "));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Runs until shutdown, then drains.
    ///
    /// # Errors
    /// When a worker ended unasked, or with an error, or draining took too long.
    pub async fn wait(self) -> Result<()> {
        let shutdown = self.service.shutdown.clone();
        let mut ends: FuturesUnordered<_> = self.handles.into_iter().map(ended).collect();
        let mut first_error = None;
        tokio::select! {
            () = shutdown.cancelled() => {}
            Some((name, result)) = ends.next() => {
                first_error = Some(match result {
                    // The signal may have come first, and this select looked at the worker first.
                    Ok(()) if shutdown.is_cancelled() => None,
                    Ok(()) => Some(format!("{name} ended unasked")),
                    Err(why) => Some(told(name, &why)),
                }).flatten();
                shutdown.cancel();
            }
        }
        let drained = tokio::time::timeout(self.drain, async {
            while let Some((name, result)) = ends.next().await {
                if let Err(why) = result {
                    first_error.get_or_insert(told(name, &why));
                }
            }
        });
        if drained.await.is_err() {
            first_error.get_or_insert(format!("draining took more than {} s", self.drain.as_secs()));
        }
        match first_error {
            None => Ok(()),
            Some(why) => bail!(why),
        }
    }

    /// Tells the workers to stop and waits until they have.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub async fn stop(self) -> Result<()> {
        self.service.shutdown.cancel();
        self.wait().await
    }
}

/// A worker's error under its name, which some say themselves.
fn told(name: &str, why: &WorkerError) -> String {
    let (why, named) = (why.to_string(), format!("{name}: "));
    if why.starts_with(&named) { why } else { named + &why }
}

async fn ended(handle: WorkerHandle) -> (&'static str, Result<(), WorkerError>) {
    (handle.name(), handle.join().await)
}
