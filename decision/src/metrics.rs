//! Metric names of the room, and the only place that touches them. Labels are bounded: a product that no policy knows is
//! `other`.

use policy::Compiled;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use std::collections::HashMap;

/// Decisions by product, outcome and deciding step. Counted when handled: a batch that is tried again counts again.
pub const DECISIONS_TOTAL: &str = "defaultx_decisions_total";
/// 1 for each policy version that decided the newest block.
pub const POLICY_INFO: &str = "defaultx_policy_info";
/// The label of products outside the policy.
const OTHER: &str = "other";

/// The room's metrics.
pub struct Metrics {
    decisions: IntCounterVec,
    policy_info: IntGaugeVec,
    counters: HashMap<(String, &'static str, &'static str), IntCounter>,
    shown: Vec<String>,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let decisions = Opts::new(DECISIONS_TOTAL, "Decisions by product, outcome and deciding step.");
        let decisions = IntCounterVec::new(decisions, &["product", "outcome", "step"])?;
        let policy_info = Opts::new(POLICY_INFO, "Policy versions that decided the newest block.");
        let policy_info = IntGaugeVec::new(policy_info, &["name", "version", "digest"])?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(policy_info.clone()))?;
        Ok(Self { decisions, policy_info, counters: HashMap::new(), shown: Vec::new() })
    }

    /// Counts a decision.
    pub fn decided(&mut self, product: Option<&str>, outcome: &'static str, step: &'static str) {
        let product = product.unwrap_or(OTHER);
        // A score of entries at most, so a scan that allocates nothing beats building a key.
        if let Some((_, counter)) =
            self.counters.iter().find(|((p, o, s), _)| *o == outcome && *s == step && p == product)
        {
            counter.inc();
            return;
        }
        let counter = self.decisions.with_label_values(&[product, outcome, step]);
        counter.inc();
        self.counters.insert((product.to_owned(), outcome, step), counter);
    }

    /// Shows exactly these policies as in force.
    pub fn in_force<'a>(&mut self, policies: impl Iterator<Item = &'a Compiled> + Clone) {
        if policies.clone().map(Compiled::digest).eq(self.shown.iter().map(String::as_str)) {
            return;
        }
        self.policy_info.reset();
        for policy in policies.clone() {
            let labels = [policy.name(), policy.version(), policy.digest()];
            self.policy_info.with_label_values(&labels).set(1);
        }
        self.shown = policies.map(|policy| policy.digest().to_owned()).collect();
    }
}
