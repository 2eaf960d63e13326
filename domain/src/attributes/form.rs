//! What a value must be for a model to read it, and why one is not. Knows no name.

use std::collections::{BTreeMap, BTreeSet};

/// The greatest whole number that every JSON reader holds exactly, and the most minor units of an amount.
const MAX_WHOLE: i64 = (1 << 53) - 1;

/// What a value must be. Null is none of it: it says that nobody knows.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// Anything.
    Any,
    /// A text.
    Text,
    /// True or false.
    Boolean,
    /// A number in its range; what lies outside is read as the nearest bound.
    Number(Range),
    /// Likewise, without a fraction.
    Whole(Range),
    /// One of these words.
    Words(BTreeSet<String>),
    /// An amount in one of these currencies, with its least and greatest minor units.
    Money {
        /// ISO 4217.
        currencies: BTreeSet<String>,
        /// Minor units, both ends included.
        minor: (i64, i64),
    },
    /// An object with such members, of which any may be absent, and others may be there.
    Members(BTreeMap<String, Form>),
}

/// Both ends are included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Minus infinity where there is none.
    pub low: f64,
    /// Infinity where there is none.
    pub high: f64,
}

/// Why a model cannot read a value as it was sent, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// It is read as the nearest bound.
    OutOfRange,
    /// A word, or a currency, that no model knows.
    UnknownWord,
    /// Of another JSON type.
    WrongType,
}

/// Where a value does not fit, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit<'f> {
    /// Why.
    pub why: Misfit,
    /// Names of members below the value, the outermost first; none where it is the value itself.
    pub below: Vec<&'f str>,
}

/// A value as it was sent.
pub trait Sent {
    /// Its JSON type, with what is judged of it.
    fn shape(&self) -> Shape<'_>;
    /// A member of an object.
    fn member(&self, name: &str) -> Option<&Self>;
}

/// The JSON type of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Shape<'a> {
    Null,
    Boolean,
    /// However it was written: `1.0` is one.
    Whole(i64),
    /// With a fraction, or beyond what a whole number may be.
    Number(f64),
    Text(&'a str),
    List,
    Object,
}

impl Range {
    /// Every number.
    pub const ALL: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };

    fn holds(self, number: f64) -> bool {
        (self.low..=self.high).contains(&number)
    }

    fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// What both hold; this one where they have nothing in common.
    fn common(self, other: Self) -> Self {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        if both.low <= both.high { both } else { self }
    }
}

impl Form {
    /// An amount of which `scale` times the minor units lie in a range.
    pub fn money(currency: &str, scale: f64, range: Range) -> Self {
        let inside = |minor: i64| range.holds(minor as f64 * scale);
        let end = |bound: f64, outwards: i64| {
            let most = MAX_WHOLE as f64;
            let guess = (bound / scale).round().clamp(-most, most) as i64;
            // The quotient may lie beside the last amount whose product is inside.
            let near = [guess + outwards, guess, guess - outwards];
            near.into_iter().find(|minor| inside(*minor)).unwrap_or(guess).clamp(-MAX_WHOLE, MAX_WHOLE)
        };
        Self::Money { currencies: [currency.to_owned()].into(), minor: (end(range.low, -1), end(range.high, 1)) }
    }

