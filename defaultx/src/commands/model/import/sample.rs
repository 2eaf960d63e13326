//! The sample that a graph is imported with: rows of features and who defaulted. Says what is wrong with a cell and where it
//! stands.

use crate::cli::ImportArgs;
use crate::commands::model::cells::Cells;
use crate::commands::model::run::{open, places};
use anyhow::{Context, Result, bail, ensure};
use csv::{Position, ReaderBuilder, StringRecord};
use inference::graph::{Kind, Values};

/// The most rows of a sample: what is fitted and counted does not get better beyond.
const MOST_ROWS: usize = 1 << 20;

/// Rows and labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Of the columns that the graph takes, in its order.
    pub names: Vec<String>,
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
        ensure!(!given.contains(&label), "the label {} cannot be a feature: leave it out of --columns", args.label);
        Ok(Self { names: given.iter().map(|at: &usize| header[*at].clone()).collect(), given, label })
    }
}

/// The header of the sample's file.
pub fn header(args: &ImportArgs) -> Result<Vec<String>> {
    let named = || args.sample.display().to_string();
    let (input, _) = open(&args.sample)?;
    let mut csv = ReaderBuilder::new().from_reader(input);
    Ok(csv.headers().with_context(named)?.iter().map(|name| name.trim().to_owned()).collect())
}

/// Reads every row.
pub fn read(args: &ImportArgs, sheet: &Sheet) -> Result<Sample> {
    let named = || args.sample.display().to_string();
    let (input, bar) = open(&args.sample)?;
    let mut csv = ReaderBuilder::new().flexible(false).from_reader(input);
    let mut columns: Vec<Cells> = sheet.given.iter().map(|_| Cells::of(Kind::F32)).collect();
    let (mut labels, mut record) = (Vec::new(), StringRecord::new());
    while csv.read_record(&mut record).with_context(named)? {
        let line = record.position().map_or(0, Position::line);
        let place = |name: &str, why: String| anyhow::anyhow!("{}, line {line}, column {name}: {why}", named());
        for ((cells, at), name) in columns.iter_mut().zip(&sheet.given).zip(&sheet.names) {
            let cell = &record[*at];
            cells.push(cell).map_err(|why| place(name, format!("{why}; a package's graph takes numbers")))?;
            if cell.trim().parse().is_ok_and(f32::is_infinite) {
                return Err(place(
                    name,
                    format!("{cell:?} is beyond single precision; leave the cell empty if it is missing"),
                ));
            }
        }
        labels.push(label(&record[sheet.label]).map_err(|why| place(&args.label, why))?);
        ensure!(labels.len() <= MOST_ROWS, "{}: holds more than {MOST_ROWS} rows: give a part of them", named());
        bar.set_message(format!("{} rows", labels.len()));
    }
    bar.finish_and_clear();
    ensure!(!labels.is_empty(), "{}: holds no rows below its header", named());
    let bad = labels.iter().filter(|label| **label).count();
    if bad == 0 || bad == labels.len() {
        let only = u8::from(bad > 0);
        bail!("{}, column {}: is {only} in every row; a calibration needs both", named(), args.label);
    }
    let columns: Vec<Vec<f32>> = columns.into_iter().map(|cells| floats(cells.column("").values)).collect();
    let rows = (0..labels.len()).map(|row| columns.iter().map(|column| column[row]).collect()).collect();
    Ok(Sample { names: sheet.names.clone(), rows, labels })
}

fn floats(values: Values) -> Vec<f32> {
    match values {
        Values::F32(cells) => cells,
        _ => vec![],
    }
}

fn label(cell: &str) -> Result<bool, String> {
    match cell.trim().to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" => Ok(true),
        "0" | "0.0" | "false" => Ok(false),
        _ => Err(format!("{cell:?} is neither 1 (defaulted) nor 0")),
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
mod tests {
    use super::*;

    #[test]
    fn labels_are_of_two_kinds() {
        let rows = [
            ("1", Ok(true)),
            (" 0 ", Ok(false)),
            ("True", Ok(true)),
            ("0.0", Ok(false)),
            ("2", Err("\"2\" is neither 1 (defaulted) nor 0")),
            ("", Err("\"\" is neither 1 (defaulted) nor 0")),
        ];
        for (cell, expected) in rows {
            assert_eq!(label(cell), expected.map_err(str::to_owned), "{cell}");
        }
    }
}
