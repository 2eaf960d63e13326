//! From the tree of an expression to plain Rust: the common shapes (comparisons, presence, sums, ratios, joined texts), so that nobody
//! interprets a tree of boxed values for them. Whatever has another shape is left to the interpreter.

use crate::native::{Arithmetic, Comparison, Literal, Lowered, Number, Operand, Text, Truth};
use crate::place::Place;
use crate::vocabulary::{Kind, Type, Vocabulary};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};

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
                let items: Option<Vec<_>> = list.elements.iter().map(literal).collect();
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
        if let Some(literal) = literal(expr) {
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

/// The literal of a single value that an expression is.
pub(crate) fn literal(expr: &IdedExpr) -> Option<Literal> {
    match &expr.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => Some(Literal::Bool(*value.inner())),
        Expr::Literal(LiteralValue::Int(value)) => Some(Literal::Int(*value.inner())),
        Expr::Literal(LiteralValue::Double(value)) => Some(Literal::Double(*value.inner())),
        Expr::Literal(LiteralValue::String(value)) => Some(Literal::Text(value.inner().to_owned())),
        _ => None,
    }
}
