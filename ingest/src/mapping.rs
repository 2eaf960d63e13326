//! CSV rows to application documents by a mapping file: constants, templates, columns, and how the file is written (`docs/batch.md`).
//! Training reads the same file, so that a model sees in the stream what it was trained on. What the mapping does not name does not
//! exist.
//!
//! Reading order: [`Mapping`], [`Bound`]; [`dialect`] is how a file holds its cells, [`column`] what becomes of a cell, [`written`] and
//! [`date`] how it is written, [`signs`] what signs of currencies stand for.

mod amount;
mod column;
mod date;
pub(crate) mod dialect;
mod place;
pub(crate) mod signs;
mod written;

use crate::error::Error;
use column::Column;
use date::DateForm;
use dialect::Dialect;
use domain::ApplicationId;
use place::put;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use written::{Habits, Written};

/// No list of an application has more.
const MAX_ELEMENTS: usize = 256;

/// A parsed mapping file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// How the file holds its cells.
    #[serde(default)]
    file: Dialect,
    /// How cells are written, unless their column says otherwise.
    #[serde(default)]
    written: Written,
    /// JSON pointer → value.
    #[serde(default)]
    constants: BTreeMap<String, Value>,
    #[serde(default)]
    template: Vec<Template>,
    #[serde(default)]
    column: Vec<Column>,
    /// Of cells in templates.
    #[serde(skip)]
    habits: Habits,
    /// Lines that say `DECIDE`.
    #[serde(skip)]
    open_lines: Vec<usize>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    pointer: String,
    /// `{COLUMN}` is replaced by the cell, `{row}` by the number of the data row, from 1.
    value: String,
}

/// A row that the mapping cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(cells))]
pub struct RowRejected {
    /// Every cell that its column does not take, at least one.
    pub cells: Vec<CellRejected>,
    /// The document with a value that fits in the place of each such cell, so that whatever else is wrong with the row can be told. Never
    /// published.
    pub stand_in: Value,
}

/// A cell that its column does not take. Names the column and the place it is for, not the cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {why}")]
pub struct CellRejected {
    /// Its name.
    pub column: String,
    /// JSON pointer into `data`.
    pub pointer: String,
    /// What the cell is not.
    pub why: &'static str,
}

fn told(cells: &[CellRejected]) -> String {
    cells.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
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
        let mut mapping: Self = toml::from_str(text).map_err(|error| Error::Mapping(error.to_string()))?;
        let pointers = mapping.constants.keys().chain(mapping.template.iter().map(|template| &template.pointer));
        for pointer in pointers.chain(mapping.column.iter().map(|column| &column.pointer)) {
            if !pointer.starts_with('/') {
                return Err(Error::Mapping(format!("{pointer:?} is no JSON pointer")));
            }
        }
        mapping.check_places()?;
        mapping.habits =
            mapping.written.habits(&Written::default()).map_err(|why| Error::Mapping(format!("[written]: {why}")))?;
        for column in &mut mapping.column {
            let habits = mapping.written.habits(&column.written);
            column.habits = habits.map_err(|why| Error::Mapping(format!("column {}: {why}", column.name)))?;
        }
        mapping.open_lines = open_lines(text);
        Ok(mapping)
    }

    /// No place is filled twice: of two columns the last would count, unseen. A constant stands where a column has nothing to say.
    fn check_places(&self) -> Result<(), Error> {
        let templates = self.template.iter().map(|template| (template.pointer.as_str(), "a template"));
        let columns = self.column.iter().map(|column| (column.pointer.as_str(), column.name.as_str()));
        let mut filled: Vec<(&str, &str)> = templates.chain(columns).collect();
        filled.sort_unstable();
        let is_within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        for (at, (pointer, one)) in filled.iter().enumerate() {
            let mut later = filled[at + 1..].iter();
            if let Some((other, two)) = later.find(|(other, _)| other == pointer || is_within(other, pointer)) {
                return Err(Error::Mapping(format!(
                    "{one} and {two} both fill {other}: give one of them another place"
                )));
            }
        }
        let constants = self.constants.keys().map(String::as_str);
        let index = |step: &str| step.parse::<usize>().ok().filter(|at| *at >= MAX_ELEMENTS);
        let mut all = constants.chain(filled.iter().map(|(pointer, _)| *pointer));
        match all.find(|pointer| pointer.split('/').any(|step| index(step).is_some())) {
            Some(pointer) => Err(Error::Mapping(format!("{pointer}: no list has more than {MAX_ELEMENTS} elements"))),
            None => Ok(()),
        }
    }

    /// Its lines that leave something to a person, from 1.
    pub(crate) fn open_lines(&self) -> &[usize] {
        &self.open_lines
    }

    /// How tables of this file's rows are written for whoever wrote it.
    pub(crate) fn spelling(&self) -> Spelling {
        let (delimiter, decimal) = (self.file.delimiter, self.written.decimal());
        Spelling { delimiter, decimal, is_marked: delimiter != b',' || decimal != '.' || !self.file.is_utf_8() }
    }

    /// Whether some text is made of the number of its row.
    pub(crate) fn counts_rows(&self) -> bool {
        self.template.iter().any(|template| template.value.contains("{row}"))
    }

    /// How the file holds its cells.
    pub(crate) fn dialect(&self) -> &Dialect {
        &self.file
    }

    /// Fits the mapping to the columns of a file.
    ///
    /// # Errors
    /// [`Error::Mapping`] when a column that it names is not there, or there twice.
    pub fn bind<'m, 'h>(&'m self, header: impl IntoIterator<Item = &'h str>) -> Result<Bound<'m>, Error> {
        let mut places: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
        for (place, name) in header.into_iter().enumerate() {
            let name = if self.written.trims() { name.trim() } else { name };
            places.entry(name).and_modify(|known| known.1 = true).or_insert((place, false));
        }
        let place = |name: &str| match places.get(name) {
            Some((place, false)) => Ok(*place),
            Some((_, true)) => Err(Error::Mapping(format!("column {name} is twice in the file"))),
            None => Err(Error::Mapping(format!("column {name} is not in the file"))),
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

/// How a table is written for one spreadsheet or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    /// Between cells.
    pub delimiter: u8,
    /// Between whole and fraction.
    pub decimal: char,
    /// Whether a byte order mark says that it is UTF-8.
    pub is_marked: bool,
}

