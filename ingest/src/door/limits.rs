//! How many requests a second, as a bucket of tokens. Time is an argument.

use std::time::Instant;

/// Fills at a rate, holds one second's worth.
#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    tokens: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// A full bucket; 0 a second sets no limit.
    pub fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, tokens: per_second, at: None }
    }

    /// Takes a token if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        if self.per_second == 0.0 {
            return true;
        }
        let passed = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.tokens = (self.tokens + passed * self.per_second).min(self.per_second);
        self.at = Some(now);
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2);
        let taken: Vec<bool> = [0, 0, 0, 400, 500, 501, 60_000, 60_000, 60_000]
            .map(|ms| bucket.take(start + Duration::from_millis(ms)))
            .into();
        assert_eq!(taken, [true, true, false, false, true, false, true, true, false]);
        let mut open = Bucket::new(0);
        assert!((0..1000).all(|_| open.take(start)));
    }
}
