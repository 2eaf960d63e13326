//! The sample that a graph is imported with: rows of features and who defaulted. Says what is wrong with a cell and where it
//! stands.

use crate::cli::ImportArgs;
use crate::commands::model::cells::Cells;
use crate::commands::model::run::{open, places};
use anyhow::{Context, Result, bail, ensure};
use csv::{Position, ReaderBuilder, StringRecord};
use inference::graph::{Graph, Kind, Values};
use inference::onnx::ModelProto;
use inference::tap;
use std::collections::BTreeSet;

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
    pub fn of(header: &[String], args: &ImportArgs) -> Result<Self> {
        let label = places(header, std::slice::from_ref(&args.label)).context("the label, --label")?[0];
        let without = places(header, &args.without).context("--without")?;
        let given = match args.columns.as_slice() {
            [] => (0..header.len()).filter(|at| *at != label && !without.contains(at)).collect(),
            columns => places(header, columns).context("--columns")?,
        };
        let twice = given.iter().find(|at| given.iter().any(|other| other < at && header[*other] == header[**at]));
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

/// The header of the sample's file.
pub fn header(args: &ImportArgs) -> Result<Vec<String>> {
    let named = || args.sample.display().to_string();
    let (input, _) = open(&args.sample)?;
    let mut csv = ReaderBuilder::new().from_reader(input);
    Ok(csv.headers().with_context(named)?.iter().map(|name| name.trim().to_owned()).collect())
}

/// Reads every row, as the graph takes it.
pub fn read(args: &ImportArgs, sheet: &Sheet, graph: &Graph, proto: &ModelProto) -> Result<Sample> {
    let named = || args.sample.display().to_string();
    let (input, bar) = open(&args.sample)?;
    let mut csv = ReaderBuilder::new().flexible(false).from_reader(input);
    let mut columns = columns(graph, proto);
    let (mut labels, mut classes, mut record) = (Vec::new(), BTreeSet::new(), StringRecord::new());
    while csv.read_record(&mut record).with_context(named)? {
        let line = record.position().map_or(0, Position::line);
        let place = |name: &str, why: String| anyhow::anyhow!("{}, line {line}, column {name}: {why}", named());
        for ((column, at), name) in columns.iter_mut().zip(&sheet.given).zip(&sheet.names) {
            column.push(&record[*at]).map_err(|why| place(name, why))?;
        }
        if classes.len() < CLASSES {
            classes.insert(record[sheet.label].trim().to_owned());
        }
        let label = label(&record[sheet.label], args.bad_label.as_deref());
        labels.push(label.map_err(|why| place(&args.label, why))?);
        ensure!(labels.len() <= MOST_ROWS, "{}: holds more than {MOST_ROWS} rows: give a part of them", named());
        bar.set_message(format!("{} rows", labels.len()));
    }
    bar.finish_and_clear();
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
    Ok(Sample { names: sheet.names.clone(), kinds, words, rows, labels })
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
    let of = |input: &inference::graph::Input| {
        let words = if input.kind == Kind::Text { tap::words(proto, &input.name) } else { vec![] };
        let (kind, width, is_closed) = (input.kind, input.width, !words.is_empty());
        (0..width).map(move |_| Codes { kind, cells: vec![], words: words.clone(), is_closed })
    };
    graph.inputs().iter().flat_map(of).collect()
}

impl Codes {
    fn push(&mut self, cell: &str) -> Result<(), String> {
        let value = match self.kind {
            Kind::Text if cell.is_empty() => f32::NAN,
            Kind::Text => self.code(cell),
            _ if cell.trim().is_empty() => f32::NAN,
            kind => number(kind, cell)?,
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
fn number(kind: Kind, cell: &str) -> Result<f32, String> {
    let mut cells = Cells::of(kind);
    cells.push(cell)?;
    match cells.column("").values {
        Values::F32(cells) if cells[0].is_infinite() => {
            Err(format!("{cell:?} is beyond single precision; leave the cell empty if it is missing"))
        }
        Values::F32(cells) => Ok(cells[0]),
        Values::F64(cells) if (cells[0] as f32).is_infinite() => {
            Err(format!("{cell:?} is beyond single precision; leave the cell empty if it is missing"))
        }
        Values::F64(cells) => Ok(cells[0] as f32),
        Values::I64(cells) if (cells[0] as f32) as i64 == cells[0] => Ok(cells[0] as f32),
        Values::I64(_) => {
            Err(format!("{cell:?} is no whole number of single precision, which features have: export codes as words"))
        }
        Values::Text(_) => Err("is a word where a number is needed".to_owned()),
    }
}

/// Whether a row defaulted: its class is the risky one, or 1.
fn label(cell: &str, bad: Option<&str>) -> Result<bool, String> {
    let cell = cell.trim();
    if let Some(bad) = bad {
        return match cell.is_empty() {
            true => Err("is empty".to_owned()),
            false => Ok(cell == bad || cell.strip_suffix(".0") == Some(bad)),
        };
    }
    match cell.to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" => Ok(true),
        "0" | "0.0" | "false" => Ok(false),
        other if other.parse::<f64>().is_ok() => Err(format!(
            "{cell:?} is neither 1 (defaulted) nor 0; a share or an amount lost is no probability of default, which is what a \
             package holds: run a model of LGD or EAD with `model run`"
        )),
        _ => Err(format!("{cell:?} is neither 1 (defaulted) nor 0: name the risky class with --bad-label")),
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
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                (found, expected) => assert_eq!(found, expected.map_err(str::to_owned), "{cell}"),
            }
        }
        for (cell, expected) in [("bad", Ok(true)), ("good", Ok(false)), ("", Err("is empty".to_owned()))] {
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
        let (mut open, mut closed) = (column(&[]), column(&["own", "rent"]));
        for word in ["rent", "own", "", "rent", "boat"] {
            assert_eq!((open.push(word), closed.push(word)), (Ok(()), Ok(())));
        }
        let bits =
            |cells: &[f32]| cells.iter().map(|cell| if cell.is_nan() { -1.0 } else { *cell }).collect::<Vec<_>>();
        assert_eq!(bits(&open.cells), [0.0, 1.0, -1.0, 0.0, 2.0]);
        assert_eq!(bits(&closed.cells), [1.0, 0.0, -1.0, 1.0, -1.0]);
    }

    #[test]
    fn whole_numbers_beyond_single_precision_are_refused() {
        assert_eq!(number(Kind::I64, "16777216"), Ok(16_777_216.0));
        assert!(number(Kind::I64, "16777217").unwrap_err().contains("export codes as words"));
        assert!(number(Kind::F64, "1e300").unwrap_err().contains("beyond single precision"));
    }
}
