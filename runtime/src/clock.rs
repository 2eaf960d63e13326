//! The only place that asks what time it is.

use chrono::{DateTime, SecondsFormat, Utc};

/// The last millisecond of year 9999: what dates, databases and RFC 3339 all can say.
pub(crate) const LATEST_MS: i64 = 253_402_300_799_999;

/// Wall clock, UTC.
#[allow(clippy::disallowed_methods)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    now().timestamp_millis()
}

/// A time that dates and databases can say, from milliseconds since 1970: the nearest one.
pub fn time_of_ms(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms.clamp(0, LATEST_MS)).unwrap_or_default()
}

/// RFC 3339 in UTC with milliseconds.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_beyond_what_databases_say() {
        for (given, expected) in [(-1, 0), (1_500, 1_500), (i64::MAX, LATEST_MS)] {
            assert_eq!(time_of_ms(given).timestamp_millis(), expected, "{given}");
        }
    }
}
