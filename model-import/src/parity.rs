//! The golden rows and applications once more, as the scorer answers them. Whatever is further off than its
//! tolerance is a fault, and so is an answer that another company of rows changes by a bit.

use crate::error::{Context, Result};
use crate::golden::Golden;
use scoring::mapping::FeatureVector;
use scoring::tolerance::TOLERANCE;
use scoring::{Model, Scored, ThreadState};
use serde::Serialize;

/// Rows of a small block, which no engine's own block is a multiple of.
const SMALL: usize = 7;
/// Rows that are explained alone too.
const EXPLAINED: usize = 16;
/// As many faults of one kind as are told.
const TOLD: usize = 5;

/// How near the golden answers are.
#[derive(Debug, Serialize)]
pub struct Parity {
    pub rows: usize,
    pub applications: usize,
    /// Relative above one.
    pub greatest_margin_difference: f64,
    pub greatest_pd_difference: f64,
    pub greatest_residual: f64,
}

/// Answers everything and compares; gives the faults too.
///
/// # Errors
/// Of the engine.
pub fn check(model: &Model, state: &mut ThreadState, golden: &Golden) -> Result<(Parity, Vec<String>)> {
    let mut parity = Parity {
        rows: golden.rows.len(),
        applications: golden.applications.len(),
        greatest_margin_difference: 0.0,
        greatest_pd_difference: 0.0,
        greatest_residual: 0.0,
    };
    let vectors = golden.vectors();
    let answers = model.score_block(state, &vectors)?;
    let mut off = Vec::new();
    for (at, (row, scored)) in golden.rows.iter().zip(&answers).enumerate() {
        let scored = scored.as_ref().with_context(|| format!("golden.json, rows[{at}]: has no score"))?;
        let margin = (f64::from(scored.margin) - row.margin).abs() / row.margin.abs().max(1.0);
        parity.greatest_margin_difference = parity.greatest_margin_difference.max(margin);
        parity.greatest_residual = parity.greatest_residual.max(scored.residual.abs());
        off.extend(fault(&format!("rows[{at}]"), "margin", margin, row.margin, f64::from(scored.margin)));
        let pd = (scored.pd.get() - row.pd).abs();
        parity.greatest_pd_difference = parity.greatest_pd_difference.max(pd);
        off.extend(fault(&format!("rows[{at}]"), "pd", pd, row.pd, scored.pd.get()));
    }
    for (at, application) in golden.applications.iter().enumerate() {
        let row =
            model.map(&application.data).ok().with_context(|| format!("golden.json, applications[{at}]: is no row"))?;
        let scored = model.score_block(state, &[row])?.into_iter().next().flatten();
        let found = scored.with_context(|| format!("golden.json, applications[{at}]: has no score"))?.pd.get();
        let apart = (found - application.pd).abs();
        parity.greatest_pd_difference = parity.greatest_pd_difference.max(apart);
        off.extend(fault(&format!("applications[{at}]"), "pd", apart, application.pd, found));
    }
    let mut faults = few(off);
    faults.extend(few(company(&mut |rows| Ok(model.raw(rows)?.margins), &vectors)?));
    faults.extend(few(alone(&mut |row| Ok(model.score_block(state, row)?), &vectors, &answers)?));
    Ok((parity, faults))
}

/// A difference beyond the tolerance. One unit in the last place of the published digits is none.
fn fault(place: &str, what: &str, apart: f64, golden: f64, found: f64) -> Option<String> {
    let is_near = apart <= TOLERANCE * (1.0 + 1e-9);
    (!is_near).then(|| format!("golden.json, {place}: {what} must be {golden:?}, this engine says {found:?}"))
}

/// The first faults, and how many more there are.
fn few(mut faults: Vec<String>) -> Vec<String> {
    let more = faults.len().saturating_sub(TOLD);
    faults.truncate(TOLD);
    if more > 0 {
        faults.push(format!("and {more} more like these"));
    }
    faults
}

/// Rows whose margins the rows beside them change: alone, in small blocks, shuffled.
fn company(
    margins: &mut dyn FnMut(&[FeatureVector]) -> Result<Vec<f32>>,
    rows: &[FeatureVector],
) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let together = margins(rows)?;
    let shuffled = shuffled(rows.len());
    let moved: Vec<FeatureVector> = shuffled.iter().map(|at| rows[*at].clone()).collect();
    let mut compare = |at: usize, found: f32, how: &str| {
        if found.to_bits() != together[at].to_bits() {
            let own = together[at];
            faults.push(format!("golden.json, rows[{at}]: margin is {found:?} {how}, {own:?} with all golden rows"));
        }
    };
    for (at, margin) in shuffled.iter().zip(margins(&moved)?) {
        compare(*at, margin, "shuffled");
    }
    for (size, how) in [(1, "alone"), (SMALL, "in a small block")] {
        for (block, part) in rows.chunks(size).enumerate() {
            margins(part)?.into_iter().enumerate().for_each(|(at, margin)| compare(block * size + at, margin, how));
        }
    }
    Ok(faults)
}

