//! PURE. Cells of a column as a graph takes them. Says what is wrong with a cell, never where it stands.

use crate::error::{Result, bail};
use inference::graph::{Column, Kind, Values};
use std::borrow::Cow;
use std::fmt;

/// A cell as its file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing is there.
    Missing,
    /// Whatever CSV holds, and columns of text.
    Text(&'a str),
    /// A whole number.
    Whole(i64),
    /// A number in single precision.
    Single(f32),
    /// A number in double precision.
    Double(f64),
    /// True or false.
    Flag(bool),
}

/// As CSV has it.
impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => Ok(()),
            Self::Text(text) => text.fmt(f),
            Self::Whole(number) => number.fmt(f),
            Self::Single(number) => number.fmt(f),
            Self::Double(number) => number.fmt(f),
            // As pandas writes them, and the names of such classes.
            Self::Flag(true) => f.write_str("True"),
            Self::Flag(false) => f.write_str("False"),
        }
    }
}

/// What is wrong with a cell or a column, and what to do; where it stands is said by whoever knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

impl Misfit {
    /// For this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// How a file writes its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Words that stand for a missing value, beside the empty cell.
    missing: Vec<String>,
    /// 1.234,5 for what is 1234.5 elsewhere.
    decimal_comma: bool,
    /// What stands between two cells of a CSV file.
    pub delimiter: u8,
}

impl Written {
    /// With these words for a missing value, and this between two cells.
    ///
    /// # Errors
    /// A delimiter that can be none.
    pub fn new(missing: Vec<String>, decimal_comma: bool, delimiter: char) -> Result<Self> {
        let delimiter = match delimiter {
            found @ ('\t' | ' '..='~') if !found.is_ascii_alphanumeric() && found != '"' => found as u8,
            other => {
                bail!(
                    "--delimiter {other:?}: must be one character such as , ; | or a tab, written $'\\t' in a service"
                )
            }
        };
        Ok(Self { missing, decimal_comma, delimiter })
    }

    /// The cell, missing where it is empty, no number or a word for that.
    pub fn settled<'a>(&self, cell: Cell<'a>) -> Cell<'a> {
        match cell {
            Cell::Text(text) if text.is_empty() || self.missing.iter().any(|word| word == text.trim()) => Cell::Missing,
            Cell::Single(number) if number.is_nan() => Cell::Missing,
            Cell::Double(number) if number.is_nan() => Cell::Missing,
            other => other,
        }
    }

    /// Text that holds a number, as the rest of the world writes it; nothing where it is written otherwise.
    fn plain<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        let text = text.trim();
        match self.decimal_comma && text.contains([',', '.']) {
            true => with_point(text).map(Cow::Owned),
            false => Some(Cow::Borrowed(text)),
        }
    }

    /// A number in single precision.
    fn single(&self, cell: Cell<'_>) -> Result<f32, Misfit> {
        Ok(match cell {
            Cell::Missing => f32::NAN,
            Cell::Text(text) if text.trim().is_empty() => f32::NAN,
            Cell::Text(text) => {
                self.plain(text).and_then(|text| text.parse().ok()).ok_or_else(|| self.no_number(text))?
            }
            Cell::Whole(number) => number as f32,
            Cell::Single(number) => number,
            Cell::Double(number) => number as f32,
            Cell::Flag(flag) => f32::from(u8::from(flag)),
        })
    }

    /// A number in double precision.
    ///
    /// # Errors
    /// What is wrong with the cell.
    pub fn double(&self, cell: Cell<'_>) -> Result<f64, Misfit> {
        Ok(match self.settled(cell) {
            Cell::Missing => f64::NAN,
            Cell::Text(text) if text.trim().is_empty() => f64::NAN,
            Cell::Text(text) => {
                self.plain(text).and_then(|text| text.parse().ok()).ok_or_else(|| self.no_number(text))?
            }
            Cell::Whole(number) => number as f64,
            Cell::Single(number) => f64::from(number),
            Cell::Double(number) => number,
            Cell::Flag(flag) => f64::from(u8::from(flag)),
        })
    }

    /// Whole numbers have no missing value.
    fn whole(&self, kind: Kind, cell: Cell<'_>) -> Result<i64, Misfit> {
        let number = match cell {
            Cell::Text(text) if !text.trim().is_empty() => {
                whole_of(kind, &self.plain(text).ok_or_else(|| self.no_number(text))?)
            }
            Cell::Missing | Cell::Text(_) => {
                return Err(Misfit::new("is empty, and the graph takes whole numbers there, which cannot be missing"));
            }
            Cell::Whole(number) => Some(number),
            Cell::Single(number) => whole_number(f64::from(number)),
            Cell::Double(number) => whole_number(number),
            Cell::Flag(flag) => Some(i64::from(flag)),
        };
        let (fits, what) = match kind {
            Kind::Bool => (number.filter(|number| (0..=1).contains(number)), "0 or 1"),
            Kind::I32 if number.is_some() => {
                (number.filter(|number| i32::try_from(*number).is_ok()), "whole number of 32 bits")
            }
            _ => (number, "whole number"),
        };
        let quoted = match cell {
            Cell::Text(text) => format!("{:?}", text.trim()),
            number => number.to_string(),
        };
        fits.ok_or_else(|| Misfit::new(format!("{quoted} is no {what}, which the graph takes there")))
    }

    fn no_number(&self, cell: &str) -> Misfit {
        let word = cell.trim();
        let help = match word {
            _ if ["na", "n/a", "null", "none", "nil", "-", "?"].contains(&word.to_ascii_lowercase().as_str()) => {
                format!("; say --missing {word} if that stands for a missing one")
            }
            _ if self.decimal_comma => {
                return Misfit::new(format!("{cell:?} is no number with a decimal comma, such as 1.234,5"));
            }
            _ if word.contains(',') && word.replace(['.', ','], "").parse::<f64>().is_ok() => {
                "; say --decimal-comma if the file writes 0,5 for a half".to_owned()
            }
            _ => String::new(),
        };
        Misfit::new(format!("{cell:?} is no number; a missing one is an empty cell{help}"))
    }
}

