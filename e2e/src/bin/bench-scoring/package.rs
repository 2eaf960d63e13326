//! The shipped packages: answers beside onnxruntime on the same graph, and scores with contributions, which it does not give.

use crate::engine::floats;
use crate::peer::Peer;
use crate::{Round, is_wanted, median, rate};
use anyhow::{Context, Result, ensure};
use inference::plan::{Plan, Shape};
use scoring::mapping::FeatureVector;
use scoring::{Model, PackageFiles, Scales, ThreadState};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Golden rows are repeated up to this many.
const ROWS: usize = 8_192;
/// Rows of a round that are explained: a net's take long.
const EXPLAINED: usize = 256;
/// Rows that are explained by all coalitions.
const ENUMERATED: usize = 64;
/// How far answers may be apart, relative above one.
const NEAR: f32 = 1e-5;

/// Measures every package in a folder whose name is wanted.
pub fn run(
    models: &Path,
    scratch: &Path,
    peer: &mut Peer,
    rounds: usize,
    only: &[String],
) -> Result<Map<String, Value>> {
    let scales = Scales::parse(&std::fs::read(models.join("scales.toml"))?)?;
    let mut figures = Map::new();
    for folder in packages(models)? {
        let name = folder.strip_prefix(models)?.display().to_string();
        if !is_wanted(&name, only) {
            continue;
        }
        let figure = measure(&folder, &scales, scratch, peer, rounds).with_context(|| name.clone())?;
        eprintln!("{name}: {figure}");
        figures.insert(name, figure);
    }
    Ok(figures)
}

fn packages(models: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in std::fs::read_dir(models)? {
        let name = name?.path();
        if name.is_dir() {
            for version in std::fs::read_dir(name)? {
                found.push(version?.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn measure(folder: &Path, scales: &Scales, scratch: &Path, peer: &mut Peer, rounds: usize) -> Result<Value> {
    let files = scorer::library::read_package(folder)?;
    let model = Model::load(&files, scales)?;
    let width = model.features().len();
    let (wanted, mut answers) = answers(&files, &model)?;
    let rows = rows(&files.golden, width)?;

    let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(scratch.join("package.f32"), bytes)?;
    peer.time(&format!("package {} {wanted} {width}", folder.join("model.onnx").display()))?;
    let theirs = floats(&std::fs::read(scratch.join("package_answers.f32"))?);
    let apart = greatest(&answers(&rows)?, &theirs)?;

    let vectors: Vec<FeatureVector> =
        rows.chunks(width).take(EXPLAINED).map(|row| FeatureVector::plain(row.to_vec())).collect();
    let mut thread = model.state()?;
    let (mut ours, mut others, mut explained) = (vec![], vec![], vec![]);
    for _ in 0..rounds {
        ours.push(timed(rows.len() / width, || Ok(black_box(answers(&rows)?.len())))?);
        let whole = rate(peer.time("package_onnxruntime")?);
        others.push(whole.max(rate(peer.time("package_onnxruntime_blocks")?)));
        explained.push(timed(vectors.len(), || Ok(black_box(model.score_block(&mut thread, &vectors)?.len())))?);
    }
    let (ours, others) = (median(&mut ours), median(&mut others));
    Ok(json!({
        "answers_per_s": ours,
        "onnxruntime_per_s": others,
        "answers_vs_onnxruntime": ours / others,
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

/// The output to compare, and how our side reckons it: the probability of trees, the margin of all others.
fn answers<'a>(
    files: &PackageFiles,
    model: &'a Model,
) -> Result<(String, Box<dyn FnMut(&[f32]) -> Result<Vec<f32>> + 'a>)> {
    let graph = &model.manifest().graph;
    if let Some(forest) = model.forest() {
        let wanted = graph.probability.clone().context("the manifest names no probability")?;
        let probability = move |margin: &f32| forest.probability(f64::from(*margin)) as f32;
        return Ok((wanted, Box::new(move |rows| Ok(forest.run(rows)?.margins.iter().map(probability).collect()))));
    }
    let margin = graph.margin.as_deref().context("the manifest names no margin")?;
    let width = model.features().len();
    let shape = Shape { input: &graph.input, width, margin, partials: graph.partials.as_deref() };
    let plan = Plan::new(&files.graph, shape)?;
    let mut state = plan.state()?;
    Ok((margin.to_owned(), Box::new(move |rows| Ok(plan.run(&mut state, rows)?.margins))))
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

fn greatest(ours: &[f32], theirs: &[f32]) -> Result<f32> {
    ensure!(ours.len() == theirs.len(), "{} answers against {}", ours.len(), theirs.len());
    let apart = ours.iter().zip(theirs).map(|(own, other)| (own - other).abs() / other.abs().max(1.0));
    let most = apart.fold(0f32, f32::max);
    ensure!(most <= NEAR, "answers differ by {most}");
    Ok(most)
}

fn timed(rows: usize, work: impl FnOnce() -> Result<usize>) -> Result<f64> {
    let started = Instant::now();
    work()?;
    Ok(rate(Round { rows, seconds: started.elapsed().as_secs_f64() }))
}