    /// Where a value does not fit, and why; none where it does, or is null.
    pub fn misfit<S: Sent>(&self, value: &S) -> Option<Unfit<'_>> {
        let unless = |fits: bool, why: Misfit| (!fits).then_some(Unfit { why, below: Vec::new() });
        match (self, value.shape()) {
            (Self::Any, _) | (_, Shape::Null) => None,
            (Self::Text, Shape::Text(_)) | (Self::Boolean, Shape::Boolean) => None,
            (Self::Number(range) | Self::Whole(range), Shape::Whole(number)) => {
                unless(range.holds(number as f64), Misfit::OutOfRange)
            }
            (Self::Number(range), Shape::Number(number)) => unless(range.holds(number), Misfit::OutOfRange),
            (Self::Words(words), Shape::Text(text)) => unless(words.contains(text), Misfit::UnknownWord),
            (Self::Money { currencies, minor }, Shape::Object) => money_misfit(currencies, *minor, value),
            (Self::Members(members), Shape::Object) => {
                let unfit = members.iter().filter_map(|(name, form)| {
                    let mut unfit = form.misfit(value.member(name)?)?;
                    unfit.below.insert(0, name);
                    Some(unfit)
                });
                unfit.max_by_key(|unfit| unfit.why)
            }
            _ => unless(false, Misfit::WrongType),
        }
    }

    /// What fits both, for features of one model; this one where nothing does.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, form) | (form, Self::Any) => form,
            (Self::Number(one), Self::Number(other)) => Self::Number(one.common(other)),
            (Self::Whole(one), Self::Number(other) | Self::Whole(other)) | (Self::Number(other), Self::Whole(one)) => {
                Self::Whole(one.common(other))
            }
            (Self::Words(one), Self::Words(other)) if !one.is_disjoint(&other) => {
                Self::Words(one.intersection(&other).cloned().collect())
            }
            (Self::Words(words), Self::Text) | (Self::Text, Self::Words(words)) => Self::Words(words),
            (money @ Self::Money { .. }, Self::Members(_)) | (Self::Members(_), money @ Self::Money { .. }) => money,
            (Self::Members(mut one), Self::Members(other)) => {
                for (name, form) in other {
                    let form = match one.remove(&name) {
                        Some(known) => known.and(form),
                        None => form,
                    };
                    one.insert(name, form);
                }
                Self::Members(one)
            }
            (form, _) => form,
        }
    }

    /// What fits either, for models beside one another; none where they are of two kinds.
    pub(super) fn or(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::Number(one), Self::Number(other) | Self::Whole(other)) | (Self::Whole(other), Self::Number(one)) => {
                Self::Number(one.hull(*other))
            }
            (Self::Whole(one), Self::Whole(other)) => Self::Whole(one.hull(*other)),
            (Self::Words(one), Self::Words(other)) => Self::Words(one.union(other).cloned().collect()),
            (Self::Text, Self::Words(_) | Self::Text) | (Self::Words(_), Self::Text) => Self::Text,
            (Self::Boolean, Self::Boolean) => Self::Boolean,
            (Self::Money { currencies, minor }, Self::Money { currencies: others, minor: other }) => Self::Money {
                currencies: currencies.union(others).cloned().collect(),
                minor: (minor.0.min(other.0), minor.1.max(other.1)),
            },
            (Self::Members(one), Self::Members(other)) => {
                let shared = one.iter().filter_map(|(name, form)| Some((name.clone(), form.or(other.get(name)?)?)));
                Self::Members(shared.collect())
            }
            _ => return None,
        })
    }
}

