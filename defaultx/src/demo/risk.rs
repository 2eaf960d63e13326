//! PURE. What a risk officer asks of a run: by product, how many were approved, referred and declined, how risky each band is,
//! and why.

use crate::say::counted;
use domain::Outcome;
use schemas::decision::Decision;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Reasons shown for a product.
const TOP: usize = 4;

/// Decisions by product.
#[derive(Debug, Clone, Default)]
pub struct RiskBook {
    products: BTreeMap<String, Product>,
}

#[derive(Debug, Clone, Default)]
struct Product {
    outcomes: BTreeMap<String, u64>,
    /// Band → (decisions, sum of probabilities of default).
    bands: BTreeMap<String, (u64, f64)>,
    /// (code, text) → decisions that name it.
    reasons: BTreeMap<(String, String), u64>,
    /// Word → referrals.
    referrals: BTreeMap<String, u64>,
    model: String,
}

impl RiskBook {
    /// Enters a decision.
    pub fn enter(&mut self, decision: &Decision) {
        let product = self.products.entry(decision.product.clone()).or_default();
        *product.outcomes.entry(decision.outcome.to_string()).or_default() += 1;
        for reason in &decision.principal_reasons {
            *product.reasons.entry((reason.code.clone(), reason.text.clone())).or_default() += 1;
        }
        if let Some(word) = &decision.referral {
            *product.referrals.entry(word.to_string()).or_default() += 1;
        }
        let Some(risk) = &decision.risk else { return };
        if let Some(model) = &risk.model {
            product.model = format!("{} {}", model.name, model.version);
        }
        if let Some(score) = &risk.score {
            let band = product.bands.entry(score.band.clone()).or_default();
            band.0 += 1;
            band.1 += score.pd;
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, product) in &self.products {
            product.write(name, &mut text);
        }
        text
    }
}

impl Product {
    fn write(&self, name: &str, text: &mut String) {
        let all: u64 = self.outcomes.values().sum();
        let share = |outcome: Outcome| percent(self.outcomes.get(outcome.as_str()).copied().unwrap_or(0), all);
        let shares = [Outcome::Approve, Outcome::Refer, Outcome::Decline].map(share);
        let mut line = |content: String| text.push_str(&(content + "\n"));
        line(format!("{name}  ({}, scored by {})", counted(all, "application"), self.model));
        line(format!("  approved {}  referred {}  declined {}", shares[0], shares[1], shares[2]));
        let mut bands = String::from("  mean probability of default by band:");
        for (band, (count, sum)) in &self.bands {
            let mean = percent_of(sum / *count as f64);
            if write!(bands, "  {band} {mean} of {}", counted(*count, "")).is_err() {
                return;
            }
        }
        line(bands);
        for ((code, reason), count) in top(&self.reasons) {
            line(format!("  {:>7} named  {reason} [{code}]", percent(*count, all)));
        }
        for (word, count) in top(&self.referrals) {
            line(format!("  {:>7} referred as {word}", percent(*count, all)));
        }
        line(String::new());
    }
}

fn top<K: Ord>(counts: &BTreeMap<K, u64>) -> impl Iterator<Item = (&K, &u64)> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    sorted.into_iter().take(TOP)
}

fn percent(part: u64, whole: u64) -> String {
    percent_of(if whole == 0 { 0.0 } else { part as f64 / whole as f64 })
}

/// `12.5 %`.
pub(super) fn percent_of(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_read_well() {
        assert_eq!((percent(1, 8), percent(1, 0)), ("12.5 %".to_owned(), "0.0 %".to_owned()));
    }
}
