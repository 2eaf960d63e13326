//! The feature contract, checked: what each number of the graph's input is, where it comes from, and what is said when it
//! counts against an applicant. A contract that contradicts itself, or reads what it may not, does not load.

use crate::application::{self, CONTRACT, FORBIDDEN, Spot};
use crate::classes::classes;
pub use crate::codes::ReasonText;
use crate::codes::{check_codes, own_reasons, reason_of, token};
use crate::error::LoadError;
use crate::lookup::{Lookup, Step, split_pointer};
use crate::manifest::{self, FeatureType, Manifest, Missing, Monotone, UnknownPolicy};
use domain::money::Currency;
use expressions::{Compiled, Finding, Total};
use std::sync::Arc;

/// The most features a contract may have.
pub const MAX_FEATURES: usize = 512;

/// A checked contract.
#[derive(Debug)]
pub struct Contract {
    /// Every place that the features read.
    pub(crate) lookup: Lookup,
    /// In the graph's order.
    pub(crate) features: Vec<Feature>,
    /// Every reason that a feature names.
    pub(crate) codes: Vec<ReasonText>,
    /// What counts together; every feature is in one of them.
    pub(crate) groups: Vec<Group>,
    /// Whether a missing value may be NaN.
    takes_nan: bool,
    /// What its expressions cost together.
    total: Total,
}

/// Features that count together when reasons are made.
#[derive(Debug)]
pub struct Group {
    /// As the contract calls it; none of a feature that counts for itself.
    pub name: Option<Arc<str>>,
    /// Indices, rising.
    pub features: Vec<usize>,
}

/// One feature.
#[derive(Debug)]
pub struct Feature {
    /// Its name.
    pub name: Arc<str>,
    /// What its number means: `minor:TWD`, months.
    pub unit: Option<String>,
    /// Direction of pd in the value; categories are ordered as they are listed.
    pub monotone: Monotone,
    /// Whether a person can act on it.
    pub actionable: bool,
    pub(crate) kind: Kind,
    pub(crate) source: Source,
    pub(crate) range: Option<(f64, f64)>,
    /// What stands for a missing value; `None` makes the application unscorable.
    pub(crate) missing: Option<f32>,
    /// Whether an unknown category makes the application unscorable.
    pub(crate) unknown_is_unscorable: bool,
    /// Indices of the reasons for a low, a high and a missing value.
    pub(crate) reasons: [usize; 3],
}

#[derive(Debug)]
pub(crate) enum Kind {
    Number,
    Integer,
    Boolean,
    Category(Vec<String>),
    Money { currency: Currency, scale: f64 },
}

#[derive(Debug)]
pub(crate) enum Source {
    Slot(usize),
    /// Slots of the object, its currency and its amount.
    Money([usize; 3]),
    Expr(Compiled<Spot>),
}

impl Contract {
    /// Checks the features and reasons of a manifest.
    ///
    /// # Errors
    /// [`LoadError::Contract`] names the feature or reason.
    pub fn new(manifest: &Manifest) -> Result<Self, LoadError> {
        let count = manifest.feature.len();
        if count == 0 || count > MAX_FEATURES {
            return Err(LoadError::contract("feature", format!("1 to {MAX_FEATURES} are allowed, there are {count}")));
        }
        let takes_nan = matches!(manifest.kind, manifest::Kind::Trees | manifest::Kind::Graph);
        let features = Vec::with_capacity(count);
        let (codes, groups) = (Vec::new(), Vec::new());
        let mut contract =
            Self { lookup: Lookup::default(), features, codes, groups, takes_nan, total: Total::default() };
        let own = own_reasons(&manifest.reason)?;
        check_codes(manifest, &own)?;
        classes(manifest)?;
        for raw in &manifest.feature {
            let fault = |why: String| LoadError::contract(format!("feature {}", raw.name), why);
            if contract.features.iter().any(|other| *other.name == *raw.name) {
                return Err(fault("is there twice".into()));
            }
            let feature = contract.feature(raw, &own).map_err(fault)?;
            contract.count_with(raw.group.as_deref()).map_err(fault)?;
            contract.features.push(feature);
        }
        if let Some(unused) = own.iter().find(|own| contract.codes.iter().all(|used| used.code != own.code)) {
            return Err(LoadError::contract(format!("reason {}", unused.code), "no feature names it"));
        }
        Ok(contract)
    }

