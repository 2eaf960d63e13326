//! PURE. Cells of a CSV column as a graph takes them. Says what is wrong with a cell, never where it stands.

use inference::graph::{Column, Kind, Values};
use std::borrow::Cow;

/// How a file writes its numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Words that stand for a missing value, beside the empty cell.
    pub missing: Vec<String>,
    /// 1.234,5 for what is 1234.5 elsewhere.
    pub decimal_comma: bool,
}

impl Written {
    fn is_missing(&self, cell: &str) -> bool {
        self.missing.iter().any(|word| word == cell.trim())
    }

    /// A cell as the rest of the world writes it; empty where it is missing.
    fn plain<'a>(&self, cell: &'a str) -> Cow<'a, str> {
        if self.is_missing(cell) {
            return Cow::Borrowed("");
        }
        let cell = cell.trim();
        match self.decimal_comma && cell.contains([',', '.']) {
            true => Cow::Owned(cell.replace('.', "").replace(',', ".")),
            false => Cow::Borrowed(cell),
        }
    }
}

/// The cells of a column that were read so far.
#[derive(Debug)]
pub struct Cells {
    kind: Kind,
    written: Written,
    values: Values,
}

impl Cells {
    /// None yet, of a file that writes numbers as most do.
    pub fn of(kind: Kind) -> Self {
        Self::written(kind, &Written::default())
    }

    /// None yet.
    pub fn written(kind: Kind, written: &Written) -> Self {
        let values = match kind {
            Kind::F32 => Values::F32(vec![]),
            Kind::F64 => Values::F64(vec![]),
            Kind::I64 | Kind::I32 | Kind::Bool => Values::I64(vec![]),
            Kind::Text => Values::Text(vec![]),
        };
        Self { kind, written: written.clone(), values }
    }

    /// Reads one more: an empty number is missing, an empty text is empty.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn push(&mut self, cell: &str) -> Result<(), String> {
        let plain = self.written.plain(cell);
        let number: &str = &plain;
        match &mut self.values {
            Values::F32(cells) if number.is_empty() => cells.push(f32::NAN),
            Values::F64(cells) if number.is_empty() => cells.push(f64::NAN),
            Values::F32(cells) => cells.push(number.parse().map_err(|_| no_number(cell))?),
            Values::F64(cells) => cells.push(number.parse().map_err(|_| no_number(cell))?),
            Values::I64(cells) => cells.push(whole(self.kind, number)?),
            Values::Text(cells) if self.written.is_missing(cell) => cells.push(String::new()),
            Values::Text(cells) => cells.push(cell.to_owned()),
        }
        Ok(())
    }

    /// The column.
    pub fn column(self, name: &str) -> Column {
        Column { name: name.to_owned(), values: self.values }
    }
}

fn no_number(cell: &str) -> String {
    let word = cell.trim();
    let help = match word {
        _ if ["na", "n/a", "null", "none", "nil", "-", "?"].contains(&word.to_ascii_lowercase().as_str()) => {
            format!("; say --missing {word} if that stands for a missing one")
        }
        _ if word.contains(',') && word.replace(['.', ','], "").parse::<f64>().is_ok() => {
            "; say --decimal-comma if the file writes 0,5 for a half".to_owned()
        }
        _ => String::new(),
    };
    format!("{cell:?} is no number; a missing one is an empty cell{help}")
}

/// Whole numbers have no missing value.
fn whole(kind: Kind, cell: &str) -> Result<i64, String> {
    if cell.is_empty() {
        return Err("is empty, and the graph takes whole numbers there, which cannot be missing".to_owned());
    }
    let refused = |what: &str| format!("{cell:?} is no {what}, which the graph takes there");
    if kind == Kind::Bool {
        return match cell.to_ascii_lowercase().as_str() {
            "1" | "true" => Ok(1),
            "0" | "false" => Ok(0),
            _ => Err(refused("0 or 1")),
        };
    }
    // Writers of data frames make `3.0` of whole numbers as soon as a column was once of floats.
    let digits =
        cell.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0')).map_or(cell, |(whole, _)| whole);
    let number: i64 = digits.parse().map_err(|_| refused("whole number"))?;
    match kind {
        Kind::I32 if i32::try_from(number).is_err() => Err(refused("whole number of 32 bits")),
        _ => Ok(number),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_the_graph_takes_them() {
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
            let mut cells = Cells::of(kind);
            let found = cells.push(cell).map(|()| cells.column("x").values);
            assert_eq!(found, expected.map_err(str::to_owned), "{kind:?} {cell:?}");
        }
    }

    #[test]
    fn a_file_may_write_numbers_and_what_is_missing_otherwise() {
        let written = Written { missing: vec!["NA".to_owned(), "-".to_owned()], decimal_comma: true };
        let of = |kind, cell| {
            let mut cells = Cells::written(kind, &written);
            cells.push(cell).map(|()| cells.column("x").values)
        };
        assert_eq!(of(Kind::F64, "1.234,5"), Ok(Values::F64(vec![1234.5])));
        assert_eq!(of(Kind::F64, "-7"), Ok(Values::F64(vec![-7.0])));
        assert!(matches!(of(Kind::F32, " NA "), Ok(Values::F32(cells)) if cells[0].is_nan()));
        assert!(matches!(of(Kind::F32, "-"), Ok(Values::F32(cells)) if cells[0].is_nan()));
        assert_eq!(of(Kind::Text, "NA"), Ok(Values::Text(vec![String::new()])));
        assert!(of(Kind::I64, "NA").unwrap_err().contains("cannot be missing"));
    }

    #[test]
    fn an_empty_number_is_missing() {
        let mut cells = Cells::of(Kind::F32);
        assert_eq!(cells.push(""), Ok(()));
        assert!(matches!(cells.column("x").values, Values::F32(cells) if cells[0].is_nan()));
    }
}
