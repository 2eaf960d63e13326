//! What the cells of a column look like: numbers and how they are written, dates, truths, a few words, or text. Pure.

use crate::mapping::signs::SIGNS;
use std::collections::BTreeMap;

/// A sign, and the currencies that it may stand for, first the one that it most often does.
pub(super) type Sign = (&'static str, &'static [&'static str]);

/// Of a hundred cells so many decide what a column holds: the others are the faults that somebody wants to hear of.
const MOST_PERCENT: usize = 95;
/// More different words than this are text.
const MOST_WORDS: usize = 12;
/// A word that fewer rows hold is not shown: it may say whose row it is.
const LEAST_ROWS: usize = 3;

/// Patterns of dates, likeliest first.
const DATES: [&str; 14] = [
    "YYYY-MM-DD",
    "DD.MM.YYYY",
    "DD/MM/YYYY",
    "MM/DD/YYYY",
    "DD-MM-YYYY",
    "YYYY/MM/DD",
    "YYYYMMDD",
    "DD-MMM-YYYY",
    "DD.MM.YY",
    "DD/MM/YY",
    "MM/DD/YY",
    "YYYY-MM-DD HH:mm:ss",
    "DD.MM.YYYY HH:mm",
    "DD.MM.YYYY HH:mm:ss",
];

/// Yes and no in the languages of many files.
const TRUTHS: [(&str, &str); 17] = [
    ("ja", "nein"),
    ("j", "n"),
    ("yes", "no"),
    ("y", "n"),
    ("true", "false"),
    ("wahr", "falsch"),
    ("oui", "non"),
    ("o", "n"),
    ("vrai", "faux"),
    ("sí", "no"),
    ("sì", "no"),
    ("si", "no"),
    ("s", "n"),
    ("sim", "não"),
    ("tak", "nie"),
    ("ano", "ne"),
    ("да", "нет"),
];

/// Words for nothing, in small letters.
const MISSING: [&str; 16] = [
    "-",
    "--",
    "n/a",
    "na",
    "n.a.",
    "#n/a",
    "#nv",
    "null",
    "nan",
    "k.a.",
    "k. a.",
    "keine angabe",
    "n.d.",
    "n.c.",
    "s/d",
    "nd",
];

/// Whether a cell says that it holds nothing.
pub(super) fn is_missing(cell: &str) -> bool {
    MISSING.contains(&cell.to_lowercase().as_str())
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// No cell has anything in it.
    Nothing,
    Number(Numbers),
    /// A pattern, and another that fits as well.
    Date(&'static str, Option<&'static str>),
    /// The words for yes and no, as far as they occur.
    Truth(&'static str, &'static str),
    /// A few words, each with the number of rows that hold it.
    Words(BTreeMap<String, usize>),
    Text,
}

/// How the numbers of a column are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// Cells in which a comma, or a point, can only be the decimal.
    pub(super) comma: usize,
    pub(super) point: usize,
    /// Cells in which it can only stand between thousands.
    pub(super) grouping_comma: usize,
    pub(super) grouping_point: usize,
    /// Cells that can be read both ways, such as `1.234`.
    pub(super) open_comma: usize,
    pub(super) open_point: usize,
    /// Spaces and apostrophes between thousands.
    pub(super) spaces: usize,
    pub(super) apostrophes: usize,
    /// Signs that stand at a number, and what they may stand for.
    pub(super) signs: BTreeMap<&'static str, &'static [&'static str]>,
}

impl Numbers {
    /// Whether every number is whole, whatever a point or comma in it means.
    pub(super) fn are_whole(&self) -> bool {
        self.comma + self.point == 0
    }
}

/// What the cells look like, none of them empty.
pub(super) fn shape(cells: &[&str]) -> Shape {
    if cells.is_empty() {
        return Shape::Nothing;
    }
    let is_most = |count: usize| count * 100 >= cells.len() * MOST_PERCENT;
    if let Some(truth) = truth(cells) {
        return truth;
    }
    if let Some((pattern, other)) = date(cells).filter(|_| cells.iter().any(|cell| is_no_plain_number(cell))) {
        return Shape::Date(pattern, other);
    }
    let mut numbers = Numbers::default();
    if is_most(cells.iter().filter(|cell| numbers.take(cell)).count()) {
        return Shape::Number(numbers);
    }
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for cell in cells {
        *words.entry((*cell).to_owned()).or_default() += 1;
        if words.len() > MOST_WORDS {
            return Shape::Text;
        }
    }
    let is_shown = |(word, rows): (&String, &usize)| *rows >= LEAST_ROWS && !is_like_a_number(word);
    if words.iter().all(is_shown) { Shape::Words(words) } else { Shape::Text }
}

/// Whether a word may be a number of somebody: of a telephone, an account, an amount. `A1` and `3 rooms` are words.
fn is_like_a_number(word: &str) -> bool {
    word.bytes().filter(u8::is_ascii_digit).count() > 2
}

/// Eight digits are a number of something unless the column's name says that they are a day.
fn is_no_plain_number(cell: &str) -> bool {
    !cell.bytes().all(|byte| byte.is_ascii_digit())
}

/// The pattern that most cells fit, and another that fits as many.
pub(super) fn date(cells: &[&str]) -> Option<(&'static str, Option<&'static str>)> {
    use crate::mapping::fits_date;
    let counts = DATES.map(|pattern| (cells.iter().filter(|cell| fits_date(pattern, cell)).count(), pattern));
    let most = counts.iter().map(|(count, _)| *count).max()?;
    let mut best = counts.iter().filter(|(count, _)| *count == most && count * 100 >= cells.len() * MOST_PERCENT);
    let (_, pattern) = best.next()?;
    Some((*pattern, best.next().map(|(_, other)| *other)))
}

fn truth(cells: &[&str]) -> Option<Shape> {
    let words: Vec<String> = cells.iter().map(|cell| cell.to_lowercase()).collect();
    let fits = |(yes, no): &&(&str, &str)| words.iter().filter(|word| *word == yes || *word == no).count();
    let pair = TRUTHS.iter().find(|pair| fits(pair) * 100 >= words.len() * MOST_PERCENT)?;
    Some(Shape::Truth(pair.0, pair.1))
}

impl Numbers {
    /// Takes a cell into account; false where it is no number.
    fn take(&mut self, cell: &str) -> bool {
        let (digits, sign) = without_sign(cell);
        let digits = digits.trim_matches(['-', '+', '−', '(', ')']).trim();
        let digits = [",-", ",--", ",–"].iter().find_map(|end| digits.strip_suffix(end)).unwrap_or(digits);
        let is_known = |c: char| c.is_ascii_digit() || ".,'\u{2019} \u{a0}\u{202f}".contains(c);
        let ends_well = digits.ends_with(|c: char| c.is_ascii_digit());
        if !ends_well || !digits.starts_with(|c: char| c.is_ascii_digit()) || !digits.chars().all(is_known) {
            return false;
        }
        self.signs.extend(sign);
        let separators: Vec<(usize, char)> = digits.char_indices().filter(|(_, c)| !c.is_ascii_digit()).collect();
        let Some((at, last)) = separators.last().copied() else { return true };
        let behind = digits.len() - at - last.len_utf8();
        let kinds: std::collections::BTreeSet<char> = separators.iter().map(|(_, c)| *c).collect();
        let groups = |kind: char| kinds.contains(&kind) && (kind != last || separators.len() > 1);
        self.spaces += usize::from(kinds.iter().any(|kind| kind.is_whitespace()));
        self.apostrophes += usize::from(kinds.iter().any(|kind| matches!(kind, '\'' | '\u{2019}')));
        // The last of two kinds is the decimal; one kind that comes twice stands between thousands.
        let is_decimal = kinds.len() > 1 && separators.iter().filter(|(_, c)| *c == last).count() == 1;
        let is_grouping = kinds.len() == 1 && separators.len() > 1;
        let is_open = behind == 3 && (1..=3).contains(&at) && !digits.starts_with('0');
        let (decimal, grouping, open) = match last {
            ',' => (&mut self.comma, &mut self.grouping_comma, &mut self.open_comma),
            '.' => (&mut self.point, &mut self.grouping_point, &mut self.open_point),
            _ => return true,
        };
        if is_decimal {
            *decimal += 1;
            self.grouping_comma += usize::from(last != ',' && groups(','));
            self.grouping_point += usize::from(last != '.' && groups('.'));
        } else if is_grouping {
            *grouping += 1;
        } else if is_open {
            *open += 1;
        } else {
            *decimal += 1;
        }
        true
    }
}

/// Without the sign of a currency at either end, and which it was.
fn without_sign(cell: &str) -> (&str, Option<Sign>) {
    let cell = cell.trim();
    let bare = cell.trim_start_matches(['-', '+', '−', '(']).trim_start();
    for (sign, currencies) in SIGNS {
        let rest = bare.strip_prefix(sign).or_else(|| bare.trim_end_matches(')').strip_suffix(sign));
        if let Some(rest) = rest {
            return (rest.trim(), Some((sign, currencies)));
        }
    }
    (cell, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(cells: &[&str]) -> Numbers {
        match shape(cells) {
            Shape::Number(numbers) => numbers,
            other => panic!("{cells:?}: {other:?}"),
        }
    }

    #[test]
    fn habits_are_told_by_what_can_only_be_one_thing() {
        let german = numbers(&["1.234,50 €", "0,5 €", "12 €", "1.234 €"]);
        assert_eq!((german.comma, german.point, german.grouping_point, german.open_point), (2, 0, 1, 1));
        assert_eq!(german.signs.get("€"), Some(&["EUR"].as_slice()));
        let english = numbers(&["$1,234.50", "1,234,567", "12.5"]);
        assert_eq!((english.comma, english.point, english.grouping_comma), (0, 2, 2));
        let swiss = numbers(&["CHF 1'234.50", "1'234'567"]);
        assert_eq!((swiss.point, swiss.apostrophes, swiss.comma), (1, 2, 0));
        let french = numbers(&["1\u{202f}234,50", "12 345"]);
        assert_eq!((french.comma, french.spaces), (1, 2));
        assert!(numbers(&["1.234", "12.345"]).are_whole());
        assert_eq!(numbers(&["0.123"]).point, 1);
    }

    #[test]
    fn a_column_is_what_most_of_its_cells_are() {
        let rows: [(&[&str], &str); 8] = [
            (&["31.12.1999", "01.02.2024"], "Date(\"DD.MM.YYYY\", None)"),
            (&["01/02/2024"], "Date(\"DD/MM/YYYY\", Some(\"MM/DD/YYYY\"))"),
            (&["01/31/2024", "01/02/2024"], "Date(\"MM/DD/YYYY\", None)"),
            (&["Ja", "nein", "JA"], "Truth(\"ja\", \"nein\")"),
            (&["a", "a", "a", "b", "b", "b"], "Words({\"a\": 3, \"b\": 3})"),
            (&["one", "two", "three"], "Text"),
            (&["19991231"], "Number"),
            (&[], "Nothing"),
        ];
        for (cells, expected) in rows {
            let found = format!("{:?}", shape(cells));
            assert!(found.starts_with(expected), "{cells:?}: {found}");
        }
    }
}
