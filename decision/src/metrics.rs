//! Metric names of the worker, and the only place that touches them. Labels are bounded: a product that no policy knows is
//! `other`.

use chrono::TimeDelta;
use domain::{Outcome, Referral, Step};
use policy::Compiled;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use std::collections::HashMap;

/// Decisions by product, outcome and deciding step. Counted when handled: a batch that is tried again counts again.
pub(crate) const DECISIONS_TOTAL: &str = "defaultx_decisions_total";
/// Referrals by product and word; the words of a policy's own zones are `other`. Counted when handled, as decisions are.
pub(crate) const REFERRALS_TOTAL: &str = "defaultx_referrals_total";
/// 1 for each policy version that decided the newest block.
pub(crate) const POLICY_INFO: &str = "defaultx_policy_info";
/// Seconds from the broker's time of the sender's record to its automatic decision. Counted when handled.
pub(crate) const RECEIVED_TO_DECIDED_SECONDS: &str = "defaultx_received_to_decided_seconds";
/// The objective, 5 s, is an edge, so that the share within it is counted and not guessed.
const EDGES: [f64; 13] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];
/// The label of products outside the policy, and of words that are not known here.
const OTHER: &str = "other";

/// The worker's metrics.
pub struct Metrics {
    decisions: IntCounterVec,
    referrals: IntCounterVec,
    policy_info: IntGaugeVec,
    received_to_decided: Histogram,
    counters: HashMap<(String, Option<Outcome>, Option<Step>), IntCounter>,
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
        let referrals = Opts::new(REFERRALS_TOTAL, "Referrals by product and word.");
        let referrals = IntCounterVec::new(referrals, &["product", "referral"])?;
        let policy_info = Opts::new(POLICY_INFO, "Policy versions that decided the newest block.");
        let policy_info = IntGaugeVec::new(policy_info, &["name", "version", "digest"])?;
        let took = HistogramOpts::new(RECEIVED_TO_DECIDED_SECONDS, "Seconds from the sender's record to its decision.");
        let received_to_decided = Histogram::with_opts(took.buckets(EDGES.to_vec()))?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(referrals.clone()))?;
        registry.register(Box::new(policy_info.clone()))?;
        registry.register(Box::new(received_to_decided.clone()))?;
        Ok(Self { decisions, referrals, policy_info, received_to_decided, counters: HashMap::new(), shown: Vec::new() })
    }

    /// Counts a decision.
    pub fn decided(&mut self, product: Option<&str>, outcome: Option<Outcome>, step: Option<Step>) {
        let product = product.unwrap_or(OTHER);
        // A score of entries at most, so a scan that allocates nothing beats building a key.
        if let Some((_, counter)) =
            self.counters.iter().find(|((p, o, s), _)| *o == outcome && *s == step && p == product)
        {
            counter.inc();
            return;
        }
        let words = (outcome.map_or(OTHER, Outcome::as_str), step.map_or(OTHER, Step::as_str));
        let counter = self.decisions.with_label_values(&[product, words.0, words.1]);
        counter.inc();
        self.counters.insert((product.to_owned(), outcome, step), counter);
    }

    /// Counts a referral: no product, or no word that is known here, is `other`.
    pub fn referred(&self, product: Option<&str>, referral: Option<Referral>) {
        let labels = [product.unwrap_or(OTHER), referral.map_or(OTHER, Referral::as_str)];
        self.referrals.with_label_values(&labels).inc();
    }

    /// Measures how long an application waited for its automatic decision.
    pub fn took(&self, waited: TimeDelta) {
        self.received_to_decided.observe(waited.as_seconds_f64().max(0.0));
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
