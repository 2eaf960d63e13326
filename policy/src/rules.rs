//! The rules of a policy, compiled: what [`crate::load`] makes, [`crate::inspect`] looks at and [`crate::decide`] applies.

use crate::condition::Condition;
use crate::document::{KnockoutOutcome, LimitOutcome};
use domain::{Currency, Money, Referral};
use schemas::Word;
use std::sync::Arc;

/// What holds for one product, in the document's order.
#[derive(Debug)]
pub(crate) struct ProductRules {
    pub product: String,
    pub scale_id: String,
    pub currencies: Vec<Currency>,
    pub knockouts: Vec<Arc<KnockoutRule>>,
    pub limits: Vec<LimitRule>,
    pub zones: Vec<Arc<ZoneRule>>,
    pub cutoffs: Vec<CutoffRule>,
}

#[derive(Debug)]
pub(crate) struct KnockoutRule {
    pub id: String,
    pub when: Condition,
    pub outcome: KnockoutOutcome,
    pub reason: Option<ReasonText>,
    pub value: Option<Condition>,
    pub threshold: Option<Condition>,
}

#[derive(Debug)]
pub(crate) struct LimitRule {
    /// Its place in the document.
    pub index: usize,
    pub id: String,
    pub bands: Vec<String>,
    pub when: Option<Condition>,
    pub most: Money,
    pub outcome: LimitOutcome,
    pub reason: Option<ReasonText>,
}

#[derive(Debug)]
pub(crate) struct ZoneRule {
    pub id: String,
    pub when: Condition,
    pub referral: Word<Referral>,
}

#[derive(Debug)]
pub(crate) struct CutoffRule {
    /// Its place in the document.
    pub index: usize,
    pub id: String,
    pub when: Option<Condition>,
    pub by: Cut,
}

#[derive(Debug)]
pub(crate) enum Cut {
    Points { approve_at_or_above: i32, decline_below: i32 },
    Bands { approve: Vec<String>, refer: Vec<String>, decline: Vec<String> },
}

/// A reason as the applicant and the regulator read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReasonText {
    pub code: String,
    pub text: String,
    pub form_c1: String,
    pub hmda: u8,
}

impl ProductRules {
    /// Every condition.
    #[cfg(test)]
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let knockouts = self.knockouts.iter().map(|rule| &rule.when);
        let zones = self.zones.iter().map(|rule| &rule.when);
        let limits = self.limits.iter().filter_map(|rule| rule.when.as_ref());
        let cutoffs = self.cutoffs.iter().filter_map(|rule| rule.when.as_ref());
        knockouts.chain(zones).chain(limits).chain(cutoffs)
    }
}
