//! The common shapes of an expression (comparisons, presence, sums, ratios, joined texts) as plain Rust over places, so that
//! nobody interprets a tree of boxed values for them. Never guesses: whatever is not certain to mean the same is left to the
//! interpreter, at compile time by not lowering, at run time by [`Halt::Unsure`].

use crate::place::Place;
use crate::value::{Found, Value};
use crate::vocabulary::{Kind, Type, Vocabulary};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};
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
    fn of(expr: &IdedExpr) -> Option<Self> {
        match &expr.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Some(Self::Bool(*value.inner())),
            Expr::Literal(LiteralValue::Int(value)) => Some(Self::Int(*value.inner())),
            Expr::Literal(LiteralValue::Double(value)) => Some(Self::Double(*value.inner())),
            Expr::Literal(LiteralValue::String(value)) => Some(Self::Text(value.inner().to_owned())),
            _ => None,
        }
    }

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

impl Lowered<Place> {
    /// Lowers an expression; `None` leaves it to the interpreter.
    pub(crate) fn of(expr: &IdedExpr, vocabulary: &Vocabulary) -> Option<Self> {
        if let Some((place, of)) = Place::of(expr, vocabulary) {
            return matches!(of, Type::Known(_) | Type::Open).then_some(Self::Value(place));
        }
        let lower = Lowering(vocabulary);
        let number = || lower.number(expr).map(Self::Number);
        let truth = || lower.truth(expr).map(Self::Truth);
        number().or_else(truth).or_else(|| lower.text(expr).map(Self::Text))
    }
}

struct Lowering<'v>(&'v Vocabulary);

impl Lowering<'_> {
    fn place(&self, expr: &IdedExpr) -> Option<(Place, Type)> {
        Place::of(expr, self.0).filter(|(_, of)| matches!(of, Type::Known(_) | Type::Open))
    }

    /// What yields a double.
    fn number(&self, expr: &IdedExpr) -> Option<Number<Place>> {
        match &expr.expr {
            Expr::Literal(LiteralValue::Double(value)) => return Some(Number::Constant(*value.inner())),
            Expr::Call(call) if call.target.is_none() && call.func_name != op::INDEX => return self.number_call(call),
            _ => {}
        }
        let (place, of) = self.place(expr)?;
        matches!(of, Type::Known(Kind::Double)).then_some(Number::Place(place))
    }

    fn number_call(&self, call: &CallExpr) -> Option<Number<Place>> {
        let arithmetic = match (call.func_name.as_str(), call.args.as_slice()) {
            ("double", [arg]) => return Some(Number::Place(self.place(arg)?.0)),
            (op::NEGATE, [arg]) => return Some(Number::Negative(Box::new(self.number(arg)?))),
            (op::CONDITIONAL, [test, yes, no]) => {
                let parts = (self.truth(test)?, self.number(yes)?, self.number(no)?);
                return Some(Number::If(Box::new(parts)));
            }
            (op::ADD, _) => Arithmetic::Add,
            (op::SUBSTRACT, _) => Arithmetic::Subtract,
            (op::MULTIPLY, _) => Arithmetic::Multiply,
            (op::DIVIDE, _) => Arithmetic::Divide,
            _ => return None,
        };
        let [left, right] = call.args.as_slice() else { return None };
        Some(Number::Binary(arithmetic, Box::new((self.number(left)?, self.number(right)?))))
    }

    /// What yields a bool.
    fn truth(&self, expr: &IdedExpr) -> Option<Truth<Place>> {
        match &expr.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Some(Truth::Constant(*value.inner())),
            Expr::Select(select) if select.test => self.has(&select.operand, &select.field),
            Expr::Call(call) if call.target.is_none() && call.func_name != op::INDEX => self.truth_call(call),
            _ => Some(Truth::Place(self.place(expr)?.0)),
        }
    }

    fn has(&self, of: &IdedExpr, member: &str) -> Option<Truth<Place>> {
        let selected = Expr::Select(cel::common::ast::SelectExpr {
            operand: Box::new(of.clone()),
            field: member.to_owned(),
            test: false,
        });
        let (member, _) = Place::of(&IdedExpr { id: 0, expr: selected }, self.0)?;
        Some(match member.parent(self.0) {
            None => Truth::Has(member),
            Some(parent) => Truth::HasMember { parent, member },
        })
    }

    fn truth_call(&self, call: &CallExpr) -> Option<Truth<Place>> {
        let comparison = match (call.func_name.as_str(), call.args.as_slice()) {
            (op::LOGICAL_NOT, [arg]) => return Some(Truth::Not(Box::new(self.truth(arg)?))),
            (op::LOGICAL_AND, [left, right]) => {
                return Some(Truth::And(Box::new((self.truth(left)?, self.truth(right)?))));
            }
            (op::LOGICAL_OR, [left, right]) => {
                return Some(Truth::Or(Box::new((self.truth(left)?, self.truth(right)?))));
            }
            (op::IN, [item, list]) => {
                let Expr::List(list) = &list.expr else { return None };
                let items: Option<Vec<_>> = list.elements.iter().map(Literal::of).collect();
                return Some(Truth::In(self.operand(item)?, items?));
            }
            (op::LESS, _) => Comparison::Less,
            (op::LESS_EQUALS, _) => Comparison::LessEqual,
            (op::GREATER, _) => Comparison::Greater,
            (op::GREATER_EQUALS, _) => Comparison::GreaterEqual,
            (op::EQUALS, _) => Comparison::Equal,
            (op::NOT_EQUALS, _) => Comparison::NotEqual,
            _ => return None,
        };
        let [left, right] = call.args.as_slice() else { return None };
        Some(Truth::Compare(comparison, Box::new((self.operand(left)?, self.operand(right)?))))
    }

    /// What yields a string.
    fn text(&self, expr: &IdedExpr) -> Option<Text<Place>> {
        match &expr.expr {
            Expr::Literal(LiteralValue::String(value)) => Some(Text::Constant(value.inner().to_owned())),
            Expr::Call(call) if call.target.is_none() && call.func_name != op::INDEX => {
                match (call.func_name.as_str(), call.args.as_slice()) {
                    (op::ADD, [left, right]) => Some(Text::Join(Box::new((self.text(left)?, self.text(right)?)))),
                    (op::CONDITIONAL, [test, yes, no]) => {
                        Some(Text::If(Box::new((self.truth(test)?, self.text(yes)?, self.text(no)?))))
                    }
                    _ => None,
                }
            }
            _ => Some(Text::Place(self.place(expr)?.0)),
        }
    }

    fn operand(&self, expr: &IdedExpr) -> Option<Operand<Place>> {
        if let Some(literal) = Literal::of(expr) {
            return Some(Operand::Literal(literal));
        }
        if let Some((place, _)) = self.place(expr) {
            return Some(Operand::Place(place));
        }
        if is_text(expr) {
            return self.text(expr).map(Operand::Text);
        }
        self.number(expr).map(Operand::Number)
    }
}

/// Whether an expression can only be a string: a literal, or one joined to something.
fn is_text(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(_)) => true,
        Expr::Call(call) if call.func_name == op::ADD => call.args.iter().any(is_text),
        _ => false,
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
fn both(
    left: Result<bool, Halt>,
    right: impl FnOnce() -> Result<bool, Halt>,
    absorbing: bool,
) -> Result<bool, Halt> {
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