    /// Steps that its expressions take together, at most.
    pub fn cost(&self) -> u64 {
        self.total.steps()
    }

    /// By feature, what stands for a missing value (NaN is always free for it) where no present value can be equal to it.
    pub(crate) fn sentinels(&self) -> Vec<Option<f32>> {
        self.features.iter().map(Feature::sentinel).collect()
    }

    fn feature(&mut self, raw: &manifest::Feature, own: &[ReasonText]) -> Result<Feature, String> {
        token(&raw.name)?;
        let kind = kind_of(raw)?;
        let range = range_of(raw)?;
        let missing = match raw.missing {
            Missing::Unscorable {} => None,
            Missing::Nan {} if self.takes_nan => Some(f32::NAN),
            Missing::Nan {} => {
                return Err("only trees and stock graphs may have a way for a value that is not a number".into());
            }
            Missing::Value { value } if value.is_finite() && (value as f32).is_finite() => Some(value as f32),
            Missing::Value { value } => return Err(format!("the missing value {value} is not a number")),
        };
        let codes = [&raw.reason_low, &raw.reason_high, &raw.reason_missing];
        let mut reasons = [0; 3];
        for (index, code) in reasons.iter_mut().zip(codes) {
            *index = self.code(code, own)?;
        }
        Ok(Feature {
            name: raw.name.as_str().into(),
            unit: raw.unit.clone(),
            monotone: raw.monotone,
            actionable: raw.actionable,
            source: self.source(raw)?,
            kind,
            range,
            missing,
            unknown_is_unscorable: raw.unknown == UnknownPolicy::Unscorable,
            reasons,
        })
    }

    fn source(&mut self, raw: &manifest::Feature) -> Result<Source, String> {
        match (&raw.pointer, &raw.expr) {
            (Some(pointer), None) => {
                let steps = split_pointer(pointer).ok_or_else(|| format!("{pointer:?} is not a JSON pointer"))?;
                let forbidden = steps.iter().filter_map(|step| step.key()).find(|key| FORBIDDEN.contains(key));
                match forbidden {
                    Some(key) => Err(format!("points into {key}, which no feature may read")),
                    None if raw.r#type == FeatureType::Money => Ok(Source::Money(self.money_slots(steps))),
                    None => Ok(Source::Slot(self.lookup.slot(&steps))),
                }
            }
            (None, Some(_)) if raw.r#type == FeatureType::Money => {
                Err("money has a currency: read it by pointer".into())
            }
            (None, Some(expr)) => {
                let told = |found: Vec<Finding>| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                let expr = application::compile(expr, &CONTRACT, &mut self.lookup).map_err(told)?;
                self.total.add(&expr).map_err(|why| why.to_string())?;
                Ok(Source::Expr(expr))
            }
            _ => Err("needs either pointer or expr".into()),
        }
    }

    fn money_slots(&mut self, mut steps: Vec<Step>) -> [usize; 3] {
        let object = self.lookup.slot(&steps);
        let mut member = |name: &str| {
            steps.push(Step::Key(name.to_owned()));
            let slot = self.lookup.slot(&steps);
            steps.pop();
            slot
        };
        [object, member("currency"), member("amount_minor")]
    }

    /// Puts the next feature into its group.
    fn count_with(&mut self, group: Option<&str>) -> Result<(), String> {
        let feature = self.features.len();
        group.map_or(Ok(()), token)?;
        let known = self.groups.iter_mut().find(|known| group.is_some() && known.name.as_deref() == group);
        match known {
            Some(known) => known.features.push(feature),
            None => self.groups.push(Group { name: group.map(Arc::from), features: vec![feature] }),
        }
        Ok(())
    }

    /// The index of a reason, taken up on its first use.
    fn code(&mut self, code: &str, own: &[ReasonText]) -> Result<usize, String> {
        if let Some(known) = self.codes.iter().position(|known| *known.code == *code) {
            return Ok(known);
        }
        self.codes.push(reason_of(code, own).ok_or_else(|| format!("reason code {code} is in no catalogue"))?);
        Ok(self.codes.len() - 1)
    }
}