/// What is wrong with an amount: its currency first, without which minor units mean nothing.
fn money_misfit<S: Sent>(currencies: &BTreeSet<String>, minor: (i64, i64), value: &S) -> Option<Unfit<'static>> {
    let shape = |name| value.member(name).map(Sent::shape);
    let (below, why) = match (shape("currency"), shape("amount_minor")) {
        (Some(Shape::Text(code)), Some(Shape::Whole(_))) if !currencies.contains(code) => {
            ("currency", Misfit::UnknownWord)
        }
        (Some(Shape::Text(_)), Some(Shape::Whole(amount))) if (minor.0..=minor.1).contains(&amount) => return None,
        (Some(Shape::Text(_)), Some(Shape::Whole(_))) => ("amount_minor", Misfit::OutOfRange),
        (Some(Shape::Text(_)), _) => ("amount_minor", Misfit::WrongType),
        _ => ("currency", Misfit::WrongType),
    };
    Some(Unfit { why, below: vec![below] })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use Misfit::{OutOfRange, UnknownWord, WrongType};

    /// A value of a test.
    enum V {
        Null,
        Bool,
        Int(i64),
        Float(f64),
        Text(&'static str),
        List,
        Map(Vec<(&'static str, V)>),
    }

    impl Sent for V {
        fn shape(&self) -> Shape<'_> {
            match self {
                Self::Null => Shape::Null,
                Self::Bool => Shape::Boolean,
                Self::Int(n) => Shape::Whole(*n),
                Self::Float(n) => Shape::Number(*n),
                Self::Text(text) => Shape::Text(text),
                Self::List => Shape::List,
                Self::Map(_) => Shape::Object,
            }
        }

        fn member(&self, name: &str) -> Option<&Self> {
            let Self::Map(members) = self else { return None };
            members.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
        }
    }

    fn words(of: &[&str]) -> Form {
        Form::Words(of.iter().map(|word| (*word).to_owned()).collect())
    }

    fn range(low: f64, high: f64) -> Range {
        Range { low, high }
    }

    fn twd(amount: V) -> V {
        V::Map(vec![("amount_minor", amount), ("currency", V::Text("TWD"))])
    }

    #[test]
    fn a_value_fits_or_is_told_why_not() {
        let whole = || Form::Whole(range(-2.0, 9.0));
        let money = || Form::money("TWD", 0.01, range(-10.0, 10.0));
        let members = || Form::Members([("amount_minor".to_owned(), Form::Number(Range::ALL))].into());
        let rows = [
            (Form::Any, V::List, None),
            (Form::Text, V::Text("x"), None),
            (Form::Text, V::Int(1), Some(WrongType)),
            (Form::Boolean, V::Bool, None),
            (Form::Boolean, V::Text("yes"), Some(WrongType)),
            (whole(), V::Int(9), None),
            (whole(), V::Int(10), Some(OutOfRange)),
            (whole(), V::Float(1.5), Some(WrongType)),
            (whole(), V::Text("1"), Some(WrongType)),
            (whole(), V::Null, None),
            (Form::Number(range(0.0, 1.0)), V::Float(0.5), None),
            (Form::Number(range(0.0, 1.0)), V::Float(1.5), Some(OutOfRange)),
            (words(&["a", "b"]), V::Text("b"), None),
            (words(&["a", "b"]), V::Text("B"), Some(UnknownWord)),
            (words(&["a"]), V::Bool, Some(WrongType)),
            (money(), twd(V::Int(1000)), None),
            (money(), twd(V::Int(1001)), Some(OutOfRange)),
            (money(), twd(V::Float(0.5)), Some(WrongType)),
            (money(), V::Map(vec![("amount_minor", V::Int(1)), ("currency", V::Text("USD"))]), Some(UnknownWord)),
            (money(), V::Map(vec![("amount_minor", V::Int(1))]), Some(WrongType)),
            (money(), V::Int(1), Some(WrongType)),
            (members(), twd(V::Int(1)), None),
            (members(), V::Map(vec![]), None),
            (members(), V::Map(vec![("amount_minor", V::Text("1"))]), Some(WrongType)),
            (members(), V::Int(1), Some(WrongType)),
        ];
        for (at, (form, value, expected)) in rows.into_iter().enumerate() {
            assert_eq!(form.misfit(&value).map(|unfit| unfit.why), expected, "row {at}: {form:?}");
        }
    }

    #[test]
    fn the_bounds_of_an_amount_are_those_that_the_scale_makes() {
        for (scale, low, high) in
            [(0.01, -10_000_000.0, 10_000_000.0), (0.01, 0.0, 0.07), (1.0, -5.0, 7.5), (0.3, 0.0, 1.0)]
        {
            let Form::Money { minor, .. } = Form::money("USD", scale, range(low, high)) else { panic!("an amount") };
            let inside = |minor: i64| (low..=high).contains(&(minor as f64 * scale));
            assert!(inside(minor.0) && inside(minor.1), "{scale} {minor:?}");
            assert!(!inside(minor.0 - 1) && !inside(minor.1 + 1), "{scale} {minor:?}");
        }
        let Form::Money { minor, .. } = Form::money("USD", 0.01, Range::ALL) else { panic!("an amount") };
        assert_eq!(minor, (-MAX_WHOLE, MAX_WHOLE));
    }

    #[test]
    fn what_does_not_fit_is_pointed_at() {
        let money = || Form::money("TWD", 1.0, range(0.0, 10.0));
        let deep = || Form::Members([("bill".to_owned(), money())].into());
        let of = |amount: V, currency: V| V::Map(vec![("amount_minor", amount), ("currency", currency)]);
        let rows = [
            (money(), of(V::Int(1), V::Text("EUR")), vec!["currency"]),
            (money(), of(V::Int(11), V::Text("EUR")), vec!["currency"]),
            (money(), of(V::Int(11), V::Text("TWD")), vec!["amount_minor"]),
            (money(), of(V::Text("1"), V::Text("TWD")), vec!["amount_minor"]),
            (money(), of(V::Int(1), V::Null), vec!["currency"]),
            (money(), V::Int(1), vec![]),
            (deep(), V::Map(vec![("bill", of(V::Int(1), V::Text("EUR")))]), vec!["bill", "currency"]),
            (words(&["a"]), V::Text("b"), vec![]),
        ];
        for (at, (form, value, below)) in rows.into_iter().enumerate() {
            assert_eq!(form.misfit(&value).unwrap().below, below, "row {at}");
        }
    }
}