/// 1234.5 for 1.234,5. Points are between thousands only: 0.5 is not taken for 5.
fn with_point(text: &str) -> Option<String> {
    let (whole, rest) = text.split_once(',').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let mut groups = whole.trim_start_matches(['-', '+']).split('.');
    let first = groups.next().unwrap_or_default();
    let is_grouped = whole.contains('.');
    let of_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let is_first = (1..=3).contains(&first.len()) && of_digits(first) && !first.starts_with('0');
    if is_grouped && !(is_first && groups.all(|group| group.len() == 3 && of_digits(group))) {
        return None;
    }
    match rest {
        Some(rest) if rest.contains(['.', ',']) => None,
        Some(rest) => Some(format!("{}.{rest}", whole.replace('.', ""))),
        None => Some(whole.replace('.', "")),
    }
}

/// The whole number or the truth that a text says.
fn whole_of(kind: Kind, text: &str) -> Option<i64> {
    if kind == Kind::Bool {
        return match text.to_ascii_lowercase().as_str() {
            "1" | "true" => Some(1),
            "0" | "false" => Some(0),
            _ => None,
        };
    }
    // Writers of data frames make `3.0` of whole numbers as soon as a column was once of floats.
    let digits =
        text.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0')).map_or(text, |(whole, _)| whole);
    digits.parse().ok()
}

fn whole_number(number: f64) -> Option<i64> {
    // 2^63 and beyond does not fit; no double lies between it and the greatest that does.
    let fits = number.fract() == 0.0 && number >= i64::MIN as f64 && number < i64::MAX as f64;
    fits.then_some(number as i64)
}

/// The cells of a column that were read so far.
#[derive(Debug)]
pub struct Cells<'a> {
    kind: Kind,
    written: &'a Written,
    values: Values,
}

impl<'a> Cells<'a> {
    /// None yet.
    pub fn of(kind: Kind, written: &'a Written) -> Self {
        let values = match kind {
            Kind::F32 => Values::F32(vec![]),
            Kind::F64 => Values::F64(vec![]),
            Kind::I64 | Kind::I32 | Kind::Bool => Values::I64(vec![]),
            Kind::Text => Values::Text(vec![]),
        };
        Self { kind, written, values }
    }

