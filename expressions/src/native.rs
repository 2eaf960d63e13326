//! An expression as plain Rust over places: what `lower` makes of the common shapes. Never guesses: whatever is not certain to mean
//! the same as in the interpreter stops with [`Halt::Unsure`].

use crate::value::{Found, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Integers beyond this are not exact as f64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Why plain Rust stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// What the value depends on is absent.
    Missing,
    /// The interpreter must say.
    Unsure,
}

/// An expression over places of any kind.
#[derive(Debug, Clone)]
pub(crate) enum Lowered<P> {
    Number(Number<P>),
    Truth(Truth<P>),
    Text(Text<P>),
    /// Whatever stands there.
    Value(P),
}

/// An expression that yields a double.
#[derive(Debug, Clone)]
pub(crate) enum Number<P> {
    Constant(f64),
    /// `double(path)`, or a name that is a double.
    Place(P),
    Negative(Box<Number<P>>),
    Binary(Arithmetic, Box<(Number<P>, Number<P>)>),
    If(Box<(Truth<P>, Number<P>, Number<P>)>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// An expression that yields a bool.
#[derive(Debug, Clone)]
pub(crate) enum Truth<P> {
    Constant(bool),
    Place(P),
    /// `has(map.member)` of a map that is always there.
    Has(P),
    /// `has(parent.member)`.
    HasMember {
        parent: P,
        member: P,
    },
    Compare(Comparison, Box<(Operand<P>, Operand<P>)>),
    In(Operand<P>, Vec<Literal>),
    Not(Box<Truth<P>>),
    And(Box<(Truth<P>, Truth<P>)>),
    Or(Box<(Truth<P>, Truth<P>)>),
}

/// An expression that yields a string.
#[derive(Debug, Clone)]
pub(crate) enum Text<P> {
    Constant(String),
    Place(P),
    Join(Box<(Text<P>, Text<P>)>),
    If(Box<(Truth<P>, Text<P>, Text<P>)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

/// A side of a comparison.
#[derive(Debug, Clone)]
pub(crate) enum Operand<P> {
    Literal(Literal),
    Place(P),
    Number(Number<P>),
    Text(Text<P>),
}

/// A literal of a single value.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `true`, `false`
    Bool(bool),
    /// Such as `5`.
    Int(i64),
    /// Such as `0.5`.
    Double(f64),
    /// Such as `'web'`.
    Text(String),
}

impl Literal {
    /// As a value.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Double(value) => Value::Double(*value),
            Self::Text(value) => Value::Text(Cow::Borrowed(value)),
        }
    }
}

/// Turns the places of an expression into those of a document; `None` where it has no such place.
pub(crate) type Binder<'b, P, Q> = dyn FnMut(&P) -> Option<Q> + 'b;

impl<P> Lowered<P> {
    pub(crate) fn bind<Q>(&self, to: &mut Binder<'_, P, Q>) -> Option<Lowered<Q>> {
        Some(match self {
            Self::Number(number) => Lowered::Number(number.bind(to)?),
            Self::Truth(truth) => Lowered::Truth(truth.bind(to)?),
            Self::Text(text) => Lowered::Text(text.bind(to)?),
            Self::Value(place) => Lowered::Value(to(place)?),
        })
    }

    pub(crate) fn eval<'s>(&'s self, at: &impl Fn(&P) -> Found<'s>) -> Result<Value<'s>, Halt> {
        match self {
            Self::Number(number) => number.eval(at).map(Value::Double),
            Self::Truth(truth) => truth.eval(at).map(Value::Bool),
            Self::Text(text) => text.eval(at).map(Value::Text),
            Self::Value(place) => single(at(place)),
        }
    }
}

impl<P> Number<P> {
    fn bind<Q>(&self, to: &mut Binder<'_, P, Q>) -> Option<Number<Q>> {
        Some(match self {
            Self::Constant(value) => Number::Constant(*value),
            Self::Place(place) => Number::Place(to(place)?),
            Self::Negative(inner) => Number::Negative(Box::new(inner.bind(to)?)),
            Self::Binary(arithmetic, sides) => {
                Number::Binary(*arithmetic, Box::new((sides.0.bind(to)?, sides.1.bind(to)?)))
            }
            Self::If(parts) => Number::If(Box::new((parts.0.bind(to)?, parts.1.bind(to)?, parts.2.bind(to)?))),
        })
    }

    fn eval<'s>(&'s self, at: &impl Fn(&P) -> Found<'s>) -> Result<f64, Halt> {
        Ok(match self {
            Self::Constant(value) => *value,
            Self::Place(place) => number_in(&at(place))?,
            Self::Negative(inner) => -inner.eval(at)?,
            Self::Binary(arithmetic, sides) => {
                let (left, right) = (sides.0.eval(at)?, sides.1.eval(at)?);
                match arithmetic {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                }
            }
            Self::If(parts) if parts.0.eval(at)? => parts.1.eval(at)?,
            Self::If(parts) => parts.2.eval(at)?,
        })
    }
}

