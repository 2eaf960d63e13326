//! PURE. How many requests a token holder has made in this minute. Knows no clock; forgets everybody when the minute turns, so
//! that it never holds more than the holders of one minute.

use std::collections::HashMap;

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

#[cfg(test)]
mod tests {
    use super::*;

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
