//! Stock exports against the libraries that were exported: the same rows, the library's own answers. What an export answers
//! otherwise is a finding about exporters, not about this engine, and stands in `docs/onnx-conformance.md` with its size.

use crate::ops::{cells, columns};
use crate::ops_cases::{Case, written};
use inference::graph::{Column, Graph, Output, Table, Values};
use std::collections::BTreeMap;

const LISTED: &str = include_str!("../../../docs/onnx-conformance.md");
/// Where the list begins.
const HEADING: &str = "## Rows that an export answers otherwise than its library";
/// Fewer rows than these that a library accepts prove little.
const FEWEST_ROWS: usize = 7_500;

/// How an export compares with its library.
#[derive(Debug, Default, PartialEq)]
struct Found {
    /// Rows that the library takes.
    rows: usize,
    /// Rows with a number that is too far off, or another label.
    changed: usize,
    /// The greatest difference of a number among them.
    most: f64,
}

#[test]
fn stock_exports_answer_as_their_libraries_do_but_for_the_rows_listed() {
    let cases: Vec<Case> = written("exports").into_iter().filter(|case| !case.natives().is_empty()).collect();
    assert!(cases.len() >= 40, "only {} exports come with their library's answers", cases.len());
    let mut wrong = vec![];
    let mut listed = listed();
    for case in &cases {
        let found = compared(case).unwrap_or_else(|why| panic!("{}: {why}", case.name));
        assert!(found.rows >= FEWEST_ROWS, "{} takes only {} rows", case.name, found.rows);
        let said = listed.remove(case.name.as_str());
        if !fits(&found, said) {
            wrong.push(format!("| `{}` | {} | {:.0e} | is listed as {said:?}", case.name, found.changed, found.most));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(listed.is_empty(), "are listed, and are no such cases: {:?}", listed.keys());
}

/// Whether as much changed as is listed. The libraries train on the spot, and another processor may grow a few other trees:
/// so a list is right within twice its rows and ten times its size; none listed is none found, and the other way round.
fn fits(found: &Found, said: Option<(usize, f64)>) -> bool {
    match said {
        None => found.changed == 0,
        Some((rows, most)) => (1..=2 * rows + 10).contains(&found.changed) && found.most <= 10.0 * most,
    }
}

/// What the document says of each export: rows, size; what stands behind them is why.
fn listed() -> BTreeMap<&'static str, (usize, f64)> {
    let section = LISTED.split(HEADING).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let row = |line: &'static str| {
        let mut parts = line.split(" | ");
        let mut next = || parts.next().unwrap_or_else(|| panic!("{line}"));
        let name = next().trim_end_matches('`');
        (name, (next().trim().parse().unwrap(), next().trim().parse().unwrap()))
    };
    rows.map(row).collect()
}

fn compared(case: &Case) -> Result<Found, String> {
    let inputs: Vec<Output> = case.inputs().iter().map(|tensor| cells(&case.name, tensor)).collect();
    let columns: Vec<Column> = inputs.iter().flat_map(columns).collect();
    let graph = Graph::load(&case.graph(), Some(columns.len())).map_err(|error| error.to_string())?;
    let outputs = graph.run(&Table { columns }).map_err(|error| error.to_string())?;
    let natives: Vec<Output> = case.natives().iter().map(|tensor| cells(&case.name, tensor)).collect();
    if natives.len() != outputs.len() {
        return Err(format!("gives {} outputs, its library {}", outputs.len(), natives.len()));
    }
    let rows = natives[0].values.len() / natives[0].columns.len();
    let mut apart = vec![Row::default(); rows];
    for (output, native) in outputs.iter().zip(&natives) {
        if output.values.len() != native.values.len() {
            return Err(format!("{} has {} cells, not {}", output.name, output.values.len(), native.values.len()));
        }
        let width = native.columns.len();
        match (differences(&output.values, &native.values), others(&output.values, &native.values)) {
            (Some(numbers), _) => numbers.iter().enumerate().for_each(|(at, cell)| apart[at / width].add(*cell)),
            (None, Some(labels)) => {
                labels.iter().enumerate().for_each(|(at, other)| apart[at / width].other_label |= other);
            }
            (None, None) => return Err(format!("{} is of another type than its library's", output.name)),
        }
    }
    let taken: Vec<Row> = apart.into_iter().filter(|row| !row.is_refused).collect();
    let changed = taken.iter().filter(|row| row.other_label || row.most > case.most());
    let most = changed.clone().map(|row| row.most).fold(0.0, f64::max);
    Ok(Found { rows: taken.len(), changed: changed.count(), most })
}

/// One row's answers against its library's.
#[derive(Debug, Clone, Default)]
struct Row {
    most: f64,
    other_label: bool,
    /// The library takes no such row, and says so by what is not a number.
    is_refused: bool,
}

impl Row {
    fn add(&mut self, difference: f64) {
        self.is_refused |= difference.is_nan();
        self.most = self.most.max(difference);
    }
}

/// Numbers cell by cell: absolute below one, relative above. Nothing if these are no numbers.
fn differences(found: &Values, expected: &Values) -> Option<Vec<f64>> {
    let number = |(found, expected): (f64, &f64)| match expected.is_nan() {
        true => f64::NAN,
        // An answer that is no number, where the library has one, is the worst of differences.
        false if found.is_nan() => f64::INFINITY,
        false => (found - expected).abs() / expected.abs().max(1.0),
    };
    match (found, expected) {
        (Values::F32(found), Values::F64(expected)) => {
            Some(found.iter().map(|cell| f64::from(*cell)).zip(expected).map(number).collect())
        }
        (Values::F64(found), Values::F64(expected)) => Some(found.iter().copied().zip(expected).map(number).collect()),
        _ => None,
    }
}

/// Which labels are other ones. Nothing if these are no labels.
fn others(found: &Values, expected: &Values) -> Option<Vec<bool>> {
    match (found, expected) {
        (Values::I64(found), Values::I64(expected)) => Some(found.iter().zip(expected).map(|(a, b)| a != b).collect()),
        (Values::Text(found), Values::Text(expected)) => {
            Some(found.iter().zip(expected).map(|(a, b)| a != b).collect())
        }
        _ => None,
    }
}