impl<P> Truth<P> {
    fn bind<Q>(&self, to: &mut Binder<'_, P, Q>) -> Option<Truth<Q>> {
        Some(match self {
            Self::Constant(value) => Truth::Constant(*value),
            Self::Place(place) => Truth::Place(to(place)?),
            Self::Has(place) => Truth::Has(to(place)?),
            Self::HasMember { parent, member } => Truth::HasMember { parent: to(parent)?, member: to(member)? },
            Self::Compare(comparison, sides) => {
                Truth::Compare(*comparison, Box::new((sides.0.bind(to)?, sides.1.bind(to)?)))
            }
            Self::In(item, list) => Truth::In(item.bind(to)?, list.clone()),
            Self::Not(inner) => Truth::Not(Box::new(inner.bind(to)?)),
            Self::And(sides) => Truth::And(Box::new((sides.0.bind(to)?, sides.1.bind(to)?))),
            Self::Or(sides) => Truth::Or(Box::new((sides.0.bind(to)?, sides.1.bind(to)?))),
        })
    }

    pub(crate) fn eval<'s>(&'s self, at: &impl Fn(&P) -> Found<'s>) -> Result<bool, Halt> {
        match self {
            Self::Constant(value) => Ok(*value),
            Self::Place(place) => match at(place) {
                Found::Bool(value) => Ok(value),
                other => Err(halt(&other)),
            },
            Self::Has(place) => match at(place) {
                Found::Absent => Ok(false),
                Found::NotAContainer | Found::Null => Err(Halt::Unsure),
                _ => Ok(true),
            },
            Self::HasMember { parent, member } => match (at(parent), at(member)) {
                (Found::Object, Found::Absent) => Ok(false),
                (_, Found::Absent | Found::NotAContainer | Found::Null) => Err(Halt::Unsure),
                _ => Ok(true),
            },
            Self::Compare(comparison, sides) => comparison.apply(&sides.0.eval(at)?, &sides.1.eval(at)?),
            Self::In(item, list) => {
                let item = item.eval(at)?;
                Ok(list.iter().any(|other| other.value().is_equal(&item)))
            }
            Self::Not(inner) => inner.eval(at).map(|value| !value),
            Self::And(sides) => both(sides.0.eval(at), || sides.1.eval(at), false),
            Self::Or(sides) => both(sides.0.eval(at), || sides.1.eval(at), true),
        }
    }

    /// The place and the literal of a comparison between them, behind a `has()` or not.
    pub(crate) fn compared(&self) -> Option<(&P, &Literal)> {
        match self {
            Self::Compare(_, sides) => match &**sides {
                (Operand::Place(place), Operand::Literal(literal)) => Some((place, literal)),
                _ => None,
            },
            Self::And(sides) if matches!(sides.0, Self::Has(_)) => sides.1.compared(),
            _ => None,
        }
    }
}

/// CEL's connectives: the absorbing side decides even beside an error.
fn both(left: Result<bool, Halt>, right: impl FnOnce() -> Result<bool, Halt>, absorbing: bool) -> Result<bool, Halt> {
    if left == Ok(absorbing) {
        return left;
    }
    match (left, right()) {
        (_, Ok(right)) if right == absorbing => Ok(absorbing),
        (Ok(_), other) => other,
        (Err(_), _) => Err(Halt::Unsure),
    }
}

impl<P> Text<P> {
    fn bind<Q>(&self, to: &mut Binder<'_, P, Q>) -> Option<Text<Q>> {
        Some(match self {
            Self::Constant(text) => Text::Constant(text.clone()),
            Self::Place(place) => Text::Place(to(place)?),
            Self::Join(sides) => Text::Join(Box::new((sides.0.bind(to)?, sides.1.bind(to)?))),
            Self::If(parts) => Text::If(Box::new((parts.0.bind(to)?, parts.1.bind(to)?, parts.2.bind(to)?))),
        })
    }

    fn eval<'s>(&'s self, at: &impl Fn(&P) -> Found<'s>) -> Result<Cow<'s, str>, Halt> {
        match self {
            Self::Constant(text) => Ok(Cow::Borrowed(text)),
            Self::Place(place) => match at(place) {
                Found::Text(text) => Ok(text),
                other => Err(halt(&other)),
            },
            Self::Join(sides) => Ok(sides.0.eval(at)? + sides.1.eval(at)?),
            Self::If(parts) if parts.0.eval(at)? => parts.1.eval(at),
            Self::If(parts) => parts.2.eval(at),
        }
    }
}

impl<P> Operand<P> {
    fn bind<Q>(&self, to: &mut Binder<'_, P, Q>) -> Option<Operand<Q>> {
        Some(match self {
            Self::Literal(literal) => Operand::Literal(literal.clone()),
            Self::Place(place) => Operand::Place(to(place)?),
            Self::Number(number) => Operand::Number(number.bind(to)?),
            Self::Text(text) => Operand::Text(text.bind(to)?),
        })
    }

