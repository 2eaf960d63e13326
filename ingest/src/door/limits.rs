//! What requests may take of the door, and what one tenant may take of that: records a second, places, bytes. One tenant over
//! its own limit is told so and costs the others nothing. Time is an argument.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Fills at a rate, holds so many seconds' worth.
#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    full: f64,
    tokens: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// A full bucket that holds `seconds`' worth; 0 a second sets no limit.
    pub fn new(per_second: u32, seconds: u32) -> Self {
        let full = f64::from(per_second) * f64::from(seconds.max(1));
        Self { per_second: f64::from(per_second), full, tokens: full, at: None }
    }

    /// Takes a token if there is one.
    ///
    /// # Errors
    /// The time until there is one.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let passed = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.tokens = (self.tokens + passed * self.per_second).min(self.full);
        self.at = Some(now);
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / self.per_second));
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// Takes more than was known at first, into debt where it must: what comes next waits for it.
    pub(crate) fn charge(&mut self, tokens: usize) {
        if self.per_second > 0.0 {
            self.tokens -= tokens as f64;
        }
    }
}

/// How much there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Requests under way. A tenant without any gets its first one all the same.
    pub places: usize,
    /// Requests of one tenant under way.
    pub places_per_tenant: usize,
    /// Bytes of bodies.
    pub bytes: usize,
    /// Bytes of one tenant's bodies.
    pub bytes_per_tenant: usize,
    /// Records a second of one tenant; 0 sets no limit.
    pub records_per_second: u32,
    /// Seconds of that rate that may come at once.
    pub burst_seconds: u32,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The tenant's records come too fast; there is room again after this time.
    Rate(Duration),
    /// The requests of all tenants come too fast; there is room again after this time.
    AllRate(Duration),
    /// The tenant has as many requests under way as it may.
    TenantPlaces,
    /// The tenant's bodies have as many bytes as they may.
    TenantBytes,
    /// All tenants together have too many requests under way.
    Places,
    /// All bodies together have too many bytes.
    Bytes,
}

impl Over {
    /// Its word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rate(_) => "tenant_rate",
            Self::AllRate(_) => "rate",
            Self::TenantPlaces => "tenant_places",
            Self::TenantBytes => "tenant_bytes",
            Self::Places => "places",
            Self::Bytes => "bytes",
        }
    }
}

/// What is taken at the moment.
pub struct Shares {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    places: usize,
    bytes: usize,
    tenants: HashMap<Arc<str>, Share>,
}

struct Share {
    places: usize,
    bytes: usize,
    bucket: Bucket,
}

