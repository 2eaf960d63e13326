//! The golden file of a graph that is imported: rows and applications of the sample, with this engine's own answers. They
//! prove from then on that nothing changed; whether the exporter's runtime agrees, `model run` shows.

use super::contract::{Feature, application};
use super::draft::Draft;
use super::json::json;
use super::spread::evenly;
use crate::error::{Context, Result, ensure};
use scoring::golden::MIN_APPLICATIONS;
use scoring::record::{Others, Record};
use serde::Serialize;
use serde_json::Value;

/// Rows of the sample, from the safest to the riskiest.
const SPREAD: usize = 128;
/// More than a block of any engine.
const LEAST: usize = 320;
/// Rows for leaves of trees that no other row comes to, at most.
const LEAVES: usize = 1024;
/// Thresholds of a feature that rows lie on.
const THRESHOLDS: usize = 8;
/// Words of a feature that rows have, at most.
const WORDS: usize = 256;
/// Whole applications.
const APPLICATIONS: usize = 6;

/// The whole file.
#[derive(Debug, Serialize)]
pub struct Golden {
    answers_of: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<f64>,
    rows: Vec<Row>,
    applications: Vec<Application>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Record>,
}

#[derive(Debug, Serialize)]
struct Row {
    features: Vec<Option<f32>>,
    margin: f64,
    pd_raw: f64,
    pd: f64,
    score: i32,
    band: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partials: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Application {
    data: Value,
    features: Vec<Option<f32>>,
    pd: f64,
    score: i32,
}

/// The file: answers to rows spread over the ranking, to hard ones, and to whole applications; and what they were made with.
pub fn file(draft: &Draft, base: Option<f64>, others: Others) -> Result<Vec<u8>> {
    let mut golden = document(draft, base)?;
    let pointers: Vec<String> = draft.features.iter().map(Feature::pointer).collect();
    let pointers: Vec<Option<&str>> = pointers.iter().map(|pointer| Some(pointer.as_str())).collect();
    golden.record = Some(Record::of(&json(&golden)?, &pointers, others, draft.platt.said())?);
    json(&golden)
}

fn document(draft: &Draft, base: Option<f64>) -> Result<Golden> {
    let spread = draft.spread(SPREAD);
    let mut rows: Vec<Vec<f32>> = spread.iter().map(|at| draft.rows[*at].clone()).collect();
    hard(draft, &mut rows);
    Ok(Golden {
        answers_of: format!("this engine, DefaultX {}, when the graph was imported", env!("CARGO_PKG_VERSION")),
        base,
        rows: answers(draft, &rows)?,
        applications: applications(draft)?,
        record: None,
    })
}

/// All lowest, all highest, each feature lowest, highest and missing alone, with each of its words, on and just above thresholds of
/// trees; rows of the sample that come to other leaves; then the sample's rows with one value from another row, until there are
/// enough.
fn hard(draft: &Draft, rows: &mut Vec<Vec<f32>>) {
    let end = |side: usize| {
        draft.features.iter().zip(&draft.medians).map(|(f, median)| f.range.map_or(*median, |r| r[side])).collect()
    };
    rows.extend([end(0), end(1)]);
    let thresholds = draft.engine.thresholds();
    for (at, feature) in draft.features.iter().enumerate() {
        let on = evenly(thresholds[at].len(), THRESHOLDS).map(|place| thresholds[at][place]);
        let near = on.flat_map(|threshold| [threshold, threshold.next_up()]);
        let ends = feature.range.into_iter().flatten();
        let codes = (0..feature.words.len().min(WORDS)).map(|code| code as f32);
        for value in
            near.chain(ends).chain(codes).filter_map(|value| feature.settled(value)).chain(feature.settled(f32::NAN))
        {
            let mut row = draft.medians.clone();
            row[at] = value;
            rows.push(row);
        }
    }
    rows.extend(draft.engine.to_new_leaves(rows, &draft.rows, LEAVES));
    let (count, width) = (draft.rows.len(), draft.features.len());
    for at in 0..LEAST.saturating_sub(rows.len()) {
        let mut row = draft.rows[at % count].clone();
        row[at % width] = draft.rows[(at + at / count + 1) % count][at % width];
        rows.push(row);
    }
}

fn answers(draft: &Draft, rows: &[Vec<f32>]) -> Result<Vec<Row>> {
    let (margins, parts) = draft.engine.margins(rows)?;
    let mut parts = parts.chunks(draft.features.len());
    let mut answers = Vec::with_capacity(rows.len());
    for (row, margin) in rows.iter().zip(margins) {
        let pd = draft.platt.pd(margin).context("the graph gives no number for a row of the sample")?;
        let score = draft.scale.score(pd);
        answers.push(Row {
            features: listed(row),
            margin: f64::from(margin),
            pd_raw: draft.engine.raw(margin),
            pd: pd.get(),
            score,
            band: draft.scale.band(score).to_owned(),
            partials: parts.next().unwrap_or_default().iter().map(|part| f64::from(*part)).collect(),
        });
    }
    Ok(answers)
}

/// Rows of the sample as applications; the same without a value, where that may be missing.
fn applications(draft: &Draft) -> Result<Vec<Application>> {
    let mut raw: Vec<Vec<f32>> = draft.spread(APPLICATIONS).iter().map(|at| draft.sample.rows[*at].clone()).collect();
    let typical = raw[raw.len() / 2].clone();
    for (at, feature) in draft.features.iter().enumerate().take(APPLICATIONS) {
        if feature.settled(f32::NAN).is_some() && !typical[at].is_nan() {
            let mut row = typical.clone();
            row[at] = f32::NAN;
            raw.push(row);
        }
    }
    // One beyond every range, of which the nearest end counts.
    raw.push(
        draft
            .features
            .iter()
            .zip(&typical)
            .map(|(f, v)| f.range.map_or(*v, |[low, high]| (high + (high - low).ceil()).min(f32::MAX)))
            .collect(),
    );
    ensure!(raw.len() >= MIN_APPLICATIONS, "the sample has {} rows, too few to prove anything", draft.rows.len());
    let settled: Option<Vec<Vec<f32>>> = raw.iter().map(|row| draft.settled(row)).collect();
    let settled = settled.context("a row of the sample lacks what it must have")?;
    let answers = answers(draft, &settled)?;
    let application = |(raw, answer): (&Vec<f32>, Row)| Application {
        data: application(&draft.features, raw),
        features: answer.features,
        pd: answer.pd,
        score: answer.score,
    };
    Ok(raw.iter().zip(answers).map(application).collect())
}

/// JSON has no NaN.
pub fn listed(row: &[f32]) -> Vec<Option<f32>> {
    row.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect()
}