    fn eval<'s>(&'s self, at: &impl Fn(&P) -> Found<'s>) -> Result<Value<'s>, Halt> {
        match self {
            Self::Literal(literal) => Ok(literal.value()),
            Self::Place(place) => single(at(place)),
            Self::Number(number) => number.eval(at).map(Value::Double),
            Self::Text(text) => text.eval(at).map(Value::Text),
        }
    }
}

impl Comparison {
    /// What CEL says of numbers, texts and truths; the rest is left to it.
    fn apply(self, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Halt> {
        let order = || left.order(right).ok_or(Halt::Unsure);
        Ok(match self {
            Self::Equal => left.is_equal(right),
            Self::NotEqual => !left.is_equal(right),
            Self::Less => order()? == Ordering::Less,
            Self::LessEqual => order()? != Ordering::Greater,
            Self::Greater => order()? == Ordering::Greater,
            Self::GreaterEqual => order()? != Ordering::Less,
        })
    }
}

/// Null counts as absent where it is a member, and is a value where it is an element: the interpreter tells them apart.
fn halt(found: &Found<'_>) -> Halt {
    match found {
        Found::Absent => Halt::Missing,
        _ => Halt::Unsure,
    }
}

fn single(found: Found<'_>) -> Result<Value<'_>, Halt> {
    let why = halt(&found);
    found.single().ok_or(why)
}

fn number_in(found: &Found<'_>) -> Result<f64, Halt> {
    match found {
        Found::Float(value) => Ok(*value),
        other => {
            let number = other.number().ok_or_else(|| halt(other))?;
            if number.abs() < EXACT { Ok(number) } else { Err(Halt::Unsure) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands at places that are named by a letter.
    fn at<'s>(place: &&str) -> Found<'s> {
        match *place {
            "i" => Found::Int(3),
            "f" => Found::Float(0.5),
            "t" => Found::Bool(true),
            "w" => Found::Text("word".into()),
            "u" => Found::Uint(u64::MAX),
            "big" => Found::Int(i64::MAX),
            "null" => Found::Null,
            "map" => Found::Object,
            _ => Found::Absent,
        }
    }

    fn less(left: &'static str, right: i64) -> Truth<&'static str> {
        let sides = (Operand::Place(left), Operand::Literal(Literal::Int(right)));
        Truth::Compare(Comparison::Less, Box::new(sides))
    }

    #[test]
    fn what_is_absent_is_missing_and_what_is_odd_is_left_to_the_interpreter() {
        let and = |left, right| Truth::And(Box::new((left, right)));
        let or = |left, right| Truth::Or(Box::new((left, right)));
        let rows: [(Truth<&str>, Result<bool, Halt>); 16] = [
            (less("i", 4), Ok(true)),
            (less("f", 0), Ok(false)),
            (less("none", 4), Err(Halt::Missing)),
            (less("w", 4), Err(Halt::Unsure)),
            (less("u", 4), Err(Halt::Unsure)),
            (less("map", 4), Err(Halt::Unsure)),
            (and(less("none", 4), Truth::Constant(false)), Ok(false)),
            (and(less("none", 4), Truth::Constant(true)), Err(Halt::Unsure)),
            (and(Truth::Constant(true), less("none", 4)), Err(Halt::Missing)),
            (or(less("w", 4), Truth::Place("t")), Ok(true)),
            (Truth::Has("none"), Ok(false)),
            (Truth::Has("null"), Err(Halt::Unsure)),
            (Truth::HasMember { parent: "map", member: "none" }, Ok(false)),
            (Truth::HasMember { parent: "none", member: "none" }, Err(Halt::Unsure)),
            (Truth::In(Operand::Place("w"), vec![Literal::Int(1), Literal::Text("word".into())]), Ok(true)),
            (Truth::Not(Box::new(Truth::Place("i"))), Err(Halt::Unsure)),
        ];
        for (truth, expected) in rows {
            assert_eq!(truth.eval(&at), expected, "{truth:?}");
        }
    }

    #[test]
    fn numbers_that_are_not_exact_are_left_to_the_interpreter() {
        let half = |place| Number::Binary(Arithmetic::Divide, Box::new((Number::Place(place), Number::Constant(2.0))));
        for (place, expected) in [
            ("i", Ok(1.5)),
            ("f", Ok(0.25)),
            ("big", Err(Halt::Unsure)),
            ("u", Err(Halt::Unsure)),
            ("w", Err(Halt::Unsure)),
            ("none", Err(Halt::Missing)),
        ] {
            assert_eq!(half(place).eval(&at), expected, "{place}");
        }
        let joined = Text::Join(Box::new((Text::Constant("a ".into()), Text::Place("w"))));
        assert_eq!(joined.eval(&at).as_deref(), Ok("a word"));
    }
}
