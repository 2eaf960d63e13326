//! From an application's `data` to the numbers of the graph's input, by the feature contract. Refuses rather than guesses;
//! names the feature, never the value.

use crate::application::Document;
use crate::contract::{Contract, Feature, Kind, Source};
use expressions::{Finding, Found, Value as Yield};
use std::fmt;
use std::sync::Arc;

/// What happened to a value on its way into the graph.
pub use domain::FeatureFlag as Flag;

/// A row of the graph's input.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureVector {
    /// In the contract's order.
    pub values: Vec<f32>,
    /// In the same order.
    pub flags: Vec<Option<Flag>>,
}

impl FeatureVector {
    /// A row without flags.
    pub fn plain(values: Vec<f32>) -> Self {
        let flags = vec![None; values.len()];
        Self { values, flags }
    }
}

/// Why an application cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unscorable {
    /// A word of a fixed set.
    pub cause: &'static str,
    /// The feature.
    pub feature: Arc<str>,
}

impl fmt::Display for Unscorable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.cause, self.feature)
    }
}

/// The feature is required and absent.
pub const MISSING: &str = "missing";
/// The amount is in another currency.
pub(crate) const WRONG_CURRENCY: &str = "wrong_currency";
/// The value is of another type.
pub(crate) const WRONG_TYPE: &str = "wrong_type";
/// The category is unknown and the contract forbids that.
pub(crate) const UNKNOWN_CATEGORY: &str = "unknown_category";
/// The expression failed.
pub(crate) const EXPRESSION_FAILED: &str = "expression_failed";
/// The value does not fit into an f32.
pub(crate) const NOT_FINITE: &str = "not_finite";

/// Maps an application.
///
/// # Errors
/// Every reason why it cannot be scored, in the contract's order.
pub fn map(contract: &Contract, document: &Document<'_>) -> Result<FeatureVector, Vec<Unscorable>> {
    let count = contract.features.len();
    let mut row = FeatureVector { values: Vec::with_capacity(count), flags: Vec::with_capacity(count) };
    let mut refused = Vec::new();
    for feature in &contract.features {
        match feature.value(document) {
            Ok((value, flag)) => {
                row.values.push(value);
                row.flags.push(flag);
            }
            Err(cause) => refused.push(Unscorable { cause, feature: feature.name.clone() }),
        }
    }
    if refused.is_empty() { Ok(row) } else { Err(refused) }
}

/// A number before range and f32, or why there is none.
enum Raw {
    Number(f64),
    Missing,
    Unknown,
}

impl Feature {
    /// What its author should write otherwise, although it is taken.
    pub fn warnings(&self) -> &[Finding] {
        match &self.source {
            Source::Expr(expr) => expr.warnings(),
            Source::Slot(_) | Source::Money(_) => &[],
        }
    }

