//! PURE. What a receiver's `Retry-After` asks for: seconds, or an HTTP date (RFC 9110, 10.2.3). How much of it is granted,
//! [`crate::deliver`] says.

use chrono::{DateTime, Utc};
use std::time::{Duration, SystemTime};

/// How long to wait by a header's value; a date that has passed asks for no wait, what is neither asks for nothing.
pub(crate) fn wait(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has: as long as it can be said.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::from(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_each_form_of_a_date_are_read() {
        let now = DateTime::from_timestamp(784_111_777, 0).expect("a time"); // Sun, 06 Nov 1994 08:49:37 GMT
        let rows = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120)),
            ("Sun Nov  6 08:51:37 1994", Some(120)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799 - 784_111_777)),
            ("-1", None),
            ("+5", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:51:37 CET", None),
            ("1994-11-06T08:51:37Z", None),
            ("", None),
        ];
        for (value, seconds) in rows {
            assert_eq!(wait(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }
}
