//! The sample that a graph is imported with: rows of features and who defaulted. Says what is wrong with a cell and where it
//! stands.

use super::options::Options;
use crate::cells::{Cell, Cells, Misfit, Written, word};
use crate::error::{Context, Result, bail, ensure};
use crate::rows::{Rows, places};
use inference::graph::{Graph, Input, Kind, Values};
use inference::onnx::ModelProto;
use inference::tap;
use std::collections::{BTreeSet, HashSet};

/// The most rows of a sample: what is fitted and counted does not get better beyond.
const MOST_ROWS: usize = 1 << 20;

/// Classes that an error names.
const CLASSES: usize = 8;

/// Rows and labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Of the columns that the graph takes, in its order.
    pub names: Vec<String>,
    /// What the graph takes of each column.
    pub kinds: Vec<Kind>,
    /// Of columns of a sequence: the input that takes it.
    pub sequences: Vec<Option<String>>,
    /// Of columns of words: those of the codes in the rows.
    pub words: Vec<Vec<String>>,
    /// NaN where a cell is empty.
    pub rows: Vec<Vec<f32>>,
    /// Whether a row defaulted.
    pub labels: Vec<bool>,
}

/// The columns of a file, and which of them are whose.
#[derive(Debug)]
pub struct Sheet {
    /// Of the columns that the graph takes, in its order.
    pub names: Vec<String>,
    given: Vec<usize>,
    label: usize,
}

impl Sheet {
    /// Finds the label's column and the graph's.
    pub fn of(rows: &Rows, args: &Options) -> Result<Self> {
        let header = rows.header();
        let label = places(header, std::slice::from_ref(&args.label)).context("the label, --label")?[0];
        let without = places(header, &args.without).context("--without")?;
        let given = match args.columns.as_slice() {
            [] => rows.columns().filter(|at| *at != label && !without.contains(at)).collect(),
            columns => places(header, columns).context("--columns")?,
        };
        let mut known = HashSet::new();
        let twice = given.iter().find(|at| !known.insert(&header[**at]));
        ensure!(twice.is_none(), "two columns are called {}", twice.map_or("", |at| &header[*at]));
        ensure!(!given.contains(&label), "the label {} cannot be a feature: leave it out of --columns", args.label);
        Ok(Self { names: given.iter().map(|at: &usize| header[*at].clone()).collect(), given, label })
    }

    /// The columns in the order of a graph that names each of its own, without those that it does not take.
    pub fn of_graph(self, graph: &Graph) -> Self {
        let place = |name: &String| self.names.iter().position(|column| column == name);
        let places = graph.inputs().iter().flat_map(|input| input.columns()).map(|name| place(&name));
        let Some(places) = places.collect::<Option<Vec<usize>>>() else { return self };
        let (names, given) = places.iter().map(|at| (self.names[*at].clone(), self.given[*at])).unzip();
        Self { names, given, label: self.label }
    }
}

/// Reads every row, as the graph takes it.
pub fn read(args: &Options, mut rows: Rows, sheet: &Sheet, graph: &Graph, proto: &ModelProto) -> Result<Sample> {
    let named = || args.sample.display().to_string();
    rows.select(&[sheet.given.as_slice(), &[sheet.label]].concat())?;
    let written = &args.written;
    let mut columns = columns(graph, proto);
    let (mut labels, mut classes) = (Vec::new(), BTreeSet::new());
    while rows.advance()? {
        for ((column, at), name) in columns.iter_mut().zip(&sheet.given).zip(&sheet.names) {
            column.push(rows.cell(*at), written).map_err(|why| rows.fault(name, &why))?;
        }
        let class = written.settled(rows.cell(sheet.label)).to_string();
        let label = label(&class, args.bad_label.as_deref());
        labels.push(label.map_err(|why| rows.fault(&args.label, &why))?);
        if classes.len() < CLASSES {
            classes.insert(class);
        }
        ensure!(labels.len() <= MOST_ROWS, "{}: holds more than {MOST_ROWS} rows: give a part of them", named());
    }
    ensure!(!labels.is_empty(), "{}: holds no rows below its header", named());
    let bad = labels.iter().filter(|label| **label).count();
    if bad == 0 || bad == labels.len() {
        let only = u8::from(bad > 0);
        let found: Vec<&str> = classes.iter().map(String::as_str).collect();
        match &args.bad_label {
            Some(risky) if bad == 0 => {
                bail!(
                    "{}, column {}: no row is of class {risky:?}; there are {}",
                    named(),
                    args.label,
                    found.join(", ")
                )
            }
            _ => bail!("{}, column {}: is {only} in every row; a calibration needs both", named(), args.label),
        }
    }
    let rows = (0..labels.len()).map(|row| columns.iter().map(|column| column.cells[row]).collect()).collect();
    let kinds = columns.iter().map(|column| column.kind).collect();
    let words = columns.into_iter().map(|column| column.words).collect();
    let sequence = |input: &Input| vec![input.is_sequence().then(|| input.name.clone()); input.width];
    let sequences = graph.inputs().iter().flat_map(sequence).collect();
    Ok(Sample { names: sheet.names.clone(), kinds, sequences, words, rows, labels })
}

