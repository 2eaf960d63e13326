//! Shapley values of a net by their definition: every coalition of the features in which an applicant differs from a
//! background row, each weighed as the definition says. Exact, and dear: twice as many answers for every such feature. What
//! the fixed walks of [`crate::walks`] are held against, and what may explain where features are few.

use crate::dense::Move;
use crate::error::EngineError;
use crate::plan::{Plan, PlanState, Starts};
use crate::walks::Contributions;

/// The most groups in which a row may differ from a background row: 4,096 answers for each of those.
pub const MOST_GROUPS: usize = 12;

/// Shapley values of groups of features, which enter a coalition together, in the groups' order. Features in no group stay
/// the background's.
///
/// # Errors
/// [`EngineError`] of the plan, or when more than [`MOST_GROUPS`] groups differ.
pub fn shapley(
    plan: &Plan,
    state: &mut PlanState,
    starts: &Starts,
    groups: &[Vec<usize>],
    row: &[f32],
) -> Result<Contributions, EngineError> {
    let mut parts = vec![0.0; groups.len()];
    let mut base = 0.0;
    let first = plan.run(state, &starts.rows().concat())?.margins;
    for (number, (start, first)) in starts.rows().iter().zip(first).enumerate() {
        let differs = |group: &usize| groups[*group].iter().any(|at| start[*at].to_bits() != row[*at].to_bits());
        let players: Vec<usize> = (0..groups.len()).filter(differs).collect();
        if players.len() > MOST_GROUPS {
            let many = players.len();
            return Err(EngineError(format!("{many} groups of features differ; at most {MOST_GROUPS} are enumerated")));
        }
        let found = plan.along(state, starts, row, &round(number, groups, &players))?;
        let mut margins = vec![first; 1 << players.len()];
        found.iter().enumerate().for_each(|(at, margin)| margins[gray(at + 1)] = *margin);
        base += f64::from(first);
        let weights = weights(players.len());
        for (bit, group) in players.iter().enumerate() {
            for without in (0..margins.len()).filter(|coalition| coalition >> bit & 1 == 0) {
                let gain = f64::from(margins[without | 1 << bit]) - f64::from(margins[without]);
                parts[*group] += weights[without.count_ones() as usize] * gain;
            }
        }
    }
    let rows = starts.rows().len().max(1) as f64;
    parts.iter_mut().for_each(|part| *part /= rows);
    Ok(Contributions { parts, base: base / rows, error: None })
}

/// A path from a start through all coalitions but the empty one, of which each differs from the one before in one player.
fn round(start: usize, groups: &[Vec<usize>], players: &[usize]) -> Vec<Move> {
    let mut moves = Vec::new();
    for at in 1..1usize << players.len() {
        let bit = at.trailing_zeros() as usize;
        let forth = gray(at) >> bit & 1 == 1;
        let group = &groups[players[bit]];
        moves.extend(group.iter().enumerate().map(|(place, feature)| Move {
            start,
            first: at == 1 && place == 0,
            feature: *feature,
            forth,
            // A group enters or leaves at once.
            asked: place + 1 == group.len(),
        }));
    }
    moves
}

/// The coalition at a place of the round, a bit for each player.
fn gray(at: usize) -> usize {
    at ^ at >> 1
}