impl Default for Spelling {
    /// As programs read it.
    fn default() -> Self {
        Self { delimiter: b',', decimal: '.', is_marked: false }
    }
}

/// The lines of a mapping file that leave something to a person, from 1: comments with the word and a colon.
pub(crate) fn open_lines(text: &str) -> Vec<usize> {
    let is_open = |line: &str| line.split_once('#').is_some_and(|(_, comment)| comment.contains("DECIDE:"));
    (1..).zip(text.lines()).filter(|(_, line)| is_open(line)).map(|(number, _)| number).collect()
}

/// Whether a cell is a day as a pattern of `[written] date` says.
pub(crate) fn fits_date(pattern: &str, cell: &str) -> bool {
    DateForm::try_from(pattern.to_owned()).is_ok_and(|form| form.read(cell).is_some())
}

/// A mapping whose columns are found.
pub struct Bound<'m> {
    mapping: &'m Mapping,
    columns: Vec<(&'m Column, usize)>,
    templates: Vec<(&'m str, Vec<Piece<'m>>)>,
}

enum Piece<'m> {
    Text(&'m str),
    /// A column's name and place.
    Cell(&'m str, usize),
    Row,
}

impl Bound<'_> {
    /// The `data` of one row; `number` counts data rows from 1.
    ///
    /// # Errors
    /// [`RowRejected`] with every cell that its column does not take.
    pub fn application<R: std::ops::Index<usize, Output = str>>(
        &self,
        row: &R,
        number: u64,
    ) -> Result<Value, RowRejected> {
        let mut data = Value::Object(Map::new());
        let mut cells = Vec::new();
        for (pointer, value) in &self.mapping.constants {
            put(&mut data, pointer, value.clone());
        }
        for (pointer, pieces) in &self.templates {
            put(&mut data, pointer, Value::String(self.fill(pieces, |place| &row[place], number)));
        }
        for (column, place) in &self.columns {
            let value = column.value(&row[*place]).unwrap_or_else(|why| {
                cells.push(CellRejected { column: column.name.clone(), pointer: column.pointer.clone(), why });
                column.stand_in()
            });
            if let Some(value) = value {
                put(&mut data, &column.pointer, value);
            }
        }
        if cells.is_empty() { Ok(data) } else { Err(RowRejected { cells, stand_in: data }) }
    }

    /// The application that a row of too few or too many cells is about, where the cells that name it are there.
    pub(crate) fn application_id<'c>(&self, cell: impl Fn(usize) -> Option<&'c str>, number: u64) -> Option<String> {
        const POINTER: &str = "/application_id";
        let template = self.templates.iter().find(|(pointer, _)| *pointer == POINTER);
        let column = self.columns.iter().find(|(column, _)| column.pointer == POINTER);
        let id = match (column, template) {
            (Some((column, place)), _) => column.habits.bare(cell(*place)?).to_owned(),
            (None, Some((_, pieces))) => {
                let are_there = |piece: &Piece<'_>| !matches!(piece, Piece::Cell(_, at) if cell(*at).is_none());
                let is_there = pieces.iter().all(are_there);
                is_there.then(|| self.fill(pieces, |place| cell(place).unwrap_or_default(), number))?
            }
            (None, None) => self.mapping.constants.get(POINTER)?.as_str()?.to_owned(),
        };
        ApplicationId::new(&id).is_ok().then_some(id)
    }

    /// The places of `data` that columns fill, each with the name of its column; of a template the first.
    pub(crate) fn sources(&self) -> Vec<(String, String)> {
        let columns = self.columns.iter().map(|(column, _)| (column.pointer.clone(), column.name.clone()));
        let templates = self.templates.iter().filter_map(|(pointer, pieces)| {
            let name =
                pieces.iter().find_map(|piece| if let Piece::Cell(name, _) = piece { Some(*name) } else { None });
            Some(((*pointer).to_owned(), name?.to_owned()))
        });
        columns.chain(templates).collect()
    }

    fn fill<'c>(&self, pieces: &[Piece<'_>], cell: impl Fn(usize) -> &'c str, number: u64) -> String {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Cell(_, place) => text.push_str(self.mapping.habits.bare(cell(*place))),
                Piece::Row => text.push_str(&number.to_string()),
            }
        }
        text
    }
}

