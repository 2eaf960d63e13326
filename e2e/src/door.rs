//! A sender at the HTTP door that does what its documentation asks of senders: it sends the same request again until it hears
//! 202. What was answered so must be decided.

use crate::supervisor::Doors;
use crate::traffic::Traffic;
use anyhow::{Context, Result};
use runtime::clock;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// No answer within this is no answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// After the end of a run, for the request in hand.
const LAST: Duration = Duration::from_secs(60);
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What came of the requests.
#[derive(Debug, Default)]
pub struct Posted {
    /// Applications that were answered 202, by id.
    pub acknowledged: Vec<String>,
    /// When each of those answers came.
    pub at: Vec<Instant>,
    /// Requests that were answered otherwise, or not at all.
    pub unanswered: u64,
}

impl Posted {
    /// How long after a moment the first 202 came; `None` when none did.
    pub fn back_after(&self, since: Instant) -> Option<Duration> {
        self.at.iter().find(|at| **at >= since).map(|at| at.duration_since(since))
    }
}

/// Posts one application after another, `rate` a second, until told to stop.
///
/// # Errors
/// When an application cannot be made.
pub fn knock(traffic: &Traffic, doors: &Doors, rate: usize, stop: &AtomicBool) -> Result<Posted> {
    let mut posted = Posted::default();
    let pause = Duration::from_secs_f64(1.0 / rate.max(1) as f64);
    let mut stopped_at = None;
    for number in 0.. {
        let event = traffic.event("door", number, &clock::rfc3339(clock::now()))?;
        for attempt in 0.. {
            if stop.load(Ordering::Relaxed) && stopped_at.is_none() {
                stopped_at = Some(Instant::now());
            }
            if stopped_at.is_some_and(|at| attempt == 0 || at.elapsed() > LAST) {
                return Ok(posted);
            }
            let port = port(doors, number + attempt);
            if port.is_some_and(|port| post(port, &event.event_id, &event.body).is_ok_and(|status| status == 202)) {
                posted.acknowledged.push(event.application_id);
                posted.at.push(Instant::now());
                break;
            }
            posted.unanswered += 1;
            std::thread::sleep(AGAIN_AFTER);
        }
        std::thread::sleep(pause);
    }
    Ok(posted)
}

fn port(doors: &Doors, turn: usize) -> Option<u16> {
    let doors = doors.lock().unwrap_or_else(PoisonError::into_inner);
    doors.values().nth(turn % doors.len().max(1)).copied()
}

/// Posts JSON to a door of this machine; gives the status.
fn post(port: u16, idempotency_key: &str, body: &[u8]) -> Result<u16> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "POST /v1/applications HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         idempotency-key: {idempotency_key}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split_whitespace().nth(1).context("no status")?;
    Ok(status.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_behind_a_moment_is_told() {
        let start = Instant::now();
        let at = [10, 900, 1200].map(|ms| start + Duration::from_millis(ms)).into();
        let posted = Posted { at, ..Posted::default() };
        let after = |ms| posted.back_after(start + Duration::from_millis(ms)).map(|back| back.as_millis());
        assert_eq!([after(0), after(20), after(1200), after(1201)], [Some(10), Some(880), Some(0), None]);
    }
}
