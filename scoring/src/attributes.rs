//! PURE. What a package reads of an application, by its feature contract alone: by pointer with type, words, range and unit; by
//! expression with what the expression must be given, and whether it asks for the currency of an amount. Judges no application.

use crate::application::{CONTRACT, sent};
use crate::contract::{Contract, Kind, Source};
use crate::error::LoadError;
use crate::lookup::{Step, split_pointer};
use crate::manifest::{self, Manifest};
use domain::attributes::{Form, Range};
use domain::{Attribute, Attributes};
use expressions::vocabulary::Kind as Single;
use expressions::{Step as Place, Use};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The object of an application that contracts name the members of.
const ROOT: &str = "attributes";
/// The members of an amount.
const AMOUNT: &str = "amount_minor";
const CURRENCY: &str = "currency";

/// A step into an application.
struct Part<'s> {
    /// The name of a member; none of what may as well be an element of a list.
    key: Option<&'s str>,
    /// As a JSON pointer has it.
    text: Cow<'s, str>,
}

/// Everything that the features read.
///
/// # Errors
/// [`LoadError::Contract`] where the contract contradicts itself.
pub fn read(manifest: &Manifest) -> Result<Attributes, LoadError> {
    let contract = Contract::new(manifest)?;
    let mut all = Attributes::default();
    for (raw, feature) in manifest.feature.iter().zip(&contract.features) {
        match &feature.source {
            Source::Slot(_) | Source::Money(_) => {
                let steps = raw.pointer.as_deref().and_then(split_pointer).unwrap_or_default();
                let parts = steps.iter().enumerate().map(part_of).collect::<Vec<_>>();
                by_path(&mut all, &parts, form_of(&feature.kind, feature.range), raw, true);
            }
            Source::Expr(expr) => by_uses(&mut all, expr.uses(&CONTRACT, yields(&feature.kind)), Some(raw)),
        }
    }
    Ok(all)
}

/// A step of a pointer, in which a number may be the name of a member or the place of an element.
fn part_of((at, step): (usize, &Step)) -> Part<'_> {
    let key = step.key().filter(|_| at < 2 || matches!(step, Step::Key(_)));
    Part { key, text: step.key().unwrap_or_default().into() }
}

/// The members that a contract classes and no feature reads: a sender may have reason to send them.
pub fn classed(manifest: &Manifest) -> Attributes {
    let mut all = Attributes::default();
    for steps in manifest.field.iter().filter_map(|field| split_pointer(&field.pointer)) {
        if let [Some(ROOT), Some(name)] = steps.iter().map(Step::key).collect::<Vec<_>>().as_slice() {
            let about = ["No model reads it".to_owned()].into();
            all.and(name, Attribute::of(Form::Any).saying(about, BTreeSet::new()));
        }
    }
    all
}

/// What an expression reads of `attributes`, such as the condition of a route.
pub fn of_uses(uses: Vec<Use>) -> Attributes {
    let mut all = Attributes::default();
    by_uses(&mut all, uses, None);
    all
}

fn by_uses(all: &mut Attributes, uses: Vec<Use>, raw: Option<&manifest::Feature>) {
    let uses: Vec<_> = uses.into_iter().map(|Use { place, takes }| (sent(&place), takes)).collect();
    amounts(&uses).for_each(|path| all.and_amount(path));
    for (path, takes) in &uses {
        let form = match takes {
            None => Form::Any,
            Some(Single::Bool) => Form::Boolean,
            Some(Single::Text) => Form::Text,
            Some(Single::Int | Single::Double) => Form::Number(Range::ALL),
        };
        let parts = path.iter().map(|step| Part { key: step.key(), text: text_of(step) }).collect::<Vec<_>>();
        match raw {
            Some(raw) => by_path(all, &parts, form, raw, false),
            None => put(all, &parts, form, |read| read),
        }
    }
}

/// The amounts below `attributes` of which an expression reads the minor units, and not the currency.
fn amounts<T>(uses: &[(Vec<Place>, T)]) -> impl Iterator<Item = Vec<String>> {
    let reads = |member: &str, of: &[Place]| {
        uses.iter()
            .any(|(path, _)| path.split_last().is_some_and(|(last, first)| last.key() == Some(member) && first == of))
    };
    uses.iter().filter_map(move |(path, _)| {
        let (last, of) = path.split_last()?;
        let (root, names) = of.split_first()?;
        let is_amount = last.key() == Some(AMOUNT) && root.key() == Some(ROOT) && !names.is_empty();
        (is_amount && !reads(CURRENCY, of)).then(|| names.iter().map(|step| text_of(step).into_owned()).collect())
    })
}

fn text_of(step: &Place) -> Cow<'_, str> {
    match step {
        Place::Key(key) => key.into(),
        Place::Index(at) => at.to_string().into(),
    }
}

