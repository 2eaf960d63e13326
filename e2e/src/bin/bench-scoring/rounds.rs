//! Rounds of a measure, and what is made of them.

/// Rows and seconds of one round.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Round {
    pub rows: usize,
    pub seconds: f64,
}

/// Medians of rounds of both sides in turns, each a list of rates, and the ratio of each of ours to its baseline's.
pub struct Duel {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Duel {
    /// Before the first round.
    pub fn new() -> Self {
        Self { ours: vec![], theirs: vec![] }
    }

    /// Takes a round of ours and a rate of theirs.
    pub fn round(&mut self, ours: Round, theirs: f64) {
        self.ours.push(rate(ours));
        self.theirs.push(theirs);
    }

    /// Ours, theirs, and their ratio.
    pub fn medians(mut self) -> (f64, f64, f64) {
        let (ours, theirs) = (median(&mut self.ours), median(&mut self.theirs));
        (ours, theirs, ours / theirs)
    }
}

/// Rows a second.
pub fn rate(round: Round) -> f64 {
    round.rows as f64 / round.seconds
}

/// The middle one; sorts them.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
