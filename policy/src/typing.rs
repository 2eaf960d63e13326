//! What type an expression has, and what in it cannot work: unknown variables and functions, operands that never match.
//! Works on the syntax tree alone; where a type depends on the event it says so and the sample run decides.

use crate::vocabulary::{GROUPS, Kind, LISTS, Var};
use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators as op};
use expressions::tree::{children, path_of};

/// What is known of a value before there is an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Known(Kind),
    List,
    Map,
    /// Not before there is an event.
    Open,
}

/// A fault in an expression.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// `unknown_variable`, `unknown_function` or `type_mismatch`.
    pub code: &'static str,
    pub message: String,
}

/// Variables that macros bind, innermost last.
type Bound<'e> = Vec<(&'e str, Type)>;

const BOOL: Type = Type::Known(Kind::Bool);
const INT: Type = Type::Known(Kind::Int);
const TEXT: Type = Type::Known(Kind::Text);

/// Functions of CEL's standard library with their results.
const FUNCTIONS: &[(&str, Type)] = &[
    ("size", INT),
    ("contains", BOOL),
    ("startsWith", BOOL),
    ("endsWith", BOOL),
    ("matches", BOOL),
    ("string", TEXT),
    ("int", INT),
    ("double", Type::Known(Kind::Double)),
    ("bool", BOOL),
    ("timestamp", Type::Open),
    ("duration", Type::Open),
    ("getFullYear", INT),
    ("getMonth", INT),
    ("getDayOfMonth", INT),
    ("@not_strictly_false", BOOL),
];

/// The type of an expression.
///
/// # Errors
/// The first fault found, from the left.
pub(crate) fn infer(expr: &IdedExpr) -> Result<Type, Fault> {
    typed(expr, &mut Vec::new())
}

fn typed<'e>(expr: &'e IdedExpr, bound: &mut Bound<'e>) -> Result<Type, Fault> {
    match &expr.expr {
        Expr::Literal(literal) => Ok(literal_type(literal)),
        Expr::Ident(name) => variable(&[name], bound),
        Expr::Select(select) => {
            let found = match path_of(&select.operand) {
                Some(mut path) => {
                    path.push(&select.field);
                    variable(&path, bound)?
                }
                None => member(typed(&select.operand, bound)?)?,
            };
            Ok(if select.test { BOOL } else { found })
        }
        Expr::List(list) => list.elements.iter().try_for_each(|e| typed(e, bound).map(drop)).map(|()| Type::List),
        Expr::Map(_) => children(expr).into_iter().try_for_each(|e| typed(e, bound).map(drop)).map(|()| Type::Map),
        Expr::Comprehension(comprehension) => each(comprehension, bound),
        Expr::Call(call) => {
            let mut types = Vec::with_capacity(call.args.len());
            if let Some(target) = &call.target {
                typed(target, bound)?;
            }
            for arg in &call.args {
                types.push(typed(arg, bound)?);
            }
            if call.target.is_none() {
                operator(&call.func_name, &types, &call.args)
            } else {
                function(&call.func_name)
            }
        }
        Expr::Struct(_) | Expr::Unspecified => Err(mismatch("messages cannot be built here")),
    }
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => BOOL,
        LiteralValue::Int(_) => INT,
        LiteralValue::Double(_) => Type::Known(Kind::Double),
        LiteralValue::String(_) => TEXT,
        LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => Type::Open,
    }
}

fn variable(path: &[&str], bound: &Bound<'_>) -> Result<Type, Fault> {
    if let Some((_, kind)) = bound.iter().rev().find(|(name, _)| *name == path[0]) {
        return Ok(if path.len() == 1 { *kind } else { Type::Open });
    }
    match path {
        ["facts"] | ["features"] => Ok(Type::Map),
        ["reports"] => Ok(Type::List),
        ["facts", group] if GROUPS.contains(group) => Ok(Type::Map),
        ["facts", list] if LISTS.contains(list) => Ok(Type::List),
        _ => Var::of_path(path).map(|var| Type::Known(var.kind())).ok_or_else(|| Fault {
            code: "unknown_variable",
            message: format!("{} is not published to policies", path.join(".")),
        }),
    }
}

fn member(of: Type) -> Result<Type, Fault> {
    match of {
        Type::Map | Type::Open => Ok(Type::Open),
        Type::List | Type::Known(_) => Err(mismatch("only maps have fields")),
    }
}

fn each<'e>(c: &'e ComprehensionExpr, bound: &mut Bound<'e>) -> Result<Type, Fault> {
    if let Type::Known(_) = typed(&c.iter_range, bound)? {
        return Err(mismatch("only lists and maps can be gone through"));
    }
    let start = typed(&c.accu_init, bound)?;
    let depth = bound.len();
    bound.push((&c.accu_var, start));
    bound.push((&c.iter_var, Type::Open));
    let inside = [&c.loop_cond, &c.loop_step, &c.result].map(|part| typed(part, bound));
    bound.truncate(depth);
    let [cond, step, result] = inside;
    cond.and(step).and(result)
}

