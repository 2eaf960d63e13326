//! A row's answer has the same bits alone, in any block and in any order: over every operator and every graph that is at hand.

use crate::ops::{cells, columns};
use crate::ops_cases::written;
use inference::graph::{Column, Graph, Kind, Output, Table, Values};
use std::path::{Path, PathBuf};
use std::process::Command;

/// More rows than two blocks.
const ROWS: usize = 600;
/// Every so many rows one is run alone.
const ALONE: usize = 23;

fn at(values: &Values, places: &[usize]) -> Values {
    match values {
        Values::F32(cells) => Values::F32(places.iter().map(|place| cells[*place]).collect()),
        Values::F64(cells) => Values::F64(places.iter().map(|place| cells[*place]).collect()),
        Values::I64(cells) => Values::I64(places.iter().map(|place| cells[*place]).collect()),
        Values::Text(cells) => Values::Text(places.iter().map(|place| cells[*place].clone()).collect()),
    }
}

fn rows(table: &Table, places: &[usize]) -> Table {
    let column = |column: &Column| Column { name: column.name.clone(), values: at(&column.values, places) };
    Table { columns: table.columns.iter().map(column).collect() }
}

/// The rows of an answer, by the bit.
fn bits(outputs: &[Output], row: usize) -> Vec<String> {
    let cell = |output: &Output, at: usize| match &output.values {
        Values::F32(cells) => cells[at].to_bits().to_string(),
        Values::F64(cells) => cells[at].to_bits().to_string(),
        Values::I64(cells) => cells[at].to_string(),
        Values::Text(cells) => cells[at].clone(),
    };
    let of = |output: &Output| {
        let width = output.columns.len();
        (row * width..(row + 1) * width).map(|at| cell(output, at)).collect::<Vec<_>>()
    };
    outputs.iter().flat_map(of).collect()
}

/// What differs, if anything does. Rows that end in an error must do so alone too.
fn check(graph: &Graph, table: &Table) -> Result<(), String> {
    let count = table.columns[0].values.len();
    let run = |places: &[usize]| graph.run(&rows(table, places));
    let all: Vec<usize> = (0..count).collect();
    let Ok(together) = run(&all) else {
        let fails = all.iter().step_by(ALONE).chain([&0]).any(|row| run(&[*row]).is_err());
        let fails = fails || all.iter().any(|row| run(&[*row]).is_err());
        return if fails { Ok(()) } else { Err("fails together, and no row fails alone".to_owned()) };
    };
    for row in all.iter().step_by(ALONE) {
        let alone = run(&[*row]).map_err(|why| format!("row {row} alone: {why}"))?;
        if bits(&alone, 0) != bits(&together, *row) {
            return Err(format!("row {row} alone is {:?}, among others {:?}", bits(&alone, 0), bits(&together, *row)));
        }
    }
    // 7 and the number of rows have no factor in common, so every row has one other place.
    let shuffled: Vec<usize> = (0..count).map(|at| (at * 7 + 3) % count).collect();
    let mixed = run(&shuffled).map_err(|why| format!("shuffled: {why}"))?;
    for (place, row) in shuffled.iter().enumerate() {
        if bits(&mixed, place) != bits(&together, *row) {
            return Err(format!("row {row} is another at place {place}"));
        }
    }
    let (start, rest) = all.split_at(count / 2 + 1);
    let halves = [run(start), run(rest)].map(|half| half.map_err(|why| why.to_string()));
    let [Ok(first), Ok(second)] = &halves else { return Err(format!("halves: {halves:?}")) };
    for row in &all {
        let half = if *row < start.len() { bits(first, *row) } else { bits(second, row - start.len()) };
        if half != bits(&together, *row) {
            return Err(format!("row {row} is another in a half of the table"));
        }
    }
    Ok(())
}

/// The rows of a case over and over, if all its inputs have as many.
fn table_of(inputs: &[tract_onnx::prelude::Tensor]) -> Option<Table> {
    let count = *inputs.first()?.shape().first()?;
    let fits = inputs.iter().all(|input| input.shape().first() == Some(&count));
    if !fits || count == 0 {
        return None;
    }
    let tables: Vec<Output> = inputs.iter().enumerate().map(|(at, tensor)| cells(&format!("c{at}-"), tensor)).collect();
    let table = Table { columns: tables.iter().flat_map(columns).collect() };
    if table.columns.is_empty() {
        return None;
    }
    let places: Vec<usize> = (0..ROWS).map(|row| row * 5 % count).collect();
    Some(rows(&table, &places))
}

#[test]
fn no_operator_and_no_export_lets_rows_meet() {
    let (mut failed, mut tried, mut row_by_row) = (vec![], 0, 0);
    for suite in ["operators", "standard", "special", "exports"] {
        for case in written(suite).iter().filter(|case| !case.refused) {
            let Some(table) = table_of(&case.inputs()) else { continue };
            let Ok(graph) = Graph::load(&case.graph(), Some(table.columns.len())) else { continue };
            let header: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
            if graph.kinds(&header).is_err() {
                continue;
            }
            tried += 1;
            row_by_row += usize::from(graph.meet().is_some());
            if let Err(why) = check(&graph, &table) {
                failed.push(format!("{suite}/{}: {why}", case.name));
            }
        }
    }
    println!("{tried} graphs, {row_by_row} of them row by row");
    assert!(tried > 1000, "only {tried} were tried");
    assert!(failed.is_empty(), "{} of {tried}:\n{}", failed.len(), failed.join("\n"));
}

