//! Packages: answers beside onnxruntime on the same graph, many at once and one row at a time, and scores with contributions,
//! which it does not give.

use crate::bench::{Bench, greatest, is_wanted};
use crate::engine::{ONE_BY_ONE, floats, timed};
use crate::rounds::{Duel, Round, median, rate};
use anyhow::{Context, Result};
use catalog::{Kind, places};
use e2e::stage::root;
use scoring::mapping::FeatureVector;
use scoring::{Model, Scales, ThreadState};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// Golden rows are repeated up to this many.
const ROWS: usize = 8_192;
/// Rows of a round that are explained: a net's take long.
const EXPLAINED: usize = 256;
/// Rows that are explained by all coalitions.
const ENUMERATED: usize = 64;

/// Measures every package in a folder whose name is wanted.
pub fn run(models: Option<&Path>, bench: &mut Bench<'_>) -> Result<Map<String, Value>> {
    let shipped = root().join("models");
    let models = models.unwrap_or(&shipped);
    let own = models.join("scales.toml");
    let scales = if own.exists() { own } else { shipped.join("scales.toml") };
    let scales = scorer::library::scales(&scales)?;
    let mut figures = Map::new();
    for (_, folder) in places(Kind::Model, models)? {
        let name = folder.strip_prefix(models)?.display().to_string();
        if !is_wanted(&name, bench.only) {
            continue;
        }
        let figure = measure(&folder, &scales, bench).with_context(|| name.clone())?;
        eprintln!("{name}: {figure}");
        figures.insert(name, figure);
    }
    Ok(figures)
}

fn measure(folder: &Path, scales: &Scales, bench: &mut Bench<'_>) -> Result<Value> {
    let files = scorer::library::read_package(folder)?;
    let model = Model::load(&files, scales)?;
    let width = model.features().len();
    let rows = rows(&files.golden, width)?;

    let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(bench.scratch.join("package.f32"), bytes)?;
    std::fs::write(bench.scratch.join("package.json"), asked(folder, &model)?.to_string())?;
    let ways = bench.baseline.ready("package")?;
    let theirs = floats(&std::fs::read(bench.scratch.join("package_answers.f32"))?);
    let apart = greatest(&compared(&model, &rows)?, &theirs)?;

    let vectors: Vec<FeatureVector> =
        rows.chunks(width).take(EXPLAINED).map(|row| FeatureVector::plain(row.to_vec())).collect();
    let mut thread = model.state()?;
    let (mut batch, mut one_row, mut explained) = (Duel::new(), Duel::new(), vec![]);
    for _ in 0..bench.rounds {
        let ours = timed(rows.len() / width, || answers(&model, &mut thread, &rows))?;
        batch.round(ours, bench.baseline.fastest(&ways.blocks)?);
        let single = rows.chunks(width).take(ONE_BY_ONE);
        let ours = timed(single.len(), || {
            for row in single.clone() {
                black_box(answers(&model, &mut thread, black_box(row))?);
            }
            Ok(())
        })?;
        one_row.round(ours, bench.baseline.fastest(&ways.one_row)?);
        explained.push(rate(timed(vectors.len(), || Ok(model.score_block(&mut thread, &vectors)?))?));
    }
    let (ours, theirs, ratio) = batch.medians();
    let (one, other, one_ratio) = one_row.medians();
    Ok(json!({
        "answers_per_s": ours,
        "onnxruntime_per_s": theirs,
        "answers_vs_onnxruntime": ratio,
        "one_row_rows_per_s": one,
        "one_row_onnxruntime": other,
        "one_row_ratio": one_ratio,
        "explained_per_s": median(&mut explained),
        "enumerated_per_s": enumerated(&model, &mut thread, &vectors),
        "method": model.method(),
        "greatest_difference": apart,
    }))
}

/// Rows a second that a net explains by all coalitions; nothing where it has too many features, or is no net.
fn enumerated(model: &Model, thread: &mut ThreadState, rows: &[FeatureVector]) -> Option<f64> {
    let started = Instant::now();
    for row in rows.iter().take(ENUMERATED) {
        black_box(model.exact(thread, row, None).ok().flatten()?);
    }
    Some(rate(Round { rows: rows.len().min(ENUMERATED), seconds: started.elapsed().as_secs_f64() }))
}

/// What the baseline needs to know: the graph, the output that is compared, and the words of features that are words to it.
fn asked(folder: &Path, model: &Model) -> Result<Value> {
    let graph = &model.manifest().graph;
    let output = graph.probability.as_ref().or(graph.margin.as_ref()).or(graph.output.as_ref());
    let words: Vec<&[String]> = model.manifest().feature.iter().map(|feature| &*feature.categories).collect();
    Ok(json!({
        "graph": std::path::absolute(folder.join("model.onnx"))?,
        "output": output.context("the manifest names no output")?,
        "column": graph.column,
        "words": words,
    }))
}

/// What the scorer asks the engine for: the margins of mapped rows, and of trees the probabilities, as their graph gives them.
fn answers(model: &Model, thread: &mut ThreadState, rows: &[f32]) -> Result<Vec<f32>> {
    let mut answers = model.margins(thread, rows)?.margins;
    if model.forest().is_some() {
        answers.iter_mut().for_each(|margin| *margin = model.pd_raw(*margin) as f32);
    }
    Ok(answers)
}

/// The numbers of the output that the baseline gives: of a stock graph its own, which need not be the margins.
fn compared(model: &Model, rows: &[f32]) -> Result<Vec<f32>> {
    match model.stock() {
        Some(stock) => Ok(stock.own(&mut stock.state()?, rows)?.into_iter().map(|own| own as f32).collect()),
        None => answers(model, &mut model.state()?, rows),
    }
}

/// The rows of the golden answers, over and over.
fn rows(golden: &[u8], width: usize) -> Result<Vec<f32>> {
    let golden: Value = serde_json::from_slice(golden)?;
    let rows = golden["rows"].as_array().context("no golden rows")?;
    // What is not a number is null in JSON.
    let number =
        |value: &Value| if value.is_null() { Some(f32::NAN) } else { value.as_f64().map(|value| value as f32) };
    let numbers = |row: &Value| -> Option<Vec<f32>> { row["features"].as_array()?.iter().map(number).collect() };
    let rows: Vec<f32> = rows.iter().map(numbers).collect::<Option<Vec<_>>>().context("golden rows")?.concat();
    Ok(rows.into_iter().cycle().take(ROWS * width).collect())
}
