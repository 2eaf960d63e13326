//! What the measures of graphs share: where they are made, and how near the answers have to be.

use crate::baseline::Baseline;
use anyhow::{Result, ensure};
use std::path::Path;

/// How far answers of graphs may be apart, relative above one.
const NEAR: f32 = 1e-5;

/// What the measures of graphs share.
pub struct Bench<'a> {
    /// Where both sides read and write.
    pub scratch: &'a Path,
    pub baseline: &'a mut Baseline,
    pub rounds: usize,
    pub only: &'a [String],
}

/// The greatest difference between our answers and the baseline's, relative above one; an error where it is not near.
pub fn greatest(ours: &[f32], theirs: &[f32]) -> Result<f32> {
    ensure!(ours.len() == theirs.len(), "{} answers against {}", ours.len(), theirs.len());
    let mut most = 0f32;
    for (at, (own, other)) in ours.iter().zip(theirs).enumerate() {
        let apart = (own - other).abs() / other.abs().max(1.0);
        ensure!(apart <= NEAR, "answer {at} is {own}, the baseline says {other}");
        most = most.max(apart);
    }
    Ok(most)
}

/// Whether a name holds one of these words, or there are none.
pub fn is_wanted(name: &str, only: &[String]) -> bool {
    only.is_empty() || only.iter().any(|word| name.contains(word))
}