    fn value(&self, document: &Document<'_>) -> Result<(f32, Option<Flag>), &'static str> {
        match (self.raw(document)?, self.missing) {
            (Raw::Number(number), _) => self.settle(number),
            (Raw::Unknown, _) if self.unknown_is_unscorable => Err(UNKNOWN_CATEGORY),
            (Raw::Missing, Some(value)) => Ok((value, Some(Flag::Missing))),
            (Raw::Unknown, Some(value)) => Ok((value, Some(Flag::Unknown))),
            (Raw::Missing, None) => Err(MISSING),
            (Raw::Unknown, None) => Err(UNKNOWN_CATEGORY),
        }
    }

    fn raw(&self, document: &Document<'_>) -> Result<Raw, &'static str> {
        match &self.source {
            Source::Slot(slot) => match document.in_slot(*slot) {
                Found::Null | Found::Absent | Found::NotAContainer => Ok(Raw::Missing),
                found => self.kind.read(found),
            },
            Source::Money([object, currency, amount]) => match document.in_slot(*object) {
                Found::Null | Found::Absent | Found::NotAContainer => Ok(Raw::Missing),
                _ => self.kind.money(document.in_slot(*currency), document.in_slot(*amount)),
            },
            // What a feature is made of is not there: its missing policy says what that means.
            Source::Expr(expr) => match expr.evaluate(document) {
                Ok(value) => self.kind.take(&value),
                Err(why) if why.is_absence() => Ok(Raw::Missing),
                Err(_) => Err(EXPRESSION_FAILED),
            },
        }
    }

    fn settle(&self, number: f64) -> Result<(f32, Option<Flag>), &'static str> {
        let inside =
            self.range.map_or(number, |(low, high)| if number.is_nan() { number } else { number.clamp(low, high) });
        let value = inside as f32;
        if !value.is_finite() {
            return Err(NOT_FINITE);
        }
        Ok((value, (inside != number).then_some(Flag::Clamped)))
    }
}

impl Kind {
    fn read(&self, found: &Found<'_>) -> Result<Raw, &'static str> {
        match (self, found) {
            (Self::Number, found) => found.number().map(Raw::Number).ok_or(WRONG_TYPE),
            (Self::Integer, found) => whole(found.number().ok_or(WRONG_TYPE)?),
            (Self::Boolean, Found::Bool(value)) => Ok(Raw::Number(f64::from(u8::from(*value)))),
            (Self::Category(words), Found::Text(text)) => Ok(index_of(words, text)),
            _ => Err(WRONG_TYPE),
        }
    }

    fn money(&self, code: &Found<'_>, amount: &Found<'_>) -> Result<Raw, &'static str> {
        let Self::Money { currency, scale } = self else { return Err(WRONG_TYPE) };
        match (code, amount) {
            (Found::Text(code), _) if code != currency.code() => Err(WRONG_CURRENCY),
            (Found::Text(_), Found::Int(minor)) => Ok(Raw::Number(*minor as f64 * scale)),
            _ => Err(WRONG_TYPE),
        }
    }

