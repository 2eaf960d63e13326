//! What stands behind a direction that a contract claims of a net or stock graph: its weights, which leave no doubt, or else its margins,
//! followed over a grid of the feature's values from every background row, which is evidence and no proof.

use crate::contract::{Feature, Kind};
use crate::manifest::Monotone;
use crate::tolerance::TOLERANCE;
use inference::EngineError;
use inference::dense::Direction;

/// Values of the grid, at most; of more, evenly spread ones.
pub(crate) const MOST_VALUES: usize = 128;

/// What was found of a claimed direction.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// The weights prove it: no row can contradict it.
    Weights,
    /// So many background rows were followed over so many values, and none contradicts it by more than
    /// [`TOLERANCE`] from one value to the next.
    Followed {
        /// Background rows.
        rows: usize,
        /// Values of the feature.
        values: usize,
    },
    /// A background row's margin moves the other way.
    Contradicted {
        /// Which background row.
        row: usize,
        /// The value before.
        from: f32,
        /// The value after, at which the margin has moved against the claim.
        to: f32,
    },
}

/// Looks for it; nothing where nothing is claimed. `proven` is the direction that weights prove.
///
/// # Errors
/// [`EngineError`] of `margins`.
pub(crate) fn evidence(
    margins: &mut dyn FnMut(&[f32]) -> Result<Vec<f32>, EngineError>,
    proven: Option<Direction>,
    background: &[Vec<f32>],
    at: usize,
    feature: &Feature,
) -> Result<Option<Evidence>, EngineError> {
    let (falls, wanted) = match feature.monotone {
        Monotone::None => return Ok(None),
        Monotone::Increasing => (false, Direction::Rising),
        Monotone::Decreasing => (true, Direction::Falling),
    };
    if proven.is_some_and(|proven| proven == Direction::Constant || proven == wanted) {
        return Ok(Some(Evidence::Weights));
    }
    let values = grid(background.iter().map(|row| row[at]), feature);
    for (number, row) in background.iter().enumerate() {
        let moved = |value: &f32| [&row[..at], &[*value], &row[at + 1..]].concat();
        let margins = margins(&values.iter().flat_map(moved).collect::<Vec<_>>())?;
        let against = |pair: &[f32]| {
            let rise = f64::from(pair[1]) - f64::from(pair[0]);
            // What is not a number contradicts every claim.
            !(if falls { rise <= TOLERANCE } else { rise >= -TOLERANCE })
        };
        if let Some(place) = margins.windows(2).position(against) {
            return Ok(Some(Evidence::Contradicted { row: number, from: values[place], to: values[place + 1] }));
        }
    }
    Ok(Some(Evidence::Followed { rows: background.len(), values: values.len() }))
}

/// Codes of a category; of a number the background's values, those half-way between, and the ends of its range. What stands
/// for a missing value has no place in any order.
fn grid(background: impl Iterator<Item = f32>, feature: &Feature) -> Vec<f32> {
    let mut values: Vec<f32> = match &feature.kind {
        Kind::Category(codes) => (0..codes.len()).map(|code| code as f32).collect(),
        Kind::Boolean => vec![0.0, 1.0],
        Kind::Number | Kind::Integer | Kind::Money { .. } => {
            let ends = feature.range.into_iter().flat_map(|(low, high)| [low as f32, high as f32]);
            background.chain(ends).collect()
        }
    };
    values.retain(|value| value.is_finite() && Some(*value) != feature.missing);
    values.sort_by(f32::total_cmp);
    values.dedup();
    if let Kind::Number | Kind::Money { .. } = feature.kind {
        let between: Vec<f32> = values.windows(2).map(|pair| pair[0] + (pair[1] - pair[0]) / 2.0).collect();
        values.extend(between.into_iter().filter(|value| value.is_finite()));
        values.sort_by(f32::total_cmp);
        values.dedup();
    }
    let count = values.len();
    match count > MOST_VALUES {
        true => (0..MOST_VALUES).map(|at| values[at * (count - 1) / (MOST_VALUES - 1)]).collect(),
        false => values,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::Source;
    use inference::examples::shallow;
    use inference::plan::{Plan, Shape};
    use prost::Message;

    fn feature(monotone: Monotone, kind: Kind, range: Option<(f64, f64)>) -> Feature {
        Feature {
            name: "f".into(),
            unit: None,
            monotone,
            actionable: true,
            kind,
            source: Source::Slot(0),
            range,
            missing: Some(-1.0),
            unknown_is_unscorable: false,
            reasons: [0; 3],
        }
    }

    #[test]
    fn weights_prove_what_they_can_and_the_rest_is_followed() {
        use Monotone::{Decreasing, Increasing, None};
        let background = [vec![0.0, 5.0], vec![0.5, 5.0], vec![-1.0, 5.0]];
        // The second column has no weight; of the first, two hidden units that start at 0 and at 1.
        let shape = Shape { input: "x", width: 2, margin: "y", partials: Option::None };
        let plan = |v: [f32; 2]| {
            let graph = shallow(2, &[1.0, 1.0, 0.0, 0.0], &[0.0, -1.0], &v);
            Plan::new(&graph.encode_to_vec(), shape).unwrap()
        };
        let found = |v, monotone, at| {
            let feature = feature(monotone, Kind::Number, Some((0.0, 4.0)));
            let plan = plan(v);
            let proven = plan.dense().map(|dense| dense.directions(at)[0][0]);
            let mut state = plan.state().unwrap();
            evidence(&mut |rows| Ok(plan.run(&mut state, rows)?.margins), proven, &background, at, &feature).unwrap()
        };
        let followed = Some(Evidence::Followed { rows: 3, values: 5 });
        for (v, monotone, at, expected) in [
            ([1.0, 1.0], Increasing, 0, Some(Evidence::Weights)),
            ([-1.0, -1.0], Decreasing, 0, Some(Evidence::Weights)),
            ([1.0, -1.0], None, 0, Option::None),
            ([1.0, -1.0], Decreasing, 1, Some(Evidence::Weights)),
            ([1.0, -1.0], Increasing, 0, followed.clone()),
            ([-2.0, 1.0], Decreasing, 0, followed),
            ([1.0, -2.0], Increasing, 0, Some(Evidence::Contradicted { row: 0, from: 0.5, to: 2.25 })),
            ([1.0, 1.0], Decreasing, 0, Some(Evidence::Contradicted { row: 0, from: 0.0, to: 0.25 })),
        ] {
            assert_eq!(found(v, monotone, at), expected, "{v:?} {monotone:?} {at}");
        }
    }

    #[test]
    fn the_grid_is_of_values_that_can_be() {
        let of =
            |kind, values: &[f32]| grid(values.iter().copied(), &feature(Monotone::Increasing, kind, Some((0.0, 9.0))));
        assert_eq!(of(Kind::Boolean, &[1.0]), [0.0, 1.0]);
        assert_eq!(of(Kind::Category(vec!["a".into(), "b".into(), "c".into()]), &[]), [0.0, 1.0, 2.0]);
        assert_eq!(of(Kind::Integer, &[3.0, -1.0, 3.0]), [0.0, 3.0, 9.0]);
        assert_eq!(of(Kind::Number, &[3.0, f32::NAN]), [0.0, 1.5, 3.0, 6.0, 9.0]);
        let many: Vec<f32> = (0..1000).map(|at| at as f32 / 200.0).collect();
        let found = of(Kind::Integer, &many);
        assert_eq!((found.len(), found[0], found[MOST_VALUES - 1]), (MOST_VALUES, 0.0, 9.0));
    }
}