/// By the size of the coalition that a player joins, the share of all orders in which just those came before:
/// size! · (players − 1 − size)! / players!.
fn weights(players: usize) -> Vec<f64> {
    let factorial = |n: usize| (1..=n).map(|factor| factor as f64).product::<f64>();
    (0..players).map(|size| factorial(size) * factorial(players - 1 - size) / factorial(players)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dense::tests::shallow;

    #[test]
    fn values_are_those_of_the_definition() {
        // relu(x0 + x1): alone the first gives 2 and the second 0, together they give 1.
        let plan = Plan::of_dense(shallow(2, &[1.0, 1.0], &[0.0], &[1.0]), 2);
        let of = |background: &[Vec<f32>], groups: &[Vec<usize>], row: &[f32]| {
            shapley(&plan, &mut plan.state().unwrap(), &plan.starts(background).unwrap(), groups, row).unwrap()
        };
        let alone = [vec![0], vec![1]];
        let found = of(&[vec![0.0, 0.0]], &alone, &[2.0, -1.0]);
        assert_eq!(found, Contributions { parts: vec![1.5, -0.5], base: 0.0, error: None });
        let found = of(&[vec![0.0, 0.0], vec![2.0, -1.0]], &alone, &[2.0, -1.0]);
        assert_eq!(found, Contributions { parts: vec![0.75, -0.25], base: 0.5, error: None });
        let together = of(&[vec![0.0, 0.0]], &[vec![0, 1]], &[2.0, -1.0]);
        assert_eq!(together.parts, [1.0]);
    }

    #[test]
    fn too_many_groups_are_refused() {
        let plan = Plan::of_dense(shallow(13, &[1.0; 13], &[0.0], &[1.0]), 13);
        let alone: Vec<Vec<usize>> = (0..13).map(|at| vec![at]).collect();
        let (mut state, starts) = (plan.state().unwrap(), plan.starts(&[vec![0.0; 13]]).unwrap());
        let why = shapley(&plan, &mut state, &starts, &alone, &[1.0; 13]).unwrap_err();
        assert!(why.to_string().contains("13 groups"), "{why}");
        let mut row = [1.0; 13];
        row[3] = 0.0;
        let parts = shapley(&plan, &mut state, &starts, &alone, &row).unwrap().parts;
        assert!(parts.iter().zip(&row).all(|(part, value)| (part - f64::from(*value)).abs() < 1e-6), "{parts:?}");
    }

    #[test]
    fn all_coalitions_together_weigh_one() {
        let choose = |n: usize, k: usize| (0..k).fold(1.0, |found, at| found * (n - at) as f64 / (at + 1) as f64);
        for players in 1..=MOST_GROUPS {
            let sum: f64 = weights(players).iter().enumerate().map(|(k, weight)| weight * choose(players - 1, k)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{players} players weigh {sum}");
        }
    }

    /// Over all subsets, by the definition, of a net that no sum explains; groups enter at once.
    #[test]
    fn groups_of_a_net_are_enumerated() {
        use crate::dense::tests::Numbers;
        let mut numbers = Numbers(31);
        let (w, b, v) = (numbers.many(6 * 4), numbers.many(4), numbers.many(4));
        let plan = Plan::of_dense(shallow(6, &w, &b, &v), 6);
        let groups = [vec![0, 3], vec![1], vec![5, 2]];
        let background: Vec<Vec<f32>> = (0..3).map(|_| numbers.many(6)).collect();
        let mut state = plan.state().unwrap();
        let starts = plan.starts(&background).unwrap();
        for _ in 0..5 {
            let mut row = numbers.many(6);
            // One group as in a background row: there it is no player.
            row[1] = background[0][1];
            let found = shapley(&plan, &mut state, &starts, &groups, &row).unwrap();
            let mut expected = [0.0; 3];
            for start in &background {
                let worth = |set: usize| {
                    let mut at = start.clone();
                    let inside = groups.iter().enumerate().filter(|(group, _)| set >> group & 1 == 1);
                    inside.flat_map(|(_, group)| group).for_each(|feature| at[*feature] = row[*feature]);
                    f64::from(plan.run(&mut plan.state().unwrap(), &at).unwrap().margins[0])
                };
                for (group, part) in expected.iter_mut().enumerate() {
                    for set in (0..8usize).filter(|set| set >> group & 1 == 0) {
                        let share = [1.0 / 3.0, 1.0 / 6.0, 1.0 / 3.0][set.count_ones() as usize];
                        *part += share * (worth(set | 1 << group) - worth(set)) / background.len() as f64;
                    }
                }
            }
            for (found, expected) in found.parts.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{found}, not {expected}");
            }
        }
    }
}
