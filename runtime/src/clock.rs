//! The only place that asks what time it is.

use chrono::{DateTime, SecondsFormat, Utc};

/// The last millisecond of year 9999: what dates, databases and RFC 3339 all can say.
pub const LATEST_MS: i64 = 253_402_300_799_999;

/// Wall clock, UTC.
#[allow(clippy::disallowed_methods)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    now().timestamp_millis()
}

/// RFC 3339 in UTC with milliseconds.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
