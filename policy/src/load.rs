//! Bytes of a document → a compiled policy, or every finding at once. The digest is of the bytes: a comment changes it.

use crate::condition::Condition;
use crate::document::{Absent, Cutoff, Document, Knockout, KnockoutOutcome, Limit, LimitOutcome, Product, Zone};
use crate::finding::Finding;
use crate::inspect::Inspector;
use crate::locate::line_of;
use crate::rules::{CutoffRule, KnockoutRule, LimitRule, ProductRules, ZoneRule};
use domain::money::MAX_MINOR;
use domain::{Currency, Digest, Money};
use schemas::Word;
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
        let document = parse(text).map_err(|finding| one(*finding))?;
        let mut inspector = Inspector::new(&document);
        let products = if inspector.is_small() { assemble(&document, &mut inspector) } else { Vec::new() };
        let cost = inspector.steps();
        let findings = inspector.finish(text);
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
    #[cfg(test)]
    pub(crate) fn native_share(&self) -> (usize, usize) {
        let conditions = self.products.iter().flat_map(ProductRules::conditions);
        conditions
            .fold((0, 0), |(native, all), condition| (native + usize::from(condition.compiled().is_lowered()), all + 1))
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

pub(crate) fn parse(text: &str) -> Result<Document, Box<Finding>> {
    serde_path_to_error::deserialize(serde_yaml_ng::Deserializer::from_str(text)).map_err(|error| {
        let path = pointer(error.path());
        let inner = error.into_inner();
        let message = expressions::cut(&inner.to_string());
        let code = if message.contains("unknown field") { "unknown_field" } else { "malformed" };
        let line = inner.location().map(|at| at.line()).or_else(|| line_of(text, &path));
        Box::new(Finding { line, ..Finding::error(code, expressions::cut(&path), message) })
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
        currencies: product.currencies.iter().filter_map(|code| Currency::parse(code).ok()).collect(),
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
    let when = inspector.condition(&format!("{at}/when"), &rule.when)?.skipping(rule.absent.unwrap_or_default());
    inspector.knockout(&at, &when, declines);
    Some(Arc::new(KnockoutRule { id: rule.id.clone(), when, outcome: rule.outcome, reason, value, threshold }))
}

fn limit<'d>(index: usize, rule: &'d Limit, inspector: &mut Inspector<'d>) -> Option<LimitRule> {
    let at = format!("/limits/{index}");
    inspector.rule(&at, &rule.id, std::slice::from_ref(&rule.product));
    inspector.limit(&at, index, rule);
    let reason = inspector.reason(&at, rule.reason.as_deref(), rule.outcome == LimitOutcome::Decline);
    let when = optional(inspector, &at, rule.when.as_deref(), rule.absent)?;
    // No amount is above the largest that a record holds: a higher limit says the same.
    let most = Money::new(rule.max_amount_minor.min(MAX_MINOR), Currency::parse(&rule.currency).ok()?).ok()?;
    Some(LimitRule { index, id: rule.id.clone(), bands: rule.bands.clone(), when, most, outcome: rule.outcome, reason })
}

fn zone<'d>(index: usize, rule: &'d Zone, inspector: &mut Inspector<'d>) -> Option<Arc<ZoneRule>> {
    let at = format!("/zones/{index}");
    inspector.rule(&at, &rule.id, &rule.products);
    inspector.referral(&format!("{at}/referral"), &rule.referral);
    let when = inspector.condition(&format!("{at}/when"), &rule.when)?.skipping(rule.absent.unwrap_or_default());
    Some(Arc::new(ZoneRule { id: rule.id.clone(), when, referral: Word::parse(&rule.referral) }))
}

fn cutoff<'d>(index: usize, rule: &'d Cutoff, inspector: &mut Inspector<'d>) -> Option<CutoffRule> {
    let at = format!("/cutoffs/{index}");
    inspector.rule(&at, &rule.id, std::slice::from_ref(&rule.product));
    let by = inspector.cut(&at, rule);
    let when = optional(inspector, &at, rule.when.as_deref(), rule.absent)?;
    Some(CutoffRule { index, id: rule.id.clone(), when, by: by? })
}

