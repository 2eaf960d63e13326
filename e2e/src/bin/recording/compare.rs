//! PURE. Two recordings line by line: how many lines of each file are there, and where the first difference is.

use std::fmt;

/// What was found of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its place in the recordings.
    pub file: String,
    /// Its lines in the first recording; none where the file is not in it.
    pub before: Option<usize>,
    /// Its lines in the second one.
    pub after: Option<usize>,
    /// The first line that is not the same.
    pub first: Option<Difference>,
}

/// A line that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its number, from 1.
    pub line: usize,
    /// What happened to it, by the line behind it.
    pub kind: Kind,
    /// The line of the first recording.
    pub before: Option<String>,
    /// The line of the second one.
    pub after: Option<String>,
}

/// What makes two files differ at a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Another content.
    Changed,
    /// The second recording goes on with the next line of the first.
    Missing,
    /// The second recording has a line more here.
    Added,
}

impl Found {
    /// Whether both recordings have the file, with the same lines in the same order.
    pub fn is_same(&self) -> bool {
        self.before.is_some() && self.before == self.after && self.first.is_none()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "another content",
            Self::Missing => "missing after",
            Self::Added => "added after",
        })
    }
}

/// Compares the lines that two recordings have of a file.
pub fn compare(file: &str, before: Option<&[String]>, after: Option<&[String]>) -> Found {
    let first = before.zip(after).and_then(|(before, after)| first_difference(before, after));
    Found { file: file.to_owned(), before: before.map(<[_]>::len), after: after.map(<[_]>::len), first }
}

fn first_difference(before: &[String], after: &[String]) -> Option<Difference> {
    let at = (0..before.len().max(after.len())).find(|at| before.get(*at) != after.get(*at))?;
    let (was, is) = (before.get(at), after.get(at));
    let kind = match (was, is) {
        (Some(_), None) => Kind::Missing,
        (None, Some(_)) => Kind::Added,
        _ if before.get(at + 1) == is => Kind::Missing,
        _ if after.get(at + 1) == was => Kind::Added,
        _ => Kind::Changed,
    };
    Some(Difference { line: at + 1, kind, before: was.cloned(), after: is.cloned() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mask::Mask;
    use crate::record::Record;

    fn lines(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_first_difference_is_found_and_named() {
        let rows = [
            ("a b c", "a b c", None),
            ("", "", None),
            ("a b c", "a B c", Some((2, Kind::Changed))),
            ("a b c", "a c", Some((2, Kind::Missing))),
            ("a b c", "a b", Some((3, Kind::Missing))),
            ("a b", "", Some((1, Kind::Missing))),
            ("a b", "a x b", Some((2, Kind::Added))),
            ("a b", "a b c", Some((3, Kind::Added))),
            ("a b c", "a c b", Some((2, Kind::Missing))),
            ("a b", "b a", Some((1, Kind::Missing))),
        ];
        for (before, after, expected) in rows {
            let found = compare("f", Some(&lines(before)), Some(&lines(after)));
            assert_eq!(found.first.as_ref().map(|first| (first.line, first.kind)), expected, "{before} / {after}");
            assert_eq!(found.is_same(), expected.is_none(), "{before} / {after}");
        }
    }

    #[test]
    fn a_file_that_one_recording_lacks_is_a_difference() {
        for (before, after, same) in [(true, true, true), (true, false, false), (false, true, false)] {
            let side = |is_there: bool| is_there.then_some(&[][..]);
            assert_eq!(compare("f", side(before), side(after)).is_same(), same);
        }
    }

    #[test]
    fn one_changed_byte_of_a_record_is_found_and_a_masked_one_is_not() {
        let line = |value: &str| {
            let mut record = Record { value: Some(value.as_bytes().into()), ..Record::default() };
            Mask::Time("decided_at").in_record(&mut record);
            record.line().unwrap()
        };
        let decision =
            |pd: &str, at: &str| line(&format!(r#"{{"pd":{pd},"decided_at":"2026-11-30T12:00:0{at}.000Z"}}"#));
        let rows = [
            (decision("0.1", "0"), decision("0.1", "9"), true),
            (decision("0.1", "0"), decision("0.2", "0"), false),
            (decision("0.1", "0"), decision("0.10", "0"), false),
        ];
        for (before, after, same) in rows {
            assert_eq!(compare("f", Some(std::slice::from_ref(&before)), Some(&[after])).is_same(), same, "{before}");
        }
    }
}
