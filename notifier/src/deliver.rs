//! PURE. What one attempt means: delivered, try again and when, give up, or never again to this endpoint. Time and chance are
//! arguments.

use std::time::Duration;

/// The longest wait that a receiver's `Retry-After` may ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// When to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Before the second, third … attempt.
    pub waits: Vec<Duration>,
    /// Share of each wait that is drawn at random on top, 0 to 1.
    pub jitter: f64,
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// An answer came.
    Answered {
        /// HTTP status.
        status: u16,
        /// What `Retry-After` asks for.
        retry_after: Option<Duration>,
    },
    /// None came.
    Unanswered(Cause),
}

/// Why a delivery did not succeed: the words of `last_error` and of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The name does not resolve.
    Dns,
    /// Every address of the name is private.
    AddressForbidden,
    /// No connection, or no TLS.
    Connect,
    /// Too late.
    Timeout,
    /// The connection broke in the middle.
    Broken,
    /// 3xx: redirects are not followed.
    Redirect,
    /// 4xx.
    Refused,
    /// 410.
    Gone,
    /// 5xx.
    ServerError,
    /// Any other status.
    OddStatus,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The receiver has it.
    Delivered,
    /// Once more, this much later.
    Retry(Duration, Cause),
    /// That was the last attempt.
    Failed(Cause),
    /// The receiver wants nothing more, of anything.
    DisableEndpoint,
}

/// Judges the attempt that makes `attempts` in all; `chance` is drawn from 0 up to 1.
pub fn classify(attempt: Attempt, attempts: u32, schedule: &Schedule, chance: f64) -> Next {
    let (cause, retry_after) = match attempt {
        Attempt::Answered { status: 200..=299, .. } => return Next::Delivered,
        gone if gone.is_gone() => return Next::DisableEndpoint,
        Attempt::Answered { status, retry_after } => (Cause::of_status(status), retry_after),
        Attempt::Unanswered(cause) => (cause, None),
    };
    let wait = usize::try_from(attempts).ok().and_then(|n| schedule.waits.get(n.checked_sub(1)?));
    match wait {
        None => Next::Failed(cause),
        Some(wait) => {
            let drawn = wait.mul_f64(1.0 + schedule.jitter * chance.clamp(0.0, 1.0));
            let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
            Next::Retry(drawn.max(asked), cause)
        }
    }
}

impl Attempt {
    /// HTTP status, where an answer came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Unanswered(_) => None,
        }
    }

    /// 410: the receiver wants nothing more.
    pub fn is_gone(&self) -> bool {
        self.status() == Some(410)
    }
}

impl Cause {
    /// Every cause.
    pub const ALL: &'static [Self] = &[
        Self::Dns,
        Self::AddressForbidden,
        Self::Connect,
        Self::Timeout,
        Self::Broken,
        Self::Redirect,
        Self::Refused,
        Self::Gone,
        Self::ServerError,
        Self::OddStatus,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::AddressForbidden => "address_forbidden",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Redirect => "redirect",
            Self::Refused => "refused",
            Self::Gone => "gone",
            Self::ServerError => "server_error",
            Self::OddStatus => "odd_status",
        }
    }

    fn of_status(status: u16) -> Self {
        match status {
            300..=399 => Self::Redirect,
            410 => Self::Gone,
            400..=499 => Self::Refused,
            500..=599 => Self::ServerError,
            _ => Self::OddStatus,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn answered(status: u16) -> Attempt {
        Attempt::Answered { status, retry_after: None }
    }

    #[test]
    fn every_attempt_has_one_consequence() {
        let schedule = Schedule { waits: vec![S(5), S(300)], jitter: 0.2 };
        let asks = |seconds| Attempt::Answered { status: 503, retry_after: Some(S(seconds)) };
        let cases = [
            (answered(200), 1, 0.0, Next::Delivered),
            (answered(299), 3, 0.0, Next::Delivered),
            (answered(410), 1, 0.0, Next::DisableEndpoint),
            (answered(500), 1, 0.0, Next::Retry(S(5), Cause::ServerError)),
            (answered(500), 1, 0.5, Next::Retry(Duration::from_millis(5_500), Cause::ServerError)),
            (answered(500), 1, 1.0, Next::Retry(S(6), Cause::ServerError)),
            (answered(404), 2, 0.0, Next::Retry(S(300), Cause::Refused)),
            (answered(301), 1, 0.0, Next::Retry(S(5), Cause::Redirect)),
            (answered(101), 1, 0.0, Next::Retry(S(5), Cause::OddStatus)),
            (answered(500), 3, 0.0, Next::Failed(Cause::ServerError)),
            (answered(500), u32::MAX, 0.0, Next::Failed(Cause::ServerError)),
            (Attempt::Unanswered(Cause::Timeout), 1, 0.0, Next::Retry(S(5), Cause::Timeout)),
            (asks(60), 1, 0.0, Next::Retry(S(60), Cause::ServerError)),
            (asks(60), 2, 0.0, Next::Retry(S(300), Cause::ServerError)),
            (asks(u64::MAX), 1, 0.0, Next::Retry(MAX_RETRY_AFTER, Cause::ServerError)),
            (asks(60), 3, 0.0, Next::Failed(Cause::ServerError)),
        ];
        for (attempt, attempts, chance, wanted) in cases {
            assert_eq!(classify(attempt, attempts, &schedule, chance), wanted, "{attempt:?} as attempt {attempts}");
        }
        let never = Schedule { waits: Vec::new(), jitter: 0.0 };
        assert_eq!(classify(answered(500), 1, &never, 0.0), Next::Failed(Cause::ServerError));
    }

    #[test]
    fn words_are_unique() {
        for (index, cause) in Cause::ALL.iter().enumerate() {
            assert!(Cause::ALL[..index].iter().all(|other| other.as_str() != cause.as_str()));
        }
    }
}