impl Feature {
    /// The words of a category, none of anything else.
    pub(crate) fn categories(&self) -> &[String] {
        match &self.kind {
            Kind::Category(words) => words,
            Kind::Number | Kind::Integer | Kind::Boolean | Kind::Money { .. } => &[],
        }
    }

    fn sentinel(&self) -> Option<f32> {
        if self.missing.is_some_and(f32::is_nan) {
            return self.missing;
        }
        let possible = match (&self.kind, self.range) {
            (Kind::Category(words), _) => Some((0.0, words.len() as f64 - 1.0)),
            (Kind::Boolean, _) => Some((0.0, 1.0)),
            (Kind::Number | Kind::Integer | Kind::Money { .. }, range) => range,
        };
        self.missing.filter(|value| possible.is_some_and(|(low, high)| !(low..=high).contains(&f64::from(*value))))
    }
}

fn kind_of(raw: &manifest::Feature) -> Result<Kind, String> {
    let is = |kind: FeatureType| raw.r#type == kind;
    if raw.scale.is_some() && !is(FeatureType::Money) {
        return Err("only money has a scale".into());
    }
    if raw.categories.is_empty() == is(FeatureType::Category) {
        return Err("a category has categories, and nothing else has".into());
    }
    if raw.unknown == UnknownPolicy::Unscorable && !is(FeatureType::Category) {
        return Err("only a category can be unknown".into());
    }
    Ok(match raw.r#type {
        FeatureType::Number => Kind::Number,
        FeatureType::Integer => Kind::Integer,
        FeatureType::Boolean => Kind::Boolean,
        FeatureType::Category => {
            let words = &raw.categories;
            if let Some(twice) = words.iter().enumerate().find(|(at, word)| words[..*at].contains(word)) {
                return Err(format!("category {} is there twice", twice.1));
            }
            Kind::Category(words.clone())
        }
        FeatureType::Money => {
            let code = raw.unit.as_deref().and_then(|unit| unit.strip_prefix("minor:"));
            let code = code.ok_or("money needs a unit such as minor:EUR")?;
            let scale = raw.scale.unwrap_or(1.0);
            if !scale.is_finite() || scale <= 0.0 {
                return Err(format!("scale {scale} is not above zero"));
            }
            Kind::Money { currency: Currency::parse(code).map_err(|error| error.to_string())?, scale }
        }
    })
}

