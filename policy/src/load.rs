//! Bytes of a document → a compiled policy, or every finding at once. The digest is of the bytes: a comment changes it.

use crate::condition::Condition;
use crate::document::{Cutoff, Document, Knockout, KnockoutOutcome, Limit, LimitOutcome, Product, Zone};
use crate::finding::Finding;
use crate::inspect::Inspector;
use crate::locate::line_of;
use crate::rules::{CutoffRule, KnockoutRule, LimitRule, ProductRules, ZoneRule};
use domain::Digest;
use std::sync::Arc;

/// The longest document, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// Brackets within each other, at most. The parser of YAML goes through all open ones at each token, so that 200 kB of them
/// would keep it for minutes.
const MAX_OPEN: usize = 200;

/// A policy version, ready to decide. Immutable.
#[derive(Debug)]
pub struct Compiled {
    name: String,
    version: String,
    digest: String,
    products: Vec<ProductRules>,
    warnings: Vec<Finding>,
    cost: u64,
}

/// The document is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Rejected {
    /// Everything found, warnings included, in the document's order.
    pub findings: Vec<Finding>,
}

/// Everything that is wrong with a document, errors and warnings, in its order.
pub fn check(bytes: &[u8]) -> Vec<Finding> {
    match Compiled::load(bytes) {
        Ok(compiled) => compiled.warnings,
        Err(rejected) => rejected.findings,
    }
}

impl Compiled {
    /// Checks and compiles a document.
    ///
    /// # Errors
    /// [`Rejected`] with every finding, when at least one is an error.
    pub fn load(bytes: &[u8]) -> Result<Self, Rejected> {
        if bytes.len() > MAX_BYTES {
            let message = format!("{} bytes, at most {MAX_BYTES} are allowed", bytes.len());
            return Err(one(Finding::error("too_many", "", message)));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| one(Finding::error("malformed", "", "is not UTF-8")))?;
        if is_nested(text) {
            let message = format!("has more than {MAX_OPEN} open brackets within each other");
            return Err(one(Finding::error("malformed", "", message)));
        }
        let document = parse(text).map_err(one)?;
        let mut inspector = Inspector::new(&document);
        let products = if inspector.is_small() { assemble(&document, &mut inspector) } else { Vec::new() };
        let cost = inspector.steps();
        let findings = inspector.finish(|path| line_of(text, path));
        if findings.iter().any(Finding::is_error) {
            return Err(Rejected { findings });
        }
        let digest = Digest::of(bytes).to_string();
        Ok(Self { name: document.name, version: document.version, digest, products, warnings: findings, cost })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// SHA-256 of its bytes, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What someone should look at although the document is taken.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The products it decides on, in the document's order.
    pub fn products(&self) -> impl Iterator<Item = &str> {
        self.products.iter().map(|rules| rules.product.as_str())
    }

    /// Steps that its expressions take together, at most.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// How many conditions run natively, and how many there are.
    pub fn native_share(&self) -> (usize, usize) {
        let conditions = self.products.iter().flat_map(ProductRules::conditions);
        conditions.fold((0, 0), |(native, all), condition| (native + usize::from(condition.is_native()), all + 1))
    }

    pub(crate) fn rules(&self, product: &str) -> Option<&ProductRules> {
        self.products.iter().find(|rules| rules.product == product)
    }

    pub(crate) fn all_rules(&self) -> &[ProductRules] {
        &self.products
    }
}

fn one(finding: Finding) -> Rejected {
    Rejected { findings: vec![finding] }
}

/// Whether so many brackets are open at once that parsing takes long; those in texts and comments count too.
fn is_nested(text: &str) -> bool {
    let mut open = 0usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > MAX_OPEN
    })
}

fn parse(text: &str) -> Result<Document, Finding> {
    serde_path_to_error::deserialize(serde_yaml_ng::Deserializer::from_str(text)).map_err(|error| {
        let path = pointer(error.path());
        let inner = error.into_inner();
        let message = expressions::cut(&inner.to_string());
        let code = if message.contains("unknown field") { "unknown_field" } else { "malformed" };
        let line = inner.location().map(|at| at.line()).or_else(|| line_of(text, &path));
        Finding { line, ..Finding::error(code, expressions::cut(&path), message) }
    })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{key}"),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}

fn assemble<'d>(document: &'d Document, inspector: &mut Inspector<'d>) -> Vec<ProductRules> {
    inspector.header();
    let knockouts: Vec<_> = indexed(&document.knockouts, |i, rule| knockout(i, rule, inspector));
    let limits: Vec<_> = indexed(&document.limits, |i, rule| limit(i, rule, inspector));
    let zones: Vec<_> = indexed(&document.zones, |i, rule| zone(i, rule, inspector));
    let cutoffs: Vec<_> = indexed(&document.cutoffs, |i, rule| cutoff(i, rule, inspector));
    inspector.across(&knockouts, &zones, &cutoffs);

    let (mut limits, mut cutoffs) = (limits, cutoffs);
    let rules_of = |product: &Product| ProductRules {
        product: product.product.clone(),
        scale_id: product.scale_id.clone(),
        currencies: product.currencies.clone(),
        knockouts: shared(&document.knockouts, &knockouts, |rule| holds_for(&rule.products, &product.product)),
        zones: shared(&document.zones, &zones, |rule| holds_for(&rule.products, &product.product)),
        limits: taken(&document.limits, &mut limits, |rule| rule.product == product.product),
        cutoffs: taken(&document.cutoffs, &mut cutoffs, |rule| rule.product == product.product),
    };
    document.products.iter().map(rules_of).collect()
}

