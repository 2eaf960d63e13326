//! The common shapes of an expression (sums, ratios, counts, presence) as plain arithmetic over looked-up slots, so that
//! scoring does not interpret a tree of boxed values. Never guesses: whatever is not certain to mean the same is left to CEL,
//! at compile time by not lowering, at run time by [`Halt::Unsure`].

use crate::lookup::{Found, Lookup, Step};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators as op};
use std::borrow::Cow;

/// Integers beyond this are not exact as f64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Why plain arithmetic stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// A key that the value depends on is absent.
    Missing,
    /// CEL must say.
    Unsure,
}

/// An expression that yields a double.
#[derive(Debug, Clone)]
pub(crate) enum Number {
    Constant(f64),
    /// `double(path)`.
    Slot(usize),
    Negative(Box<Number>),
    Binary(Arithmetic, Box<(Number, Number)>),
    If(Box<(Truth, Number, Number)>),
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
pub(crate) enum Truth {
    Constant(bool),
    Slot(usize),
    /// `has(parent.member)`; no parent where that is `data` itself.
    Has {
        parent: Option<usize>,
        member: usize,
    },
    Compare(Comparison, Box<(Operand, Operand)>),
    SameText(Box<(Text, Text)>),
    Not(Box<Truth>),
    And(Box<(Truth, Truth)>),
    Or(Box<(Truth, Truth)>),
}

/// An expression that yields a string.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Constant(String),
    Slot(usize),
    Join(Box<(Text, Text)>),
    If(Box<(Truth, Text, Text)>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Comparison {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

/// A side of a comparison: CEL compares numbers across its types.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Number(Number),
    /// A path that holds a number of either type.
    Path(usize),
}

/// Lowers what yields a double; `None` leaves it to CEL.
pub(crate) fn number(expr: &IdedExpr, lookup: &mut Lookup) -> Option<Number> {
    match &expr.expr {
        Expr::Literal(LiteralValue::Double(value)) => Some(Number::Constant(*value.inner())),
        Expr::Call(call) if call.target.is_none() => number_call(call, lookup),
        _ => None,
    }
}

fn number_call(call: &CallExpr, lookup: &mut Lookup) -> Option<Number> {
    let arithmetic = match (call.func_name.as_str(), call.args.as_slice()) {
        ("double", [arg]) => return Some(Number::Slot(lookup.slot(&path(arg)?))),
        (op::NEGATE, [arg]) => return Some(Number::Negative(Box::new(number(arg, lookup)?))),
        (op::CONDITIONAL, [condition, yes, no]) => {
            let parts = (truth(condition, lookup)?, number(yes, lookup)?, number(no, lookup)?);
            return Some(Number::If(Box::new(parts)));
        }
        (op::ADD, _) => Arithmetic::Add,
        (op::SUBSTRACT, _) => Arithmetic::Subtract,
        (op::MULTIPLY, _) => Arithmetic::Multiply,
        (op::DIVIDE, _) => Arithmetic::Divide,
        _ => return None,
    };
    let [left, right] = call.args.as_slice() else { return None };
    Some(Number::Binary(arithmetic, Box::new((number(left, lookup)?, number(right, lookup)?))))
}

/// Lowers what yields a bool; `None` leaves it to CEL.
pub(crate) fn truth(expr: &IdedExpr, lookup: &mut Lookup) -> Option<Truth> {
    match &expr.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => Some(Truth::Constant(*value.inner())),
        Expr::Select(select) if select.test => {
            let mut steps = steps_to(&select.operand)?;
            let parent = if steps.is_empty() { None } else { Some(lookup.slot(&steps)) };
            steps.push(Step::Key(select.field.clone()));
            Some(Truth::Has { parent, member: lookup.slot(&steps) })
        }
        Expr::Select(_) => Some(Truth::Slot(lookup.slot(&path(expr)?))),
        Expr::Call(call) if call.target.is_none() => truth_call(call, lookup),
        _ => None,
    }
}

fn truth_call(call: &CallExpr, lookup: &mut Lookup) -> Option<Truth> {
    let comparison = match (call.func_name.as_str(), call.args.as_slice()) {
        (op::LOGICAL_NOT, [arg]) => return Some(Truth::Not(Box::new(truth(arg, lookup)?))),
        (op::LOGICAL_AND, [left, right]) => {
            return Some(Truth::And(Box::new((truth(left, lookup)?, truth(right, lookup)?))));
        }
        (op::LOGICAL_OR, [left, right]) => {
            return Some(Truth::Or(Box::new((truth(left, lookup)?, truth(right, lookup)?))));
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
    if let (Comparison::Equal | Comparison::NotEqual, true) = (comparison, is_text(left) || is_text(right)) {
        let same = Truth::SameText(Box::new((text(left, lookup)?, text(right, lookup)?)));
        return Some(match comparison {
            Comparison::NotEqual => Truth::Not(Box::new(same)),
            _ => same,
        });
    }
    Some(Truth::Compare(comparison, Box::new((operand(left, lookup)?, operand(right, lookup)?))))
}

/// Lowers what yields a string; `None` leaves it to CEL.
pub(crate) fn text(expr: &IdedExpr, lookup: &mut Lookup) -> Option<Text> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(value)) => Some(Text::Constant(value.inner().to_owned())),
        Expr::Call(call) if call.target.is_none() => match (call.func_name.as_str(), call.args.as_slice()) {
            (op::ADD, [left, right]) => Some(Text::Join(Box::new((text(left, lookup)?, text(right, lookup)?)))),
            (op::CONDITIONAL, [condition, yes, no]) => {
                Some(Text::If(Box::new((truth(condition, lookup)?, text(yes, lookup)?, text(no, lookup)?))))
            }
            (op::INDEX, _) => Some(Text::Slot(lookup.slot(&path(expr)?))),
            _ => None,
        },
        _ => Some(Text::Slot(lookup.slot(&path(expr)?))),
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

fn operand(expr: &IdedExpr, lookup: &mut Lookup) -> Option<Operand> {
    if let Expr::Literal(LiteralValue::Int(value)) = &expr.expr {
        let value = *value.inner() as f64;
        return (value.abs() < EXACT).then_some(Operand::Number(Number::Constant(value)));
    }
    match path(expr) {
        Some(steps) => Some(Operand::Path(lookup.slot(&steps))),
        None => number(expr, lookup).map(Operand::Number),
    }
}

/// The steps of `data.a.b[0].c`, at least one.
fn path(expr: &IdedExpr) -> Option<Vec<Step>> {
    steps_to(expr).filter(|steps| !steps.is_empty())
}

fn steps_to(expr: &IdedExpr) -> Option<Vec<Step>> {
    match &expr.expr {
        Expr::Ident(name) if name == "data" => Some(Vec::new()),
        Expr::Select(select) if !select.test => {
            let mut steps = steps_to(&select.operand)?;
            steps.push(Step::Key(select.field.clone()));
            Some(steps)
        }
        Expr::Call(call) if call.func_name == op::INDEX => {
            let [operand, index] = call.args.as_slice() else { return None };
            let mut steps = steps_to(operand)?;
            steps.push(match &index.expr {
                Expr::Literal(LiteralValue::Int(at)) => Step::Index(usize::try_from(*at.inner()).ok()?),
                Expr::Literal(LiteralValue::String(key)) => Step::Key(key.inner().to_owned()),
                _ => return None,
            });
            Some(steps)
        }
        _ => None,
    }
}

impl Number {
    pub(crate) fn eval(&self, found: &[Found<'_>]) -> Result<f64, Halt> {
        Ok(match self {
            Self::Constant(value) => *value,
            Self::Slot(slot) => number_at(&found[*slot])?,
            Self::Negative(inner) => -inner.eval(found)?,
            Self::Binary(arithmetic, sides) => {
                let (left, right) = (sides.0.eval(found)?, sides.1.eval(found)?);
                match arithmetic {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                }
            }
            Self::If(parts) if parts.0.eval(found)? => parts.1.eval(found)?,
            Self::If(parts) => parts.2.eval(found)?,
        })
    }
}

impl Truth {
    pub(crate) fn eval(&self, found: &[Found<'_>]) -> Result<bool, Halt> {
        match self {
            Self::Constant(value) => Ok(*value),
            Self::Slot(slot) => match &found[*slot] {
                Found::Bool(value) => Ok(*value),
                other => Err(halt(other)),
            },
            Self::Has { parent, member } => match (parent.map(|slot| &found[slot]), &found[*member]) {
                (None | Some(Found::Object), Found::Absent) => Ok(false),
                (_, Found::Absent | Found::NotAContainer | Found::Null) => Err(Halt::Unsure),
                _ => Ok(true),
            },
            Self::Compare(comparison, sides) => compare(*comparison, sides.0.eval(found)?, sides.1.eval(found)?),
            Self::SameText(sides) => {
                let left = sides.0.eval(found)?;
                Ok(left == sides.1.eval(found)?)
            }
            Self::Not(inner) => inner.eval(found).map(|value| !value),
            Self::And(sides) => match sides.0.eval(found) {
                Ok(false) => Ok(false),
                Ok(true) => sides.1.eval(found),
                Err(_) => Err(Halt::Unsure),
            },
            Self::Or(sides) => match sides.0.eval(found) {
                Ok(true) => Ok(true),
                Ok(false) => sides.1.eval(found),
                Err(_) => Err(Halt::Unsure),
            },
        }
    }
}

impl Text {
    pub(crate) fn eval<'s>(&'s self, found: &'s [Found<'_>]) -> Result<Cow<'s, str>, Halt> {
        match self {
            Self::Constant(text) => Ok(Cow::Borrowed(text)),
            Self::Slot(slot) => match &found[*slot] {
                Found::Text(text) => Ok(Cow::Borrowed(text)),
                other => Err(halt(other)),
            },
            Self::Join(sides) => Ok(sides.0.eval(found)? + sides.1.eval(found)?),
            Self::If(parts) if parts.0.eval(found)? => parts.1.eval(found),
            Self::If(parts) => parts.2.eval(found),
        }
    }
}

impl Operand {
    fn eval(&self, found: &[Found<'_>]) -> Result<f64, Halt> {
        match self {
            Self::Number(number) => number.eval(found),
            Self::Path(slot) => number_at(&found[*slot]),
        }
    }
}

/// Null counts as absent where it is a member, and is a value where it is an element: CEL tells them apart.
fn halt(found: &Found<'_>) -> Halt {
    match found {
        Found::Absent => Halt::Missing,
        _ => Halt::Unsure,
    }
}

fn number_at(found: &Found<'_>) -> Result<f64, Halt> {
    let number = found.number().ok_or_else(|| halt(found))?;
    if number.abs() < EXACT { Ok(number) } else { Err(Halt::Unsure) }
}

fn compare(comparison: Comparison, left: f64, right: f64) -> Result<bool, Halt> {
    if left.is_nan() || right.is_nan() {
        return Err(Halt::Unsure);
    }
    Ok(match comparison {
        Comparison::Less => left < right,
        Comparison::LessEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterEqual => left >= right,
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
    })
}
