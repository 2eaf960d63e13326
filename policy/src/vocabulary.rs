//! What policies may name, and where it stands in a case. The one table behind both ways of evaluating. Reads only what
//! was published and quantised; computes nothing but the ratio of debts to incomes.

use crate::case::Case;
use crate::facts::Facts;
use crate::parties;
use domain::Worded;
use expressions::application::{LISTS_OF_ALL, PARTIES, REQUEST};
use expressions::sizes::{Container, Scope};
use expressions::vocabulary::{Kind, Name, Shape, Type};
use expressions::{Found, Value, Vocabulary};
use schemas::Word;
use std::borrow::Cow;

/// The score in its four forms. A rule on one of them is a cutoff.
const SCORE: &[Name] = &[
    ("pd", Type::Known(Kind::Double)),
    ("score", Type::Known(Kind::Int)),
    ("band", Type::Known(Kind::Text)),
    ("class", Type::Known(Kind::Int)),
];

/// What the model used, and the reports that were read.
const USED: &[Name] = &[("features", Type::Map(&Shape::Free(Kind::Double))), ("reports", Type::List(&Shape::Open))];

/// The names, and how large an event is at most: the bounds of the contract (`schemas/json/common.v1.json`), and short words.
pub(crate) static VOCABULARY: Vocabulary = Vocabulary {
    readers: "policies",
    names: &[REQUEST, SCORE, PARTIES, USED],
    whole: None,
    out_of_reach: &[],
    sizes: Scope {
        containers: &[
            Container { name: "facts", len: 64, item: 2, weight: 8_192 },
            Container { name: "features", len: 512, item: 5, weight: 3_072 },
            Container { name: "reports", len: 64, item: 12, weight: 1_024 },
            Container { name: "income", len: 64, item: 16, weight: 1_024 },
            Container { name: "debts", len: 256, item: 24, weight: 6_144 },
            LISTS_OF_ALL[0],
            LISTS_OF_ALL[1],
            LISTS_OF_ALL[2],
            LISTS_OF_ALL[3],
            LISTS_OF_ALL[4],
        ],
        other: Container { name: "", len: 16, item: 4, weight: 32 },
        text: 256,
        built: &["facts", "features", "reports", "parties", "co_applicants", "guarantors", "incomes", "debts"],
        is_scalar: |path| VOCABULARY.is_value(path),
    },
};

/// A single value of the case itself.
pub(crate) struct Scalar {
    /// Its name.
    pub name: &'static str,
    /// What stands there.
    pub get: for<'a> fn(&Case<'a>) -> Found<'a>,
}

/// A typed fact of a party.
pub(crate) struct Fact {
    /// Its group, such as `employment`; empty at the top.
    pub group: &'static str,
    /// Its name in the group.
    pub name: &'static str,
    /// What stands there; absent where it was not asked or is not known.
    pub get: for<'a> fn(&Facts<'a>) -> Found<'a>,
}

/// A place of a case.
#[derive(Clone)]
pub(crate) enum Var {
    /// Of the case itself.
    Scalar(&'static Scalar),
    /// `facts.…`
    Fact(&'static Fact),
    /// `features.NAME`
    Feature(String),
}

fn text(value: &str) -> Found<'_> {
    Found::Text(Cow::Borrowed(value))
}

fn word<T: Worded>(value: Option<&Word<T>>) -> Found<'_> {
    value.map_or(Found::Absent, |word| text(word.as_str()))
}

fn truth<'a>(value: Option<bool>) -> Found<'a> {
    value.map_or(Found::Absent, Found::Bool)
}

fn count<'a>(value: Option<u32>) -> Found<'a> {
    value.map_or(Found::Absent, |count| Found::Int(i64::from(count)))
}