    fn take(&self, value: &Yield<'_>) -> Result<Raw, &'static str> {
        match (self, value) {
            (Self::Number, value) => value.number().map(Raw::Number).ok_or(WRONG_TYPE),
            (Self::Integer, value) => whole(value.number().ok_or(WRONG_TYPE)?),
            (Self::Boolean, Yield::Bool(value)) => Ok(Raw::Number(f64::from(u8::from(*value)))),
            (Self::Category(words), Yield::Text(text)) => Ok(index_of(words, text)),
            _ => Err(WRONG_TYPE),
        }
    }
}

fn whole(number: f64) -> Result<Raw, &'static str> {
    if number.fract() == 0.0 { Ok(Raw::Number(number)) } else { Err(WRONG_TYPE) }
}

fn index_of(words: &[String], text: &str) -> Raw {
    words.iter().position(|word| word == text).map_or(Raw::Unknown, |index| Raw::Number(index as f64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::tests::{contract, feature};
    use serde_json::{Value, json};

    const VALUE: &str = "missing = { policy = 'value', value = -9.0 }\n";
    const NONE: &str = "missing = { policy = 'unscorable' }\n";

    type Expected<'a> = Result<(f32, Option<Flag>), &'a str>;

    /// Maps `data` by one feature `f` and checks value and flag, or the refusal.
    fn check(kind: &str, rest: &str, data: &Value, expected: Expected<'_>) {
        let contract = contract(&feature("f", kind, rest)).unwrap();
        let text = data.to_string();
        let document = Document::of_text(&text, &contract.lookup).unwrap();
        let found = map(&contract, &Document::new(data, &contract.lookup));
        assert_eq!(found, map(&contract, &document), "from a tree and from text");
        let found = found.map(|row| (row.values[0], row.flags[0]));
        let found = found.map_err(|refused| refused.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
        assert_eq!(found, expected.map_err(|word| format!("{word}:f")), "{kind} {rest} {data}");
    }

    #[test]
    fn each_type_takes_its_own_values_only() {
        let rows: &[(&str, &str, Value, Expected<'_>)] = &[
            ("number", VALUE, json!(1.5), Ok((1.5, None))),
            ("number", VALUE, json!(-0.0), Ok((0.0, None))),
            ("number", VALUE, json!(7), Ok((7.0, None))),
            ("number", VALUE, json!(16_777_217), Ok((16_777_216.0, None))),
            ("number", VALUE, json!("7"), Err(WRONG_TYPE)),
            ("number", VALUE, json!(true), Err(WRONG_TYPE)),
            ("number", VALUE, json!([1]), Err(WRONG_TYPE)),
            ("number", VALUE, json!(1e300), Err(NOT_FINITE)),
            ("number", VALUE, json!(null), Ok((-9.0, Some(Flag::Missing)))),
            ("number", NONE, json!(null), Err(MISSING)),
            ("integer", VALUE, json!(-2), Ok((-2.0, None))),
            ("integer", VALUE, json!(2.0), Ok((2.0, None))),
            ("integer", VALUE, json!(2.5), Err(WRONG_TYPE)),
            ("boolean", VALUE, json!(true), Ok((1.0, None))),
            ("boolean", VALUE, json!(false), Ok((0.0, None))),
            ("boolean", VALUE, json!(1), Err(WRONG_TYPE)),
        ];
        for (kind, policy, value, expected) in rows {
            check(kind, &format!("pointer = '/x'\n{policy}"), &json!({ "x": value }), *expected);
        }
        for (value, expected) in
            [(json!("b"), Ok((1.0, None))), (json!("B"), Ok((-9.0, Some(Flag::Unknown)))), (json!(1), Err(WRONG_TYPE))]
        {
            let rest = format!("pointer = '/x'\n{VALUE}categories = ['a', 'b']");
            check("category", &rest, &json!({ "x": value }), expected);
        }
    }

    #[test]
    fn money_has_the_currency_of_the_contract() {
        for (value, expected) in [
            (json!({"amount_minor": 59_000_000, "currency": "TWD"}), Ok((590_000.0, None))),
            (json!({"amount_minor": -1, "currency": "TWD"}), Ok((-0.01, None))),
            (json!({"amount_minor": 1, "currency": "USD"}), Err(WRONG_CURRENCY)),
            (json!({"amount_minor": 1.5, "currency": "TWD"}), Err(WRONG_TYPE)),
            (json!({"amount_minor": 1}), Err(WRONG_TYPE)),
            (json!({"currency": "TWD"}), Err(WRONG_TYPE)),
            (json!(5), Err(WRONG_TYPE)),
        ] {
            let rest = format!("pointer = '/x'\n{NONE}unit = 'minor:TWD'\nscale = 0.01");
            check("money", &rest, &json!({ "x": value }), expected);
        }
    }

    #[test]
    fn what_is_not_there_follows_the_missing_policy() {
        for (pointer, data) in [
            ("/a/b", json!({})),
            ("/a/b", json!({"a": null})),
            ("/a/b", json!({"a": {}})),
            ("/a/b", json!({"a": {"b": null}})),
            ("/a/b", json!({"a": "text"})),
            ("/a/0", json!({"a": []})),
        ] {
            check("number", &format!("pointer = '{pointer}'\n{VALUE}"), &data, Ok((-9.0, Some(Flag::Missing))));
            check("number", &format!("pointer = '{pointer}'\n{NONE}"), &data, Err(MISSING));
        }
    }

    #[test]
    fn ranges_clamp_and_say_so() {
        let rest = format!("pointer = '/x'\nrange = [-1.0, 2.5]\n{VALUE}");
        for (value, expected) in [
            (json!(-1), (-1.0, None)),
            (json!(2.5), (2.5, None)),
            (json!(2.500_001), (2.5, Some(Flag::Clamped))),
            (json!(-1e300), (-1.0, Some(Flag::Clamped))),
        ] {
            check("number", &rest, &json!({ "x": value }), Ok(expected));
        }
    }

    #[test]
    fn unknown_categories_may_be_forbidden() {
        let forbidden = format!("pointer = '/x'\ncategories = ['a']\nunknown = 'unscorable'\n{VALUE}");
        check("category", &forbidden, &json!({"x": "z"}), Err(UNKNOWN_CATEGORY));
        check("category", &forbidden, &json!({}), Ok((-9.0, Some(Flag::Missing))));
        let required = format!("pointer = '/x'\ncategories = ['a']\n{NONE}");
        check("category", &required, &json!({"x": "z"}), Err(UNKNOWN_CATEGORY));
    }

    #[test]
    fn expressions_compute_or_are_missing_or_fail() {
        let ratio = "double(data.debt) / double(data.income)";
        let months = "data.debts.map(d, d.months).size()";
        let rows = [
            ("number", ratio, json!({"debt": 1, "income": 4}), Ok((0.25, None))),
            ("number", ratio, json!({"debt": 1}), Ok((-9.0, Some(Flag::Missing)))),
            ("number", ratio, json!({"debt": null, "income": 4}), Ok((-9.0, Some(Flag::Missing)))),
            ("number", ratio, json!({"debt": 1, "income": 0}), Err(NOT_FINITE)),
            ("number", ratio, json!({"debt": "x", "income": 4}), Err(EXPRESSION_FAILED)),
            ("number", ratio, json!({"debt": "1.5", "income": 4}), Ok((0.375, None))),
            ("integer", months, json!({"debts": [{"months": 3}, {"months": 4}]}), Ok((2.0, None))),
            ("integer", months, json!({"debts": [{}]}), Ok((-9.0, Some(Flag::Missing)))),
            ("boolean", "data.a > 1", json!({"a": 2}), Ok((1.0, None))),
            ("boolean", "data.a + 1", json!({"a": 2}), Err(WRONG_TYPE)),
            ("boolean", "data.a == \"x\"", json!({"a": "x"}), Ok((1.0, None))),
            ("number", "data.list[1]", json!({"list": [1]}), Ok((-9.0, Some(Flag::Missing)))),
        ];
        for (kind, expr, data, expected) in rows {
            check(kind, &format!("expr = '{expr}'\n{VALUE}"), &data, expected);
        }
    }

    #[test]
    fn an_application_that_is_too_large_for_an_expression_is_unscorable_and_not_evaluated() {
        let expr = "data.applicants[0].facts.debts.exists(d, d.kind == \"x\")";
        let debts = |count: usize| json!({"applicants": [{"facts": {"debts": vec![json!({"kind": "y"}); count]}}]});
        let rest = format!("expr = '{expr}'\n{VALUE}");
        check("boolean", &rest, &debts(256), Ok((0.0, None)));
        check("boolean", &rest, &debts(900), Ok((0.0, None)));
        check("boolean", &rest, &debts(20_000), Err(EXPRESSION_FAILED));
        let rest = format!("expr = 'data.a > 1'\n{VALUE}");
        let mut large = debts(20_000);
        large["a"] = json!(2);
        check("boolean", &rest, &large, Ok((1.0, None)));
    }

    #[test]
    fn every_refusal_is_told_in_order() {
        let text = feature("a", "number", &format!("pointer = '/a'\n{NONE}"))
            + &feature("b", "number", &format!("pointer = '/b'\n{VALUE}"))
            + &feature("c", "boolean", &format!("pointer = '/c'\n{NONE}"));
        let (contract, data) = (contract(&text).unwrap(), json!({"c": "yes"}));
        let refused = map(&contract, &Document::new(&data, &contract.lookup)).unwrap_err();
        assert_eq!(refused.iter().map(ToString::to_string).collect::<Vec<_>>(), ["missing:a", "wrong_type:c"]);
    }
}