/// The cells of a column as a package's features: numbers in single precision, or codes of words.
struct Codes {
    kind: Kind,
    cells: Vec<f32>,
    words: Vec<String>,
    /// The graph itself says its words; others are unknown to it.
    is_closed: bool,
}

/// A column for each that the graph takes.
fn columns(graph: &Graph, proto: &ModelProto) -> Vec<Codes> {
    let of = |input: &Input| {
        let words = if input.kind == Kind::Text { tap::words(proto, &input.name) } else { vec![] };
        let (kind, width, is_closed) = (input.kind, input.width, !words.is_empty());
        (0..width).map(move |_| Codes { kind, cells: vec![], words: words.clone(), is_closed })
    };
    graph.inputs().iter().flat_map(of).collect()
}

impl Codes {
    fn push(&mut self, cell: Cell<'_>, written: &Written) -> Result<(), Misfit> {
        let value = match (self.kind, written.settled(cell)) {
            (_, Cell::Missing) => f32::NAN,
            (Kind::Text, cell) => self.code(&word(cell)?),
            (_, Cell::Text(text)) if text.trim().is_empty() => f32::NAN,
            (kind, cell) => number(kind, cell, written)?,
        };
        self.cells.push(value);
        Ok(())
    }

    /// A word that a graph does not know is missing to it.
    fn code(&mut self, word: &str) -> f32 {
        match self.words.iter().position(|known| known == word) {
            Some(code) => code as f32,
            None if self.is_closed => f32::NAN,
            None => {
                self.words.push(word.to_owned());
                (self.words.len() - 1) as f32
            }
        }
    }
}

/// A number that a package can hold.
fn number(kind: Kind, cell: Cell<'_>, written: &Written) -> Result<f32, Misfit> {
    let mut cells = Cells::of(kind, written);
    cells.push(cell)?;
    let found = || match cell {
        Cell::Text(text) => format!("{text:?}"),
        number => number.to_string(),
    };
    let number = match cells.column("").values {
        Values::F32(cells) => cells[0],
        Values::F64(cells) => cells[0] as f32,
        Values::I64(cells) if (cells[0] as f32) as i64 == cells[0] => cells[0] as f32,
        Values::I64(_) => {
            return Err(Misfit::new(format!(
                "{} is no whole number of single precision, which features have: export codes as words",
                found()
            )));
        }
        Values::Text(_) => return Err(Misfit::new("is a word where a number is needed")),
    };
    match number.is_infinite() {
        true => {
            Err(Misfit::new(format!("{} is beyond single precision; leave the cell empty if it is missing", found())))
        }
        false => Ok(number),
    }
}

