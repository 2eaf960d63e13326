//! Dates as a file writes them, by a pattern such as `DD.MM.YYYY`. Pure.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use serde::Deserialize;

/// What a run of letters in a pattern stands for, in the words of `chrono`.
const PARTS: [(&str, &str); 11] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%m"),
    ("DD", "%d"),
    ("D", "%d"),
    ("HH", "%H"),
    ("H", "%H"),
    ("mm", "%M"),
    ("ss", "%S"),
];

/// A pattern: `YYYY` or `YY`, `MM`, `M` or `MMM` (English), `DD` or `D`, and for a time `HH`, `mm`, `ss`; whatever stands between is
/// itself. A day or month of one digit is read by `DD` and `MM` too. `YY` is 1970 to 2069.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct DateForm {
    chrono: String,
    has_time: bool,
}

impl TryFrom<String> for DateForm {
    type Error = String;

    fn try_from(pattern: String) -> Result<Self, String> {
        let mut chrono = String::new();
        let mut rest = pattern.as_str();
        while let Some(first) = rest.chars().next() {
            let run = rest.find(|c| c != first).unwrap_or(rest.len());
            let (part, after) = rest.split_at(run);
            match PARTS.iter().find(|(known, _)| *known == part) {
                Some((_, item)) => chrono.push_str(item),
                None if !first.is_alphanumeric() && first != '%' => chrono.push_str(part),
                None if matches!(part, "T" | "Z") => chrono.push_str(part),
                None => {
                    return Err(format!("{pattern:?}: {part:?} is no part of a date; there are YYYY MM DD HH mm ss"));
                }
            }
            rest = after;
        }
        let of = |items: &[&str]| items.iter().map(|item| chrono.matches(item).count()).sum::<usize>();
        if [of(&["%Y", "%y"]), of(&["%m", "%b"]), of(&["%d"])] != [1; 3] {
            return Err(format!("{pattern:?} does not name year, month and day once each"));
        }
        let time = [of(&["%H"]), of(&["%M"]), of(&["%S"])];
        match time {
            [0, 0, 0] | [1, 1, 0 | 1] => Ok(Self { chrono, has_time: time[0] == 1 }),
            _ => Err(format!("{pattern:?} has a time without hours and minutes")),
        }
    }
}

impl DateForm {
    /// The day and time that a cell names; midnight where the pattern has no time. None for anything but a calendar day with a year of
    /// four digits.
    pub(super) fn read(&self, cell: &str) -> Option<NaiveDateTime> {
        let read = match self.has_time {
            true => NaiveDateTime::parse_from_str(cell, &self.chrono).ok()?,
            false => NaiveDate::parse_from_str(cell, &self.chrono).ok()?.and_time(NaiveTime::MIN),
        };
        (1000..=9999).contains(&read.year()).then_some(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_read_as_its_pattern_says_and_not_otherwise() {
        let rows = [
            ("DD.MM.YYYY", "31.12.1999", Some("1999-12-31T00:00:00")),
            ("DD.MM.YYYY", "1.2.2024", Some("2024-02-01T00:00:00")),
            ("D.M.YYYY", "01.02.2024", Some("2024-02-01T00:00:00")),
            ("MM/DD/YYYY", "12/31/1999", Some("1999-12-31T00:00:00")),
            ("YYYYMMDD", "19991231", Some("1999-12-31T00:00:00")),
            ("DD-MMM-YYYY", "31-Dec-1999", Some("1999-12-31T00:00:00")),
            ("DD.MM.YY", "31.12.99", Some("1999-12-31T00:00:00")),
            ("DD.MM.YYYY HH:mm", "31.12.1999 23:59", Some("1999-12-31T23:59:00")),
            ("YYYY-MM-DDTHH:mm:ssZ", "1999-12-31T23:59:58Z", Some("1999-12-31T23:59:58")),
            ("DD.MM.YYYY", "31.12.99", None),
            ("DD.MM.YYYY", "12/31/1999", None),
            ("DD.MM.YYYY", "31.02.2024", None),
            ("DD.MM.YYYY", "31.12.1999 23:59", None),
            ("MM/DD/YYYY", "31/12/1999", None),
            ("DD.MM.YYYY", "45291", None),
        ];
        for (pattern, cell, expected) in rows {
            let read = DateForm::try_from(pattern.to_owned()).unwrap().read(cell);
            let read = read.map(|read| read.format("%Y-%m-%dT%H:%M:%S").to_string());
            assert_eq!(read.as_deref(), expected, "{pattern} {cell}");
        }
    }

    #[test]
    fn a_pattern_that_names_no_day_is_refused() {
        for pattern in ["", "DD.MM", "DD.MM.YYYY.YYYY", "TT.MM.JJJJ", "%d.%m.%Y", "DD.MM.YYYY mm", "dd.mm.yyyy"] {
            assert!(DateForm::try_from(pattern.to_owned()).is_err(), "{pattern}");
        }
    }
}
