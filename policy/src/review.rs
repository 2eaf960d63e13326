//! What is wrong with a policy that stands by itself, beside the models, routes and scales of its deployment: names that no model has,
//! words that do not exist, facts that may be absent, rules that never or always hold or stand behind another, reasons that nobody names.
//! A proof is told apart from what a sample shows.

use crate::bounds::{Domain, Known, Values, where_it_is};
use crate::condition::Condition;
use crate::document::{Absent, Document, Limit, LimitOutcome};
use crate::draw::{SAMPLE, Sampled};
use crate::finding::Finding;
use crate::load::{self, Compiled, holds_for};
use crate::models::Models;
use crate::vocabulary::{VOCABULARY, is_score};
use crate::words::{may_be_absent, range, words};
use domain::Intent;
use domain::scale::Scale;
use expressions::vocabulary::{Kind, Type, nearest};

mod names;
mod routes;

pub use routes::{RouteCondition, Said, review_condition};

/// Everything that is wrong with a policy, in itself and beside what its deployment knows, in the document's order.
pub fn review(bytes: &[u8], scales: &[Scale], models: &Models) -> Vec<Finding> {
    let (compiled, text) = match (Compiled::load(bytes), std::str::from_utf8(bytes)) {
        (Ok(compiled), Ok(text)) => (compiled, text),
        (Err(rejected), _) => return rejected.findings,
        (Ok(_), Err(_)) => return Vec::new(),
    };
    let Ok(document) = load::parse(text) else { return compiled.warnings().to_vec() };
    let mut review = Review { document: &document, scales, models, found: Vec::new() };
    let rules = review.rules();
    review.products();
    rules.iter().for_each(|rule| review.rule(rule));
    review.shadowed(&rules);
    review.unused(&rules);
    let mut found = [compiled.warnings(), &compiled.check_scales(scales), &review.found].concat();
    found.iter_mut().for_each(|finding| finding.settle(&document, text));
    found.sort_by_key(|finding| (finding.line, finding.column));
    found
}

/// A rule of any section, with its condition.
struct Rule<'d> {
    section: &'static str,
    path: String,
    id: &'d str,
    products: Vec<&'d str>,
    when: Option<Condition>,
    absent: Option<Absent>,
    limit: Option<&'d Limit>,
}

impl Rule<'_> {
    fn when_path(&self) -> String {
        format!("{}/when", self.path)
    }
}

struct Review<'d> {
    document: &'d Document,
    scales: &'d [Scale],
    models: &'d Models,
    found: Vec<Finding>,
}

