//! CSV rows to application documents by a mapping file: constants, templates, columns. The same file is read by training, so
//! that a model sees in the stream what it was trained on. What the mapping does not name does not exist.

use crate::error::Error;
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// A parsed mapping file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// JSON pointer → value.
    #[serde(default)]
    constants: BTreeMap<String, Value>,
    #[serde(default)]
    template: Vec<Template>,
    #[serde(default)]
    column: Vec<Column>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    pointer: String,
    /// `{COLUMN}` is replaced by the cell, `{row}` by the number of the data row, from 1.
    value: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    pointer: String,
    kind: Kind,
    #[serde(default)]
    map: BTreeMap<String, Value>,
    default: Option<Value>,
    empty: Option<Empty>,
    currency: Option<String>,
    #[serde(default)]
    exponent: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Category,
    Money,
    Date,
    Datetime,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Empty {
    Null,
}

/// A row that the mapping cannot carry. Names the column, not the cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {why}")]
pub struct RowRejected {
    /// Its name.
    pub column: String,
    /// What the cell is not.
    pub why: &'static str,
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Mapping`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|error| Error::Mapping(format!("{}: {error}", path.display())))
    }

    /// Parses the text of a mapping file; an unknown key or kind is an error.
    ///
    /// # Errors
    /// [`Error::Mapping`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mapping: Self = toml::from_str(text).map_err(|error| Error::Mapping(error.to_string()))?;
        let pointers = mapping.constants.keys().chain(mapping.template.iter().map(|template| &template.pointer));
        for pointer in pointers.chain(mapping.column.iter().map(|column| &column.pointer)) {
            if !pointer.starts_with('/') {
                return Err(Error::Mapping(format!("{pointer:?} is no JSON pointer")));
            }
        }
        Ok(mapping)
    }

    /// Fits the mapping to the columns of a file.
    ///
    /// # Errors
    /// [`Error::Mapping`] when a column that it names is not there.
    pub fn bind<'m, 'h>(&'m self, header: impl IntoIterator<Item = &'h str>) -> Result<Bound<'m>, Error> {
        let places: BTreeMap<&str, usize> = header.into_iter().enumerate().map(|(place, name)| (name, place)).collect();
        let place = |name: &str| {
            places.get(name).copied().ok_or_else(|| Error::Mapping(format!("column {name} is not in the file")))
        };
        let columns =
            self.column.iter().map(|column| Ok((column, place(&column.name)?))).collect::<Result<_, Error>>()?;
        let templates = self
            .template
            .iter()
            .map(|template| Ok((template.pointer.as_str(), pieces(&template.value, &place)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Bound { mapping: self, columns, templates })
    }
}

/// A mapping whose columns are found.
pub struct Bound<'m> {
    mapping: &'m Mapping,
    columns: Vec<(&'m Column, usize)>,
    templates: Vec<(&'m str, Vec<Piece<'m>>)>,
}

enum Piece<'m> {
    Text(&'m str),
    Cell(usize),
    Row,
}

impl Bound<'_> {
    /// The `data` of one row; `number` counts data rows from 1.
    ///
    /// # Errors
    /// [`RowRejected`] for the first cell that its column does not take.
    pub fn application<R: std::ops::Index<usize, Output = str>>(
        &self,
        row: &R,
        number: u64,
    ) -> Result<Value, RowRejected> {
        let mut data = Value::Object(Map::new());
        for (pointer, value) in &self.mapping.constants {
            put(&mut data, pointer, value.clone());
        }
        for (pointer, pieces) in &self.templates {
            put(&mut data, pointer, Value::String(fill(pieces, row, number)));
        }
        for (column, place) in &self.columns {
            let value = column.value(&row[*place]);
            let value = value.map_err(|why| RowRejected { column: column.name.clone(), why })?;
            if let Some(value) = value {
                put(&mut data, &column.pointer, value);
            }
        }
        Ok(data)
    }
}

fn fill<R: std::ops::Index<usize, Output = str>>(pieces: &[Piece<'_>], row: &R, number: u64) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Cell(place) => text.push_str(&row[*place]),
            Piece::Row => text.push_str(&number.to_string()),
        }
    }
    text
}

fn pieces<'m>(template: &'m str, place: &impl Fn(&str) -> Result<usize, Error>) -> Result<Vec<Piece<'m>>, Error> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| Error::Mapping(format!("{template:?} does not close a brace")))?;
        pieces.push(Piece::Text(before));
        pieces.push(if name == "row" { Piece::Row } else { Piece::Cell(place(name)?) });
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

impl Column {
    /// The value of a cell; none where an empty cell leaves the key out.
    fn value(&self, cell: &str) -> Result<Option<Value>, &'static str> {
        if cell.is_empty() {
            return Ok(self.empty.map(|Empty::Null| Value::Null));
        }
        let value = match self.kind {
            Kind::String => cell.into(),
            Kind::Integer => cell.parse::<i64>().map_err(|_| "not an integer")?.into(),
            Kind::Number => number(cell)?,
            Kind::Boolean | Kind::Category => {
                self.map.get(cell).or(self.default.as_ref()).cloned().ok_or("not in the map")?
            }
            Kind::Money => {
                let amount_minor = minor_units(cell, self.exponent).ok_or("not an amount of whole minor units")?;
                let currency = self.currency.as_deref().ok_or("the column has no currency")?;
                serde_json::json!({"amount_minor": amount_minor, "currency": currency})
            }
            Kind::Date => crate::check::parse_date(cell).map(|_| cell.into()).ok_or("not a date")?,
            Kind::Datetime => {
                crate::check::parse_date(cell).map(|_| format!("{cell}T00:00:00Z").into()).ok_or("not a date")?
            }
        };
        Ok(Some(value))
    }
}

fn number(cell: &str) -> Result<Value, &'static str> {
    let parsed: f64 = cell.parse().map_err(|_| "not a number")?;
    Number::from_f64(parsed).map(Value::Number).ok_or("not a finite number")
}

/// Major units to minor ones, exactly; a fraction of a minor unit is refused.
fn minor_units(cell: &str, exponent: u32) -> Option<i64> {
    let (sign, digits) = cell.strip_prefix('-').map_or((1, cell), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let missing = exponent.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    if whole.is_empty() || !all_digits {
        return None;
    }
    let units: i64 = format!("{whole}{fraction}").parse().ok()?;
    units.checked_mul(10i64.checked_pow(missing)?)?.checked_mul(sign)
}

/// Sets the place that a pointer names, making objects and lists on the way; a number as a step makes a list.
fn put(data: &mut Value, pointer: &str, value: Value) {
    let mut at = data;
    let mut steps = pointer.split('/').skip(1).peekable();
    while let Some(step) = steps.next() {
        let step = step.replace("~1", "/").replace("~0", "~");
        let slot = match at {
            Value::Array(list) => {
                let index: usize = step.parse().unwrap_or(0);
                while list.len() <= index {
                    list.push(Value::Object(Map::new()));
                }
                &mut list[index]
            }
            other => {
                if !other.is_object() {
                    *other = Value::Object(Map::new());
                }
                let object = other.as_object_mut().expect("made an object above");
                object.entry(step).or_insert(Value::Null)
            }
        };
        match steps.peek() {
            None => {
                *slot = value;
                return;
            }
            Some(next) if slot.is_null() => {
                let is_index = next.bytes().all(|byte| byte.is_ascii_digit());
                *slot = if is_index { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
            }
            Some(_) => {}
        }
        at = slot;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [constants]
        "/revision" = 1
        "/applicants/0/consents" = []
        [[template]]
        pointer = "/application_id"
        value = "x-{ID}-{row}"
        [[column]]
        name = "AMOUNT"
        pointer = "/requested/amount"
        kind = "money"
        currency = "USD"
        exponent = 2
        [[column]]
        name = "SEX"
        pointer = "/applicants/0/protected/sex"
        kind = "category"
        map = { "1" = "male", "2" = "female" }
        [[column]]
        name = "DAY"
        pointer = "/submitted_at"
        kind = "datetime"
        empty = "null"
    "#;

    fn row(cells: [&str; 4]) -> Result<Value, RowRejected> {
        let mapping = Mapping::parse(TEXT).unwrap();
        let bound = mapping.bind(["ID", "AMOUNT", "SEX", "DAY"]).unwrap();
        bound.application(&csv::StringRecord::from(cells.to_vec()), 7)
    }

    #[test]
    fn a_row_becomes_a_document() {
        let expected = serde_json::json!({
            "revision": 1,
            "application_id": "x-A-7",
            "applicants": [{"consents": [], "protected": {"sex": "female"}}],
            "requested": {"amount": {"amount_minor": 1250, "currency": "USD"}},
            "submitted_at": "1999-12-31T00:00:00Z",
        });
        assert_eq!(row(["A", "12.5", "2", "1999-12-31"]), Ok(expected));
        let sparse = row(["A", "", "", ""]).unwrap();
        assert_eq!((sparse.get("requested"), &sparse["submitted_at"]), (None, &Value::Null));
    }

    #[test]
    fn a_cell_that_does_not_fit_names_its_column() {
        let rows = [
            (["A", "12.345", "1", ""], "AMOUNT"),
            (["A", "twelve", "1", ""], "AMOUNT"),
            (["A", "1", "3", ""], "SEX"),
            (["A", "1", "1", "1999-02-30"], "DAY"),
        ];
        for (cells, column) in rows {
            assert_eq!(row(cells).unwrap_err().column, column);
        }
    }

    #[test]
    fn minor_units_are_exact() {
        let rows = [
            ("0", 2, Some(0)),
            ("-165580", 2, Some(-16_558_000)),
            ("12.50", 1, Some(125)),
            ("12.55", 1, None),
            ("7", 0, Some(7)),
            ("7.0", 0, Some(7)),
            (".5", 2, None),
            ("1e3", 2, None),
            ("99999999999999999999", 2, None),
        ];
        for (cell, exponent, expected) in rows {
            assert_eq!(minor_units(cell, exponent), expected, "{cell}");
        }
    }

    #[test]
    fn a_mapping_that_contradicts_itself_does_not_load() {
        for text in ["[constants]\n\"x\" = 1", "[[column]]\nname='a'\npointer='/a'\nkind='colour'", "[extra]\n"] {
            assert!(Mapping::parse(text).is_err(), "{text}");
        }
        assert!(Mapping::parse(TEXT).unwrap().bind(["ID"]).is_err());
    }
}
