//! How many requests a token holder has made in this minute, and how many of a tenant's are being answered. Knows no clock;
//! forgets everybody when the minute turns, so that it never holds more than the holders of one minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts by holder.
#[derive(Debug)]
pub struct Limiter {
    per_minute: u32,
    minute: i64,
    made: HashMap<String, u32>,
}

impl Limiter {
    /// At most `per_minute` requests a holder and minute; 0 is no limit.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, minute: 0, made: HashMap::new() }
    }

    /// Counts a request made at `now_s`, seconds since 1970.
    ///
    /// # Errors
    /// Over the limit: the seconds until the minute turns.
    pub fn admit(&mut self, holder: &str, now_s: i64) -> Result<(), u64> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let minute = now_s.div_euclid(60);
        if minute != self.minute {
            self.minute = minute;
            self.made.clear();
        }
        let made = self.made.entry(holder.to_owned()).or_default();
        if *made >= self.per_minute {
            return Err((60 - now_s.rem_euclid(60)).unsigned_abs());
        }
        *made += 1;
        Ok(())
    }
}

/// The requests of each tenant that are being answered: one that asks slow questions leaves places to the others.
#[derive(Debug)]
pub struct Turns {
    per_tenant: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// A request that is being answered. Dropping it ends its turn.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    tenant: String,
}

impl Turns {
    /// At most `per_tenant` requests of a tenant at a time.
    pub fn new(per_tenant: usize) -> Arc<Self> {
        Arc::new(Self { per_tenant, taken: Mutex::default() })
    }

    /// A turn for a tenant's request; none when it has as many as it may.
    pub fn take(self: &Arc<Self>, tenant: &str) -> Option<Turn> {
        let mut taken = self.lock();
        let own = taken.entry(tenant.to_owned()).or_default();
        if *own >= self.per_tenant {
            return None;
        }
        *own += 1;
        Some(Turn { turns: self.clone(), tenant: tenant.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.turns.lock();
        if let Some(own) = taken.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_so_many_turns_and_leaves_the_others_theirs() {
        let turns = Turns::new(2);
        let first = turns.take("a");
        let second = turns.take("a");
        assert!(first.is_some() && second.is_some() && turns.take("a").is_none());
        assert!(turns.take("b").is_some());
        drop(first);
        assert!(turns.take("a").is_some());
        drop(second);
        assert!(turns.lock().is_empty(), "nobody is remembered");
    }

    #[test]
    fn each_holder_has_a_minute_of_their_own() {
        let mut limiter = Limiter::new(2);
        let asked = [
            ("ana", 100, Ok(())),
            ("ana", 101, Ok(())),
            ("ana", 119, Err(1)),
            ("bo", 119, Ok(())),
            ("ana", 120, Ok(())),
            ("ana", 121, Ok(())),
            ("ana", 121, Err(59)),
        ];
        for (holder, at, expected) in asked {
            assert_eq!(limiter.admit(holder, at), expected, "{holder} at {at}");
        }
    }

    #[test]
    fn no_limit_counts_nobody() {
        let mut limiter = Limiter::new(0);
        assert!((0..1000).all(|at| limiter.admit("ana", at).is_ok()));
        assert!(limiter.made.is_empty());
    }
}
