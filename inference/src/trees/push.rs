//! PURE. Trees over transformed features as trees over the features themselves: each threshold goes to the last value whose
//! transformed one still passes, found among all numbers of single precision, so that no row changes its leaf. The transform
//! must never fall as a feature rises, and change no feature by another.

use super::ensemble::{Compare, Draft, Ensemble, Node, Real, Test};
use super::error::TreeError;
use crate::error::{EngineError, GraphError};
use std::collections::HashMap;

/// What a transform makes of rows laid one after the other, in the same layout.
pub type Transform<'a> = &'a dyn Fn(&[f32]) -> Result<Vec<f64>, EngineError>;

/// A test that is passed by small values: `below` a threshold, which may count itself.
type Question = (u32, bool, u64);

/// The same trees over what the transform is given.
///
/// # Errors
/// [`GraphError`] when a test has no order, or the transform falls.
pub fn pushed(ensemble: Ensemble, transform: Transform<'_>) -> Result<Ensemble, GraphError> {
    let mut draft = ensemble.into_draft();
    let width = draft.width;
    let failed = |EngineError(why): EngineError| GraphError(why);
    let constant = |value: f32| transform(&vec![value; width]).map_err(failed);
    let missing = constant(f32::NAN)?;
    let ends = constant(f32::NEG_INFINITY)?.into_iter().zip(constant(f32::INFINITY)?);
    // What is no number does not rise either.
    let rises = |(low, high): (f64, f64)| low < high;
    if let Some(at) = ends.map(rises).position(|rises| !rises) {
        return Err(GraphError(format!("column {at} does not rise with its feature before the trees")));
    }
    let questions = questions(&draft)?;
    let lasts = lasts(&questions, width, transform).map_err(failed)?;
    let answers: HashMap<Question, Option<f32>> = questions.into_iter().zip(lasts).collect();
    for node in draft.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
        let Node::Branch { feature, test, missing_tracks_true, .. } = node else { continue };
        let Some((question, passes)) = question_of(*feature, test) else { continue };
        let filled = missing[*feature as usize];
        if !filled.is_nan() {
            *missing_tracks_true = test.holds(false, filled);
        }
        *test = test_of(answers.get(&question).copied().flatten(), passes);
    }
    draft.check().map_err(|why: TreeError| GraphError(why.to_string()))
}

/// The question that a test asks, and whether yes means that a value is small.
fn question_of(feature: u32, test: &Test) -> Option<(Question, bool)> {
    let Test::Threshold(compare, Real(threshold)) = test else { return None };
    let (counts_itself, is_small) = match compare {
        Compare::Leq => (true, true),
        Compare::Lt => (false, true),
        Compare::Gt => (true, false),
        Compare::Gte => (false, false),
        Compare::Eq | Compare::Neq => return None,
    };
    Some(((feature, counts_itself, threshold.to_bits()), is_small))
}

fn test_of(last: Option<f32>, is_small: bool) -> Test {
    let (compare, threshold) = match (last, is_small) {
        (Some(last), true) => (Compare::Leq, last),
        (Some(last), false) => (Compare::Gt, last),
        (None, true) => (Compare::Lt, f32::NEG_INFINITY),
        (None, false) => (Compare::Gte, f32::NEG_INFINITY),
    };
    Test::Threshold(compare, threshold.into())
}

