//! PURE. What a package reads of `attributes`, by its feature contract alone: by pointer with type, words, range and unit; by
//! expression with what the expression must be given. Judges no application.

use crate::application::CONTRACT;
use crate::contract::{Contract, Kind, Source};
use crate::error::LoadError;
use crate::lookup::{Step, split_pointer};
use crate::manifest::{self, Manifest};
use domain::attributes::{Form, Range};
use domain::{Attribute, Attributes};
use expressions::vocabulary::Kind as Single;
use expressions::{Step as Place, Use};
use std::collections::BTreeSet;

/// The object of an application that contracts name the members of.
const ROOT: &str = "attributes";

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
                let keys = steps.iter().enumerate().map(key_of).collect::<Vec<_>>();
                by_path(&mut all, &keys, form_of(&feature.kind, feature.range), raw, true);
            }
            Source::Expr(expr) => by_uses(&mut all, expr.uses(&CONTRACT, yields(&feature.kind)), Some(raw)),
        }
    }
    Ok(all)
}

/// A step as the name of a member; what may as well be an element of a list is none.
fn key_of((at, step): (usize, &Step)) -> Option<&str> {
    step.key().filter(|_| at < 2 || matches!(step, Step::Key(_)))
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
    for Use { place, takes } in uses {
        let form = match takes {
            None => Form::Any,
            Some(Single::Bool) => Form::Boolean,
            Some(Single::Text) => Form::Text,
            Some(Single::Int | Single::Double) => Form::Number(Range::ALL),
        };
        let keys = place.path.iter().map(Place::key).collect::<Vec<_>>();
        match raw {
            Some(raw) => by_path(all, &keys, form, raw, false),
            None => put(all, &keys, form, |read| read),
        }
    }
}

fn by_path(all: &mut Attributes, keys: &[Option<&str>], form: Form, raw: &manifest::Feature, is_pointer: bool) {
    // What is said of a feature is said of what it reads only where that is one and the same.
    let is_itself = is_pointer && keys.len() == 2;
    let unit =
        raw.unit.as_deref().filter(|unit| !["1", "boolean", "category"].contains(unit) && !unit.starts_with("minor:"));
    let about: BTreeSet<String> = raw.about.iter().cloned().chain(unit.map(|unit| format!("Unit: {unit}"))).collect();
    let about = if is_itself { about } else { BTreeSet::new() };
    put(all, keys, form, |read| read.saying(about, [raw.name.clone()].into()));
}

/// Puts a form where a path leads; an element of a list may be anything.
fn put(all: &mut Attributes, keys: &[Option<&str>], form: Form, said: impl FnOnce(Attribute) -> Attribute) {
    match keys {
        [Some(ROOT)] | [Some(ROOT), None, ..] => all.is_open = true,
        [Some(ROOT), Some(name), below @ ..] => {
            let within = below.iter().rev().fold(form, |form, key| match key {
                Some(key) => Form::Members([((*key).to_owned(), form)].into()),
                None => Form::Any,
            });
            all.and(name, said(Attribute::of(within)));
        }
        _ => {}
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
        assert!(!found.is_open);
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