fn range_of(raw: &manifest::Feature) -> Result<Option<(f64, f64)>, String> {
    let Some([low, high]) = raw.range else { return Ok(None) };
    if matches!(raw.r#type, FeatureType::Category | FeatureType::Boolean) {
        return Err("a category or boolean has no range".into());
    }
    let fits = |bound: f64| bound.is_finite() && (bound as f32).is_finite();
    if !fits(low) || !fits(high) || low >= high {
        return Err(format!("range [{low}, {high}] is empty or not of numbers"));
    }
    Ok(Some((low, high)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const HEAD: &str = r#"
        name = "m"
        version = "1"
        kind = "net"
        product = "p"
        scale_id = "p.v1"
        data_source = "none"
        graph_sha256 = ""
        golden_sha256 = ""
        reference_sha256 = ""
        target = { definition = "d", horizon_months = 12, population = "booked", prior_correction = "none" }
        graph = { input = "features", margin = "margin" }
        calibration = { method = "none" }
        classification = { threshold = 0.5 }
        reasons = { reference = "near_cutoff" }
    "#;

    /// A contract of the `[[feature]]` and `[[reason]]` tables in `text`.
    pub(crate) fn contract(text: &str) -> Result<Contract, LoadError> {
        Contract::new(&Manifest::parse(format!("{HEAD}{text}").as_bytes())?)
    }

    /// One `[[feature]]` with what every feature needs, then `rest`.
    pub(crate) fn feature(name: &str, kind: &str, rest: &str) -> String {
        format!(
            "[[feature]]\nname = \"{name}\"\ntype = \"{kind}\"\nreason_low = \"other\"\nreason_high = \"other\"\n\
             reason_missing = \"other\"\nactionable = true\nmonotone = \"none\"\n{rest}\n"
        )
    }

    const MISSING: &str = "missing = { policy = \"unscorable\" }";

    #[test]
    fn what_contradicts_itself_does_not_load() {
        let rows = [
            ("number", "", "needs either pointer or expr"),
            ("number", "pointer = '/a'\nexpr = '1.0'", "needs either pointer or expr"),
            ("number", "pointer = 'a'", "is not a JSON pointer"),
            ("number", "pointer = '/applicants/0/identity/age'", "points into identity"),
            ("number", "pointer = '/applicants/0/protected/age'", "points into protected"),
            ("number", "pointer = '/applicants/0/customer_ref'", "points into customer_ref"),
            ("number", "pointer = '/applicants/0/subject/subject'", "points into subject"),
            ("number", "expr = '1.0 +'", "not CEL"),
            ("number", "expr = 'double(data.applicants[0].protected.age)'", "reads protected"),
            ("number", "expr = 'double(data.applicants[0][\"identity\"].age)'", "reads identity"),
            ("number", "expr = 'data.applicants.map(a, a.protected.age)[0]'", "reads protected"),
            ("boolean", "expr = 'has(data.applicants[0].identity)'", "reads identity"),
            ("number", "expr = 'data[\"iden\" + \"tity\"]'", "an index must be a literal"),
            ("number", "expr = 'now'", "now is not published to feature contracts"),
            ("number", "expr = 'facts.dependant + 1'", "did you mean facts.dependants?"),
            ("number", "pointer = '/a'\nrange = [1.0, 1.0]", "is empty"),
            ("number", "pointer = '/a'\nrange = [0.0, 1e300]", "is empty or not of numbers"),
            ("number", "pointer = '/a'\nscale = 2.0", "only money has a scale"),
            ("number", "pointer = '/a'\ncategories = ['x']", "a category has categories"),
            ("number", "pointer = '/a'\nunknown = 'unscorable'", "only a category can be unknown"),
            ("category", "pointer = '/a'", "a category has categories"),
            ("category", "pointer = '/a'\ncategories = ['x', 'x']", "category x is there twice"),
            ("category", "pointer = '/a'\ncategories = ['x']\nrange = [0.0, 1.0]", "has no range"),
            ("money", "pointer = '/a'", "money needs a unit"),
            ("money", "pointer = '/a'\nunit = 'minor:ABC'", "not an ISO 4217 currency"),
            ("money", "pointer = '/a'\nunit = 'minor:EUR'\nscale = 0.0", "not above zero"),
            ("money", "expr = '1.0'\nunit = 'minor:EUR'", "read it by pointer"),
            ("number", "pointer = '/a'\ntypo = 1", "unknown field `typo`"),
            ("date", "pointer = '/a'", "unknown variant `date`"),
        ];
        for (kind, rest, expected) in rows {
            let why = contract(&feature("f", kind, &format!("{MISSING}\n{rest}"))).unwrap_err().to_string();
            assert!(why.contains(expected), "{rest}: {why}");
            assert!(why.starts_with("manifest.toml"), "{why}");
        }
    }

    #[test]
    fn loops_within_loops_are_refused_with_feature_cost_and_limit() {
        let debts = "data.applicants[0].facts.debts";
        let nested = |depth: usize| {
            let inner = "true".to_owned();
            let loops =
                (0..depth).fold(inner, |inner, at| format!("{debts}.exists(v{at}, v{at}.kind == \"x\" && {inner})"));
            contract(&feature("f", "boolean", &format!("expr = '{loops}'\n{MISSING}")))
        };
        assert!(nested(1).is_ok(), "{:?}", nested(1).err());
        let why = nested(3).unwrap_err().to_string();
        assert!(why.contains("feature f: costs up to ") && why.contains("at most 250000 are allowed"), "{why}");
        let each = |at: usize| {
            let expr = format!("{debts}.exists(d, d.kind == \"{at}\")");
            feature(&format!("f{at}"), "boolean", &format!("expr = '{expr}'\n{MISSING}"))
        };
        assert!(contract(&(0..20).map(each).collect::<String>()).is_ok());
        let why = contract(&(0..400).map(each).collect::<String>()).unwrap_err().to_string();
        assert!(why.contains("and with those before it") && why.contains("may cost 1000000"), "{why}");
    }

    #[test]
    fn the_shipped_contracts_are_far_below_the_limits() {
        let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let below = |folder: &std::path::Path| -> Vec<_> {
            let inside = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            inside.filter(|path| path.is_dir()).collect()
        };
        let packages: Vec<_> = below(&models).iter().flat_map(|name| below(name)).collect();
        assert!(packages.len() >= 11);
        for package in packages {
            let text = std::fs::read(package.join("manifest.toml")).unwrap();
            let contract = Contract::new(&Manifest::parse(&text).unwrap()).unwrap();
            let costs = contract.features.iter().filter_map(|feature| match &feature.source {
                Source::Expr(expr) => Some(expr.cost()),
                Source::Slot(_) | Source::Money(_) => None,
            });
            let dearest = costs.max().unwrap_or(0);
            assert!(contract.cost() * 10 < expressions::MAX_TOTAL_COST, "{package:?} costs {}", contract.cost());
            assert!(dearest * 10 < expressions::MAX_COST, "{package:?} has an expression of {dearest}");
        }
    }

    #[test]
    fn names_codes_and_missing_values_are_checked() {
        let good = feature("f", "number", &format!("pointer = '/a'\n{MISSING}"));
        let own = |code: &str, text: &str, form: &str, hmda: u8| {
            format!("[[reason]]\ncode = '{code}'\ntext = '{text}'\nform_c1 = '{form}'\nhmda = {hmda}\n")
        };
        let rows = [
            (String::new(), "missing field `feature`"),
            (format!("{good}{good}"), "feature f: is there twice"),
            (good.replace("\"f\"", "\"F 1\""), "is no name"),
            (good.replace("reason_low = \"other\"", "reason_low = \"bad_vibes\""), "bad_vibes is in no catalogue"),
            (format!("{good}group = 'The Months'"), "is no name"),
            (good.replace(MISSING, "missing = { policy = 'value', value = nan }"), "is not a number"),
            (good.replace(MISSING, "missing = { policy = 'value' }"), "missing field `value`"),
            (good.replace(MISSING, "missing = { policy = 'guess' }"), "unknown variant `guess`"),
            (good.clone() + &own("own", "t", "other", 9), "reason own: no feature names it"),
            (good.clone() + &own("other", "t", "other", 9), "may not be reworded"),
            (good.clone() + &own("own", " ", "other", 9), "has no text"),
            (good.clone() + &own("own", "t", "mood", 9), "form_c1 is no code"),
            (good.clone() + &own("own", "t", "other", 10), "hmda must be 1 to 9"),
            (good.clone() + &own("own", "t", "other", 9) + &own("own", "t", "other", 9), "is there twice"),
        ];
        for (text, expected) in rows {
            let why = contract(&text).unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
        }
        assert!(contract(&good).is_ok());
    }

    #[test]
    fn a_value_that_nobody_can_have_stands_for_missing() {
        let with = |kind: &str, rest: &str| {
            let rest = format!("pointer = '/a'\nmissing = {{ policy = 'value', value = -1.0 }}\n{rest}");
            contract(&feature("f", kind, &rest)).unwrap().sentinels()
        };
        assert_eq!(with("number", ""), [None]);
        assert_eq!(with("number", "range = [-2.0, 2.0]"), [None]);
        assert_eq!(with("number", "range = [0.0, 2.0]"), [Some(-1.0)]);
        assert_eq!(with("category", "categories = ['x']"), [Some(-1.0)]);
    }

    #[test]
    fn every_code_that_is_nowhere_is_told_with_the_nearest() {
        let coded = |name: &str, low: &str, missing: &str| {
            format!(
                "[[feature]]\nname = \"{name}\"\ntype = \"number\"\npointer = \"/attributes/{name}\"\n\
                 missing = {{ policy = \"value\", value = 0.0 }}\nreason_low = \"{low}\"\nreason_high = \"other\"\n\
                 reason_missing = \"{missing}\"\nactionable = true\nmonotone = \"none\"\n"
            )
        };
        let all = coded("a", "term_length", "other") + &coded("b", "income_insuficient", "term_length");
        let why = contract(&all).unwrap_err().to_string();
        for expected in [
            "feature a: reason code term_length is in no catalogue (named by a, b",
            "reason code income_insuficient is in no catalogue (named by b, did you mean income_insufficient?)",
            "docs/reasons.md",
        ] {
            assert!(why.contains(expected), "{why}");
        }
    }
}
