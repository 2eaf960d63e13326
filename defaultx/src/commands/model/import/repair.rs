//! Thresholds of trees that an exporter rounded to the nearest number of single precision. A library that compares in double
//! precision sends a value that lies on such a threshold the other way; the next number below sends it back. Nothing is
//! changed unless the library's own answers say so.

use inference::graph::Graph;
use inference::onnx::ModelProto;
use inference::trees::{Compare, Draft, Ensemble, Node, Real, Test};
use inference::{ops, tap};
use std::collections::BTreeSet;

/// Two answers are the same within this.
const NEAR: f64 = 1e-6;

/// Thresholds that are tried one by one, at most.
const TRIES: usize = 64;

/// A repaired graph.
pub struct Repaired {
    /// The graph as it is now.
    pub bytes: Vec<u8>,
    /// What was done, for people.
    pub said: String,
}

/// A feature and the bits of a threshold of it.
type Place = (u32, u32);

/// Repairs a graph, where that makes more of the library's answers right; `probability` is that of a raw sum.
pub fn repaired(bytes: &[u8], rows: &[Vec<f32>], native: &[f64], probability: &dyn Fn(f64) -> f64) -> Option<Repaired> {
    let ensemble = Graph::load(bytes, rows.first().map(Vec::len)).ok()?.trees().ok()?;
    let met = met(ensemble.get(), rows);
    let errors = |ensemble: &Ensemble| -> Vec<f64> {
        let error = |(row, native): (&Vec<f32>, &f64)| (probability(answer(ensemble, row)) - native).abs();
        rows.iter().zip(native).map(error).collect()
    };
    let before = errors(&ensemble);
    let lowered = errors(&lowered(ensemble.clone(), &met)?);
    let mut chosen = chosen(rows, &met, &before, &lowered);
    let mut after = errors(&self::lowered(ensemble.clone(), &chosen)?);
    // What votes could not tell apart is tried one by one.
    for place in doubtful(rows, &met, &after) {
        let mut other = chosen.clone();
        if !other.remove(&place) {
            other.insert(place);
        }
        let errors = errors(&self::lowered(ensemble.clone(), &other)?);
        if worth(&errors) > worth(&after) {
            (chosen, after) = (other, errors);
        }
    }
    if right(&after) <= right(&before) {
        return None;
    }
    let bytes = rewritten(ops::read(bytes, None).ok()?, &chosen)?;
    let said = format!(
        "{} thresholds, rounded to the nearest number of single precision by the exporter, are the next number below: {} of \
         {} rows are answered as the library does, {} before",
        chosen.len(),
        right(&after),
        rows.len(),
        right(&before)
    );
    Some(Repaired { bytes, said })
}

/// Answers that are right.
fn right(errors: &[f64]) -> usize {
    errors.iter().filter(|error| **error <= NEAR).count()
}

/// More right answers are worth more; of as many, the smaller errors.
fn worth(errors: &[f64]) -> (usize, i64) {
    (right(errors), -(errors.iter().sum::<f64>() / NEAR) as i64)
}

/// Thresholds on which rows lie that are still answered otherwise.
fn doubtful(rows: &[Vec<f32>], met: &BTreeSet<Place>, errors: &[f64]) -> Vec<Place> {
    let wrong: Vec<&Vec<f32>> =
        rows.iter().zip(errors).filter(|(_, error)| **error > NEAR).map(|(row, _)| row).collect();
    met.iter().filter(|place| wrong.iter().any(|row| lies(row, place))).take(TRIES).copied().collect()
}

fn lies(row: &[f32], (feature, bits): &Place) -> bool {
    (row[*feature as usize] + 0.0).to_bits() == *bits
}

/// Thresholds on which a row lies.
fn met(draft: &Draft, rows: &[Vec<f32>]) -> BTreeSet<Place> {
    let values: Vec<BTreeSet<u32>> =
        (0..draft.width).map(|at| rows.iter().map(|row| (row[at] + 0.0).to_bits()).collect()).collect();
    let places = draft.trees.iter().flat_map(|tree| &tree.nodes).filter_map(place_of);
    places.filter(|(feature, bits)| values[*feature as usize].contains(bits)).collect()
}

/// Of a node that small values and the threshold itself pass.
fn place_of(node: &Node) -> Option<Place> {
    match node {
        Node::Branch { feature, test: Test::Threshold(Compare::Leq, Real(threshold)), .. } => {
            Some((*feature, (*threshold as f32 + 0.0).to_bits()))
        }
        _ => None,
    }
}

fn lowered(ensemble: Ensemble, places: &BTreeSet<Place>) -> Option<Ensemble> {
    let mut draft = ensemble.into_draft();
    for node in draft.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
        let is_chosen = place_of(node).is_some_and(|place| places.contains(&place));
        if let (true, Node::Branch { test: Test::Threshold(_, threshold), .. }) = (is_chosen, node) {
            *threshold = (threshold.0 as f32).next_down().into();
        }
    }
    draft.check().ok()
}

/// Those on which more rows are nearer to the library once all are lowered. A row on one alone counts before rows on several.
fn chosen(rows: &[Vec<f32>], met: &BTreeSet<Place>, before: &[f64], lowered: &[f64]) -> BTreeSet<Place> {
    let mut on: Vec<(Place, Vec<(usize, usize)>)> = met.iter().map(|place| (*place, vec![])).collect();
    for (number, row) in rows.iter().enumerate() {
        let count = met.iter().filter(|place| lies(row, place)).count();
        on.iter_mut().filter(|(place, _)| lies(row, place)).for_each(|(_, rows)| rows.push((count, number)));
    }
    let is_better = |rows: &[(usize, usize)]| {
        let least = rows.iter().map(|(count, _)| *count).min().unwrap_or_default();
        let alone = rows.iter().filter(|(count, _)| *count == least);
        alone.map(|(_, row)| before[*row] - lowered[*row]).sum::<f64>() > NEAR
    };
    on.into_iter().filter(|(_, rows)| is_better(rows)).map(|(place, _)| place).collect()
}

fn answer(ensemble: &Ensemble, row: &[f32]) -> f64 {
    let mut answer = [0f32];
    ensemble.answer(row, &mut answer);
    f64::from(answer[0])
}

/// The graph with those thresholds lowered; nothing where they are not in a list of the older operators.
fn rewritten(mut proto: ModelProto, places: &BTreeSet<Place>) -> Option<Vec<u8>> {
    let mut changed = 0;
    for node in &mut proto.graph.as_mut()?.node {
        let list = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
        let (Some(features), Some(modes)) = (list("nodes_featureids"), list("nodes_modes")) else { continue };
        let (features, modes) = (features.ints.clone(), modes.strings.clone());
        let values = node.attribute.iter_mut().find(|attribute| attribute.name == "nodes_values")?;
        for ((value, feature), mode) in values.floats.iter_mut().zip(features).zip(modes) {
            let place = (u32::try_from(feature).ok()?, (*value + 0.0).to_bits());
            if mode == b"BRANCH_LEQ" && places.contains(&place) {
                *value = value.next_down();
                changed += 1;
            }
        }
    }
    (changed > 0).then(|| tap::bytes(&proto))
}
