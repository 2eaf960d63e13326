//! Loads, and what is counted under them.

use crate::session::ask;
use crate::workers::Workers;
use anyhow::{Result, bail};
use e2e::stage::Stage;
use e2e::traffic::{Event, Sender, Traffic};
use e2e::watch::{Schedule, Watch};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Applications that are decided before the clock starts: groups are joined, producers initialised, code paths warm.
pub const WARM: usize = 2_000;
/// Applications that are made and sent at once where more are sent than memory should hold.
const PART: usize = 20_000;
/// Records that one application leaves on audited topics, beside one for its protected facts.
const AUDITED_PER_APPLICATION: i64 = 7;

/// Entries of all logs.
const LOGGED: &str = "SELECT coalesce(sum(size), 0)::bigint FROM defaultx.audit_logs";
/// Longer than the log lingers.
const STILL: Duration = Duration::from_millis(1_500);

/// What a load took.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Taken {
    /// Applications a second.
    pub rate: f64,
    /// Microseconds of the workers' processor time for each application.
    pub processor_us: f64,
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0}/s at {:.0} µs of processor time each", self.rate, self.processor_us)
    }
}

/// From the first send to the last decision that a reader of committed records sees.
pub fn throughput(stage: &Stage, traffic: &Traffic, count: usize, workers: &Workers) -> Result<Taken> {
    let events = traffic.events("bench", 0..WARM + count)?;
    let watch = Watch::start(&stage.kafka, Schedule::default())?;
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    send(&sender, &events[..WARM])?;
    watch.wait(WARM)?;
    let (started, before) = (Instant::now(), workers.processor()?);
    send(&sender, &events[WARM..])?;
    let last = watch.wait(WARM + count)?;
    let processor = workers.processor()? - before;
    watch.stop()?;
    Ok(Taken {
        rate: count as f64 / last.duration_since(started).as_secs_f64(),
        processor_us: processor.as_secs_f64() * 1e6 / count as f64,
    })
}

/// Sends more on top of what a deployment has decided, and waits for it.
pub fn more(stage: &Stage, traffic: &Traffic, from: usize, count: usize) -> Result<()> {
    let watch = Watch::start(&stage.kafka, Schedule::default())?;
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    for part in (from..from + count).step_by(PART) {
        send(&sender, &traffic.events("bench", part..(part + PART).min(from + count))?)?;
    }
    watch.wait(from + count)?;
    watch.stop()
}

/// Sends events that were made before, so that making them costs the measured workers nothing.
pub fn send(sender: &Sender, events: &[Event]) -> Result<()> {
    events.iter().try_for_each(|event| sender.send(event, Some(&event.application_id)))?;
    sender.flush()
}

/// Applications a second until the log and its projections hold all of them.
pub fn audited(stage: &Stage, traffic: &Traffic, count: usize) -> Result<f64> {
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    let logged = |sent: &[Event]| -> Result<()> {
        let expected: i64 = sent.iter().map(|event| AUDITED_PER_APPLICATION + i64::from(event.has_protected)).sum();
        logs(&stage.database_url, expected)
    };
    let events = traffic.events("bench", 0..WARM + count)?;
    send(&sender, &events[..WARM])?;
    logged(&events[..WARM])?;
    let started = Instant::now();
    send(&sender, &events[WARM..])?;
    logged(&events)?;
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Waits until the log has so many entries; over one session, since a new one for each look costs the server more than many batches.
fn logs(url: &str, expected: i64) -> Result<()> {
    let started = Instant::now();
    ask(url, async |client| {
        while client.query_one(LOGGED, &[]).await?.get::<_, i64>(0) < expected {
            if started.elapsed() > Duration::from_secs(300) {
                bail!("the log does not drain");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    })
}

/// Waits until the log has what so many applications leave and stands still: what is measured of everything is of a log that runs.
pub fn settled(stage: &Stage, applications: usize) -> Result<()> {
    logs(&stage.database_url, AUDITED_PER_APPLICATION * applications as i64)?;
    ask(&stage.database_url, async |client| {
        let mut before = -1;
        loop {
            let now: i64 = client.query_one(LOGGED, &[]).await?.get(0);
            if now == before {
                return Ok(());
            }
            before = now;
            tokio::time::sleep(STILL).await;
        }
    })
}

/// Latency from the moment that each application was due, at a steady rate, for 20 seconds after a warm-up.
pub fn half_load(stage: &Stage, traffic: &Traffic, rate: f64) -> Result<(f64, f64)> {
    let schedule = Schedule::default();
    let watch = Watch::start(&stage.kafka, schedule.clone())?;
    warm_up(stage, traffic, &watch)?;
    let count = (rate * 20.0) as usize;
    at_rate(stage, traffic, rate, count, &schedule)?;
    watch.wait(WARM + count)?;
    let quantiles = (watch.latency_ms(0.5), watch.latency_ms(0.99));
    watch.stop()?;
    Ok(quantiles)
}

/// Has [`WARM`] applications decided.
pub fn warm_up(stage: &Stage, traffic: &Traffic, watch: &Watch) -> Result<()> {
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    send(&sender, &traffic.events("warm", 0..WARM)?)?;
    watch.wait(WARM).map(drop)
}

/// Sends applications at a steady rate, and says in the schedule when each was due.
pub fn at_rate(stage: &Stage, traffic: &Traffic, rate: f64, count: usize, schedule: &Schedule) -> Result<()> {
    let sender = Sender::prompt(&stage.kafka)?;
    let events = traffic.events("half", 0..count)?;
    let started = Instant::now() + Duration::from_millis(100);
    let due = |number: usize| started + Duration::from_secs_f64(number as f64 / rate);
    *schedule.lock().unwrap_or_else(PoisonError::into_inner) = (0..count).map(due).collect();
    for (number, event) in events.iter().enumerate() {
        let wait = due(number).saturating_duration_since(Instant::now());
        if wait > Duration::from_micros(500) {
            std::thread::sleep(wait);
        }
        sender.send(event, None)?;
    }
    sender.flush()
}