/// Every scalar.
pub(crate) static SCALARS: &[Scalar] = &[
    Scalar { name: "product", get: |c| text(c.product) },
    Scalar { name: "intent", get: |c| text(c.intent.as_str()) },
    Scalar { name: "request_type", get: |c| text(c.request_type.as_str()) },
    Scalar { name: "channel", get: |c| text(c.channel) },
    Scalar { name: "jurisdiction", get: |c| text(c.jurisdiction) },
    Scalar { name: "amount_minor", get: |c| Found::Int(c.requested.amount_minor) },
    Scalar { name: "currency", get: |c| text(c.requested.currency) },
    Scalar { name: "term_months", get: |c| count(c.term_months) },
    Scalar { name: "purpose", get: |c| c.purpose.map_or(Found::Absent, text) },
    Scalar { name: "pd", get: |c| c.score.map_or(Found::Absent, |s| Found::Float(s.pd)) },
    Scalar { name: "score", get: |c| c.score.map_or(Found::Absent, |s| Found::Int(i64::from(s.points))) },
    Scalar { name: "band", get: |c| c.score.map_or(Found::Absent, |s| text(s.band)) },
    Scalar { name: "class", get: |c| c.score.map_or(Found::Absent, |s| Found::Int(i64::from(s.class))) },
    Scalar { name: "debt_to_income", get: |c| parties::debt_to_income(c).map_or(Found::Absent, Found::Float) },
];

macro_rules! words {
    ($($group:ident . $name:ident),+ $(,)?) => {
        [$(Fact {
            group: stringify!($group),
            name: stringify!($name),
            get: |f| word(f.$group.$name),
        }),+]
    };
}

static GROUPED: &[Fact] = &words![
    employment.status,
    employment.tenure_band,
    employment.occupation,
    housing.status,
    housing.residence_band,
    accounts.checking_band,
    accounts.savings_band,
    obligations.credit_history,
    obligations.instalment_rate_band,
    obligations.other_instalment_plans,
    obligations.existing_credits_band,
    obligations.other_debtors,
    assets.most_valuable,
];

static PLAIN: &[Fact] = &[
    Fact { group: "", name: "of_legal_age", get: |f| truth(f.of_legal_age) },
    Fact { group: "", name: "telephone", get: |f| truth(f.telephone) },
    Fact { group: "", name: "dependants", get: |f| count(f.dependants) },
    Fact { group: "", name: "dependants_band", get: |f| word(f.dependants_band) },
    Fact { group: "employment", name: "tenure_months", get: |f| count(f.employment.tenure_months) },
    Fact { group: "housing", name: "residence_months", get: |f| count(f.housing.residence_months) },
];

/// Every fact that is a single value.
pub(crate) fn facts() -> impl Iterator<Item = &'static Fact> {
    PLAIN.iter().chain(GROUPED)
}

impl Var {
    /// The place of a dotted name; `None` when the name is a map, a list or unknown.
    pub(crate) fn of_path(path: &[&str]) -> Option<Self> {
        match path {
            [name] => SCALARS.iter().find(|scalar| scalar.name == *name).map(Self::Scalar),
            ["features", name] => Some(Self::Feature((*name).to_owned())),
            ["facts", name] => facts().find(|fact| fact.group.is_empty() && fact.name == *name).map(Self::Fact),
            ["facts", group, name] => facts().find(|fact| fact.group == *group && fact.name == *name).map(Self::Fact),
            _ => None,
        }
    }

    /// What stands there.
    pub(crate) fn get<'a>(&self, case: &Case<'a>) -> Found<'a> {
        match self {
            Self::Scalar(scalar) => (scalar.get)(case),
            Self::Fact(fact) => (fact.get)(&case.facts),
            Self::Feature(name) => case.feature(name).map_or(Found::Absent, Found::Float),
        }
    }
}

/// Whether a name is the score in other words.
pub(crate) fn is_score(name: &str) -> bool {
    SCORE.iter().any(|(known, _)| *known == name)
}

/// Whether a name that is read is a feature, or all of them.
pub(crate) fn is_feature(name: &str) -> bool {
    name == "features" || name.starts_with("features.")
}

/// Whether what is read is that feature, or all of them.
pub(crate) fn is_of(read: &str, feature: &str) -> bool {
    read.strip_prefix("features").is_some_and(|rest| rest.is_empty() || rest.strip_prefix('.') == Some(feature))
}

/// The longest text of a value in a decision: the contract's bound.
const MAX_TEXT_BYTES: usize = 512;

