//! Keeps a worker running: one session after another, each with new clients, until it is told to stop or another instance has
//! taken its ids.

use super::engine::Engine;
use super::error::LoopError;
use super::handler::Handler;
use super::meter::Meter;
use super::session::{Session, lacking};
use super::spec::LoopSpec;
use crate::shell::Shell;
use crate::task::{self, RoomHandle, SpawnError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Starts the loop on threads of its own. It ends well when the shell shuts down, and with an error when it is fenced; after
/// any other failure it starts again with new clients.
///
/// # Errors
/// [`SpawnError`] when a room with state has several inputs, metrics are registered twice, or no thread is to be had.
pub fn spawn_loop<H: Handler + 'static>(spec: LoopSpec, handler: H, shell: &Shell) -> Result<RoomHandle, SpawnError> {
    if spec.changelog.is_some() && spec.inputs.len() != 1 {
        return Err(SpawnError::Inputs(spec.room));
    }
    let meter = Arc::new(Meter::new(&shell.registry, spec.room)?);
    if spec.pauses_floods {
        spec.inputs.iter().for_each(|topic| meter.flood_watched(topic));
    }
    let shell = shell.clone();
    let name = spec.room;
    let handle = task::thread(name, move || supervise(&spec, handler, &shell, &meter))?;
    Ok(RoomHandle::thread(name, handle))
}

fn supervise<H: Handler>(spec: &LoopSpec, handler: H, shell: &Shell, meter: &Arc<Meter>) -> Result<(), String> {
    let component = shell.health.component(spec.room);
    let mut engine = Engine::new(handler, spec.control);
    let mut backoff = Duration::from_millis(100);
    while joins(spec, shell, &mut engine) {
        let started = Instant::now();
        engine.revoke_all();
        match Session::begin(spec, shell, meter).and_then(|session| session.run(&mut engine)) {
            Ok(()) => {
                component.set_ready(false, "stopped");
                return Ok(());
            }
            Err(error @ LoopError::Fenced(_)) => {
                meter.fenced.inc();
                component.set_ready(false, "fenced");
                tracing::error!(room = spec.room, %error, "fenced");
                return Err(format!("{}: {error}", spec.room));
            }
            Err(LoopError::Lacking(why)) => {
                component.set_ready(false, format!("{why}; it has left its group for a while"));
                tracing::error!(room = spec.room, why, "left the group");
                rest(shell, STAYS_AWAY_FOR);
                continue;
            }
            Err(LoopError::Broken(why)) => {
                meter.restarts.inc();
                component.set_ready(false, "restarting");
                tracing::warn!(room = spec.room, why, "room starts again");
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
fn joins<H: Handler>(spec: &LoopSpec, shell: &Shell, engine: &mut Engine<H>) -> bool {
    while !shell.shutdown.is_cancelled() {
        match lacking(spec, shell, engine) {
            Ok(Some(why)) => {
                shell
                    .health
                    .component(spec.room)
                    .set_ready(false, format!("not ready: {why}; it stays out of its group"));
                tracing::warn!(room = spec.room, why, "stays out of the group");
                rest(shell, LOOKS_AGAIN_AFTER);
            }
            Ok(None) => return true,
            Err(error) => {
                tracing::debug!(room = spec.room, %error, "what is in force cannot be asked for");
                return true;
            }
        }
    }
    false
}

fn rest(shell: &Shell, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until && !shell.shutdown.is_cancelled() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Longer than the session of a member that is gone without a word, so that another one has its partitions by then.
const STAYS_AWAY_FOR: Duration = Duration::from_secs(15);
/// Between two looks at what is in force.
const LOOKS_AGAIN_AFTER: Duration = Duration::from_secs(2);
