//! The proof: a package serves only if this engine gives its golden answers, from features to bands and from whole
//! applications to scores, and if the directions it claims are true. Compares; corrects nothing.

use crate::error::{LoadError, Part};
use crate::forest::Forest;
use crate::manifest::{Explained, Kind, Monotone};
use crate::mapping::FeatureVector;
use crate::model::Model;
use crate::monotonicity::Evidence;
use crate::record::Record;
use crate::stock::Stock;
use crate::tolerance::{CONTRIBUTION_TOLERANCE, TOLERANCE};
use inference::EngineError;
use inference::plan::Answers;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Debug;

/// The least that proves anything.
pub(crate) const MIN_ROWS: usize = 64;
/// The least that proves the mapping.
pub const MIN_APPLICATIONS: usize = 5;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Whose answers these are, for people; not said of those that another runtime gave.
    #[serde(rename = "answers_of", default)]
    _answers_of: Option<String>,
    /// Trees: the mean margin of the reference.
    base: Option<f64>,
    rows: Vec<Row>,
    applications: Vec<Application>,
    /// What the package was made with, where whoever made it said so.
    record: Option<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// `null` is not a number.
    features: Vec<Option<f32>>,
    margin: f64,
    pd_raw: f64,
    pd: f64,
    score: i32,
    band: String,
    #[serde(default)]
    partials: Vec<f64>,
    /// Trees with covers: contributions by the library that grew them.
    #[serde(default)]
    path_parts: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Application {
    data: Value,
    features: Vec<Option<f32>>,
    pd: f64,
    score: i32,
}

/// Lets a model prove itself.
///
/// # Errors
/// [`LoadError::Golden`] at the first answer that differs, [`LoadError::Made`] at what else is not as it was made.
pub(crate) fn prove(model: &Model, golden: &[u8]) -> Result<(), LoadError> {
    let file: File = serde_json::from_slice(golden).map_err(|error| LoadError::form(Part::Golden, error))?;
    enough("rows", file.rows.len(), MIN_ROWS)?;
    enough("applications", file.applications.len(), MIN_APPLICATIONS)?;
    let Some(record) = &file.record else { return prove_answers(model, &file) };
    let document: Value = serde_json::from_slice(golden).map_err(|error| LoadError::form(Part::Golden, error))?;
    // Inputs first and files last: what names a feature and a number is told before what only names a file.
    record.prove_inputs(&document, model.manifest())?;
    prove_answers(model, &file)?;
    record.prove_rest(&document, model.manifest())
}

fn prove_answers(model: &Model, file: &File) -> Result<(), LoadError> {
    prove_rows(model, &file.rows)?;
    for (index, application) in file.applications.iter().enumerate() {
        prove_application(model, application, &format!("applications[{index}]"))?;
    }
    match model.forest() {
        Some(forest) => prove_trees(model, forest, file),
        None => match (model.stock(), model.manifest().kind) {
            (Some(stock), _) => prove_stock(model, stock, &file.rows),
            (None, Kind::Net) => prove_followed_directions(model),
            (None, _) => prove_directions(model, &file.rows),
        },
    }
}

fn enough(what: &'static str, found: usize, least: usize) -> Result<(), LoadError> {
    if found >= least { Ok(()) } else { Err(LoadError::GoldenTooFew { what, least, found }) }
}

fn prove_rows(model: &Model, rows: &[Row]) -> Result<(), LoadError> {
    let width = model.features().len();
    for (index, row) in rows.iter().enumerate() {
        same(&format!("rows[{index}]"), "features", width, row.features.len())?;
    }
    let vectors: Vec<_> = rows.iter().map(|row| FeatureVector::plain(numbers(&row.features))).collect();
    let answers = model.raw(&vectors).map_err(engine)?;
    for (index, (row, margin)) in rows.iter().zip(&answers.margins).enumerate() {
        let place = format!("rows[{index}]");
        match model.forest() {
            // A sum of fixed order has no excuse to differ.
            Some(_) => same(&place, "margin", row.margin, f64::from(*margin))?,
            None => close(&place, "margin", row.margin, f64::from(*margin))?,
        }
        close(&place, "pd_raw", row.pd_raw, model.pd_raw(*margin))?;
        prove_partials(model, row, &answers, index, &place)?;
        prove_score(model, *margin, (row.pd, row.score, Some(&row.band)), &place)?;
    }
    Ok(())
}