fn by_path(all: &mut Attributes, parts: &[Part<'_>], form: Form, raw: &manifest::Feature, is_pointer: bool) {
    // What is said of a feature is said of what it reads only where that is one and the same.
    let is_below = parts.len() > 2 && parts[0].key == Some(ROOT);
    let is_itself = is_pointer && !is_below;
    let unit =
        raw.unit.as_deref().filter(|unit| !["1", "boolean", "category"].contains(unit) && !unit.starts_with("minor:"));
    let about: BTreeSet<String> = raw.about.iter().cloned().chain(unit.map(|unit| format!("Unit: {unit}"))).collect();
    let about = if is_itself { about } else { BTreeSet::new() };
    put(all, parts, form, |read| read.saying(about, [raw.name.clone()].into()));
}

/// Puts a form where a path leads; an element of a list of `attributes` may be anything.
fn put(all: &mut Attributes, parts: &[Part<'_>], form: Form, said: impl FnOnce(Attribute) -> Attribute) {
    let keys: Vec<_> = parts.iter().map(|part| part.key).collect();
    match keys.as_slice() {
        [Some(ROOT)] | [Some(ROOT), None, ..] => all.is_open = true,
        [Some(ROOT), Some(name), below @ ..] => {
            let within = below.iter().rev().fold(form, |form, key| match key {
                Some(key) => Form::Members([((*key).to_owned(), form)].into()),
                None => Form::Any,
            });
            all.and(name, said(Attribute::of(within)));
        }
        [] => {}
        _ => {
            let step = |part: &Part<'_>| format!("/{}", part.text.replace('~', "~0").replace('/', "~1"));
            all.and_elsewhere(&parts.iter().map(step).collect::<String>(), said(Attribute::of(form)));
        }
    }
}

/// What the mapping takes.
fn form_of(kind: &Kind, range: Option<(f64, f64)>) -> Form {
    let range = range.map_or(Range::ALL, |(low, high)| Range { low, high });
    match kind {
        Kind::Number => Form::Number(range),
        Kind::Integer => Form::Whole(range),
        Kind::Boolean => Form::Boolean,
        Kind::Category(words) => Form::Words(words.iter().cloned().collect()),
        Kind::Money { currency, scale } => Form::money(currency.code(), *scale, range),
    }
}

/// What the value of an expression must be.
fn yields(kind: &Kind) -> Option<Single> {
    match kind {
        Kind::Number | Kind::Integer => Some(Single::Double),
        Kind::Boolean => Some(Single::Bool),
        Kind::Category(_) => Some(Single::Text),
        Kind::Money { .. } => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::tests::{HEAD, feature};

    const MISSING: &str = "missing = { policy = \"unscorable\" }";

    fn manifest(features: &[(&str, &str, &str)]) -> Manifest {
        let tables = features.iter().map(|(name, kind, rest)| feature(name, kind, &format!("{MISSING}\n{rest}")));
        Manifest::parse(format!("{HEAD}{}", tables.collect::<String>()).as_bytes()).unwrap()
    }

    fn forms(of: &Attributes) -> Vec<(&str, &[Form])> {
        of.names().into_iter().map(|(name, attribute)| (name, attribute.forms())).collect()
    }

    #[test]
    fn what_is_read_by_pointer_has_the_form_of_its_feature() {
        let found = read(&manifest(&[
            (
                "n",
                "integer",
                "pointer = '/attributes/naics'\nrange = [0.0, 9.0]\nunit = 'NAICS code'\nabout = 'Industry'",
            ),
            ("w", "category", "pointer = '/attributes/stage'\ncategories = ['new', 'old']\nunit = 'category'"),
            ("m", "money", "pointer = '/attributes/bill'\nunit = 'minor:TWD'\nscale = 0.01\nrange = [0.0, 5.0]"),
            ("b", "boolean", "pointer = '/attributes/a~1b'"),
            ("d", "number", "pointer = '/attributes/deep/er'"),
            ("l", "number", "pointer = '/attributes/list/0'"),
            ("o", "number", "pointer = '/requested/term_months'"),
        ]))
        .unwrap();
        let words = |of: &[&str]| of.iter().map(|word| (*word).to_owned()).collect();
        let members = |name: &str, form| Form::Members([(name.to_owned(), form)].into());
        let expected: [(&str, &[Form]); 6] = [
            ("a/b", &[Form::Boolean]),
            ("bill", &[Form::Money { currencies: words(&["TWD"]), minor: (0, 500) }]),
            ("deep", &[members("er", Form::Number(Range::ALL))]),
            ("list", &[Form::Any]),
            ("naics", &[Form::Whole(Range { low: 0.0, high: 9.0 })]),
            ("stage", &[Form::Words(words(&["new", "old"]))]),
        ];
        assert_eq!(forms(&found), expected);
        assert_eq!(found.get("naics").unwrap().about, words(&["Industry", "Unit: NAICS code"]));
        assert_eq!(found.get("stage").unwrap().about, words(&[]));
        assert!(!found.is_open && found.amounts().is_empty());
        let elsewhere = found.elsewhere();
        assert_eq!(elsewhere.into_keys().collect::<Vec<_>>(), ["/requested/term_months"]);
    }

    #[test]
    fn what_stands_beside_attributes_is_told_by_its_pointer() {
        let found = read(&manifest(&[
            (
                "h",
                "category",
                "pointer = '/applicants/0/facts/housing/status'\ncategories = ['own', 'rent']\nabout = 'Home'",
            ),
            ("p", "number", "expr = 'purpose == \"car\" ? double(amount_minor) : double(data.requested.term_months)'"),
            ("c", "number", "expr = 'double(data.collateral[0].value.amount_minor)'"),
            ("d", "number", "expr = 'debt_to_income + double(facts.dependants)'"),
        ]))
        .unwrap();
        let number = Form::Number(Range::ALL);
        let expected = [
            ("/applicants", &number, "d"),
            ("/applicants/0/facts/dependants", &number, "d"),
            ("/applicants/0/facts/housing/status", &Form::Words(["own".to_owned(), "rent".to_owned()].into()), "h"),
            ("/collateral/0/value/amount_minor", &number, "c"),
            ("/requested/amount/amount_minor", &number, "p"),
            ("/requested/purpose", &Form::Text, "p"),
            ("/requested/term_months", &number, "p"),
        ];
        let elsewhere = found.elsewhere();
        for (pointer, form, feature) in expected {
            let read = elsewhere.get(pointer).unwrap_or_else(|| panic!("{pointer}: {elsewhere:?}"));
            assert_eq!(
                (read.forms(), read.features.contains(feature)),
                (std::slice::from_ref(form), true),
                "{pointer}"
            );
        }
        assert_eq!(elsewhere.len(), expected.len());
        assert_eq!(elsewhere["/applicants/0/facts/housing/status"].about, ["Home".to_owned()].into());
        assert!(found.names().is_empty() && !found.is_open && found.amounts().is_empty());
    }

    #[test]
    fn an_amount_that_is_read_without_its_currency_is_told() {
        let rows = [
            ("double(data.attributes.bill.amount_minor) + double(attributes.bill.amount_minor)", vec!["bill"]),
            ("double(attributes.a.b.amount_minor)", vec!["a/b"]),
            ("double(attributes.list[1].amount_minor)", vec!["list/1"]),
            ("attributes.bill.currency == 'USD' ? double(attributes.bill.amount_minor) : 0.0", vec![]),
            (
                "attributes.bill.currency == 'USD' ? double(attributes.bill.amount_minor) : double(attributes.due.amount_minor)",
                vec!["due"],
            ),
            ("double(attributes.amount_minor) + double(data.requested.amount.amount_minor)", vec![]),
        ];
        for (expr, expected) in rows {
            let of_package = read(&manifest(&[("f", "number", &format!("expr = \"{expr}\""))])).unwrap();
            let told: Vec<String> = of_package.amounts().iter().map(|path| path.join("/")).collect();
            assert_eq!(told, expected, "{expr}");
        }
    }

    #[test]
    fn what_is_read_by_expression_has_the_form_that_works() {
        let found = read(&manifest(&[
            ("f", "number", "expr = 'double(data.attributes.bill.amount_minor) / double(data.attributes.employees)'"),
            ("g", "category", "categories = ['a']\nexpr = 'data.attributes.state + (attributes.line ? \"/l\" : \"\")'"),
            ("h", "number", "pointer = '/attributes/employees'\nrange = [0.0, 9.0]\nunit = 'persons'"),
            ("i", "boolean", "expr = 'attributes.flag'"),
        ]))
        .unwrap();
        let expected: [(&str, &[Form]); 5] = [
            ("bill", &[Form::Members([("amount_minor".to_owned(), Form::Number(Range::ALL))].into())]),
            ("employees", &[Form::Number(Range { low: 0.0, high: 9.0 })]),
            ("flag", &[Form::Boolean]),
            ("line", &[Form::Boolean]),
            ("state", &[Form::Text]),
        ];
        assert_eq!(forms(&found), expected);
        assert_eq!(found.get("employees").unwrap().features, ["f".to_owned(), "h".to_owned()].into());
        assert_eq!(found.get("employees").unwrap().about, ["Unit: persons".to_owned()].into());
    }

    #[test]
    fn an_expression_that_looks_at_all_members_knows_every_name() {
        for expr in
            ["double(size(attributes))", "attributes.exists(k, k == 'x') ? 1.0 : 0.0", "double(data.attributes.size())"]
        {
            assert!(read(&manifest(&[("f", "number", &format!("expr = \"{expr}\""))])).unwrap().is_open, "{expr}");
        }
    }

    #[test]
    fn a_member_that_a_contract_classes_is_known() {
        let field = "[[field]]\npointer = \"/attributes/email\"\nclass = \"personal\"\n[[field]]\npointer = \
                     \"/applicants/0/reports/0/fields/x\"\nclass = \"plain\"\n";
        let text = format!("{HEAD}{}{field}", feature("f", "number", &format!("{MISSING}\npointer = '/attributes/a'")));
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(forms(&classed(&manifest)), [("email", &[Form::Any][..])]);
        assert_eq!(forms(&read(&manifest).unwrap()), [("a", &[Form::Number(Range::ALL)][..])]);
    }
}
