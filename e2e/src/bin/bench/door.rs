//! The HTTP door: how long a request waits for its 202 at a steady rate, and how many are answered a second when each client sends
//! its next one at once.

use crate::bench::Bench;
use crate::http::{Connection, until_open};
use crate::steady::{EVERYTHING, everything};
use crate::workers::{self, Models};
use anyhow::{Result, ensure};
use e2e::traffic::Event;
use hdrhistogram::Histogram;
use runtime::task;
use serde_json::{Map, Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Requests a second of the steady load.
const RATE: usize = 50;
/// Seconds of each load.
const SECONDS: usize = 20;
/// Clients side by side.
const CLIENTS: usize = 32;
/// Requests before anything is timed.
const WARM: usize = 500;
/// Requests of the closed loop.
const CLOSED: usize = 30_000;

impl Bench {
    /// Measures the door of a deployment that runs everything.
    pub fn door(&mut self) -> Result<Map<String, Value>> {
        self.deploy_with(0, "door", 0, None)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let settings = everything(self.stage.dir(), &address)? + &self.args.settings;
        let mut workers = workers::product_with(&self.stage, Models::Shipped, EVERYTHING, &settings)?;
        let events = Arc::new(self.traffic.events("door", 0..WARM + RATE * SECONDS + CLOSED)?);
        until_open(&address)?;
        post_all(&address, &events, 0..WARM, None)?;
        let steady = post_all(&address, &events, WARM..WARM + RATE * SECONDS, Some(RATE))?;
        let started = Instant::now();
        post_all(&address, &events, WARM + RATE * SECONDS..events.len(), None)?;
        let per_s = CLOSED as f64 / started.elapsed().as_secs_f64();
        workers.stop()?;
        let [p50, p99] = [0.5, 0.99].map(|at| steady.value_at_quantile(at) as f64 / 1000.0);
        eprintln!("door: p50 {p50:.1} ms, p99 {p99:.1} ms at {RATE}/s; {per_s:.0}/s by {CLIENTS} clients");
        let figures = [("door_p50_ms", p50), ("door_p99_ms", p99), ("door_per_s", per_s)];
        Ok(figures.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
    }
}

/// Posts events by [`CLIENTS`] clients, each with a connection that it keeps; gives the microseconds from when each was due.
fn post_all(
    address: &str,
    events: &Arc<Vec<Event>>,
    numbers: std::ops::Range<usize>,
    rate: Option<usize>,
) -> Result<Histogram<u64>> {
    let (next, started) = (Arc::new(AtomicUsize::new(numbers.start)), Instant::now());
    let client = |_| {
        let (address, events, next) = (address.to_owned(), events.clone(), next.clone());
        let (first, end) = (numbers.start, numbers.end);
        task::thread("client", move || -> Result<Histogram<u64>> {
            let mut latencies = Histogram::new_with_bounds(1, 600_000_000, 3)?;
            let mut connection = Connection::open(&address)?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return Ok(latencies);
                }
                let due = match rate {
                    Some(rate) => started + Duration::from_secs_f64((number - first) as f64 / rate as f64),
                    None => Instant::now(),
                };
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let status = post(&mut connection, &events[number])?;
                ensure!(status == 202, "the door answers {status}");
                latencies.saturating_record(due.elapsed().as_micros() as u64);
            }
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect::<Result<_, _>>()?;
    let mut all = Histogram::new_with_bounds(1, 600_000_000, 3)?;
    for client in clients {
        all.add(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??)?;
    }
    Ok(all)
}

/// Posts one application; gives the status.
fn post(connection: &mut Connection, event: &Event) -> Result<u16> {
    let head = format!(
        "POST /v1/applications HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nidempotency-key: {}\r\n\
         content-length: {}\r\n\r\n",
        connection.host(),
        event.event_id,
        event.body.len()
    );
    connection.ask(&[head.as_bytes(), &event.body].concat()).map(|(status, _)| status)
}