fn pieces<'m>(template: &'m str, place: &impl Fn(&str) -> Result<usize, Error>) -> Result<Vec<Piece<'m>>, Error> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| Error::Mapping(format!("{template:?} does not close a brace")))?;
        pieces.push(Piece::Text(before));
        pieces.push(if name == "row" { Piece::Row } else { Piece::Cell(name, place(name)?) });
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
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
            assert_eq!(row(cells).unwrap_err().cells[0].column, column);
        }
    }

    #[test]
    fn every_cell_that_does_not_fit_is_told_and_the_rest_can_still_be_judged() {
        let rejected = row(["A", "twelve", "3", "1999-02-30"]).unwrap_err();
        let told: Vec<_> = rejected.cells.iter().map(|cell| (cell.column.as_str(), cell.pointer.as_str())).collect();
        let sex = "/applicants/0/protected/sex";
        assert_eq!(told, [("AMOUNT", "/requested/amount"), ("SEX", sex), ("DAY", "/submitted_at")]);
        assert_eq!(rejected.stand_in["application_id"], "x-A-7");
        assert_eq!(rejected.stand_in["requested"]["amount"]["currency"], "USD");
        assert!(!rejected.to_string().contains("twelve"), "columns, not cells: {rejected}");
    }

    #[test]
    fn cells_are_read_as_the_file_or_their_column_says() {
        let text = r#"
            [written]
            decimal = ","
            thousands = "."
            currency_signs = ["€"]
            date = "DD.MM.YYYY"
            trim = true
            yes = ["ja"]
            no = ["nein"]
            missing = ["k.A."]
            [[template]]
            pointer = "/application_id"
            value = "x-{ID}"
            [[column]]
            name = "BETRAG"
            pointer = "/requested/amount"
            kind = "money"
            currency = "EUR"
            exponent = 2
            [[column]]
            name = "FREMD"
            pointer = "/attributes/foreign"
            kind = "number"
            written = { decimal = ".", thousands = ",", currency_signs = [] }
            [[column]]
            name = "AM"
            pointer = "/submitted_at"
            kind = "datetime"
            [[column]]
            name = "TELEFON"
            pointer = "/applicants/0/facts/telephone"
            kind = "boolean"
        "#;
        let mapping = Mapping::parse(text).unwrap();
        let bound = mapping.bind(["ID ", "BETRAG", " FREMD", "AM", "TELEFON"]).unwrap();
        let read = |cells: [&str; 5]| bound.application(&csv::StringRecord::from(cells.to_vec()), 1);
        let expected = serde_json::json!({
            "application_id": "x-7",
            "requested": {"amount": {"amount_minor": 123_450, "currency": "EUR"}},
            "attributes": {"foreign": 1234.5},
            "submitted_at": "1999-12-31T00:00:00Z",
            "applicants": [{"facts": {"telephone": false}}],
        });
        assert_eq!(read([" 7 ", " 1.234,50 € ", "1,234.5", "31.12.1999", " Nein"]), Ok(expected));
        assert_eq!(read(["7", "k.A.", "", "", ""]), Ok(serde_json::json!({"application_id": "x-7"})));
        let all_wrong = read(["7", "1,234.50", "1.234,5", "1999-12-31", "no"]).unwrap_err();
        assert_eq!(all_wrong.cells.len(), 4, "{all_wrong}");
    }

    #[test]
    fn a_mapping_that_contradicts_itself_does_not_load() {
        for text in ["[constants]\n\"x\" = 1", "[[column]]\nname='a'\npointer='/a'\nkind='colour'", "[extra]\n"] {
            assert!(Mapping::parse(text).is_err(), "{text}");
        }
        for text in [
            "[file]\ndelimiter = 'xx'",
            "[file]\nencoding = 'klingon'",
            "[written]\nthousands = '.'",
            "[file]\nquote='x'",
        ] {
            assert!(Mapping::parse(text).is_err(), "{text}");
        }
        assert!(Mapping::parse(TEXT).unwrap().bind(["ID"]).is_err());
        let twice = Mapping::parse(TEXT).unwrap().bind(["ID", "ID", "AMOUNT", "SEX", "DAY"]).map(drop);
        assert!(twice.unwrap_err().to_string().contains("ID is twice"));
    }
}
