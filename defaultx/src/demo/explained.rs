//! PURE. Whether score events explain themselves: adds up what each says of its features, and counts by method.

use schemas::risk::RiskEvent;
use std::collections::BTreeMap;

/// Base and contributions may miss the margin by so much, beside the rounding of what is published.
const EFFICIENCY: f64 = 1e-5;
/// Half of the last digit of a published number.
const ROUNDED: f64 = 0.5e-6;

/// Explanations of the scores that decided, and how many stood beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    /// Method → scores that add up.
    pub by_method: BTreeMap<String, u64>,
    /// Scores that do not add up, and say why.
    pub inexact: u64,
    /// Scores that do not add up in silence, or say nothing of how they came to be.
    pub unexplained: u64,
    /// Scores of shadows.
    pub shadows: u64,
}

impl Explained {
    /// Enters a score event that decides; what is unscorable has nothing to explain.
    pub fn enter(&mut self, event: &RiskEvent) {
        let Some(score) = &event.score else { return };
        let adds_up = |base: f64| {
            let parts: f64 = event.features.iter().map(|feature| feature.contribution).sum();
            let rounding = ROUNDED * (event.features.len() + 1) as f64;
            (f64::from(score.margin) - base - parts).abs() <= EFFICIENCY + rounding
        };
        match &event.explanation {
            Some(explanation) if adds_up(explanation.base) => {
                *self.by_method.entry(explanation.method.clone()).or_default() += 1;
            }
            Some(explanation) if explanation.inexact.is_some() => self.inexact += 1,
            Some(_) | None => self.unexplained += 1,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn event() -> RiskEvent {
        let text = include_str!("../../../schemas/examples/score.computed.v1/good-card-scorecard.json");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_adds_up_is_counted_by_its_method() {
        let (mut explained, event) = (Explained::default(), event());
        explained.enter(&event);
        let method = event.explanation.as_ref().unwrap().method.clone();
        assert_eq!(explained, Explained { by_method: [(method, 1)].into(), ..Explained::default() });
    }

    #[test]
    fn what_does_not_is_counted_against_it() {
        let mut explained = Explained::default();
        let mut off = event();
        off.features[0].contribution += 3e-5;
        explained.enter(&off);
        let why = off.explanation.as_mut().unwrap();
        why.inexact = Some("margin_rounded_in_single_precision".to_owned());
        explained.enter(&off);
        explained.enter(&RiskEvent { explanation: None, ..event() });
        explained.enter(&RiskEvent { score: None, explanation: None, ..event() });
        assert_eq!(explained, Explained { inexact: 1, unexplained: 2, ..Explained::default() });
    }
}
