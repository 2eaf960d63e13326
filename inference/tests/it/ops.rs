//! The engine's operators against the ONNX project's own tests, against onnxruntime, and on stock exports. The cases are
//! written by Python under `tests/conformance`, once for all tests here.

use crate::ops_cases::{Case, written};
use inference::graph::{Column, Graph, Kind, Output, Table, Values};
use std::collections::BTreeSet;

/// What is not run or not passed, with its reason.
const LISTED: &str = include_str!("../../../docs/onnx-conformance.md");

#[test]
fn every_operator_answers_as_onnxruntime_does() {
    let mut failed = vec![];
    let cases = written("operators");
    for case in &cases {
        let outcome = if case.refused { case.is_refused() } else { case.passes().and_then(|()| case.row_by_row()) };
        failed.extend(outcome.err().map(|why| format!("{}: {why}", case.name)));
    }
    assert!(cases.len() > 1000, "only {} cases were written", cases.len());
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn node_tests_pass_but_for_those_listed() {
    let listed: BTreeSet<&str> = LISTED.split('`').filter(|word| word.starts_with("test_")).collect();
    let cases = written("standard");
    let mut missed = crate::ops_cases::unwritten("standard");
    let mut reasons = vec![];
    for case in &cases {
        if let Err(why) = case.passes() {
            missed.insert(case.name.clone());
            reasons.push(format!("{}: {why}", case.name));
        }
    }
    let missed: BTreeSet<&str> = missed.iter().map(String::as_str).collect();
    let unlisted: Vec<_> = missed.difference(&listed).collect();
    let passing: Vec<_> = listed.difference(&missed).collect();
    let reasons = reasons.join("\n");
    assert!(unlisted.is_empty(), "fail without being listed: {unlisted:?}\n{reasons}");
    assert!(passing.is_empty(), "are listed, and pass: {passing:?}");
    assert!(cases.iter().filter(|case| case.name.starts_with("test_ai_onnx_ml")).count() >= 8);
}

/// Every attribute, optional input and optional output of the operators: none is passed over without a word.
#[test]
fn attributes_are_honoured_but_for_those_listed_which_are_refused() {
    let listed: BTreeSet<&str> = LISTED.split('`').filter_map(|word| word.strip_prefix("attribute_")).collect();
    let cases = written("attributes");
    let (mut failed, mut refused) = (vec![], BTreeSet::new());
    for case in &cases {
        match case.answers() {
            Ok(true) => {}
            Ok(false) => _ = refused.insert(case.name.as_str()),
            Err(why) => failed.push(format!("{}: {why}", case.name)),
        }
    }
    assert!(cases.len() > 700, "only {} cases were written", cases.len());
    let unlisted: Vec<_> = refused.difference(&listed).collect();
    let answered: Vec<_> = listed.difference(&refused).collect();
    assert!(unlisted.is_empty(), "are refused without being listed: {unlisted:?}");
    assert!(answered.is_empty(), "are listed, and not refused: {answered:?}");
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

/// What is no number, infinities, zeros, subnormal and very large numbers, and rows of which some or all are missing.
#[test]
fn special_values_are_answered_as_onnxruntime_does_but_for_those_listed() {
    let listed: BTreeSet<&str> = LISTED.split('`').filter_map(|word| word.strip_prefix("special_")).collect();
    let cases = written("special");
    let failed: Vec<(&str, String)> =
        cases.iter().filter_map(|case| Some((case.name.as_str(), case.passes().err()?))).collect();
    let missed: BTreeSet<&str> = failed.iter().map(|(name, _)| *name).collect();
    let reasons: Vec<String> = failed.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    assert!(cases.len() > 90, "only {} cases were written", cases.len());
    assert!(missed == listed, "listed are {listed:?}, and these fail:\n{}", reasons.join("\n"));
}

#[test]
fn stock_exports_answer_as_onnxruntime_does() {
    let mut failed = vec![];
    let cases = written("exports");
    for case in &cases {
        let before = std::time::Instant::now();
        match parity(case) {
            Ok(most) => println!("{}: {most:e} in {} ms", case.name, before.elapsed().as_millis()),
            Err(why) => failed.push(format!("{}: {why}", case.name)),
        }
    }
    assert!(cases.len() >= 25, "only {} exports were written", cases.len());
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

/// Runs every row through the graph as exported; the greatest difference, or the first row that is wrong.
fn parity(case: &Case) -> Result<f64, String> {
    let inputs: Vec<Output> = case.inputs().iter().map(|tensor| cells(&case.name, tensor)).collect();
    let width = |input: &Output| input.columns.len();
    let columns: Vec<Column> = inputs.iter().flat_map(columns).collect();
    let graph = Graph::load(&case.graph(), Some(inputs.iter().map(width).sum())).map_err(|error| error.to_string())?;
    let outputs = graph.run(&Table { columns }).map_err(|error| error.to_string())?;
    let expected: Vec<Output> = case.outputs().iter().map(|tensor| cells(&case.name, tensor)).collect();
    if expected.len() != outputs.len() {
        return Err(format!("gives {} outputs, not {}", outputs.len(), expected.len()));
    }
    let mut most = 0f64;
    for (output, expected) in outputs.iter().zip(&expected) {
        most = most.max(
            difference(&output.values, &expected.values, case.most())
                .map_err(|why| format!("{}: {why}", output.name))?,
        );
    }
    let rows = expected.first().map_or(0, |output| output.values.len() / output.columns.len());
    if rows < 10_000 {
        return Err(format!("was tried on {rows} rows only"));
    }
    Ok(most)
}

fn difference(found: &Values, expected: &Values, most: f64) -> Result<f64, String> {
    if found.len() != expected.len() {
        return Err(format!("has {} cells, not {}", found.len(), expected.len()));
    }
    let numbers = |values: &Values| match values {
        Values::F32(cells) => Some(cells.iter().copied().map(f64::from).collect::<Vec<f64>>()),
        Values::F64(cells) => Some(cells.clone()),
        Values::I64(_) | Values::Text(_) => None,
    };
    match (numbers(found), numbers(expected)) {
        (Some(found), Some(expected)) => greatest(&found, &expected, most),
        (None, None) if found == expected => Ok(0.0),
        (None, None) => Err("some labels differ".to_owned()),
        _ => Err("is of another type".to_owned()),
    }
}

/// The greatest difference: absolute below one, as for probabilities, relative above, as for margins and targets.
fn greatest(found: &[f64], expected: &[f64], allowed: f64) -> Result<f64, String> {
    let mut most = 0f64;
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found == expected || found.is_nan() && expected.is_nan();
        let apart = if same { 0.0 } else { (found - expected).abs() / expected.abs().max(1.0) };
        if apart.is_nan() || apart > allowed {
            return Err(format!("cell {at} is {found}, not {expected}"));
        }
        most = most.max(apart);
    }
    Ok(most)
}

/// A tensor as cells of numbered columns.
pub(crate) fn cells(name: &str, tensor: &tract_onnx::prelude::Tensor) -> Output {
    let width: usize = tensor.shape().iter().skip(1).product();
    let columns = (0..width).map(|column| format!("{name}{column}")).collect();
    Output { name: name.to_owned(), columns, values: crate::ops_cases::values(tensor) }
}

/// The same, column by column.
pub(crate) fn columns(table: &Output) -> Vec<Column> {
    let width = table.columns.len();
    let column = |at: usize| match &table.values {
        Values::F32(cells) => Values::F32(cells.iter().skip(at).step_by(width).copied().collect()),
        Values::F64(cells) => Values::F64(cells.iter().skip(at).step_by(width).copied().collect()),
        Values::I64(cells) => Values::I64(cells.iter().skip(at).step_by(width).copied().collect()),
        Values::Text(cells) => Values::Text(cells.iter().skip(at).step_by(width).cloned().collect()),
    };
    table.columns.iter().enumerate().map(|(at, name)| Column { name: name.clone(), values: column(at) }).collect()
}

#[test]
fn columns_are_found_by_name_and_outputs_are_headed_by_class() {
    let case = written("exports").into_iter().find(|case| case.name == "pipeline_one_hot").unwrap();
    let graph = Graph::load(&case.graph(), None).unwrap();
    let inputs = case.inputs();
    let named = graph.inputs().iter().zip(&inputs);
    let mut columns: Vec<Column> = named
        .map(|(input, cells)| Column { name: input.name.clone(), values: crate::ops_cases::values(cells) })
        .collect();
    let in_order = graph.run(&Table { columns: columns.clone() }).unwrap();
    columns.reverse();
    let header: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    assert_eq!(graph.kinds(&header).unwrap()[..3], [Kind::Text, Kind::Text, Kind::F32]);
    assert_eq!(graph.run(&Table { columns: columns.clone() }).unwrap(), in_order);
    assert_eq!(in_order[1].columns, ["output_probability_0", "output_probability_1"]);
    let mut short = columns.clone();
    short.pop();
    let error = graph.run(&Table { columns: short }).unwrap_err().to_string();
    assert!(error.contains("the table lacks f0"), "{error}");
}
