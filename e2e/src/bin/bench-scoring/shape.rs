//! The shapes that credit teams train nets in, through the graph engine as `model run` runs them, beside onnxruntime: in blocks and
//! one row at a time.

use crate::bench::{Bench, greatest, is_wanted};
use crate::engine::{BLOCK, ONE_BY_ONE, floats, timed};
use crate::rounds::Duel;
use anyhow::{Context, Result, bail};
use e2e::stage::root;
use inference::graph::{Column, Graph, Input, Kind, State, Table, Values};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::path::Path;

/// Measures every shape whose name is wanted.
pub fn run(bench: &mut Bench<'_>) -> Result<Map<String, Value>> {
    let folder = root().join("e2e/baselines/scoring/shapes");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    let mut figures = Map::new();
    for name in names.into_iter().filter(|name| is_wanted(&format!("shape-{name}"), bench.only)) {
        let graph = std::fs::read(folder.join(format!("{name}.onnx")))?;
        let figure = measure(&name, &graph, bench).with_context(|| name.clone())?;
        eprintln!("{name}: {figure}");
        figures.insert(name, figure);
    }
    Ok(figures)
}

fn measure(name: &str, bytes: &[u8], bench: &mut Bench<'_>) -> Result<Value> {
    let graph = Graph::load(bytes, None)?;
    let mut ways = bench.baseline.ready(&format!("shape {name}"))?;
    ways.blocks.retain(|way| way.ends_with("_blocks"));
    let theirs = floats(&std::fs::read(bench.scratch.join("shape_answers.f32"))?);
    let rows = theirs.len() / graph.outputs().next().map_or(1, |(_, width)| width);
    let (blocks, single) = (parts(&graph, bench.scratch, rows, BLOCK)?, parts(&graph, bench.scratch, rows, 1)?);
    let mut state = graph.state()?;
    let mut ours = Vec::new();
    blocks.iter().try_for_each(|part| part.run(&graph, &mut state, &mut ours))?;
    let apart = greatest(&ours, &theirs)?;

    let single = &single[..single.len().min(ONE_BY_ONE)];
    let (mut batch, mut one_row) = (Duel::new(), Duel::new());
    let mut pass = |parts: &[Part]| {
        for part in parts {
            ours.clear();
            part.run(&graph, &mut state, &mut ours)?;
            black_box(&ours);
        }
        Ok(())
    };
    for _ in 0..bench.rounds {
        batch.round(timed(rows, || pass(&blocks))?, bench.baseline.fastest(&ways.blocks)?);
        one_row.round(timed(single.len(), || pass(single))?, bench.baseline.fastest(&ways.one_row)?);
    }
    let (ours, theirs, ratio) = batch.medians();
    let (one, other, one_ratio) = one_row.medians();
    Ok(json!({
        "blocks_rows_per_s": ours,
        "blocks_onnxruntime": theirs,
        "blocks_ratio": ratio,
        "one_row_rows_per_s": one,
        "one_row_onnxruntime": other,
        "one_row_ratio": one_ratio,
        "is_dense": graph.dense().is_some(),
        "rows_meet": graph.meet(),
        "greatest_difference": apart,
    }))
}

/// Some rows as the engine takes them: of one input of single precision as they are, of others as a table.
enum Part {
    Rows(Vec<f32>),
    Table(Table),
}

impl Part {
    fn run(&self, graph: &Graph, state: &mut State, into: &mut Vec<f32>) -> Result<()> {
        let outputs = match self {
            Self::Rows(rows) => return Ok(graph.run_f32(state, black_box(rows), std::slice::from_mut(into))?),
            Self::Table(table) => graph.run_in(state, black_box(table))?,
        };
        match outputs.into_iter().next().map(|output| output.values) {
            Some(Values::F32(cells)) => into.extend(cells),
            _ => bail!("the shape gives no numbers of single precision"),
        }
        Ok(())
    }
}

/// What the baseline has written for each input, in parts of so many rows.
fn parts(graph: &Graph, folder: &Path, rows: usize, size: usize) -> Result<Vec<Part>> {
    let read = |at: usize| std::fs::read(folder.join(format!("shape_{at}")));
    if let [Input { kind: Kind::F32, width, .. }] = graph.inputs() {
        return Ok(floats(&read(0)?).chunks(size * width).map(|part| Part::Rows(part.to_vec())).collect());
    }
    let mut tables = vec![Table::default(); rows.div_ceil(size)];
    for (at, input) in graph.inputs().iter().enumerate() {
        let cells = cells(input.kind, &read(at)?)?;
        for (column, name) in input.columns().enumerate() {
            for (part, table) in tables.iter_mut().enumerate() {
                let rows = part * size..rows.min((part + 1) * size);
                let places = rows.map(|row| row * input.width + column);
                let values = match &cells {
                    Values::F32(cells) => Values::F32(places.map(|place| cells[place]).collect()),
                    Values::I64(cells) => Values::I64(places.map(|place| cells[place]).collect()),
                    Values::F64(_) | Values::Text(_) => bail!("no shape takes these"),
                };
                table.columns.push(Column { name: name.clone(), values });
            }
        }
    }
    Ok(tables.into_iter().map(Part::Table).collect())
}

fn cells(kind: Kind, bytes: &[u8]) -> Result<Values> {
    match kind {
        Kind::F32 => Ok(Values::F32(floats(bytes))),
        Kind::I64 => Ok(Values::I64(bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect())),
        other => bail!("no shape has an input of {other:?}"),
    }
}
