//! The reference file of a graph that is imported: how the sample's features and scores are distributed, and the rows that
//! contributions are measured against.

use super::draft::Draft;
use super::golden::listed;
use super::spread::evenly;
use crate::error::Result;
use scoring::manifest::Kind;
use serde::Serialize;
use std::collections::BTreeMap;

/// The share of rows that are near the cutoff, and how many there are at least, where the sample has them.
const NEAR_SHARE: f64 = 0.1;
const NEAR_LEAST: usize = 32;
/// Rows of a background. Exact contributions of trees cost nothing more for more.
const BACKGROUND: usize = 32;
const TREE_BACKGROUND: usize = 100;
/// Points of a bin of scores.
const SCORE_STEP: usize = 10;
/// Bins of a feature.
const BINS: usize = 10;

/// The whole file.
#[derive(Debug, Serialize)]
pub struct Distributions {
    rows: usize,
    base_rate: f64,
    near_cutoff: Group,
    all: Group,
    score_histogram: Histogram,
    bad_rate_by_band: BTreeMap<String, Option<f64>>,
    share_by_band: BTreeMap<String, f64>,
    features: Vec<Column>,
    #[serde(skip_serializing_if = "Option::is_none")]
    covers: Option<Vec<Vec<f64>>>,
}

#[derive(Debug, Serialize)]
struct Group {
    rows: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mean_partials: Vec<f64>,
    background: Vec<Vec<Option<f32>>>,
}

/// A bin holds its lower edge, the last one both.
#[derive(Debug, PartialEq, Serialize)]
struct Histogram {
    edges: Vec<f64>,
    counts: Vec<usize>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    #[serde(flatten)]
    histogram: Histogram,
    missing: usize,
}

/// The distributions of a sample.
pub fn document(draft: &Draft) -> Result<Distributions> {
    let all: Vec<usize> = (0..draft.rows.len()).collect();
    let scores: Vec<f64> = draft.scores().map(f64::from).collect();
    let (floor, cap) = draft.scale.range();
    let edges: Vec<f64> = (floor..=cap).step_by(SCORE_STEP).map(f64::from).collect();
    let (mut bad_rate_by_band, mut share_by_band) = (BTreeMap::new(), BTreeMap::new());
    for band in draft.scale.bands() {
        let of_band: Vec<bool> = draft
            .scores()
            .zip(&draft.sample.labels)
            .filter(|(score, _)| draft.scale.band(*score) == band.name)
            .map(|(_, label)| *label)
            .collect();
        let bad = of_band.iter().filter(|label| **label).count();
        let rate = (!of_band.is_empty()).then(|| rounded(bad as f64 / of_band.len() as f64));
        bad_rate_by_band.insert(band.name.clone(), rate);
        share_by_band.insert(band.name.clone(), rounded(of_band.len() as f64 / all.len() as f64));
    }
    Ok(Distributions {
        rows: all.len(),
        base_rate: rounded(draft.sample.rate()),
        near_cutoff: group(draft, &nearest(draft))?,
        all: group(draft, &all)?,
        score_histogram: histogram(&scores, edges),
        bad_rate_by_band,
        share_by_band,
        features: (0..draft.features.len()).map(|at| column(draft, at)).collect(),
        covers: draft.engine.covers(&draft.rows),
    })
}

/// The rows whose pd is nearest the threshold; of equal ones the first.
fn nearest(draft: &Draft) -> Vec<usize> {
    let mut order: Vec<usize> = (0..draft.rows.len()).collect();
    let distance = |row: &usize| (draft.pds[*row].get() - draft.threshold).abs();
    order.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    order.truncate(((order.len() as f64 * NEAR_SHARE) as usize).max(NEAR_LEAST));
    order.sort_unstable();
    order
}

/// A group's mean parts, and rows of it, spread evenly.
fn group(draft: &Draft, rows: &[usize]) -> Result<Group> {
    let width = draft.features.len();
    let mut mean_partials = Vec::new();
    if draft.engine.kind == Kind::Scorecard {
        let own: Vec<Vec<f32>> = rows.iter().map(|at| draft.rows[*at].clone()).collect();
        let (_, parts) = draft.engine.margins(&own)?;
        let mean = |at: usize| parts.iter().skip(at).step_by(width).map(|part| f64::from(*part)).sum::<f64>();
        mean_partials = (0..width).map(|at| rounded(mean(at) / rows.len() as f64)).collect();
    }
    let most = if draft.engine.kind == Kind::Trees { TREE_BACKGROUND } else { BACKGROUND };
    let background = evenly(rows.len(), most).map(|at| listed(&draft.rows[rows[at]])).collect();
    Ok(Group { rows: rows.len(), mean_partials, background })
}

fn column(draft: &Draft, at: usize) -> Column {
    let present: Vec<f64> = draft.sample.present(at).into_iter().map(f64::from).collect();
    Column {
        name: draft.features[at].name.clone(),
        missing: draft.rows.len() - present.len(),
        histogram: histogram(&present, deciles(&present)),
    }
}

/// From the least to the greatest of rising values, cut at their deciles.
fn deciles(values: &[f64]) -> Vec<f64> {
    let (Some(low), Some(high)) = (values.first(), values.last()) else { return vec![0.0, 1.0] };
    let mut edges: Vec<f64> = (0..BINS).map(|bin| values[bin * (values.len() - 1) / BINS]).collect();
    edges.dedup();
    edges.retain(|edge| edge < high);
    match edges.is_empty() {
        true => vec![*low, low + 1.0],
        false => edges.into_iter().chain([*high]).collect(),
    }
}

fn histogram(values: &[f64], edges: Vec<f64>) -> Histogram {
    let bins = edges.len() - 1;
    let mut counts = vec![0; bins];
    for value in values {
        let bin = edges.partition_point(|edge| edge <= value).saturating_sub(1).min(bins - 1);
        counts[bin] += 1;
    }
    Histogram { edges, counts }
}

fn rounded(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_holds_its_lower_edge_and_the_last_both() {
        let values = [0.0, 1.0, 1.0, 2.0, 5.0, 9.0];
        let rows: [(Vec<f64>, Vec<usize>); 2] = [(vec![0.0, 1.0, 9.0], vec![1, 5]), (vec![0.0, 9.0], vec![6])];
        for (edges, counts) in rows {
            assert_eq!(histogram(&values, edges.clone()), Histogram { edges, counts });
        }
    }

    #[test]
    fn edges_rise() {
        let rows: [(&[f64], &[f64]); 4] = [
            (&[], &[0.0, 1.0]),
            (&[3.0, 3.0], &[3.0, 4.0]),
            (&[1.0, 2.0], &[1.0, 2.0]),
            (&[0.0, 0.0, 0.0, 5.0], &[0.0, 5.0]),
        ];
        for (values, expected) in rows {
            assert_eq!(deciles(values), expected, "{values:?}");
        }
    }
}