impl Shares {
    /// Nothing taken.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// A place for a request of a tenant, which must be one of the configured ones: each is remembered.
    ///
    /// # Errors
    /// [`Over`].
    pub fn enter(self: &Arc<Self>, tenant: &str, now: Instant) -> Result<Place, Over> {
        let limits = &self.limits;
        let mut taken = self.lock();
        let in_use = taken.places;
        let (tenant, share) = taken.share(tenant, limits);
        share.bucket.take(now).map_err(Over::Rate)?;
        if share.places >= limits.places_per_tenant {
            return Err(Over::TenantPlaces);
        }
        if in_use >= limits.places && share.places > 0 {
            return Err(Over::Places);
        }
        share.places += 1;
        taken.places += 1;
        Ok(Place { shares: self.clone(), tenant, bytes: AtomicUsize::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn share(&mut self, tenant: &str, limits: &Limits) -> (Arc<str>, &mut Share) {
        let name = self.tenants.get_key_value(tenant).map_or_else(|| tenant.into(), |(name, _)| name.clone());
        let bucket = || Bucket::new(limits.records_per_second, limits.burst_seconds);
        let share = self.tenants.entry(name.clone()).or_insert_with(|| Share { places: 0, bytes: 0, bucket: bucket() });
        (name, share)
    }
}

/// The place of a request under way, and the bytes that it holds. Dropping it gives both back.
pub struct Place {
    shares: Arc<Shares>,
    tenant: Arc<str>,
    /// Changed only under the lock of the shares.
    bytes: AtomicUsize,
}

impl Place {
    /// Holds more bytes of a body.
    ///
    /// # Errors
    /// [`Over`]; what was held before stays.
    pub fn hold(&self, bytes: usize) -> Result<(), Over> {
        let limits = &self.shares.limits;
        let mut taken = self.shares.lock();
        let in_all = taken.bytes + bytes;
        let (_, share) = taken.share(&self.tenant, limits);
        if share.bytes + bytes > limits.bytes_per_tenant {
            return Err(Over::TenantBytes);
        }
        if in_all > limits.bytes {
            return Err(Over::Bytes);
        }
        share.bytes += bytes;
        taken.bytes = in_all;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Counts the records of the request beyond its first against the tenant's rate.
    pub(crate) fn charge(&self, records: usize) {
        let mut taken = self.shares.lock();
        taken.share(&self.tenant, &self.shares.limits).1.bucket.charge(records);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        let bytes = self.bytes.load(Ordering::Relaxed);
        taken.places -= 1;
        taken.bytes -= bytes;
        let (_, share) = taken.share(&self.tenant, &self.shares.limits);
        share.places -= 1;
        share.bytes -= bytes;
    }
}

/// How long a body may take: a grace, and what its bytes take at the slowest rate that is put up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Before anything is asked.
    pub grace: Duration,
    /// From then on.
    pub bytes_per_second: u32,
}

impl Patience {
    /// The longest that a body may be on its way once so many bytes of it are there.
    pub fn after(self, bytes: usize) -> Duration {
        self.grace + Duration::from_secs_f64(bytes as f64 / f64::from(self.bytes_per_second.max(1)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            places: 3,
            places_per_tenant: 2,
            bytes: 100,
            bytes_per_tenant: 60,
            records_per_second: 0,
            burst_seconds: 1,
        }
    }

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2, 1);
        let taken: Vec<bool> = [0, 0, 0, 400, 500, 501, 60_000, 60_000, 60_000]
            .map(|ms| bucket.take(start + Duration::from_millis(ms)).is_ok())
            .into();
        assert_eq!(taken, [true, true, false, false, true, false, true, true, false]);
        let mut open = Bucket::new(0, 1);
        assert!((0..1000).all(|_| open.take(start).is_ok()));
    }

    #[test]
    fn what_was_taken_on_credit_is_waited_for() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 2);
        assert_eq!(bucket.take(start), Ok(()));
        bucket.charge(49);
        assert_eq!(bucket.take(start), Err(Duration::from_millis(3100)), "50 of 20 are taken, one more is asked for");
        assert_eq!(bucket.take(start + Duration::from_millis(3100)), Ok(()));
    }

    #[test]
    fn a_tenant_over_its_rate_holds_up_nobody_else() {
        let now = Instant::now();
        let shares = Shares::new(Limits { records_per_second: 2, places: 99, places_per_tenant: 99, ..limits() });
        let word = |tenant: &str| shares.enter(tenant, now).map(drop).map_err(Over::word);
        assert_eq!([word("a"), word("a"), word("a")], [Ok(()), Ok(()), Err("tenant_rate")]);
        assert_eq!([word("b"), word("b"), word("b")], [Ok(()), Ok(()), Err("tenant_rate")]);
    }

    #[test]
    fn each_tenant_has_places_of_its_own_and_nobody_is_without_one() {
        let now = Instant::now();
        let shares = Shares::new(limits());
        let enter = |tenant: &str| shares.enter(tenant, now);
        let (first, _second) = (enter("a").unwrap(), enter("a").unwrap());
        assert_eq!(enter("a").err(), Some(Over::TenantPlaces));
        let _third = enter("b").unwrap();
        assert_eq!(enter("b").err(), Some(Over::Places), "all three are taken");
        let _fourth = enter("c").unwrap();
        drop(first);
        assert_eq!(enter("c").err(), Some(Over::Places), "three are still taken");
        assert_eq!(shares.lock().places, 3);
    }

    #[test]
    fn bytes_are_given_back_with_the_place() {
        let now = Instant::now();
        let shares = Shares::new(limits());
        let (a, b, c) =
            (shares.enter("a", now).unwrap(), shares.enter("b", now).unwrap(), shares.enter("c", now).unwrap());
        assert_eq!((a.hold(60), a.hold(1)), (Ok(()), Err(Over::TenantBytes)));
        assert_eq!((b.hold(40), c.hold(1)), (Ok(()), Err(Over::Bytes)));
        drop(a);
        assert_eq!(c.hold(60), Ok(()));
        drop((b, c));
        let taken = shares.lock();
        assert_eq!((taken.bytes, taken.places), (0, 0));
    }

    #[test]
    fn a_body_has_its_grace_and_then_a_rate() {
        let patience = Patience { grace: Duration::from_secs(5), bytes_per_second: 1000 };
        assert_eq!([0, 500, 4000].map(|bytes| patience.after(bytes).as_millis()), [5000, 5500, 9000]);
    }
}