/// A condition that may be left out; `None` when it is there and faulty.
fn optional(
    inspector: &mut Inspector<'_>,
    at: &str,
    source: Option<&str>,
    absent: Option<Absent>,
) -> Option<Option<Condition>> {
    let condition = |source| inspector.condition(&format!("{at}/when"), source);
    let found = source.map(condition).map_or(Some(None), |found| found.map(Some))?;
    Some(found.map(|when| when.skipping(absent.unwrap_or_default())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fixture::POLICY;

    /// `code path line` of each finding, a dash where there is no line.
    fn found(bytes: &[u8]) -> Vec<String> {
        let line = |line: Option<usize>| line.map_or("-".to_owned(), |line| line.to_string());
        check(bytes).iter().map(|found| format!("{} {} {}", found.code, found.path, line(found.line))).collect()
    }

    #[test]
    fn each_fault_has_its_place() {
        let line = |text: &str| POLICY.lines().position(|line| line.contains(text)).unwrap() + 1;
        let rows: [(&str, &str, String); 9] = [
            ("version: 1.0.0", "version: 1", format!("bad_version /version {}", line("version:"))),
            ("name: test", "name: Test", format!("bad_token /name {}", line("name: test"))),
            (
                "currencies: [USD]",
                "currencies: [XXX]",
                format!("unknown_currency /products/0/currencies {}", line("[USD]")),
            ),
            ("id: late", "id: Late", format!("bad_token /knockouts/1/id {}", line("id: late"))),
            (
                "features.late >= 3.0",
                "later >= 3.0",
                format!("unknown_variable /knockouts/1/when {}", line("features.late")),
            ),
            (
                "max_amount_minor: 300000",
                "max_amount_minor: -1",
                format!("negative_limit /limits/2/max_amount_minor {}", line("300000")),
            ),
            (
                "referral: new_channel",
                "referral: new-channel",
                format!("bad_token /zones/0/referral {}", line("referral:")),
            ),
            ("    decline_below: 550\n", "", format!("incomplete_cutoff /cutoffs/1 {}", line("id: card_points"))),
            ("hmda: 9", "hmda: 0", format!("unknown_code /reasons/0/hmda {}", line("hmda: 9"))),
        ];
        for (from, to, expected) in rows {
            let found = found(POLICY.replacen(from, to, 1).as_bytes());
            assert!(found.contains(&expected), "{to}: wanted {expected}, found {found:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_one_finding_of_the_whole() {
        let long = format!("{POLICY}#{}", "x".repeat(MAX_BYTES));
        let nested = format!("name: {}", "[".repeat(MAX_OPEN + 1));
        let rows: [(&[u8], &str); 3] =
            [(b"\xff", "malformed  -"), (long.as_bytes(), "too_many  -"), (nested.as_bytes(), "malformed  -")];
        for (bytes, expected) in rows {
            assert_eq!(found(bytes), [expected], "{} bytes", bytes.len());
        }
    }

    #[test]
    fn only_brackets_that_are_open_at_once_count() {
        let rows = [
            ("[".repeat(MAX_OPEN), false),
            ("[".repeat(MAX_OPEN + 1), true),
            ("[{".repeat(MAX_OPEN), true),
            ("[]{}".repeat(MAX_OPEN), false),
            (format!("{}{}", "]".repeat(5), "[".repeat(MAX_OPEN)), false),
        ];
        for (text, expected) in rows {
            assert_eq!(is_nested(&text), expected, "{text}");
        }
    }

    #[test]
    fn each_product_has_the_rules_that_name_it() {
        let compiled = Compiled::load(POLICY.as_bytes()).unwrap();
        let ids = |product: &str| {
            let rules = compiled.rules(product).unwrap();
            let knockouts = rules.knockouts.iter().map(|rule| rule.id.as_str());
            let limits = rules.limits.iter().map(|rule| rule.id.as_str());
            let zones = rules.zones.iter().map(|rule| rule.id.as_str());
            let cutoffs = rules.cutoffs.iter().map(|rule| rule.id.as_str());
            knockouts.chain(limits).chain(zones).chain(cutoffs).collect::<Vec<_>>().join(" ")
        };
        let card = "minor late frozen card_most card_people card_offer new_channel card_increase card_points";
        assert_eq!((ids("card").as_str(), ids("loan").as_str()), (card, "minor frozen loan_bands"));
        assert!(compiled.rules("boat").is_none());
        assert_eq!(compiled.native_share(), (5, 7), "`frozen` goes through a list, once for each product");
    }

    #[test]
    fn a_comment_changes_the_digest_and_nothing_else() {
        let [plain, noted] = [POLICY.to_owned(), format!("{POLICY}# a note\n")];
        let digest = |text: &str| Compiled::load(text.as_bytes()).unwrap().digest().to_owned();
        assert_eq!(digest(&plain), Digest::of(plain.as_bytes()).to_string());
        assert_ne!(digest(&plain), digest(&noted));
    }

    #[test]
    fn a_limit_above_every_amount_is_the_largest_amount() {
        let text = POLICY.replacen("max_amount_minor: 1000000", &format!("max_amount_minor: {}", i64::MAX), 1);
        let compiled = Compiled::load(text.as_bytes()).unwrap();
        assert_eq!(compiled.rules("card").unwrap().limits[0].most.amount_minor(), MAX_MINOR);
    }
}
