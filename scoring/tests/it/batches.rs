//! A row's bits do not depend on the rows beside it, nor on its place among them.

use crate::packages;
use scoring::{FeatureVector, Model, Scored};

/// Scores rows in batches of one size and gives every number as bits.
fn bits(model: &Model, rows: &[FeatureVector], size: usize) -> Vec<Vec<u64>> {
    let mut state = model.state().unwrap();
    let parts = rows.chunks(size).flat_map(|part| model.score_block(&mut state, part).unwrap());
    parts.map(|scored| of(&scored.unwrap())).collect()
}

fn of(scored: &Scored) -> Vec<u64> {
    let heads = [u64::from(scored.margin.to_bits()), scored.pd_raw.to_bits(), scored.pd.get().to_bits()];
    let tail = [scored.base, scored.residual].into_iter().chain(scored.contributions.iter().copied());
    heads.into_iter().chain([scored.score as u64]).chain(tail.map(f64::to_bits)).collect()
}

#[test]
fn batches_of_any_size_give_the_same_bits() {
    for (model, rows) in packages::all() {
        let rows: Vec<_> = rows.iter().cycle().take(200).cloned().collect();
        let alone = bits(&model, &rows, 1);
        for size in [2, 4, 5, 7, 63, 64, 65, 200] {
            assert_eq!(bits(&model, &rows, size), alone, "{} in batches of {size}", model.manifest().name);
        }
    }
}

#[test]
fn a_place_in_the_batch_changes_nothing() {
    for (model, rows) in packages::all() {
        let alone = bits(&model, &rows[..1], 1).remove(0);
        for place in 0..64 {
            let mut batch = rows[..64].to_vec();
            batch[place] = rows[0].clone();
            let found = bits(&model, &batch, 64).remove(place);
            assert_eq!(found, alone, "{} at place {place}", model.manifest().name);
        }
    }
}
