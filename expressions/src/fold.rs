//! Questions about a syntax tree that need no document: is it constant, is it the same as another. Only measured expressions are
//! asked: a constant part is evaluated.

use crate::measured;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, operators as op};

/// The value of a condition that does not depend on the document; `None` when it does.
pub(crate) fn constant(expr: &IdedExpr) -> Option<bool> {
    if let Expr::Call(call) = &expr.expr {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (op::LOGICAL_AND, [left, right]) => return connect(constant(left), constant(right), false),
            (op::LOGICAL_OR, [left, right]) => return connect(constant(left), constant(right), true),
            (op::LOGICAL_NOT, [of]) => return constant(of).map(|value| !value),
            (op::EQUALS | op::LESS_EQUALS | op::GREATER_EQUALS, [left, right]) if same(left, right) => {
                return Some(true);
            }
            (op::NOT_EQUALS | op::LESS | op::GREATER, [left, right]) if same(left, right) => return Some(false),
            _ => {}
        }
    }
    match measured::constant(expr) {
        Some(cel::Value::Bool(value)) => Some(value),
        _ => None,
    }
}

fn connect(left: Option<bool>, right: Option<bool>, absorbing: bool) -> Option<bool> {
    match (left, right) {
        (Some(value), _) | (_, Some(value)) if value == absorbing => Some(absorbing),
        (Some(_), Some(_)) => Some(!absorbing),
        _ => None,
    }
}

/// Whether two expressions are the same but for white space, brackets and the order of `&&` and `||`.
pub(crate) fn same(left: &IdedExpr, right: &IdedExpr) -> bool {
    canonical(left) == canonical(right)
}

/// The expression as a text without positions.
pub(crate) fn canonical(expr: &IdedExpr) -> String {
    match &expr.expr {
        Expr::Call(call) if matches!(call.func_name.as_str(), op::LOGICAL_AND | op::LOGICAL_OR) => {
            let mut sides = Vec::new();
            flatten(expr, &call.func_name, &mut sides);
            sides.sort_unstable();
            sides.dedup();
            if sides.len() == 1 { sides.remove(0) } else { format!("{}({})", call.func_name, sides.join(",")) }
        }
        Expr::Call(call) => {
            let target = call.target.as_deref().map(|target| canonical(target) + ".").unwrap_or_default();
            format!("{target}{}({})", call.func_name, all(&call.args))
        }
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) if select.test => format!("has({}.{})", canonical(&select.operand), select.field),
        Expr::Select(select) => format!("{}.{}", canonical(&select.operand), select.field),
        Expr::List(list) => format!("[{}]", all(&list.elements)),
        Expr::Comprehension(c) => {
            let parts = [&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result].map(canonical);
            format!("each {} {}({})", c.iter_var, c.accu_var, parts.join(","))
        }
        Expr::Map(map) => {
            format!("{{{}}}", map.entries.iter().map(|entry| canonical_entry(&entry.expr)).collect::<String>())
        }
        other => format!("{other:?}"),
    }
}

fn canonical_entry(entry: &EntryExpr) -> String {
    match entry {
        EntryExpr::MapEntry(entry) => format!("{}:{},", canonical(&entry.key), canonical(&entry.value)),
        EntryExpr::StructField(field) => format!("{}:{},", field.field, canonical(&field.value)),
    }
}

fn all(exprs: &[IdedExpr]) -> String {
    exprs.iter().map(canonical).collect::<Vec<_>>().join(",")
}

fn flatten(expr: &IdedExpr, connective: &str, into: &mut Vec<String>) {
    match &expr.expr {
        Expr::Call(call) if call.func_name == connective => {
            call.args.iter().for_each(|arg| flatten(arg, connective, into));
        }
        _ => into.push(canonical(expr)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cel::Program;

    fn tree(source: &str) -> Program {
        Program::compile(source).expect("test expressions parse")
    }

    #[test]
    fn constants_are_seen_through_connectives() {
        let rows = [
            ("true", Some(true)),
            ("1 > 2", Some(false)),
            ("score < 5 || true", Some(true)),
            ("score < 5 && 'a' == 'b'", Some(false)),
            ("!(1 == 1)", Some(false)),
            ("score <= score", Some(true)),
            ("score < 5", None),
            ("score < 5 && true", None),
            ("1 / 0 == 1", None),
        ];
        for (source, expected) in rows {
            assert_eq!(constant(tree(source).expression()), expected, "{source}");
        }
    }

    #[test]
    fn order_and_brackets_do_not_tell_conditions_apart() {
        let rows = [
            ("score < 5 && channel == 'web'", "(channel == \"web\") && ((score < 5))", true),
            ("has(facts.dependants)", "has( facts.dependants )", true),
            ("score < 5", "score < 6", false),
            ("score < 5", "score <= 5", false),
            ("reports.exists(r, r.status == 'hit')", "reports.exists(r, r.status == 'hit')", true),
            ("reports.exists(r, r.status == 'hit')", "reports.all(r, r.status == 'hit')", false),
        ];
        for (left, right, expected) in rows {
            assert_eq!(same(tree(left).expression(), tree(right).expression()), expected, "{left} / {right}");
        }
    }
}