/// Every question once.
fn questions(draft: &Draft) -> Result<Vec<Question>, GraphError> {
    let mut found = Vec::new();
    for node in draft.trees.iter().flat_map(|tree| &tree.nodes) {
        let Node::Branch { feature, test, .. } = node else { continue };
        match question_of(*feature, test) {
            Some((question, _)) => found.push(question),
            None => return Err(GraphError("its trees ask for equal values after features are transformed".to_owned())),
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// For each question the last value, by order, whose transformed one is still small; none where not even −∞ is.
fn lasts(questions: &[Question], width: usize, transform: Transform<'_>) -> Result<Vec<Option<f32>>, EngineError> {
    let is_small = |values: &[f32]| -> Result<Vec<bool>, EngineError> {
        let mut rows = vec![0.0; values.len() * width];
        let places = questions.iter().enumerate().map(|(at, (feature, ..))| at * width + *feature as usize);
        places.clone().zip(values).for_each(|(place, value)| rows[place] = *value);
        let found = transform(&rows)?;
        let holds = |((_, counts_itself, bits), place): (&Question, usize)| {
            let (value, threshold) = (found[place], f64::from_bits(*bits));
            if *counts_itself { value <= threshold } else { value < threshold }
        };
        Ok(questions.iter().zip(places).map(holds).collect())
    };
    if questions.is_empty() {
        return Ok(vec![]);
    }
    let first = is_small(&vec![f32::NEG_INFINITY; questions.len()])?;
    // The last small one lies from `low` on and before `high`.
    let mut bounds = vec![(place_of(f32::NEG_INFINITY), place_of(f32::INFINITY) + 1); questions.len()];
    while bounds.iter().any(|(low, high)| high - low > 1) {
        let middles: Vec<i64> = bounds.iter().map(|(low, high)| low + (high - low) / 2).collect();
        let small = is_small(&middles.iter().map(|place| value_at(*place)).collect::<Vec<_>>())?;
        for ((bounds, middle), small) in bounds.iter_mut().zip(middles).zip(small) {
            match small {
                true => bounds.0 = middle,
                false => bounds.1 = middle.max(bounds.0 + 1),
            }
        }
    }
    Ok(bounds.iter().zip(first).map(|((low, _), first)| first.then(|| value_at(*low))).collect())
}

/// The place of a number among all of single precision, from −∞ up.
fn place_of(value: f32) -> i64 {
    let bits = i64::from(value.to_bits() & !(1 << 31));
    if value.is_sign_negative() { -bits - 1 } else { bits }
}

/// The number at a place.
fn value_at(place: i64) -> f32 {
    let magnitude = if place < 0 { -place - 1 } else { place };
    let value = f32::from_bits(magnitude as u32);
    if place < 0 { -value } else { value }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::ensemble::{Aggregate, Precision, Tree, Vote};
    use super::*;

    /// A stump on each of two columns, with the comparison at hand.
    fn stumps(compare: Compare, thresholds: [f32; 2], missing_tracks_true: bool) -> Ensemble {
        let leaf = |weight: f32| Node::Leaf { votes: vec![Vote { target: 0, weight: weight.into() }] };
        let tree = |(feature, threshold): (usize, f32)| {
            let test = Test::Threshold(compare, threshold.into());
            let branch = Node::Branch { feature: feature as u32, test, missing_tracks_true, yes: 1, no: 2 };
            Tree { root: 0, nodes: vec![branch, leaf(1.0 + 2.0 * feature as f32), leaf(10.0 + 20.0 * feature as f32)] }
        };
        let trees: Vec<Tree> = thresholds.into_iter().enumerate().map(tree).collect();
        let (precision, aggregate) = (Precision::Single, Aggregate::Sum);
        Draft { width: 2, targets: 1, precision, aggregate, base: vec![], trees: trees.into() }.check().unwrap()
    }

    #[test]
    fn places_are_in_the_order_of_numbers() {
        let values = [f32::NEG_INFINITY, -1.0, -1e-45, -0.0, 0.0, 1e-45, 2.5, f32::MAX, f32::INFINITY];
        for pair in values.windows(2) {
            assert!(place_of(pair[0]) < place_of(pair[1]), "{pair:?}");
        }
        assert!(values.iter().all(|value| value_at(place_of(*value)).to_bits() == value.to_bits()));
    }

    #[test]
    fn every_row_comes_to_the_same_leaves() {
        // The second column is filled where it is missing, and loses digits.
        let scale = |row: &[f32]| {
            let filled = if row[1].is_nan() { 7.0 } else { row[1] };
            [(row[0] - 0.3) * 1.7, (filled - 1e6) * 3.3e-4]
        };
        let transform = |rows: &[f32]| Ok(rows.chunks(2).flat_map(|row| scale(row).map(f64::from)).collect());
        let edges = |value: f32| [value.next_down(), value, value.next_up()];
        for compare in [Compare::Leq, Compare::Lt, Compare::Gte, Compare::Gt] {
            for missing in [false, true] {
                let plain = stumps(compare, [0.25, -329.0], missing);
                let pushed = pushed(plain.clone(), &transform).unwrap();
                let thresholds = pushed.get().trees.iter().map(|tree| match &tree.nodes[0] {
                    Node::Branch { test: Test::Threshold(_, threshold), .. } => threshold.0 as f32,
                    _ => 0.0,
                });
                let near: Vec<f32> = thresholds.flat_map(edges).chain([f32::NAN, -1e9, 1e9, f32::INFINITY]).collect();
                for (a, b) in near.iter().flat_map(|a| near.iter().map(move |b| (*a, *b))) {
                    let (mut own, mut expected) = ([0f32], [0f32]);
                    pushed.answer(&[a, b], &mut own);
                    plain.answer(&scale(&[a, b]), &mut expected);
                    assert_eq!(own, expected, "{compare:?} {missing} at {a}, {b}");
                }
            }
        }
    }

    #[test]
    fn what_has_no_order_is_refused() {
        let falls = |rows: &[f32]| Ok(rows.iter().map(|value| -f64::from(*value)).collect());
        let why = pushed(stumps(Compare::Leq, [0.0, 0.0], false), &falls).unwrap_err().to_string();
        assert!(why.contains("column 0 does not rise"), "{why}");
        let same = |rows: &[f32]| Ok(rows.iter().map(|value| f64::from(*value)).collect());
        let why = pushed(stumps(Compare::Eq, [0.0, 0.0], false), &same).unwrap_err().to_string();
        assert!(why.contains("equal values"), "{why}");
    }
}
