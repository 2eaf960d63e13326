//! Keeps a worker running: one session after another, each with new clients, until it is told to stop or another instance has
//! taken its ids.

use super::engine::Engine;
use super::error::LoopError;
use super::handler::Handler;
use super::lacking::lacking;
use super::meter::Meter;
use super::session::Session;
use super::spec::LoopSpec;
use crate::outage::KAFKA;
use crate::service::ServiceContext;
use crate::task::{SpawnError, WorkerHandle};
use crate::warn_unless_away;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Starts the loop on threads of its own. It ends well when the service layer shuts down, and with an error when it is fenced; after
/// any other failure it starts again with new clients.
///
/// # Errors
/// [`SpawnError`] when a worker with state has several inputs, metrics are registered twice, or no thread is to be had.
pub fn spawn_loop<H: Handler + 'static>(
    spec: LoopSpec,
    handler: H,
    service: &ServiceContext,
) -> Result<WorkerHandle, SpawnError> {
    if spec.changelog.is_some() && spec.inputs.len() != 1 {
        return Err(SpawnError::Inputs(spec.worker));
    }
    let meter = Arc::new(Meter::new(&service.registry, spec.worker)?);
    if spec.limits_dead_letters {
        spec.inputs.iter().for_each(|topic| meter.dead_letter_limit_watched(topic));
    }
    let service = service.clone();
    let name = spec.worker;
    Ok(WorkerHandle::thread(name, move || supervise(&spec, handler, &service, &meter))?)
}

fn supervise<H: Handler>(
    spec: &LoopSpec,
    handler: H,
    service: &ServiceContext,
    meter: &Arc<Meter>,
) -> Result<(), LoopError> {
    let component = service.health.component(spec.worker);
    let mut engine = Engine::new(handler, spec.control);
    let mut backoff = Duration::from_millis(100);
    while joins(spec, service, &mut engine) {
        let started = Instant::now();
        engine.revoke_all();
        match Session::begin(spec, service, meter).and_then(|session| session.run(&mut engine)) {
            Ok(()) => {
                component.set_ready(false, "stopped");
                return Ok(());
            }
            Err(error @ LoopError::Fenced(_)) => {
                meter.fenced.inc();
                component.set_ready(false, "fenced");
                tracing::error!(worker = spec.worker, %error, "fenced");
                return Err(error);
            }
            Err(LoopError::Lacking(why)) => {
                component.set_ready(false, format!("{why}; it has left its group for a while"));
                tracing::error!(worker = spec.worker, why, "left the group");
                rest(service, STAYS_AWAY_FOR);
                continue;
            }
            Err(LoopError::Broken(why)) => {
                meter.restarts.inc();
                component.set_ready(false, format!("restarting: {why}"));
                warn_unless_away!(KAFKA, worker = spec.worker, why, "worker starts again");
            }
        }
        if started.elapsed() > Duration::from_secs(30) {
            backoff = Duration::from_millis(100);
        }
        std::thread::sleep(backoff);
        backoff = (backoff * 2).min(Duration::from_secs(5));
    }
    Ok(())
}

/// Waits until this instance lacks nothing of what is in force; false when it is told to stop. Where nobody can tell, the session
/// finds out why.
fn joins<H: Handler>(spec: &LoopSpec, service: &ServiceContext, engine: &mut Engine<H>) -> bool {
    while !service.shutdown.is_cancelled() {
        match lacking(spec, service, engine) {
            Ok(Some(why)) => {
                service
                    .health
                    .component(spec.worker)
                    .set_ready(false, format!("not ready: {why}; it stays out of its group"));
                tracing::warn!(worker = spec.worker, why, "stays out of the group");
                rest(service, LOOKS_AGAIN_AFTER);
            }
            Ok(None) => return true,
            Err(error) => {
                tracing::debug!(worker = spec.worker, %error, "what is in force cannot be asked for");
                return true;
            }
        }
    }
    false
}

fn rest(service: &ServiceContext, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until && !service.shutdown.is_cancelled() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Longer than the session of a member that is gone without a word, so that another one has its partitions by then.
const STAYS_AWAY_FOR: Duration = Duration::from_secs(15);
/// Between two looks at what is in force.
const LOOKS_AGAIN_AFTER: Duration = Duration::from_secs(2);