/// The parts are the golden ones, and with the intercept they add up to the margin.
fn prove_partials(model: &Model, row: &Row, answers: &Answers, index: usize, place: &str) -> Result<(), LoadError> {
    let Some(intercept) = model.manifest().graph.intercept else {
        return same(place, "partials", 0, row.partials.len());
    };
    let width = row.features.len();
    let partials = &answers.partials[index * width..][..width];
    same(place, "partials", width, row.partials.len())?;
    for ((golden, found), feature) in row.partials.iter().zip(partials).zip(model.features()) {
        close(&of_feature(place, &feature.name), "partials", *golden, f64::from(*found))?;
    }
    let sum = partials.iter().map(|part| f64::from(*part)).sum::<f64>() + intercept;
    close(place, "intercept + Σ partials", f64::from(answers.margins[index]), sum)
}

/// Trees: what the graph itself says, what it says of the reference, and every direction, from the trees' structure.
fn prove_trees(model: &Model, forest: &Forest, file: &File) -> Result<(), LoadError> {
    let base = file.base.ok_or_else(|| differs("base", "the reference's mean margin", "a number", "none"))?;
    near("base", "the reference's mean margin", base, forest.base(), CONTRIBUTION_TOLERANCE)?;
    let flat: Vec<f32> = file.rows.iter().flat_map(|row| numbers(&row.features)).collect();
    let probabilities = forest.graph_probabilities(&flat).map_err(engine)?;
    for (index, (row, probability)) in file.rows.iter().zip(&probabilities).enumerate() {
        let place = format!("rows[{index}]");
        close(&place, "the graph's probability", row.pd_raw, *probability)?;
        if row.path_parts.is_empty() {
            continue;
        }
        let found = forest.explain_by_covers(&numbers(&row.features)).map_err(engine)?;
        let parts = found.ok_or_else(|| differs(&place, "path_parts", "covers in the reference", "none"))?.parts;
        same(&place, "path_parts", parts.len(), row.path_parts.len())?;
        for ((golden, found), feature) in row.path_parts.iter().zip(parts).zip(model.features()) {
            near(&of_feature(&place, &feature.name), "path_parts", *golden, found, CONTRIBUTION_TOLERANCE)?;
        }
    }
    for (index, feature) in model.features().iter().enumerate() {
        forest.prove_direction(index, feature.monotone).map_err(|why| {
            let claimed = format!("{:?}", feature.monotone).to_lowercase();
            LoadError::contract(format!("feature {}", feature.name), format!("is declared {claimed}, {why}"))
        })?;
    }
    Ok(())
}

/// A stock graph: its own probability is what the margin means, and it is additive where the manifest says so.
fn prove_stock(model: &Model, stock: &Stock, rows: &[Row]) -> Result<(), LoadError> {
    let flat: Vec<f32> = rows.iter().flat_map(|row| numbers(&row.features)).collect();
    if stock.gives_probability() {
        let own = stock.state().and_then(|mut state| stock.own(&mut state, &flat)).map_err(engine)?;
        for (index, (row, own)) in rows.iter().zip(own).enumerate() {
            close(&format!("rows[{index}]"), "the graph's probability", row.pd_raw, own)?;
        }
    }
    if model.manifest().graph.explained == Some(Explained::Additive) {
        let rows: Vec<Vec<f32>> = flat.chunks(stock.width()).map(<[f32]>::to_vec).collect();
        let rest = stock.greatest_rest(&rows, model.background()).map_err(engine)?;
        if rest.is_nan() || rest > inference::additive::TOLERANCE {
            let why = format!(
                "is explained as additive, and a golden row is {rest:.1e} off the sum of its features' parts; say \
                 explained = \"permutations\""
            );
            return Err(LoadError::contract("graph", why));
        }
    }
    prove_followed_directions(model)
}

fn prove_score(model: &Model, margin: f32, golden: (f64, i32, Option<&String>), place: &str) -> Result<(), LoadError> {
    let (golden_pd, golden_score, golden_band) = golden;
    let pd = model.pd(margin).ok_or_else(|| differs(place, "pd", golden_pd, "no number"))?;
    close(place, "pd", golden_pd, pd.get())?;
    let score = model.scale().score(pd);
    // A net's margin may differ in its last bit between engines, and a point may turn on that.
    let rounds = matches!(model.manifest().kind, Kind::Net | Kind::Graph);
    let slack = i32::from(rounds && pd.get() != golden_pd);
    if (score - golden_score).abs() > slack {
        return Err(differs(place, "score", golden_score, score));
    }
    match golden_band {
        Some(band) if score == golden_score => same(place, "band", band.as_str(), model.scale().band(score)),
        _ => Ok(()),
    }
}

