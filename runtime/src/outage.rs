//! A server that is away: one line when that begins, one a minute while it lasts with how often it was tried, one when it is back. Clients
//! try again many times a second; each of those tries is a line for nobody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Kafka's brokers.
pub static KAFKA: Outage =
    Outage::new("kafka", "workers and the door wait, and go on by themselves", Duration::from_secs(12));
/// One broker of several.
pub(crate) static BROKERS: Outage =
    Outage::new("kafka broker", "workers go on where others lead its partitions", Duration::from_secs(12));
/// PostgreSQL.
pub static DATABASE: Outage =
    Outage::new("postgres", "decisions go on; audit-sink, audit-signer, notifier and read-api wait", Duration::ZERO);

/// Between two lines while it lasts.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// A kind of server, and which of them are away.
#[derive(Debug)]
pub struct Outage {
    server: &'static str,
    meanwhile: &'static str,
    /// For which nothing must have failed before it counts as back: clients of one server may hear of it seconds apart.
    quiet: Duration,
    away: Mutex<BTreeMap<String, Lasting>>,
    count: AtomicUsize,
}

#[derive(Debug, Clone)]
struct Lasting {
    since: Instant,
    told: Instant,
    last: Instant,
    tries: u64,
}

/// What is to be said.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Begins,
    Lasts { tries: u64, seconds: u64 },
    Ends { tries: u64, seconds: u64 },
}

impl Outage {
    const fn new(server: &'static str, meanwhile: &'static str, quiet: Duration) -> Self {
        Self { server, meanwhile, quiet, away: Mutex::new(BTreeMap::new()), count: AtomicUsize::new(0) }
    }

    /// The server at a place was not reached.
    pub(crate) fn failed(&self, place: &str, why: &str) {
        let (server, meanwhile) = (self.server, self.meanwhile);
        match self.note(place, Instant::now()) {
            Some(Word::Begins) => tracing::warn!(server, place, why, meanwhile, "server is away"),
            Some(Word::Lasts { tries, seconds }) => {
                tracing::warn!(server, place, why, tries, seconds, "server is still away");
            }
            Some(Word::Ends { .. }) | None => tracing::debug!(server, place, why, "server is away"),
        }
    }

    /// It was reached.
    pub(crate) fn works(&self, place: &str) {
        if let Some(Word::Ends { tries, seconds }) = self.ended(place, Instant::now()) {
            tracing::info!(server = self.server, place, tries, seconds, "server is back");
        }
    }

    /// Whether one of them is away: then whoever does without it need not say so again.
    pub fn lasts(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    fn note(&self, place: &str, now: Instant) -> Option<Word> {
        let mut away = self.away();
        let Some(lasting) = away.get_mut(place) else {
            away.insert(place.to_owned(), Lasting { since: now, told: now, last: now, tries: 1 });
            self.count.store(away.len(), Ordering::Relaxed);
            return Some(Word::Begins);
        };
        lasting.tries += 1;
        lasting.last = now;
        if now.duration_since(lasting.told) < TOLD_EVERY {
            return None;
        }
        lasting.told = now;
        Some(Word::Lasts { tries: lasting.tries, seconds: now.duration_since(lasting.since).as_secs() })
    }

    fn ended(&self, place: &str, now: Instant) -> Option<Word> {
        if !self.lasts() {
            return None;
        }
        let mut away = self.away();
        if now.duration_since(away.get(place)?.last) < self.quiet {
            return None;
        }
        let lasting = away.remove(place)?;
        self.count.store(away.len(), Ordering::Relaxed);
        Some(Word::Ends { tries: lasting.tries, seconds: now.duration_since(lasting.since).as_secs() })
    }

    fn away(&self) -> MutexGuard<'_, BTreeMap<String, Lasting>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a place of the program last warned.
#[derive(Debug)]
pub struct Said(Mutex<Option<Instant>>);

impl Said {
    /// Nothing was said yet.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether a warning is due again, which is then taken for said.
    pub fn is_due(&self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&self, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = said.is_none_or(|said| now.duration_since(said) >= TOLD_EVERY);
        if is_due {
            *said = Some(now);
        }
        is_due
    }
}

impl Default for Said {
    fn default() -> Self {
        Self::new()
    }
}

/// A warning. While the server that it probably follows from is away, each place of the program warns once a minute, and otherwise has a line
/// for whoever looks closely: it may have another reason, and nothing is silent for as long as an outage lasts.
#[macro_export]
macro_rules! warn_unless_away {
    ($outage:expr, $($line:tt)*) => {{
        static SAID: $crate::outage::Said = $crate::outage::Said::new();
        if $outage.lasts() && !SAID.is_due() { ::tracing::debug!($($line)*) } else { ::tracing::warn!($($line)*) }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_the_program_is_never_silent_for_longer_than_a_minute() {
        let (said, start) = (Said::new(), Instant::now());
        let due: Vec<u64> = (0..200).filter(|s| said.is_due_at(start + Duration::from_secs(*s))).collect();
        assert_eq!(due, [0, 60, 120, 180]);
    }

    #[test]
    fn an_outage_is_a_line_at_its_begin_one_a_minute_and_one_at_its_end() {
        let outage = Outage::new("kafka", "nothing goes on", Duration::from_secs(5));
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(outage.ended("a", at(0)), None, "nothing was away");
        let said: Vec<Word> = (0..1_300).filter_map(|try_| outage.note("a", at(try_ * 100))).collect();
        let lasts = |tries, seconds| Word::Lasts { tries, seconds };
        assert_eq!(said, [Word::Begins, lasts(601, 60), lasts(1201, 120)]);
        assert!(outage.lasts());
        assert_eq!(outage.note("b", at(130_000)), Some(Word::Begins), "another one");
        assert_eq!(outage.ended("a", at(131_000)), None, "somebody still failed a moment ago");
        assert_eq!(outage.ended("a", at(135_000)), Some(Word::Ends { tries: 1_300, seconds: 135 }));
        assert!(outage.lasts(), "the other one still is");
        assert_eq!(outage.ended("a", at(136_000)), None, "told once");
        assert!(outage.ended("b", at(136_000)).is_some() && !outage.lasts());
    }
}