fn operator(name: &str, types: &[Type], args: &[IdedExpr]) -> Result<Type, Fault> {
    match (name, types) {
        (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT, _) => {
            if types.iter().all(|of| fits(*of, BOOL)) {
                Ok(BOOL)
            } else {
                Err(mismatch("&&, || and ! take booleans"))
            }
        }
        (op::EQUALS | op::NOT_EQUALS, [left, right]) => {
            if fits(*left, *right) {
                Ok(BOOL)
            } else {
                Err(mismatch("== of two types is never true"))
            }
        }
        (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [left, right]) => {
            let ordered = |of: &Type| matches!(of, Type::Known(_) | Type::Open);
            let both = ordered(left) && ordered(right);
            if both && fits(*left, *right) { Ok(BOOL) } else { Err(mismatch("these two types have no order")) }
        }
        (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [left, right]) => {
            arithmetic(name, *left, *right)
        }
        (op::NEGATE, [of]) => match of {
            Type::Known(Kind::Int | Kind::Double) | Type::Open => Ok(*of),
            _ => Err(mismatch("only numbers can be negated")),
        },
        (op::CONDITIONAL, [test, left, right]) => match fits(*test, BOOL) {
            true => Ok(if left == right { *left } else { Type::Open }),
            false => Err(mismatch("? takes a boolean")),
        },
        (op::IN, [item, Type::List]) => match &args[1].expr {
            Expr::List(list) => among(*item, &list.elements),
            _ => Ok(BOOL),
        },
        (op::IN, [_, Type::Map | Type::Open]) => Ok(BOOL),
        (op::INDEX, [Type::List | Type::Map | Type::Open, _]) => Ok(Type::Open),
        (op::IN | op::INDEX, _) => Err(mismatch("in and [] take a list or a map")),
        _ => function(name),
    }
}

fn among(item: Type, elements: &[IdedExpr]) -> Result<Type, Fault> {
    let literal = |e: &IdedExpr| if let Expr::Literal(of) = &e.expr { literal_type(of) } else { Type::Open };
    if elements.iter().all(|element| fits(item, literal(element))) {
        Ok(BOOL)
    } else {
        Err(mismatch("an element of the list never equals this"))
    }
}

/// CEL adds int to int and double to double, and never mixes them.
fn arithmetic(name: &str, left: Type, right: Type) -> Result<Type, Fault> {
    match (left, right) {
        (Type::Open, other) | (other, Type::Open) => {
            Ok(if other == TEXT && name != op::ADD { Type::Open } else { other })
        }
        (Type::Known(Kind::Int), Type::Known(Kind::Int)) => Ok(left),
        (Type::Known(Kind::Double), Type::Known(Kind::Double)) if name != op::MODULO => Ok(left),
        (Type::Known(Kind::Text), Type::Known(Kind::Text)) if name == op::ADD => Ok(left),
        (Type::List, Type::List) if name == op::ADD => Ok(left),
        _ => Err(mismatch("arithmetic does not mix types: write 1.0, or double(x)")),
    }
}

fn function(name: &str) -> Result<Type, Fault> {
    FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, result)| *result).ok_or_else(|| Fault {
        code: "unknown_function",
        message: format!("{name} is not a function of CEL's standard library"),
    })
}

fn fits(left: Type, right: Type) -> bool {
    let number = |of| matches!(of, Type::Known(Kind::Int | Kind::Double));
    left == Type::Open || right == Type::Open || left == right || (number(left) && number(right))
}

fn mismatch(message: &str) -> Fault {
    Fault { code: "type_mismatch", message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cel::Program;

    #[test]
    fn faults_are_found_without_an_event() {
        let rows = [
            ("score < 600", Ok(BOOL)),
            ("pd", Ok(Type::Known(Kind::Double))),
            ("features.pay_1 >= 2", Ok(BOOL)),
            ("features.pay_1 + 1.0 > pd", Ok(BOOL)),
            ("has(facts.employment.status) && facts.employment.status in ['unemployed']", Ok(BOOL)),
            ("facts.income.exists(i, i.period == 'month' && i.amount.amount_minor > 5)", Ok(BOOL)),
            ("reports.all(r, r.status != 'frozen')", Ok(BOOL)),
            ("reports.filter(r, r.status == 'hit')", Ok(Type::List)),
            ("size(reports) == 0", Ok(BOOL)),
            ("jurisdiction.startsWith('US-')", Ok(BOOL)),
            ("'x' in features", Ok(BOOL)),
            ("income > 5", Err("unknown_variable")),
            ("facts.incom > 5", Err("unknown_variable")),
            ("facts.employment.salary > 5", Err("unknown_variable")),
            ("score.value > 5", Err("unknown_variable")),
            ("applicant_sex == 'm'", Err("unknown_variable")),
            ("median(features) > 1", Err("unknown_function")),
            ("score < '600'", Err("type_mismatch")),
            ("product == 1", Err("type_mismatch")),
            ("facts.of_legal_age < 18", Err("type_mismatch")),
            ("score && true", Err("type_mismatch")),
            ("features.pay_1 + 1 > 2.0", Err("type_mismatch")),
            ("band in [1, 2]", Err("type_mismatch")),
            ("score.all(x, x > 1)", Err("type_mismatch")),
            ("reports.exists(r, score == 'x')", Err("type_mismatch")),
            ("-band == 'A'", Err("type_mismatch")),
        ];
        for (source, expected) in rows {
            let program = Program::compile(source).expect(source);
            let found = infer(program.expression()).map_err(|fault| fault.code);
            assert_eq!(found, expected, "{source}");
        }
    }
}
