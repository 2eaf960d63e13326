//! PURE. What a caller may narrow an answer to: words and periods, checked before they reach the database.

use crate::problem::Problem;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::{Intent, Outcome, Worded};

/// The longest word of a filter, in bytes: names of products, models and policies are shorter.
const WORD_BYTES: usize = 128;

/// What is left open matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // named as the parameters
pub struct Filter {
    pub product: Option<String>,
    pub channel: Option<String>,
    pub jurisdiction: Option<String>,
    pub intent: Option<String>,
    pub outcome: Option<String>,
    pub band: Option<String>,
    pub model: Option<String>,
    pub policy: Option<String>,
}

impl Filter {
    /// Checks every word.
    ///
    /// # Errors
    /// 400 for one that no name can be, and for an outcome or an intent that there is not.
    pub fn checked(self) -> Result<Self, Problem> {
        let words = [
            ("product", &self.product),
            ("channel", &self.channel),
            ("jurisdiction", &self.jurisdiction),
            ("intent", &self.intent),
            ("outcome", &self.outcome),
            ("band", &self.band),
            ("model", &self.model),
            ("policy", &self.policy),
        ];
        for (name, word) in words {
            let fits = |word: &String| (1..=WORD_BYTES).contains(&word.len()) && !word.chars().any(char::is_control);
            if !word.as_ref().is_none_or(fits) {
                return Err(Problem::bad_request(format!(
                    "{name}: 1 to {WORD_BYTES} bytes without control characters"
                )));
            }
        }
        listed::<Outcome>("outcome", &self.outcome)?;
        listed::<Intent>("intent", &self.intent)?;
        Ok(self)
    }
}

/// A word of a closed list: any other would match nothing, and look like nothing there.
fn listed<T: Worded>(name: &str, word: &Option<String>) -> Result<(), Problem> {
    if word.as_deref().is_none_or(|word| T::parse(word).is_some()) {
        return Ok(());
    }
    let words: Vec<&str> = T::ALL.iter().map(|word| word.as_str()).collect();
    Err(Problem::bad_request(format!("{name}: one of {}", words.join(", "))))
}

/// From a moment until just before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The first moment that is not part of it.
    pub to: DateTime<Utc>,
}

impl Period {
    /// Reads both ends; what is absent stays as in `otherwise`.
    ///
    /// # Errors
    /// 400 for what is neither a date nor a time, and for an end before its start.
    pub fn read(from: Option<&str>, to: Option<&str>, otherwise: Self) -> Result<Self, Problem> {
        let from = from.map_or(Ok(otherwise.from), |text| moment("from", text))?;
        let to = to.map_or(Ok(otherwise.to), |text| moment("to", text))?;
        if from > to {
            return Err(Problem::bad_request("from: is after to"));
        }
        Ok(Self { from, to })
    }

    /// All that a record can say.
    pub fn ever() -> Self {
        let end = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN).and_utc();
        Self { from: end(1), to: end(9999) }
    }
}

fn moment(name: &str, text: &str) -> Result<DateTime<Utc>, Problem> {
    let time = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let ever = Period::ever();
    let read = time.or_else(|_| date()).ok().filter(|at| (ever.from..=ever.to).contains(at));
    read.ok_or_else(|| Problem::bad_request(format!("{name}: a date such as 2026-11-02, or RFC 3339 in UTC (…Z)")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_or_times() {
        let cases = [
            ("2026-11-02", Some("2026-11-02T00:00:00Z")),
            ("2026-11-02T10:00:00.5Z", Some("2026-11-02T10:00:00.500Z")),
            ("2026-11-02T10:00:00+02:00", Some("2026-11-02T08:00:00Z")),
            ("2026-11-02 10:00", None),
            ("0000-01-01", None),
            ("99999-01-01", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|text| DateTime::parse_from_rfc3339(text).unwrap().to_utc());
            assert_eq!(moment("from", text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn periods_run_forwards() {
        let read = |from, to| Period::read(from, to, Period::ever()).is_ok();
        assert!(read(None, None) && read(Some("2026-01-01"), Some("2026-01-01")));
        assert!(!read(Some("2026-01-02"), Some("2026-01-01")));
    }

    #[test]
    fn a_word_of_a_closed_list_is_one_of_them() {
        let of = |outcome: &str, intent: &str| Filter {
            outcome: Some(outcome.to_owned()),
            intent: Some(intent.to_owned()),
            ..Filter::default()
        };
        assert!(of("decline", "score_only").checked().is_ok());
        let detail = |filter: Filter| filter.checked().unwrap_err().detail.unwrap();
        let told = detail(of("declined", "decide"));
        assert!(told.starts_with("outcome: one of approve, ") && told.contains(", decline"), "{told}");
        assert_eq!(detail(of("decline", "score-only")), "intent: one of decide, prequalify, score_only");
    }

    #[test]
    fn words_that_no_name_can_be_are_refused() {
        let long = "x".repeat(WORD_BYTES + 1);
        for (word, good) in [("credit_card", true), ("ÅÄÖ", true), ("", false), ("a\0", false), (&long, false)] {
            let filter = Filter { policy: Some(word.to_owned()), ..Filter::default() };
            assert_eq!(filter.checked().is_ok(), good, "{word:?}");
        }
    }
}
