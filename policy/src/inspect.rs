//! Every check that a document must pass before it may decide. Collects findings; changes nothing.

use crate::case::Case;
use crate::condition::Condition;
use crate::document::{Cutoff, Document, Fallback, Limit};
use crate::finding::Finding;
use crate::rules::{Cut, CutoffRule, KnockoutRule, ReasonText, ZoneRule};
use crate::sample;
use domain::{Currency, reason};
use expressions::vocabulary::{Kind, Type, nearest};
use expressions::{Finding as Fault, Total};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The longest text of a reason: the contract's bound.
const MAX_TEXT_BYTES: usize = 512;
/// Rules of one policy, at most: more are a model, and belong into one.
const MAX_RULES: usize = 2_000;
/// The longest of its other lists: products, their currencies, reasons.
const MAX_LISTED: usize = 512;
/// So much is found before the rest is only counted.
const MAX_FINDINGS: usize = 200;

/// Collects what is found in one document.
pub(crate) struct Inspector<'d> {
    document: &'d Document,
    /// Ids that more than one rule has.
    repeated: HashSet<&'d str>,
    total: Total,
    findings: Vec<Finding>,
    /// Findings beyond the first ones.
    more: usize,
    /// Whether one of those is an error.
    hides_error: bool,
}

impl<'d> Inspector<'d> {
    pub(crate) fn new(document: &'d Document) -> Self {
        let rules = document.knockouts.iter().map(|rule| &rule.id);
        let rules = rules.chain(document.limits.iter().map(|rule| &rule.id));
        let rules = rules.chain(document.zones.iter().map(|rule| &rule.id));
        let rules = rules.chain(document.cutoffs.iter().map(|rule| &rule.id));
        let mut seen = HashSet::new();
        let repeated = rules.map(String::as_str).filter(|id| !seen.insert(*id)).collect();
        Self { document, repeated, total: Total::default(), findings: Vec::new(), more: 0, hides_error: false }
    }

    /// Steps of all expressions so far.
    pub(crate) fn steps(&self) -> u64 {
        self.total.steps()
    }

    /// How much there is to look at; nothing else is looked at where it is too much.
    pub(crate) fn is_small(&mut self) -> bool {
        let document = self.document;
        let rules = [document.knockouts.len(), document.limits.len(), document.zones.len(), document.cutoffs.len()];
        let rules: usize = rules.iter().sum();
        if rules > MAX_RULES {
            self.error("too_many", "", format!("{rules} rules, at most {MAX_RULES} are allowed"));
        }
        let currencies = document.products.iter().map(|product| product.currencies.len()).max().unwrap_or(0);
        let lists = [("products", document.products.len()), ("reasons", document.reasons.len())];
        for (name, len) in lists.into_iter().chain([("products", currencies)]) {
            if len > MAX_LISTED {
                let message = format!("a list of {len}, at most {MAX_LISTED} are allowed");
                self.error("too_many", format!("/{name}"), message);
            }
        }
        self.findings.is_empty()
    }

    /// The findings in the document's order, each with its line.
    pub(crate) fn finish(mut self, text: &str) -> Vec<Finding> {
        for finding in &mut self.findings {
            finding.settle(self.document, text);
        }
        self.findings.sort_by_key(|finding| finding.line);
        if self.more > 0 {
            let message = format!("{} more are not listed: mend these first", self.more);
            self.findings.push(match self.hides_error {
                true => Finding::error("too_many", "", message),
                false => Finding::warning("too_many", "", message),
            });
        }
        self.findings
    }

    fn error(&mut self, code: &'static str, path: impl Into<String>, message: impl Into<String>) {
        self.find(Finding::error(code, path, message));
    }