impl<'d> Review<'d> {
    fn rules(&self) -> Vec<Rule<'d>> {
        let document = self.document;
        let all = |listed: &'d [String]| -> Vec<&'d str> {
            let names = document.products.iter().map(|product| product.product.as_str());
            names.filter(|product| holds_for(listed, product)).collect()
        };
        let rule = |section, index, id: &'d str, products, when: Option<&str>, absent, limit| Rule {
            section,
            path: format!("/{section}/{index}"),
            id,
            products,
            when: when.and_then(|source| Condition::parse(source).ok()),
            absent,
            limit,
        };
        let knockouts = document.knockouts.iter().enumerate();
        let knockouts =
            knockouts.map(|(i, of)| rule("knockouts", i, &of.id, all(&of.products), Some(&of.when), of.absent, None));
        let limits = document.limits.iter().enumerate();
        let limits =
            limits.map(|(i, of)| rule("limits", i, &of.id, vec![&of.product], of.when.as_deref(), of.absent, Some(of)));
        let zones = document.zones.iter().enumerate();
        let zones = zones.map(|(i, of)| rule("zones", i, &of.id, all(&of.products), Some(&of.when), of.absent, None));
        let cutoffs = document.cutoffs.iter().enumerate();
        let cutoffs = cutoffs
            .map(|(i, of)| rule("cutoffs", i, &of.id, vec![of.product.as_str()], of.when.as_deref(), of.absent, None));
        knockouts.chain(limits).chain(zones).chain(cutoffs).collect()
    }

    fn products(&mut self) {
        for (index, product) in self.document.products.iter().enumerate() {
            if !self.models.products.is_empty() && self.models.of(&product.product).is_none() {
                let known = self.models.products.iter().map(|routed| routed.product.clone());
                let message = format!("no route scores {}{}", product.product, meant(&product.product, known));
                self.found.push(Finding::warning("unrouted_product", format!("/products/{index}/product"), message));
            }
        }
    }

    fn rule(&mut self, rule: &Rule<'_>) {
        let Some(when) = &rule.when else { return };
        let before = self.found.len();
        self.features(rule, when);
        self.words(rule, when);
        self.open_words(rule, when);
        self.percent(rule, when);
        let has_errors = self.found[before..].iter().any(Finding::is_error);
        self.parties(rule, when);
        self.absent(rule, when);
        // What is misspelt never holds: one finding is enough.
        if !has_errors {
            self.holds(rule, when);
        }
    }

    fn push(&mut self, finding: Finding, at: Option<(usize, usize)>) {
        self.found.push(Finding { at, ..finding });
    }

    fn bands(&self, product: &str) -> Vec<String> {
        let bands = self.scale(product).into_iter().flat_map(|scale| scale.bands());
        bands.map(|band| band.name.clone()).collect()
    }

    fn scale(&self, product: &str) -> Option<&'d Scale> {
        let listed = self.document.products.iter().find(|listed| listed.product == product)?;
        self.scales.iter().find(|scale| scale.id() == listed.scale_id)
    }

    /// What a name may be for a product before a rule asks anything.
    fn start(&self, rule: &Rule<'_>, product: &str, name: &str) -> Option<Domain> {
        let set = |words: Vec<String>| Some(Values::Words(words.into_iter().collect()));
        let scale = self.scale(product);
        let mut domain = Domain { values: None, absent: false, present: true };
        if let Some(feature) = name.strip_prefix("features.") {
            let declared = self.models.of(product)?.feature(feature);
            domain.present = declared.clone().any(|found| found.is_some());
            domain.absent = declared.clone().any(|found| found.is_none_or(|found| !found.is_always_there));
            let ranges: Option<Vec<_>> =
                declared.flatten().map(|of| of.range.map(|range| (carried(range), of.is_whole))).collect();
            let all = ranges?
                .into_iter()
                .reduce(|((low, high), is_whole), ((from, to), too)| ((low.min(from), high.max(to)), is_whole && too));
            domain.values = all.map(|((low, high), is_whole)| Values::Range { low, high, is_whole });
            return Some(domain);
        }
        domain.absent = match is_score(name) {
            true => rule.section == "knockouts",
            false => may_be_absent(name, self.models.of(product)),
        };
        let is_truth = VOCABULARY.type_of(&name.split('.').collect::<Vec<_>>()) == Some(Type::Known(Kind::Bool));
        domain.values = match name {
            "product" => set(vec![product.to_owned()]),
            // A score alone gets no decision, and a word of tomorrow reaches no rule.
            "intent" => set([Intent::Decide, Intent::Prequalify].map(|word| word.as_str().to_owned()).into()),
            "band" => scale.map(|_| self.bands(product)).and_then(set),
            "score" => scale.map(Scale::range).map(|(low, high)| Values::Range {
                low: f64::from(low),
                high: f64::from(high),
                is_whole: true,
            }),
            "currency" if rule.section != "knockouts" => {
                let listed = self.document.products.iter().find(|listed| listed.product == product)?;
                set(rule.limit.map_or_else(|| listed.currencies.clone(), |limit| vec![limit.currency.clone()]))
            }
            _ if is_truth => Some(Values::Truth([true, true])),
            name => match (words(name), range(name)) {
                (Some(words), _) => set(words.into_iter().map(str::to_owned).collect()),
                (None, Some((low, high, is_whole))) => Some(Values::Range { low, high, is_whole }),
                (None, None) => None,
            },
        };
        Some(domain)
    }

    /// What a rule of its section has been told before its condition is asked.
    fn before(&self, rule: &Rule<'_>, product: &str) -> Known {
        let mut known = Known::new();
        let Some(limit) = rule.limit else { return known };
        if let Some(Domain { values: Some(Values::Range { high, .. }), .. }) = self.start(rule, product, "amount_minor")
        {
            let values = Some(Values::Range { low: limit.max_amount_minor as f64 + 1.0, high, is_whole: true });
            known.insert("amount_minor".to_owned(), Domain { values, absent: false, present: true });
        }
        if !limit.bands.is_empty() {
            let values = Some(Values::Words(limit.bands.iter().cloned().collect()));
            known.insert("band".to_owned(), Domain { values, absent: false, present: true });
        }
        known
    }

    /// What is left for a product where a rule holds, or does not; none where it never does.
    fn left(&self, rule: &Rule<'_>, when: &Condition, product: &str, truth: bool) -> Option<Known> {
        let start = |name: &str| self.start(rule, product, name);
        where_it_is(when.compiled().logic(), truth, &self.before(rule, product), &start)
    }

    /// Rules that never or always hold: proven by what is declared, or seen on a sample.
    fn holds(&mut self, rule: &Rule<'_>, when: &Condition) {
        let is = |truth| rule.products.iter().any(|product| self.left(rule, when, product, truth).is_some());
        let sampled = || {
            let all = rule.products.iter().map(|product| {
                let start = |name: &str| self.start(rule, product, name);
                let left = [true, false].into_iter().filter_map(|truth| self.left(rule, when, product, truth));
                let known: Vec<Known> = left.chain([self.before(rule, product)]).collect();
                Sampled::of(when, product, &known, &start)
            });
            all.fold(Sampled::default(), |sum, next| Sampled { held: sum.held + next.held, not: sum.not + next.not })
        };
        let proven = "this is proven by what contracts and models declare";
        let seen = format!("this is seen on a sample of {SAMPLE} made-up applications of each product, and not proven");
        let (code, message) = match (is(true), is(false)) {
            (false, _) => ("never_holds", format!("never holds: {proven}")),
            (true, false) => ("always_holds", format!("holds wherever what it reads is known: {proven}")),
            (true, true) => match sampled().alone() {
                Some(false) => ("never_holds", format!("never holds: {seen}")),
                Some(true) => ("always_holds", format!("always holds: {seen}")),
                None => return,
            },
        };
        self.found.push(Finding::warning(code, rule.when_path(), message));
    }

    /// Rules that change nothing because another one holds wherever they do.
    fn shadowed(&mut self, rules: &[Rule<'d>]) {
        let always = self.found.iter().filter(|found| found.code == "always_holds").map(|found| found.path.clone());
        // Of one that always holds that is told already.
        let always: Vec<String> = always.collect();
        for (index, rule) in rules.iter().enumerate() {
            let Some(by) =
                rules[..index].iter().find(|other| !always.contains(&other.when_path()) && self.shadows(other, rule))
            else {
                continue;
            };
            let message = match rule.section {
                "cutoffs" => format!("wherever it holds, {} before it holds and decides", by.id),
                _ => format!("wherever it holds, {} before it holds too: it changes nothing", by.id),
            };
            self.found.push(Finding::warning("shadowed", rule.path.clone(), format!("{message}; this is proven")));
        }
    }

    /// Whether a rule leaves another that stands behind it nothing to do.
    fn shadows(&self, first: &Rule<'_>, second: &Rule<'_>) -> bool {
        let document = self.document;
        let knockout = |rule: &Rule<'_>| document.knockouts.iter().find(|known| known.id == rule.id);
        let is_same_step = match (first.section, second.section) {
            ("knockouts", "zones") => true,
            ("knockouts", "knockouts") => match (knockout(first), knockout(second)) {
                // Two reasons are two things to tell.
                (Some(first), Some(second)) => first.outcome == second.outcome && first.reason == second.reason,
                _ => false,
            },
            ("zones", "zones") | ("cutoffs", "cutoffs") => true,
            ("limits", "limits") => match (first.limit, second.limit) {
                (Some(first), Some(second)) => {
                    let in_bands = first.bands.is_empty()
                        || !second.bands.is_empty() && second.bands.iter().all(|band| first.bands.contains(band));
                    let is_same = first.outcome == second.outcome && first.reason == second.reason;
                    is_same
                        && in_bands
                        && first.outcome != LimitOutcome::Counteroffer
                        && first.currency == second.currency
                        && first.max_amount_minor <= second.max_amount_minor
                }
                _ => false,
            },
            _ => false,
        };
        is_same_step
            && first.absent != Some(Absent::Skip)
            && second
                .products
                .iter()
                .all(|product| first.products.contains(product) && self.implies(second, first, product))
    }

    /// Whether a rule holds, or fails, wherever another holds; where both have no condition the check of the document says so.
    fn implies(&self, rule: &Rule<'_>, other: &Rule<'_>, product: &str) -> bool {
        let start = |name: &str| self.start(rule, product, name);
        let known = match &rule.when {
            Some(when) => match self.left(rule, when, product, true) {
                // It never holds, which is told already.
                None => return false,
                Some(known) => known,
            },
            None => self.before(rule, product),
        };
        match &other.when {
            Some(when) => where_it_is(when.compiled().logic(), false, &known, &start).is_none(),
            None => rule.section == "limits",
        }
    }

    fn unused(&mut self, rules: &[Rule<'_>]) {
        let document = self.document;
        let named = document.knockouts.iter().filter_map(|rule| rule.reason.as_ref());
        let named: Vec<_> = named.chain(document.limits.iter().filter_map(|rule| rule.reason.as_ref())).collect();
        for (index, own) in document.reasons.iter().enumerate().filter(|(_, own)| !named.contains(&&own.code)) {
            let message = format!("no rule names the reason {}", own.code);
            self.found.push(Finding::warning("unused_reason", format!("/reasons/{index}/code"), message));
        }
        for feature in &document.withheld {
            let is_read = |rule: &Rule<'_>| {
                rule.when.as_ref().is_some_and(|when| when.compiled().members("features").contains(feature))
            };
            if !rules.iter().any(is_read) {
                let message = format!("no rule reads the feature {feature}");
                self.found.push(Finding::warning("unused_withheld", "/withheld", message));
            }
        }
    }
}

/// A range with its bounds as an event carries them, in single precision: the nearest such number may lie outside.
fn carried((low, high): (f64, f64)) -> (f64, f64) {
    let single = |bound: f64| f64::from(bound as f32);
    (low.min(single(low)), high.max(single(high)))
}

/// What was probably meant, as the end of a sentence.
fn meant(word: &str, known: impl Iterator<Item = String>) -> String {
    nearest(word, known).map(|near| format!(": did you mean {near}?")).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
