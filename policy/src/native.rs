//! Simple conditions without the interpreter: comparisons of one variable with literals, presence, `in`, and `&& || !` of
//! such. Says exactly what CEL says, errors included (a property test holds it to that); anything else is left to CEL.

use crate::vocabulary::{Value, Var};
use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators as op};
use expressions::tree::path_of;
use schemas::risk::RiskEvent;
use std::cmp::Ordering;

/// A condition in native form.
#[derive(Debug, Clone)]
pub(crate) enum Native {
    Literal(bool),
    Bool(Var),
    Has(Var),
    Not(Box<Native>),
    And(Box<Native>, Box<Native>),
    Or(Box<Native>, Box<Native>),
    Compare(Operand, Op, Operand),
    In(Operand, Vec<Literal>),
}

#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Var(Var),
    Literal(Literal),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Native {
    /// The native form of an expression; `None` when it has none.
    pub(crate) fn of(expr: &IdedExpr) -> Option<Self> {
        match &expr.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Some(Self::Literal(*value.inner())),
            Expr::Select(select) if select.test => {
                let mut path = path_of(&select.operand)?;
                path.push(&select.field);
                Var::of_path(&path).map(Self::Has)
            }
            Expr::Ident(_) | Expr::Select(_) => Var::of_path(&path_of(expr)?).map(Self::Bool),
            Expr::Call(call) if call.target.is_none() => Self::of_call(&call.func_name, &call.args),
            _ => None,
        }
    }

    fn of_call(name: &str, args: &[IdedExpr]) -> Option<Self> {
        match (name, args) {
            (op::LOGICAL_NOT, [of]) => Some(Self::Not(Box::new(Self::of(of)?))),
            (op::LOGICAL_AND, [left, right]) => Some(Self::And(Box::new(Self::of(left)?), Box::new(Self::of(right)?))),
            (op::LOGICAL_OR, [left, right]) => Some(Self::Or(Box::new(Self::of(left)?), Box::new(Self::of(right)?))),
            (op::IN, [left, right]) => {
                let Expr::List(list) = &right.expr else { return None };
                let items: Option<Vec<_>> = list.elements.iter().map(Literal::of).collect();
                Some(Self::In(Operand::of(left)?, items?))
            }
            (name, [left, right]) => Some(Self::Compare(Operand::of(left)?, Op::of(name)?, Operand::of(right)?)),
            _ => None,
        }
    }

    /// Whether the condition holds; `None` where CEL would fail.
    pub(crate) fn holds(&self, event: &RiskEvent) -> Option<bool> {
        match self {
            Self::Literal(value) => Some(*value),
            Self::Bool(var) => match var.get(event)? {
                Value::Bool(value) => Some(value),
                _ => None,
            },
            Self::Has(var) => Some(var.get(event).is_some()),
            Self::Not(of) => of.holds(event).map(|holds| !holds),
            Self::And(left, right) => both(left.holds(event), || right.holds(event), false),
            Self::Or(left, right) => both(left.holds(event), || right.holds(event), true),
            Self::Compare(left, op, right) => op.apply(left.get(event)?, right.get(event)?),
            Self::In(item, list) => {
                let item = item.get(event)?;
                Some(list.iter().any(|other| equal(other.value(), item)))
            }
        }
    }

    /// The variable and the literal of a comparison between them, for the record of a rule that fired.
    pub(crate) fn compared(&self) -> Option<(&Var, &Literal)> {
        match self {
            Self::Compare(Operand::Var(var), _, Operand::Literal(literal)) => Some((var, literal)),
            Self::And(guard, test) if matches!(**guard, Self::Has(_)) => test.compared(),
            _ => None,
        }
    }
}

/// CEL's connectives: the absorbing side decides even beside an error.
fn both(left: Option<bool>, right: impl FnOnce() -> Option<bool>, absorbing: bool) -> Option<bool> {
    if left == Some(absorbing) {
        return left;
    }
    match (left, right()) {
        (_, Some(right)) if right == absorbing => Some(absorbing),
        (Some(_), Some(_)) => Some(!absorbing),
        _ => None,
    }
}

impl Op {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            op::EQUALS => Self::Equal,
            op::NOT_EQUALS => Self::NotEqual,
            op::LESS => Self::Less,
            op::LESS_EQUALS => Self::LessEqual,
            op::GREATER => Self::Greater,
            op::GREATER_EQUALS => Self::GreaterEqual,
            _ => return None,
        })
    }

    fn apply(self, left: Value<'_>, right: Value<'_>) -> Option<bool> {
        Some(match self {
            Self::Equal => equal(left, right),
            Self::NotEqual => !equal(left, right),
            Self::Less => order(left, right)? == Ordering::Less,
            Self::LessEqual => order(left, right)? != Ordering::Greater,
            Self::Greater => order(left, right)? == Ordering::Greater,
            Self::GreaterEqual => order(left, right)? != Ordering::Less,
        })
    }
}

/// Values of different types are not equal; that is no error.
fn equal(left: Value<'_>, right: Value<'_>) -> bool {
    order(left, right) == Some(Ordering::Equal)
}

/// Numbers compare across types; `None` where there is no order.
fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(&right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(&right),
        (Value::Int(left), Value::Double(right)) => (left as f64).partial_cmp(&right),
        (Value::Double(left), Value::Int(right)) => left.partial_cmp(&(right as f64)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

impl Operand {
    fn of(expr: &IdedExpr) -> Option<Self> {
        match path_of(expr) {
            Some(path) => Var::of_path(&path).map(Self::Var),
            None => Literal::of(expr).map(Self::Literal),
        }
    }

    fn get<'a>(&'a self, event: &'a RiskEvent) -> Option<Value<'a>> {
        match self {
            Self::Var(var) => var.get(event),
            Self::Literal(literal) => Some(literal.value()),
        }
    }
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

    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Double(value) => Value::Double(*value),
            Self::Text(value) => Value::Text(value),
        }
    }
}