/// The first rows whose scores and contributions are others without the rest.
fn alone(
    scored: &mut dyn FnMut(&[FeatureVector]) -> Result<Vec<Option<Scored>>>,
    rows: &[FeatureVector],
    answers: &[Option<Scored>],
) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for (at, (row, answer)) in rows.iter().zip(answers).enumerate().take(EXPLAINED) {
        if scored(std::slice::from_ref(row))?.first() != Some(answer) {
            faults.push(format!("golden.json, rows[{at}]: its score or contributions are others alone"));
        }
    }
    Ok(faults)
}

/// All positions in a fixed order in which neighbours are far apart.
fn shuffled(count: usize) -> Vec<usize> {
    let step = (count / 2..).find(|step| divisor(*step, count) <= 1).unwrap_or(1);
    (0..count).map(|at| (at * step + count / 3) % count).collect()
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_met_once() {
        for count in [1, 2, 7, 64, 320, 321] {
            let mut found = shuffled(count);
            assert!(count < 7 || found.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1), "{found:?}");
            found.sort_unstable();
            assert_eq!(found, (0..count).collect::<Vec<_>>());
        }
    }

    /// Engines that let rows meet, each in its way: what they give beside the row's own number.
    #[test]
    fn rows_that_meet_are_told_and_how() {
        let rows: Vec<FeatureVector> = (0..320u16).map(|at| FeatureVector::plain(vec![f32::from(at)])).collect();
        type Meets = fn(&[FeatureVector], usize) -> f32;
        let engines: [(Meets, &[&str]); 5] = [
            (|_, _| 0.0, &[]),
            // The greatest of the block scales all of it.
            (|block, _| block.iter().map(|row| row.values[0]).fold(0.0, f32::max), &["alone", "in a small block"]),
            // Only whole blocks are right.
            (|block, _| if block.len() == 1 { 1.0 } else { 0.0 }, &["alone"]),
            (|block, _| if block.len() == SMALL { 1.0 } else { 0.0 }, &["in a small block"]),
            // The place in a large block counts, as in a loop that is not begun anew.
            (|block, at| if block.len() < 300 { 0.0 } else { (at / 256) as f32 }, &["shuffled"]),
        ];
        for (meets, hows) in engines {
            let mut margins = |block: &[FeatureVector]| -> Result<Vec<f32>> {
                Ok(block.iter().enumerate().map(|(at, row)| row.values[0] + meets(block, at)).collect())
            };
            let faults = company(&mut margins, &rows).unwrap_or_default();
            assert_eq!(faults.is_empty(), hows.is_empty(), "{faults:?}");
            for how in hows {
                assert!(faults.iter().any(|fault| fault.contains(how)), "{how}: {faults:?}");
            }
        }
    }

    #[test]
    fn scores_that_are_others_alone_are_told() {
        let rows: Vec<FeatureVector> = (0..20u8).map(|at| FeatureVector::plain(vec![f32::from(at)])).collect();
        let answers = vec![None; rows.len()];
        let same = alone(&mut |_| Ok(vec![None]), &rows, &answers).unwrap_or_default();
        assert_eq!(same, [""; 0]);
        let none = alone(&mut |_| Ok(vec![]), &rows, &answers).unwrap_or_default();
        assert_eq!(none.len(), EXPLAINED);
        assert!(none[3].contains("rows[3]: its score or contributions are others alone"), "{none:?}");
    }

    #[test]
    fn what_is_further_off_than_its_tolerance_is_told() {
        assert_eq!(fault("rows[3]", "pd", 1e-6, 0.5, 0.500_001), None);
        let told = fault("rows[3]", "pd", 1e-4, 0.5, 0.5001).unwrap_or_default();
        assert_eq!(told, "golden.json, rows[3]: pd must be 0.5, this engine says 0.5001");
        assert!(fault("rows[3]", "pd", f64::NAN, 0.5, f64::NAN).is_some());
        assert_eq!(few(vec!["a".to_owned(); 7]).len(), TOLD + 1);
    }
}
