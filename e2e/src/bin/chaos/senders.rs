//! Who sends: an honest tenant at a steady rate, one that misbehaves, a third at the HTTP doors.

use crate::args::Args;
use anyhow::Result;
use e2e::door::{self, Posted};
use e2e::stage::Stage;
use e2e::supervisor::Doors;
use e2e::traffic::{Delivered, Event, Sender, Traffic};
use e2e::watch::Watch;
use runtime::{clock, task};
use schemas::Topic;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Run of the honest tenant's applications.
pub const HONEST_RUN: &str = "chaos";
/// The tenant that misbehaves.
pub const ROWDY: &str = "rowdy";
/// Its topic.
pub const ROWDY_TOPIC: &str = "loan.rowdy.v1";
/// Partitions of that topic: more than the deployment has.
pub const ROWDY_PARTITIONS: i32 = 8;
/// Decisions after which every worker is warm.
const WARM: usize = 200;
/// A machine that does other things takes its time over ten processes.
const START_WITHIN: Duration = Duration::from_secs(300);
/// A period of what the misbehaving tenant sends.
const PERIOD: usize = 20;

/// Threads that send until they are stopped.
pub struct Senders {
    stop: Arc<AtomicBool>,
    honest: JoinHandle<Result<Delivered>>,
    rowdy: JoinHandle<Result<Delivered>>,
    door: JoinHandle<Result<Posted>>,
    phases: Vec<Range<usize>>,
}

/// What was sent.
pub struct Sent {
    /// Records to topics, by the two tenants.
    pub records: [Delivered; 2],
    /// What came of requests.
    pub posted: Posted,
    /// Numbers of the honest tenant while it was alone, and beside the other; none where nobody asked.
    pub phases: Vec<Range<usize>>,
}

impl Senders {
    /// Starts them one after another: the honest tenant is alone for a while.
    ///
    /// # Errors
    /// When a client or thread is not to be had, or nothing is decided.
    pub fn start(stage: &Stage, args: &Args, traffic: &Arc<Traffic>, doors: &Doors) -> Result<Self> {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let honest = {
            let sender = Sender::connect(&stage.kafka, "consistent_random")?;
            let (traffic, stop, count, rate) = (traffic.clone(), stop.clone(), count.clone(), args.rate);
            task::thread("honest", move || publish_honest(&traffic, &sender, rate, &stop, &count))?
        };
        let watch = Watch::start(&stage.kafka, <_>::default())?;
        watch.wait_within(WARM, START_WITHIN)?;
        watch.stop()?;
        let mut phases = Vec::new();
        let mut phase = || {
            let from = count.load(Ordering::Relaxed);
            std::thread::sleep(Duration::from_secs(args.phase_seconds));
            phases.push(from..count.load(Ordering::Relaxed));
        };
        phase();
        let rowdy = {
            let sender = Sender::to(&stage.kafka, ROWDY_TOPIC, "consistent_random")?;
            let (traffic, stop, rate) = (traffic.clone(), stop.clone(), args.rowdy_rate);
            task::thread("rowdy", move || publish_rowdy(&traffic, &sender, rate, &stop))?
        };
        phase();
        let door = {
            let (traffic, stop, doors, rate) = (traffic.clone(), stop.clone(), doors.clone(), args.door_rate);
            task::thread("door", move || door::knock(&traffic, &doors, rate, &stop))?
        };
        Ok(Self { stop, honest, rowdy, door, phases })
    }

    /// Stops them; what was sent is with the broker then.
    ///
    /// # Errors
    /// What one of them met.
    pub fn stop(self) -> Result<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        let panicked = |_| anyhow::anyhow!("a sender panicked");
        let records = [self.honest.join().map_err(panicked)??, self.rowdy.join().map_err(panicked)??];
        Ok(Sent { records, posted: self.door.join().map_err(panicked)??, phases: self.phases })
    }
}

/// Calls for each number when it is due.
fn steadily(rate: usize, stop: &AtomicBool, mut each: impl FnMut(usize) -> Result<()>) -> Result<()> {
    let started = Instant::now();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = (started.elapsed().as_secs_f64() * rate as f64) as usize;
        while number < due {
            each(number)?;
            number += 1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Every hundredth application is sent twice, every third without a key. Gives what came of the records.
fn publish_honest(
    traffic: &Traffic,
    sender: &Sender,
    rate: usize,
    stop: &AtomicBool,
    count: &AtomicUsize,
) -> Result<Delivered> {
    steadily(rate, stop, |number| {
        let event = traffic.event(HONEST_RUN, number, &clock::rfc3339(clock::now()))?;
        for _ in 0..if number % 100 == 99 { 2 } else { 1 } {
            sender.send(&event, (number % 3 != 0).then_some(event.application_id.as_str()))?;
        }
        count.store(number, Ordering::Relaxed);
        Ok(())
    })?;
    sender.flush()?;
    Ok(sender.delivered())
}

/// Half are applications, the others garbage, bodies that are none of the contract, and other content under a known id.
fn publish_rowdy(traffic: &Traffic, sender: &Sender, rate: usize, stop: &AtomicBool) -> Result<Delivered> {
    steadily(rate, stop, |number| {
        let now = clock::rfc3339(clock::now());
        let of = |id: usize| traffic.event_of(ROWDY, &format!("{ROWDY}-{id}"), number, &now);
        let event = match number % PERIOD {
            0 => of(number.saturating_sub(PERIOD / 2))?,
            1..=10 => of(number)?,
            11..=15 => Event { body: vec![b'{'; 200], ..of(number)? },
            _ => Event { body: br#"{"tenant":"rowdy"}"#.to_vec(), ..of(number)? },
        };
        sender.send(&event, None)
    })?;
    sender.flush()?;
    Ok(sender.delivered())
}

/// The honest tenant's topic.
pub fn honest_topic(stage: &Stage) -> String {
    Topic::LoanApplications.name(&stage.kafka.topic_prefix)
}
