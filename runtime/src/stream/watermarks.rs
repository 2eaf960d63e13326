//! PURE. How far a consumer is behind, by partition. Measured to the high watermark: what waits behind an open transaction is
//! behind too, and the last stable offset, at which a `read_committed` reader stops, says nothing of it.

use super::offset::NextOffset;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A partition that no client has told of for so long is another instance's.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// Topic and partition.
pub(crate) type Place = (String, i32);

/// Where a partition's reader and its ends are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The next offset that its reader takes; `None` before it has taken any.
    pub position: Option<NextOffset>,
    /// The last stable offset: where the first open transaction begins.
    pub stable: NextOffset,
    /// The high watermark.
    pub high: NextOffset,
}

/// What is known of a partition.
struct Watched {
    ends: Ends,
    /// Since when the last stable offset stands where it is, while records wait beyond it.
    held_since: Option<Instant>,
    told_at: Instant,
}

/// Every partition that a worker reads.
#[derive(Default)]
pub(crate) struct Watermarks {
    partitions: HashMap<Place, Watched>,
}

impl Watermarks {
    /// Takes what a client tells of a partition.
    pub fn tell(&mut self, place: Place, ends: Ends, now: Instant) {
        let before = self.partitions.get(&place);
        let stands = before.filter(|before| before.ends.stable == ends.stable).and_then(|before| before.held_since);
        let held_since = (ends.high > ends.stable).then(|| stands.unwrap_or(now));
        self.partitions.insert(place, Watched { ends, held_since, told_at: now });
    }

    /// Drops the partitions that no client tells of any more, and gives them.
    pub fn forget(&mut self, now: Instant) -> Vec<Place> {
        let is_old = |watched: &Watched| now.duration_since(watched.told_at) > FORGOTTEN_AFTER;
        let gone: Vec<Place> =
            self.partitions.iter().filter(|(_, watched)| is_old(watched)).map(|(place, _)| place.clone()).collect();
        self.partitions.retain(|_, watched| !is_old(watched));
        gone
    }

    /// Records of a partition that its reader has not taken, open transactions included.
    pub fn lag(&self, place: &Place) -> i64 {
        self.partitions.get(place).map_or(0, |watched| watched.ends.lag())
    }

    /// For how long records have waited behind the same open transaction.
    pub fn held(&self, place: &Place, now: Instant) -> Duration {
        let since = self.partitions.get(place).and_then(|watched| watched.held_since);
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The same of all partitions: records, and the longest time.
    pub fn total(&self, now: Instant) -> (i64, Duration) {
        let lag = self.partitions.values().map(|watched| watched.ends.lag()).sum();
        let held = self.partitions.keys().map(|place| self.held(place, now)).max();
        (lag, held.unwrap_or_default())
    }

    /// Records between the last stable offset and the high watermark.
    pub(crate) fn unstable(&self) -> i64 {
        self.partitions.values().map(|watched| (watched.ends.high - watched.ends.stable).max(0)).sum()
    }
}

impl Ends {
    fn lag(self) -> i64 {
        self.position.map_or(0, |position| (self.high - position).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(position: Option<i64>, stable: i64, high: i64) -> Ends {
        Ends { position: position.map(NextOffset::new), stable: NextOffset::new(stable), high: NextOffset::new(high) }
    }

    fn place() -> Place {
        ("in".to_owned(), 3)
    }

    #[test]
    fn what_waits_behind_an_open_transaction_is_lag_and_is_held() {
        let (start, mut marks) = (Instant::now(), Watermarks::default());
        // Seconds, position, last stable offset, high watermark; then lag and seconds held.
        let rows = [
            (0, Some(5), 5, 5, 0, 0),    // at the end
            (1, Some(5), 5, 6, 1, 0),    // a transaction opens
            (3, Some(5), 5, 9, 4, 2),    // others write behind it
            (9, Some(5), 5, 9, 4, 8),    // nothing moves
            (10, Some(5), 7, 12, 7, 0),  // it ends; the next one is open
            (12, Some(7), 12, 12, 5, 0), // it ends too, and the reader has work
            (13, Some(12), 12, 12, 0, 0),
            (14, None, 12, 20, 0, 0), // a new client has taken nothing yet
            (15, None, 12, 20, 0, 1),
        ];
        for (second, position, stable, high, lag, held) in rows {
            let now = start + Duration::from_secs(second);
            marks.tell(place(), ends(position, stable, high), now);
            assert_eq!((marks.lag(&place()), marks.held(&place(), now).as_secs()), (lag, held), "after {second} s");
            assert_eq!(marks.total(now), (lag, Duration::from_secs(held)));
            assert_eq!(marks.unstable(), high - stable);
        }
    }

    #[test]
    fn a_partition_that_went_to_another_instance_is_forgotten() {
        let (start, mut marks) = (Instant::now(), Watermarks::default());
        let ends = ends(Some(0), 1, 2);
        marks.tell(place(), ends, start);
        marks.tell(("in".to_owned(), 4), ends, start + FORGOTTEN_AFTER);
        assert_eq!(marks.forget(start + FORGOTTEN_AFTER), []);
        assert_eq!(marks.forget(start + FORGOTTEN_AFTER + Duration::from_secs(1)), [place()]);
        assert_eq!((marks.lag(&place()), marks.total(start).0), (0, 2));
    }
}