fn prove_application(model: &Model, golden: &Application, place: &str) -> Result<(), LoadError> {
    let row = model.map(&golden.data).map_err(|refused| {
        let words: Vec<_> = refused.iter().map(ToString::to_string).collect();
        differs(place, "features", "a row", format!("unscorable({})", words.join(", ")))
    })?;
    let features = numbers(&golden.features);
    same(place, "features", features.len(), row.values.len())?;
    for ((golden, found), feature) in features.iter().zip(&row.values).zip(model.features()) {
        if golden != found && !(golden.is_nan() && found.is_nan()) {
            return Err(differs(&of_feature(place, &feature.name), "value", golden, found));
        }
    }
    let margin = model.raw(&[row]).map_err(engine)?.margins[0];
    prove_score(model, margin, (golden.pd, golden.score, None), place)
}

/// Claimed directions of a net or stock graph: from weights where they prove them, else followed over the background.
fn prove_followed_directions(model: &Model) -> Result<(), LoadError> {
    for (index, feature) in model.features().iter().enumerate() {
        if let Some(Evidence::Contradicted { row, from, to }) = model.direction(index).map_err(engine)? {
            let claimed = format!("{:?}", feature.monotone).to_lowercase();
            let why =
                format!("is declared {claimed}, but from {from} to {to} background row {row} moves the other way");
            return Err(LoadError::contract(format!("feature {}", feature.name), why));
        }
    }
    Ok(())
}

/// A scorecard's parts are functions of one feature each, so a claimed direction can be followed over all values at hand.
fn prove_directions(model: &Model, rows: &[Row]) -> Result<(), LoadError> {
    let width = model.features().len();
    for (index, feature) in model.features().iter().enumerate() {
        let falls = match feature.monotone {
            Monotone::None => continue,
            Monotone::Increasing => false,
            Monotone::Decreasing => true,
        };
        let mut values: Vec<f32> = rows.iter().filter_map(|row| row.features[index]).collect();
        values.retain(|value| Some(*value) != feature.missing);
        values.sort_by(f32::total_cmp);
        let place = |value: &f32| {
            let mut row = numbers(&rows[0].features);
            row[index] = *value;
            FeatureVector::plain(row)
        };
        let answers = model.raw(&values.iter().map(place).collect::<Vec<_>>()).map_err(engine)?;
        let parts: Vec<f32> = answers.partials.chunks(width).map(|parts| parts[index]).collect();
        if parts.windows(2).any(|pair| if falls { pair[1] > pair[0] } else { pair[1] < pair[0] }) {
            let why = format!("is declared {:?}, but its part of the margin is not", feature.monotone).to_lowercase();
            return Err(LoadError::contract(format!("feature {}", feature.name), why));
        }
    }
    Ok(())
}

fn of_feature(place: &str, name: &str) -> String {
    format!("{place}, feature {name}")
}

fn numbers(row: &[Option<f32>]) -> Vec<f32> {
    row.iter().map(|value| value.unwrap_or(f32::NAN)).collect()
}

fn close(place: &str, field: &'static str, golden: f64, found: f64) -> Result<(), LoadError> {
    near(place, field, golden, found, TOLERANCE)
}

fn near(place: &str, field: &'static str, golden: f64, found: f64, tolerance: f64) -> Result<(), LoadError> {
    // One unit in the last place of the published digits must not fail on its own binary rounding.
    let allowed = tolerance * golden.abs().max(1.0) * (1.0 + 1e-9);
    if (golden - found).abs() <= allowed { Ok(()) } else { Err(differs(place, field, golden, found)) }
}

fn same<T: PartialEq + Debug>(place: &str, field: &'static str, golden: T, found: T) -> Result<(), LoadError> {
    if golden == found { Ok(()) } else { Err(differs(place, field, golden, found)) }
}

fn differs(place: &str, field: &'static str, golden: impl Debug, found: impl Debug) -> LoadError {
    let (expected, found) = (format!("{golden:?}"), format!("{found:?}"));
    LoadError::Golden { place: place.to_owned(), field, expected, found }
}

fn engine(error: EngineError) -> LoadError {
    LoadError::Graph(error.to_string())
}