    fn find(&mut self, mut finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            finding.message = expressions::cut(&finding.message);
            self.findings.push(finding);
        } else {
            self.hides_error |= finding.is_error();
            self.more += 1;
        }
    }

    /// Name, version, products, own reasons.
    pub(crate) fn header(&mut self) {
        let document = self.document;
        self.token("/name", &document.name);
        let numbers: Vec<_> = document.version.split('.').map(str::parse::<u32>).collect();
        if numbers.len() != 3 || numbers.iter().any(Result::is_err) {
            self.error("bad_version", "/version", "a version is three numbers, such as 1.0.0");
        }
        if document.products.is_empty() {
            self.error("no_products", "/products", "a policy decides on at least one product");
        }
        (0..document.products.len()).for_each(|index| self.product(index));
        (0..document.reasons.len()).for_each(|index| self.own_reason(index));
    }

    fn product(&mut self, index: usize) {
        let (at, product) = (format!("/products/{index}"), &self.document.products[index]);
        self.token(&format!("{at}/product"), &product.product);
        if self.document.products[..index].iter().any(|other| other.product == product.product) {
            self.error("duplicate_id", format!("{at}/product"), format!("{} is listed twice", product.product));
        }
        if product.currencies.is_empty() {
            self.error("no_currency", format!("{at}/currencies"), "a product is lent in at least one currency");
        }
        for code in &product.currencies {
            self.currency(&format!("{at}/currencies"), code);
        }
        match product.fallback {
            Some(Fallback::Refer) => {}
            None => self.error("no_fallback", at.clone(), "say `fallback: refer` for what no cutoff decides"),
        }
        if !self.document.cutoffs.iter().any(|cutoff| cutoff.product == product.product) {
            let message = format!("{} has no cutoff: every application is referred", product.product);
            self.find(Finding::warning("no_cutoff", at, message));
        }
    }

    fn own_reason(&mut self, index: usize) {
        let (at, own) = (format!("/reasons/{index}"), &self.document.reasons[index]);
        self.token(&format!("{at}/code"), &own.code);
        let repeated = self.document.reasons[..index].iter().any(|other| other.code == own.code);
        if repeated || reason::find(&own.code).is_some() {
            self.error("duplicate_id", format!("{at}/code"), format!("reason {} exists already", own.code));
        }
        if own.text.trim().is_empty() || own.text.len() > MAX_TEXT_BYTES {
            self.error("unspecific_code", format!("{at}/text"), "tell the applicant something, in at most 512 bytes");
        }
        if reason::find(&own.form_c1).is_none() {
            let near = nearest(&own.form_c1, reason::codes().map(str::to_owned));
            let near = near.map(|near| format!(": did you mean {near}?")).unwrap_or_default();
            self.error("unknown_code", format!("{at}/form_c1"), format!("Form C-1 has no {}{near}", own.form_c1));
        }
        if !(1..=9).contains(&own.hmda) {
            self.error("unknown_code", format!("{at}/hmda"), "HMDA reasons are 1 to 9");
        }
    }

    /// What every rule must have: an id of its own and products that exist.
    pub(crate) fn rule(&mut self, at: &str, id: &'d str, products: &[String]) {
        self.token(&format!("{at}/id"), id);
        if self.repeated.contains(id) {
            self.error("duplicate_id", format!("{at}/id"), format!("{id} is used more than once"));
        }
        for product in products {
            if !self.document.products.iter().any(|known| known.product == *product) {
                self.error("unknown_product", at, format!("{product} is not among the products"));
            }
        }
    }

    /// The word of a referral, as the contract writes words.
    pub(crate) fn referral(&mut self, path: &str, word: &str) {
        self.token(path, word);
        if word.contains('-') {
            self.error("bad_token", path, "the word of a referral has no hyphen");
        }
    }

    pub(crate) fn token(&mut self, path: &str, text: &str) {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            self.error("bad_token", path, "1 to 64 of a-z, 0-9, _ and -");
        }
    }

    fn currency(&mut self, path: &str, code: &str) {
        if let Err(error) = Currency::parse(code) {
            self.error("unknown_currency", path, error.to_string());
        }
    }

    /// The reason a rule names; a decline without one is an error, and so is one that says nothing.
    pub(crate) fn reason(&mut self, at: &str, code: Option<&str>, declines: bool) -> Option<ReasonText> {
        let path = format!("{at}/reason");
        let Some(code) = code else {
            if declines {
                self.error("decline_without_code", path, "a rule that declines names its reason");
            }
            return None;
        };
        if code == "other" {
            self.error("unspecific_code", path, "write an own reason with form_c1: other and its text");
            return None;
        }
        if let Some(own) = self.document.reasons.iter().find(|own| own.code == code) {
            let (form_c1, text) = (own.form_c1.clone(), own.text.clone());
            return Some(ReasonText { code: code.to_owned(), text, form_c1, hmda: own.hmda });
        }
        match reason::find(code) {
            Some(found) => Some(ReasonText {
                code: code.to_owned(),
                text: found.text.to_owned(),
                form_c1: code.to_owned(),
                hmda: found.hmda,
            }),
            None => {
                let known = reason::codes().map(str::to_owned);
                let known = known.chain(self.document.reasons.iter().map(|own| own.code.clone()));
                let near = nearest(code, known).map(|near| format!(": did you mean {near}?")).unwrap_or_default();
                let message = format!("{code} is neither built in (docs/reasons.md) nor among the reasons{near}");
                self.error("unknown_code", path, message);
                None
            }
        }
    }

    /// An expression of any type.
    pub(crate) fn expression(&mut self, path: &str, source: &str) -> Option<Condition> {
        let condition = match Condition::parse(source) {
            Ok(condition) => condition,
            Err(faults) => return self.refused(path, faults),
        };
        if let Err(fault) = self.total.add(condition.compiled()) {
            return self.refused(path, vec![fault]);
        }
        for written in condition.compiled().warnings() {
            self.find(Finding { at: written.at, ..Finding::warning(written.code, path, written.to_string()) });
        }
        Some(condition.withholding(&self.document.withheld))
    }

    /// An expression that must be a boolean and must depend on the event.
    pub(crate) fn condition(&mut self, path: &str, source: &str) -> Option<Condition> {
        let condition = self.expression(path, source)?;
        let event = sample::event(&condition.compiled().members("features"));
        let event = sample::longer(event, condition.named_elements());
        let sampled = condition.interpret(&Case::of(&event));
        match (condition.compiled().of(), sampled) {
            (Type::Known(Kind::Bool) | Type::Open, Ok(_)) => {}
            (Type::Known(Kind::Bool), Err(problem)) => self.error("fails_on_sample", path, problem.text),
            (_, Err(problem)) => self.error("not_boolean", path, problem.text),
            (_, Ok(_)) => self.error("not_boolean", path, "is not a boolean"),
        }
        match condition.compiled().constant() {
            Some(true) => self.error("constant_true", path, "always holds: what comes after is never reached"),
            Some(false) => self.error("constant_false", path, "never holds"),
            None => {}
        }
        Some(condition)
    }

    fn refused<T>(&mut self, path: &str, faults: Vec<Fault>) -> Option<T> {
        for fault in faults {
            self.find(Finding { at: fault.at, ..Finding::error(fault.code, path, fault.to_string()) });
        }
        None
    }

    /// A decline on the score outside a cutoff would have "did not reach the score" for its reason.
    pub(crate) fn knockout(&mut self, at: &str, when: &Condition, declines: bool) {
        if declines && when.reads_score() {
            let message = "declines on the score belong into a cutoff, where the factors behind it are the reasons";
            self.error("score_in_knockout", format!("{at}/when"), message);
        }
    }

    pub(crate) fn limit(&mut self, at: &str, index: usize, rule: &'d Limit) {
        self.currency(&format!("{at}/currency"), &rule.currency);
        if rule.max_amount_minor < 0 {
            self.error("negative_limit", format!("{at}/max_amount_minor"), "an amount is never below zero");
        }
        let lent = self.document.products.iter().find(|product| product.product == rule.product);
        if lent.is_some_and(|product| !product.currencies.contains(&rule.currency)) {
            self.error("unreachable", format!("{at}/currency"), "the product is not lent in this currency");
        }
        let same = |other: &&'d Limit| {
            let scope = |rule: &'d Limit| (&rule.product, &rule.currency, &rule.when, &rule.bands);
            other.outcome == rule.outcome && scope(other) == scope(rule)
        };
        if let Some(other) = self.document.limits[..index].iter().find(same) {
            self.error("unreachable", at, format!("limit {} holds for the same applications", other.id));
        }
    }

    pub(crate) fn cut(&mut self, at: &str, rule: &Cutoff) -> Option<Cut> {
        let by_bands = [&rule.approve_bands, &rule.refer_bands, &rule.decline_bands];
        let any_band = by_bands.iter().any(|bands| !bands.is_empty());
        match (rule.approve_at_or_above, rule.decline_below) {
            (Some(approve_at_or_above), Some(decline_below)) if !any_band => {
                if approve_at_or_above < decline_below {
                    let message = format!("approves from {approve_at_or_above} but declines below {decline_below}");
                    self.error("inverted_cutoff", format!("{at}/approve_at_or_above"), message);
                }
                Some(Cut::Points { approve_at_or_above, decline_below })
            }
            (None, None) if any_band => {
                let mut seen = HashSet::new();
                if let Some(band) = by_bands.into_iter().flatten().find(|band| !seen.insert(*band)) {
                    self.error("overlapping_cutoffs", at, format!("band {band} is listed twice"));
                }
                let [approve, refer, decline] = by_bands.map(Clone::clone);
                Some(Cut::Bands { approve, refer, decline })
            }
            _ => {
                self.error("incomplete_cutoff", at, "either both approve_at_or_above and decline_below, or bands");
                None
            }
        }
    }

    /// Rules that an earlier rule leaves nothing to.
    pub(crate) fn across(
        &mut self,
        knockouts: &[Option<Arc<KnockoutRule>>],
        zones: &[Option<Arc<ZoneRule>>],
        cutoffs: &[Option<CutoffRule>],
    ) {
        let document = self.document;
        let all: Vec<&str> = document.products.iter().map(|product| product.product.as_str()).collect();
        let mut earlier: HashMap<String, HashMap<&str, &str>> = HashMap::new();
        let knockouts = document.knockouts.iter().zip(knockouts).enumerate().map(|(i, (source, rule))| {
            (format!("/knockouts/{i}/when"), rule.as_ref().map(|rule| &rule.when), &source.products, &source.id)
        });
        let zones = document.zones.iter().zip(zones).enumerate().map(|(i, (source, rule))| {
            (format!("/zones/{i}/when"), rule.as_ref().map(|rule| &rule.when), &source.products, &source.id)
        });
        for (path, when, products, id) in knockouts.chain(zones) {
            let Some(when) = when else { continue };
            let by_product = earlier.entry(when.compiled().canonical()).or_default();
            let own: Vec<&str> = products.iter().map(String::as_str).collect();
            let products = if own.is_empty() { &all } else { &own };
            if let Some(other) = products.iter().find_map(|product| by_product.get(product)) {
                self.error("unreachable", path, format!("{other} has the same condition"));
            }
            for product in products {
                by_product.entry(product).or_insert(id);
            }
        }
        self.cutoffs_behind(cutoffs);
    }

    fn cutoffs_behind(&mut self, cutoffs: &[Option<CutoffRule>]) {
        let mut earlier: HashMap<(&str, Option<String>), &str> = HashMap::new();
        for (index, (source, rule)) in self.document.cutoffs.iter().zip(cutoffs).enumerate() {
            let Some(rule) = rule else { continue };
            let (at, product) = (format!("/cutoffs/{index}"), source.product.as_str());
            let when = rule.when.as_ref().map(|when| when.compiled().canonical());
            if let Some(id) = earlier.get(&(product, None)) {
                match when {
                    None => self.error("overlapping_cutoffs", &at, format!("{id} already decides every score")),
                    Some(_) => self.error("unreachable", &at, format!("{id} before it holds always")),
                }
            } else if let Some(id) = earlier.get(&(product, when.clone())) {
                self.error("unreachable", format!("{at}/when"), format!("{id} has the same condition"));
            }
            earlier.entry((product, when)).or_insert(&source.id);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