/// Whether a row defaulted: its class is the risky one, or 1.
fn label(cell: &str, bad: Option<&str>) -> Result<bool, Misfit> {
    let cell = cell.trim();
    if let Some(bad) = bad {
        return match cell.is_empty() {
            true => Err(Misfit::new("is empty")),
            false => Ok(cell == bad || cell.strip_suffix(".0") == Some(bad)),
        };
    }
    match cell.to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" => Ok(true),
        "0" | "0.0" | "false" => Ok(false),
        other if other.parse::<f64>().is_ok() => Err(Misfit::new(format!(
            "{cell:?} is neither 1 (defaulted) nor 0; a share or an amount lost is no probability of default, which is what a \
             package holds: run a model of LGD or EAD with `model run`"
        ))),
        _ => {
            Err(Misfit::new(format!("{cell:?} is neither 1 (defaulted) nor 0: name the risky class with --bad-label")))
        }
    }
}

impl Sample {
    /// The share of rows that defaulted.
    pub fn rate(&self) -> f64 {
        self.labels.iter().filter(|label| **label).count() as f64 / self.labels.len() as f64
    }

    /// The present values of a feature, rising.
    pub fn present(&self, feature: usize) -> Vec<f32> {
        let mut values: Vec<f32> = self.rows.iter().map(|row| row[feature]).filter(|value| !value.is_nan()).collect();
        values.sort_by(f32::total_cmp);
        values
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written() -> Written {
        Written::new(vec![], false, ',').unwrap()
    }

    #[test]
    fn labels_are_of_two_kinds() {
        let rows = [
            ("1", Ok(true)),
            (" 0 ", Ok(false)),
            ("True", Ok(true)),
            ("0.0", Ok(false)),
            ("0.4", Err("a share or an amount lost is no probability of default")),
            ("good", Err("\"good\" is neither 1 (defaulted) nor 0: name the risky class with --bad-label")),
            ("", Err("\"\" is neither 1 (defaulted) nor 0")),
        ];
        for (cell, expected) in rows {
            match (label(cell, None), expected) {
                (Err(why), Err(expected)) => assert!(why.to_string().contains(expected), "{why}"),
                (found, expected) => assert_eq!(found, expected.map_err(Misfit::new), "{cell}"),
            }
        }
        for (cell, expected) in [("bad", Ok(true)), ("good", Ok(false)), ("", Err(Misfit::new("is empty")))] {
            assert_eq!(label(cell, Some("bad")), expected, "{cell}");
        }
        assert_eq!(label("2.0", Some("2")), Ok(true));
    }

    #[test]
    fn words_are_codes_and_unknown_ones_are_missing_to_a_graph_that_says_its_own() {
        let column = |words: &[&str]| Codes {
            kind: Kind::Text,
            cells: vec![],
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            is_closed: !words.is_empty(),
        };
        let written = written();
        let (mut open, mut closed) = (column(&[]), column(&["own", "rent"]));
        for word in ["rent", "own", "", "rent", "boat"] {
            let word = Cell::Text(word);
            assert_eq!((open.push(word, &written), closed.push(word, &written)), (Ok(()), Ok(())));
        }
        let bits =
            |cells: &[f32]| cells.iter().map(|cell| if cell.is_nan() { -1.0 } else { *cell }).collect::<Vec<_>>();
        assert_eq!(bits(&open.cells), [0.0, 1.0, -1.0, 0.0, 2.0]);
        assert_eq!(bits(&closed.cells), [1.0, 0.0, -1.0, 1.0, -1.0]);
    }

    #[test]
    fn whole_numbers_beyond_single_precision_are_refused() {
        let written = written();
        let number = |kind, cell| number(kind, cell, &written);
        assert_eq!(number(Kind::I64, Cell::Text("16777216")), Ok(16_777_216.0));
        assert_eq!(number(Kind::I64, Cell::Whole(16_777_216)), Ok(16_777_216.0));
        for cell in [Cell::Text("16777217"), Cell::Whole(16_777_217)] {
            assert!(number(Kind::I64, cell).unwrap_err().to_string().contains("16777217"), "{cell:?}");
            assert!(number(Kind::I64, cell).unwrap_err().to_string().contains("export codes as words"), "{cell:?}");
        }
        for cell in [Cell::Text("1e300"), Cell::Double(1e300)] {
            assert!(number(Kind::F64, cell).unwrap_err().to_string().contains("beyond single precision"), "{cell:?}");
        }
    }
}