    /// Reads one more: an empty number is missing, an empty text is empty.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn push(&mut self, cell: Cell<'_>) -> Result<(), Misfit> {
        let cell = self.written.settled(cell);
        match &mut self.values {
            Values::F32(cells) => cells.push(self.written.single(cell)?),
            Values::F64(cells) => cells.push(self.written.double(cell)?),
            Values::I64(cells) => cells.push(self.written.whole(self.kind, cell)?),
            Values::Text(cells) => cells.push(word(cell)?),
        }
        Ok(())
    }

    /// The column.
    pub fn column(self, name: &str) -> Column {
        Column { name: name.to_owned(), values: self.values }
    }
}

/// A word as a graph takes it. What a library makes of 3.0 or of true is not for this to guess.
///
/// # Errors
/// Of a cell that is none.
pub fn word(cell: Cell<'_>) -> Result<String, Misfit> {
    match cell {
        Cell::Missing | Cell::Text(_) | Cell::Whole(_) => Ok(cell.to_string()),
        Cell::Single(_) | Cell::Double(_) | Cell::Flag(_) => Err(Misfit::new(format!(
            "{cell} is no word, which the graph takes there: write the column as text, as the model was trained"
        ))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(missing: &[&str], decimal_comma: bool) -> Written {
        let missing = missing.iter().map(|word| (*word).to_owned()).collect();
        Written::new(missing, decimal_comma, ',').unwrap()
    }

    #[test]
    fn cells_are_read_as_the_graph_takes_them() {
        let written = written(&[], false);
        let rows: [(Kind, &str, Result<Values, &str>); 15] = [
            (Kind::F32, " 0.1 ", Ok(Values::F32(vec![0.1]))),
            (Kind::F32, "-inf", Ok(Values::F32(vec![f32::NEG_INFINITY]))),
            (Kind::F32, "1e3", Ok(Values::F32(vec![1000.0]))),
            (
                Kind::F32,
                "n/a",
                Err(
                    "\"n/a\" is no number; a missing one is an empty cell; say --missing n/a if that stands for a missing one",
                ),
            ),
            (
                Kind::F32,
                "0,5",
                Err(
                    "\"0,5\" is no number; a missing one is an empty cell; say --decimal-comma if the file writes 0,5 for a half",
                ),
            ),
            (Kind::F64, "0.1", Ok(Values::F64(vec![0.1]))),
            (Kind::I64, "-7", Ok(Values::I64(vec![-7]))),
            (Kind::I64, "3.0", Ok(Values::I64(vec![3]))),
            (Kind::I64, "3.5", Err("\"3.5\" is no whole number, which the graph takes there")),
            (Kind::I64, "", Err("is empty, and the graph takes whole numbers there, which cannot be missing")),
            (Kind::I32, "3000000000", Err("\"3000000000\" is no whole number of 32 bits, which the graph takes there")),
            (Kind::Bool, "True", Ok(Values::I64(vec![1]))),
            (Kind::Bool, "2", Err("\"2\" is no 0 or 1, which the graph takes there")),
            (Kind::Text, " own ", Ok(Values::Text(vec![" own ".to_owned()]))),
            (Kind::Text, "", Ok(Values::Text(vec![String::new()]))),
        ];
        for (kind, cell, expected) in rows {
            let mut cells = Cells::of(kind, &written);
            let found = cells.push(Cell::Text(cell)).map(|()| cells.column("x").values);
            assert_eq!(found, expected.map_err(Misfit::new), "{kind:?} {cell:?}");
        }
    }

    #[test]
    fn a_file_may_write_numbers_and_what_is_missing_otherwise() {
        let written = written(&["NA", "-"], true);
        let of = |kind, cell| {
            let mut cells = Cells::of(kind, &written);
            cells.push(Cell::Text(cell)).map(|()| cells.column("x").values)
        };
        for (cell, expected) in
            [("1.234,5", 1234.5), ("-7", -7.0), ("0,5", 0.5), ("-12.345.678,25", -12_345_678.25), ("1,5e3", 1500.0)]
        {
            assert_eq!(of(Kind::F64, cell), Ok(Values::F64(vec![expected])), "{cell}");
        }
        for cell in ["0.5", "1.5", "0.500", "1234.567", "1,234.5", "1.5e3", "1.2345,0", ".500"] {
            let why = of(Kind::F64, cell).unwrap_err().to_string();
            assert!(why.contains("is no number with a decimal comma, such as 1.234,5"), "{cell}: {why}");
        }
        assert_eq!(of(Kind::I64, "1.234"), Ok(Values::I64(vec![1234])));
        assert!(matches!(of(Kind::F32, " NA "), Ok(Values::F32(cells)) if cells[0].is_nan()));
        assert!(matches!(of(Kind::F32, "-"), Ok(Values::F32(cells)) if cells[0].is_nan()));
        assert_eq!(of(Kind::Text, "NA"), Ok(Values::Text(vec![String::new()])));
        assert!(of(Kind::I64, "NA").unwrap_err().to_string().contains("cannot be missing"));
    }

    #[test]
    fn cells_that_have_a_type_are_taken_where_they_say_the_same() {
        let written = written(&[], false);
        let rows: [(Kind, Cell<'_>, Result<Values, &str>); 18] = [
            (Kind::F32, Cell::Double(0.1), Ok(Values::F32(vec![0.1]))),
            (Kind::F32, Cell::Whole(16_777_217), Ok(Values::F32(vec![16_777_216.0]))),
            (Kind::F32, Cell::Flag(true), Ok(Values::F32(vec![1.0]))),
            (Kind::F64, Cell::Single(0.1), Ok(Values::F64(vec![f64::from(0.1_f32)]))),
            (Kind::F64, Cell::Whole(-7), Ok(Values::F64(vec![-7.0]))),
            (Kind::I64, Cell::Double(3.0), Ok(Values::I64(vec![3]))),
            (Kind::I64, Cell::Double(3.5), Err("3.5 is no whole number, which the graph takes there")),
            (
                Kind::I64,
                Cell::Double(f64::NAN),
                Err("is empty, and the graph takes whole numbers there, which cannot be missing"),
            ),
            (
                Kind::I64,
                Cell::Double(9_223_372_036_854_775_808.0),
                Err("9223372036854776000 is no whole number, which the graph takes there"),
            ),
            (Kind::I64, Cell::Double(-9_223_372_036_854_775_808.0), Ok(Values::I64(vec![i64::MIN]))),
            (
                Kind::I64,
                Cell::Missing,
                Err("is empty, and the graph takes whole numbers there, which cannot be missing"),
            ),
            (
                Kind::I32,
                Cell::Whole(3_000_000_000),
                Err("3000000000 is no whole number of 32 bits, which the graph takes there"),
            ),
            (Kind::Bool, Cell::Flag(false), Ok(Values::I64(vec![0]))),
            (Kind::Bool, Cell::Double(2.0), Err("2 is no 0 or 1, which the graph takes there")),
            (Kind::Text, Cell::Missing, Ok(Values::Text(vec![String::new()]))),
            (Kind::Text, Cell::Whole(3), Ok(Values::Text(vec!["3".to_owned()]))),
            (
                Kind::Text,
                Cell::Double(3.0),
                Err("3 is no word, which the graph takes there: write the column as text, as the model was trained"),
            ),
            (
                Kind::Text,
                Cell::Flag(true),
                Err("True is no word, which the graph takes there: write the column as text, as the model was trained"),
            ),
        ];
        for (kind, cell, expected) in rows {
            let mut cells = Cells::of(kind, &written);
            let found = cells.push(cell).map(|()| cells.column("x").values);
            assert_eq!(found, expected.map_err(Misfit::new), "{kind:?} {cell:?}");
        }
    }

    #[test]
    fn an_empty_number_is_missing() {
        let written = written(&[], false);
        for cell in [Cell::Text(""), Cell::Text("  "), Cell::Missing, Cell::Double(f64::NAN)] {
            let mut cells = Cells::of(Kind::F32, &written);
            assert_eq!(cells.push(cell), Ok(()));
            assert!(matches!(cells.column("x").values, Values::F32(cells) if cells[0].is_nan()));
        }
    }
}