/// Graphs with their rows, in folders of `model.onnx` and `input.csv`.
fn folders(below: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(below) else { return vec![] };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|folder| folder.join("model.onnx").exists() && folder.join("input.csv").exists());
    found.sort();
    found
}

pub(crate) fn table_in(folder: &Path, graph: &Graph) -> Option<Table> {
    let mut file = csv::Reader::from_path(folder.join("input.csv")).ok()?;
    let header: Vec<String> = file.headers().ok()?.iter().map(str::to_owned).collect();
    let records: Vec<csv::StringRecord> = file.records().collect::<Result<_, _>>().ok()?;
    let kinds = graph.kinds(&header).ok()?;
    let column = |(at, (name, kind)): (usize, (&String, Kind))| {
        let cells = records.iter().map(|record| &record[at]);
        let float = |cell: &str| if cell.is_empty() { f64::NAN } else { cell.parse().unwrap() };
        let values = match kind {
            Kind::F32 => Values::F32(cells.map(|cell| float(cell) as f32).collect()),
            Kind::F64 => Values::F64(cells.map(float).collect()),
            Kind::Text => Values::Text(cells.map(str::to_owned).collect()),
            Kind::I64 | Kind::I32 | Kind::Bool => {
                Values::I64(cells.map(|cell| if cell == "True" { 1.0 } else { float(cell) } as i64).collect())
            }
        };
        Column { name: name.clone(), values }
    };
    Some(Table { columns: header.iter().zip(kinds).enumerate().map(column).collect() })
}

/// The small set of the converters' suites, written on the first call; or another set, by `INFERENCE_SUITES`, for the night.
fn suites() -> PathBuf {
    if let Some(made) = std::env::var_os("INFERENCE_SUITES") {
        return made.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("../target/suites-small");
    let mut command = Command::new(root.join("tests/suites/run"));
    let output = command.args(["make", "small"]).env("DEFAULTX_SUITES", &folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

#[test]
fn no_graph_lets_rows_meet() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let all = folders(&cases).into_iter().chain(folders(&suites()));
    let (mut failed, mut tried, mut row_by_row) = (vec![], 0, vec![]);
    for folder in all {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let header = csv::Reader::from_path(folder.join("input.csv")).unwrap().headers().unwrap().len();
        let Ok(graph) = Graph::load(&std::fs::read(folder.join("model.onnx")).unwrap(), Some(header)) else { continue };
        let Some(table) = table_in(&folder, &graph) else { continue };
        tried += 1;
        if let Some(why) = graph.meet() {
            row_by_row.push(format!("{name}: {why}"));
        }
        if let Err(why) = check(&graph, &table) {
            failed.push(format!("{name}: {why}"));
        }
    }
    println!("{tried} graphs, {} of them row by row:\n{}", row_by_row.len(), row_by_row.join("\n"));
    assert!(tried >= 40, "only {tried} were tried");
    assert!(failed.is_empty(), "{} of {tried}:\n{}", failed.len(), failed.join("\n"));
}

/// Graphs that come without rows: those of the packages, and stock exports of other tests.
fn bare() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut found, mut folders) = (vec![], vec![]);
    folders.extend(
        ["models", "inference/tests/conformance/fixtures", "defaultx/tests/it/graphs"].map(|name| root.join(name)),
    );
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "onnx" => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Rows of small numbers, some of them missing.
fn invented(graph: &Graph) -> Table {
    let mut seed = 7u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as i64 % 64
    };
    let mut cells = |kind: Kind| {
        let whole: Vec<i64> = (0..ROWS).map(|_| next()).collect();
        let float = |x: &i64| if *x == 63 { f64::NAN } else { *x as f64 / 8.0 - 2.0 };
        match kind {
            Kind::F32 => Values::F32(whole.iter().map(|x| float(x) as f32).collect()),
            Kind::F64 => Values::F64(whole.iter().map(float).collect()),
            Kind::I64 | Kind::I32 => Values::I64(whole.iter().map(|x| x % 4).collect()),
            Kind::Bool => Values::I64(whole.iter().map(|x| x % 2).collect()),
            Kind::Text => {
                Values::Text(whole.iter().map(|x| ["own", "rent", "", "1"][(x % 4) as usize].to_owned()).collect())
            }
        }
    };
    let kinds =
        graph.inputs().iter().flat_map(|input| input.columns().map(|name| (name, input.kind)).collect::<Vec<_>>());
    Table { columns: kinds.map(|(name, kind)| Column { name, values: cells(kind) }).collect() }
}

#[test]
fn no_graph_of_the_repository_lets_rows_meet() {
    let (mut failed, mut tried) = (vec![], 0);
    for path in bare() {
        let graph = Graph::load(&std::fs::read(&path).unwrap(), None).unwrap_or_else(|why| panic!("{path:?}: {why}"));
        tried += 1;
        if let Err(why) = check(&graph, &invented(&graph)) {
            failed.push(format!("{path:?}: {why}"));
        }
    }
    assert!(tried >= 20, "only {tried} were tried");
    assert!(failed.is_empty(), "{} of {tried}:\n{}", failed.len(), failed.join("\n"));
}