/// Rules that several products may share.
fn shared<S, R>(sources: &[S], rules: &[Option<Arc<R>>], holds: impl Fn(&S) -> bool) -> Vec<Arc<R>> {
    sources.iter().zip(rules).filter(|(source, _)| holds(source)).filter_map(|(_, rule)| rule.clone()).collect()
}

/// Rules of exactly one product.
fn taken<S, R>(sources: &[S], rules: &mut [Option<R>], holds: impl Fn(&S) -> bool) -> Vec<R> {
    sources.iter().zip(rules).filter(|(source, _)| holds(source)).filter_map(|(_, rule)| rule.take()).collect()
}

fn indexed<'d, S, R>(sources: &'d [S], mut build: impl FnMut(usize, &'d S) -> Option<R>) -> Vec<Option<R>> {
    sources.iter().enumerate().map(|(index, source)| build(index, source)).collect()
}

/// Whether a rule with that list of products holds for a product.
pub(crate) fn holds_for(products: &[String], product: &str) -> bool {
    products.is_empty() || products.iter().any(|listed| listed == product)
}

fn knockout<'d>(index: usize, rule: &'d Knockout, inspector: &mut Inspector<'d>) -> Option<Arc<KnockoutRule>> {
    let at = format!("/knockouts/{index}");
    inspector.rule(&at, &rule.id, &rule.products);
    let declines = rule.outcome == KnockoutOutcome::Decline;
    let reason = inspector.reason(&at, rule.reason.as_deref(), declines);
    let value = rule.value.as_deref().and_then(|source| inspector.expression(&format!("{at}/value"), source));
    let threshold =
        rule.threshold.as_deref().and_then(|source| inspector.expression(&format!("{at}/threshold"), source));
    let when = inspector.condition(&format!("{at}/when"), &rule.when)?;
    inspector.knockout(&at, &when, declines);
    Some(Arc::new(KnockoutRule { id: rule.id.clone(), when, outcome: rule.outcome, reason, value, threshold }))
}

fn limit<'d>(index: usize, rule: &'d Limit, inspector: &mut Inspector<'d>) -> Option<LimitRule> {
    let at = format!("/limits/{index}");
    inspector.rule(&at, &rule.id, std::slice::from_ref(&rule.product));
    inspector.limit(&at, index, rule);
    let reason = inspector.reason(&at, rule.reason.as_deref(), rule.outcome == LimitOutcome::Decline);
    let when = optional(inspector, &at, rule.when.as_deref())?;
    Some(LimitRule {
        id: rule.id.clone(),
        currency: rule.currency.clone(),
        bands: rule.bands.clone(),
        when,
        max_amount_minor: rule.max_amount_minor,
        outcome: rule.outcome,
        reason,
    })
}

fn zone<'d>(index: usize, rule: &'d Zone, inspector: &mut Inspector<'d>) -> Option<Arc<ZoneRule>> {
    let at = format!("/zones/{index}");
    inspector.rule(&at, &rule.id, &rule.products);
    inspector.referral(&format!("{at}/referral"), &rule.referral);
    let when = inspector.condition(&format!("{at}/when"), &rule.when)?;
    Some(Arc::new(ZoneRule { id: rule.id.clone(), when, referral: rule.referral.clone() }))
}

fn cutoff<'d>(index: usize, rule: &'d Cutoff, inspector: &mut Inspector<'d>) -> Option<CutoffRule> {
    let at = format!("/cutoffs/{index}");
    inspector.rule(&at, &rule.id, std::slice::from_ref(&rule.product));
    let by = inspector.cut(&at, rule);
    let when = optional(inspector, &at, rule.when.as_deref())?;
    Some(CutoffRule { id: rule.id.clone(), when, by: by? })
}

/// A condition that may be left out; `None` when it is there and faulty.
fn optional(inspector: &mut Inspector<'_>, at: &str, source: Option<&str>) -> Option<Option<Condition>> {
    source.map(|source| inspector.condition(&format!("{at}/when"), source)).map_or(Some(None), |found| found.map(Some))
}
