//! What a rule compared so that it held, as its decision records it: the facts, the values seen, the thresholds. Only the tests that
//! decided; never a value that the policy withholds, nor a text that is no single value of the event.

use crate::case::Case;
use crate::condition::Condition;
use crate::scope::Readable;
use crate::vocabulary::{Var, is_of, recorded};
use domain::{Comparator, FeatureFlag, Money};
use expressions::{Form, Operator, Side, Test, Value};
use schemas::decision::Comparison;
use std::borrow::Cow;

/// Comparisons of one rule, at most: the contract's bound.
const MAX_COMPARISONS: usize = 64;

/// One comparison of a constant.
pub(crate) fn constant(fact: &str, operator: Comparator, value: String, threshold: String) -> Comparison {
    let (value, threshold) = (Some(value), Some(threshold));
    Comparison { fact: fact.to_owned(), operator: operator.into(), value, threshold, against: None, flag: None }
}

/// What a limit compares itself: the amount, and the band where it is for some.
pub(crate) fn of_limit(asked: Money, most: Money, band: &str, bands: &[String]) -> Vec<Comparison> {
    let [value, threshold] = [asked, most].map(|money| money.amount_minor().to_string());
    let amount = constant("amount_minor", Comparator::Above, value, threshold);
    let in_bands = (!bands.is_empty()).then(|| constant("band", Comparator::OneOf, band.to_owned(), bands.join(",")));
    std::iter::once(amount).chain(in_bands).collect()
}

/// The tests of a condition that decided, as comparisons.
pub(crate) fn of(when: &Condition, case: &Case<'_>) -> Vec<Comparison> {
    let document = Readable(case);
    let (truth, decided) = when.compiled().logic().decided(&|test| test.holds(&document));
    // Where the whole does not hold, what decided is what does not.
    let is_turned = truth == Some(false);
    let reads: Vec<&str> = decided.iter().flat_map(|(test, _)| test.reads.iter().map(String::as_str)).collect();
    let told = decided.iter().filter(|(test, _)| match &test.form {
        // Whoever reads a value knows that it is there.
        Form::Has(name) => !reads.contains(&name.as_str()),
        Form::Compare(..) | Form::In(..) | Form::Truth(_) => true,
    });
    told.take(MAX_COMPARISONS)
        .map(|(test, is_under_not)| comparison(when, case, test, *is_under_not != is_turned))
        .collect()
}

fn comparison(when: &Condition, case: &Case<'_>, test: &Test<Var>, is_under_not: bool) -> Comparison {
    let document = Readable(case);
    let is_withheld = when.withheld().iter().any(|feature| test.reads.iter().any(|read| is_of(read, feature)));
    let seen = |value: &Option<Value<'_>>, side: &Side| match value {
        _ if is_withheld => None,
        Some(Value::Text(text)) => is_place(side).then(|| recorded(&Value::Text(Cow::Borrowed(text)))),
        value => value.as_ref().map(recorded),
    };
    let flag = test.reads.iter().find_map(|read| case.flag(read.strip_prefix("features.")?)).cloned();
    let plain = Comparison {
        fact: test.text.clone(),
        operator: Comparator::Equal.into(),
        value: None,
        threshold: None,
        against: None,
        flag,
    };
    match (&test.form, test.sides(&document)) {
        (Form::Compare(operator, [left, right]), Some([value, threshold])) => Comparison {
            fact: left.text.clone(),
            operator: comparator(if is_under_not { operator.negated() } else { *operator }).into(),
            value: seen(&value, left),
            threshold: match &right.literal {
                Some(literal) => Some(recorded(&literal.value())),
                None => seen(&threshold, right),
            },
            against: right.literal.is_none().then(|| right.text.clone()),
            ..plain
        },
        (Form::In(item, list), Some([value, _])) => {
            let words: Vec<String> = list.iter().map(|literal| recorded(&literal.value())).collect();
            Comparison {
                fact: item.text.clone(),
                operator: (if is_under_not { Comparator::NoneOf } else { Comparator::OneOf }).into(),
                value: seen(&value, item),
                threshold: Some(recorded(&Value::Text(Cow::Owned(words.join(","))))),
                ..plain
            }
        }
        // True by itself: it is what it was held to be.
        _ => {
            let truth = Some((!is_under_not).to_string());
            Comparison { value: truth.clone().filter(|_| !is_withheld), threshold: truth, ..plain }
        }
    }
}

/// Whether a side is a single value of the event, whose texts are closed words.
fn is_place(side: &Side) -> bool {
    side.literal.is_some()
        || side.name.as_ref().is_some_and(|name| Var::of_path(&name.split('.').collect::<Vec<_>>()).is_some())
}

fn comparator(operator: Operator) -> Comparator {
    match operator {
        Operator::Less => Comparator::Below,
        Operator::LessEqual => Comparator::AtMost,
        Operator::Greater => Comparator::Above,
        Operator::GreaterEqual => Comparator::AtLeast,
        Operator::Equal => Comparator::Equal,
        Operator::NotEqual => Comparator::NotEqual,
    }
}

impl Condition {
    /// The tests that would have decided but for a value outside its range, as comparisons.
    pub(crate) fn doubted(&self, case: &Case<'_>) -> (Vec<Comparison>, String) {
        let names = self.clamped(case).join(", ");
        let mut all = of(self, case);
        // What such a test finds is not so: what was sent is another value.
        all.retain(|comparison| comparison.flag.as_ref().is_some_and(|flag| flag.is(FeatureFlag::Clamped)));
        (all, format!("out of range: {names}"))
    }
}