/// A value as it is recorded in a decision. A double that was a single-precision feature is written as such.
pub(crate) fn recorded(value: &Value<'_>) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) if f64::from(*value as f32) == *value => (*value as f32).to_string(),
        Value::Double(value) => value.to_string(),
        Value::Text(value) => value[..value.floor_char_boundary(MAX_TEXT_BYTES)].to_owned(),
    }
}

impl std::fmt::Debug for Var {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scalar(scalar) => f.write_str(scalar.name),
            Self::Fact(fact) if fact.group.is_empty() => write!(f, "facts.{}", fact.name),
            Self::Fact(fact) => write!(f, "facts.{}.{}", fact.group, fact.name),
            Self::Feature(name) => write!(f, "features.{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use expressions::compile;

    #[test]
    fn every_name_that_is_a_value_stands_somewhere_and_is_of_its_type() {
        let event = sample::event(&[]);
        let values = VOCABULARY.values();
        for (name, kind) in &values {
            let path: Vec<&str> = name.split('.').collect();
            let var = Var::of_path(&path);
            let found = var.as_ref().map(|var| var.get(&Case::of(&event)));
            let is_of_kind = match kind {
                Kind::Bool => matches!(found, Some(Found::Bool(_))),
                Kind::Int => matches!(found, Some(Found::Int(_))),
                Kind::Double => matches!(found, Some(Found::Float(_))),
                Kind::Text => matches!(found, Some(Found::Text(_))),
            };
            assert!(is_of_kind, "{name} is {kind:?}, the sample event has {found:?}");
            assert!(compile(name, &VOCABULARY).is_ok(), "{name}");
        }
        assert_eq!(values.len(), SCALARS.len() + facts().count(), "and nothing else stands there");
    }
    #[test]
    fn a_place_is_a_value_and_is_written_as_it_is_named() {
        let rows = [
            ("amount_minor", true),
            ("debt_to_income", true),
            ("features.late", true),
            ("facts.of_legal_age", true),
            ("facts.housing.residence_months", true),
            ("facts", false),
            ("facts.housing", false),
            ("facts.housing.of_legal_age", false),
            ("facts.residence_months", false),
            ("features", false),
            ("features.late.value", false),
            ("reports", false),
            ("margin", false),
            ("", false),
        ];
        for (name, is_value) in rows {
            let var = Var::of_path(&name.split('.').collect::<Vec<_>>());
            let told = var.map(|var| format!("{var:?}"));
            assert_eq!(told.as_deref(), is_value.then_some(name), "{name}");
        }
    }

    #[test]
    fn a_value_is_recorded_as_people_write_it() {
        let rows = [
            (Value::Bool(true), "true"),
            (Value::Int(-5), "-5"),
            (Value::Uint(u64::MAX), "18446744073709551615"),
            (Value::Double(f64::from(0.1f32)), "0.1"),
            (Value::Double(0.1), "0.1"),
            (Value::Double(0.123_456_789_012), "0.123456789012"),
            (Value::Double(3.0), "3"),
            (Value::Text(Cow::Borrowed("a b")), "a b"),
        ];
        for (value, expected) in rows {
            assert_eq!(recorded(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn the_score_has_four_names() {
        let names = VOCABULARY.values().into_iter().map(|(name, _)| name).filter(|name| is_score(name)).count();
        assert_eq!(names, SCORE.len());
        assert!(["pd_raw", "scores", "facts.score", ""].iter().all(|name| !is_score(name)));
    }

    #[test]
    fn what_is_not_known_stands_nowhere() {
        let mut event = sample::event(&[]);
        event.facts = schemas::application::Facts::default();
        (event.score, event.requested.term_months, event.requested.purpose) = (None, None, None);
        let absent =
            |name: &str| Var::of_path(&name.split('.').collect::<Vec<_>>()).map(|var| var.get(&Case::of(&event)));
        for (name, _) in VOCABULARY.values() {
            let is_optional = name.starts_with("facts.")
                || is_score(&name)
                || ["term_months", "purpose", "debt_to_income"].contains(&&*name);
            assert_eq!(matches!(absent(&name), Some(Found::Absent)), is_optional, "{name}");
        }
    }
}
