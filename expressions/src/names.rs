//! Which names an expression reads, whether it could do without them, and which words it holds them against. An element is named by
//! its list, `debts[].kind`, also where a macro calls it by a name of its own.

use crate::tree::children;
use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators as op};

/// What an expression says of names.
#[derive(Debug, Default)]
pub struct Names {
    /// Names whose values are read, in the order of the text, each as often as it stands there.
    pub read: Vec<Read>,
    /// Words that names are held against.
    pub words: Vec<Held>,
}

/// A name whose value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The dotted name.
    pub name: String,
    /// Whether a `has()` or `in` beside it decides where it is absent.
    pub is_guarded: bool,
    /// Line and column in the expression, both from 1.
    pub at: Option<(usize, usize)>,
    pub(crate) node: u64,
}

/// A name beside a literal text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The dotted name.
    pub name: String,
    /// The text.
    pub word: String,
    /// Line and column in the expression, both from 1.
    pub at: Option<(usize, usize)>,
    pub(crate) node: u64,
}

/// What a macro binds, with the name of what it stands for.
type Bound<'e> = (&'e str, Option<String>);

impl Names {
    /// Looks through an expression.
    pub(crate) fn of(expr: &IdedExpr) -> Self {
        let mut names = Self::default();
        names.walk(expr, &[], &[]);
        names
    }

    fn walk(&mut self, expr: &IdedExpr, bound: &[Bound<'_>], known: &[String]) {
        if let Some(name) = path_below(expr, bound) {
            let is_guarded = known.contains(&name);
            return self.read.push(Read { name, is_guarded, at: None, node: expr.id });
        }
        match &expr.expr {
            // What is asked for is not read, and what it is a member of is always there or a name of its own.
            Expr::Select(select) if select.test => {}
            Expr::Comprehension(each) => {
                self.walk(&each.iter_range, bound, known);
                let element = path_below(&each.iter_range, bound).map(|of| format!("{of}[]"));
                let mut inner = bound.to_vec();
                inner.push((&each.iter_var, element));
                inner.extend(each.iter_var2.as_deref().map(|name| (name, None)));
                inner.push((&each.accu_var, None));
                [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result]
                    .into_iter()
                    .for_each(|part| self.walk(part, &inner, known));
            }
            Expr::Call(call) => {
                self.held(&call.func_name, &call.args, bound);
                match (call.func_name.as_str(), call.args.as_slice()) {
                    (connective @ (op::LOGICAL_AND | op::LOGICAL_OR), sides) => {
                        let wanted = connective == op::LOGICAL_AND;
                        for (at, side) in sides.iter().enumerate() {
                            let beside = sides.iter().enumerate().filter(|(other, _)| *other != at);
                            let guards = beside.flat_map(|(_, other)| guards(other, wanted, bound));
                            self.walk(side, bound, &known.iter().cloned().chain(guards).collect::<Vec<_>>());
                        }
                    }
                    (op::CONDITIONAL, [test, yes, no]) => {
                        self.walk(test, bound, known);
                        for (side, wanted) in [(yes, true), (no, false)] {
                            let guards = guards(test, wanted, bound);
                            self.walk(side, bound, &known.iter().cloned().chain(guards).collect::<Vec<_>>());
                        }
                    }
                    _ => children(expr).into_iter().for_each(|child| self.walk(child, bound, known)),
                }
            }
            _ => children(expr).into_iter().for_each(|child| self.walk(child, bound, known)),
        }
    }

    /// Words beside a name.
    fn held(&mut self, function: &str, args: &[IdedExpr], bound: &[Bound<'_>]) {
        let [left, right] = args else { return };
        let pairs: Vec<(&IdedExpr, &IdedExpr)> = match (function, &right.expr) {
            (op::EQUALS | op::NOT_EQUALS, _) => vec![(left, right), (right, left)],
            (op::IN, Expr::List(list)) => list.elements.iter().map(|word| (left, word)).collect(),
            _ => Vec::new(),
        };
        for (of, word) in pairs {
            if let (Some(name), Some(text)) = (path_below(of, bound), text(word)) {
                self.words.push(Held { name, word: text.to_owned(), at: None, node: word.id });
            }
        }
    }
}

/// Names that are there wherever an expression is so.
fn guards(expr: &IdedExpr, wanted: bool, bound: &[Bound<'_>]) -> Vec<String> {
    match &expr.expr {
        Expr::Select(select) if select.test && wanted => {
            path_below(&select.operand, bound).map(|of| format!("{of}.{}", select.field)).into_iter().collect()
        }
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (op::LOGICAL_NOT, [of]) => guards(of, !wanted, bound),
            (op::LOGICAL_AND, sides) if wanted => sides.iter().flat_map(|side| guards(side, wanted, bound)).collect(),
            (op::LOGICAL_OR, sides) if !wanted => sides.iter().flat_map(|side| guards(side, wanted, bound)).collect(),
            (op::LOGICAL_AND | op::LOGICAL_OR, sides) => {
                let each: Vec<Vec<String>> = sides.iter().map(|side| guards(side, wanted, bound)).collect();
                let first = each.first().cloned().unwrap_or_default();
                first.into_iter().filter(|name| each.iter().all(|names| names.contains(name))).collect()
            }
            (op::IN, [key, of]) if wanted => {
                let name = path_below(of, bound).zip(text(key)).map(|(of, key)| format!("{of}.{key}"));
                name.into_iter().collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The dotted name that an expression is.
pub(crate) fn path_below(expr: &IdedExpr, bound: &[Bound<'_>]) -> Option<String> {
    match &expr.expr {
        Expr::Ident(name) => match bound.iter().rev().find(|(known, _)| known == name) {
            Some((_, of)) => of.clone(),
            None => Some(name.clone()),
        },
        Expr::Select(select) if !select.test => {
            path_below(&select.operand, bound).map(|of| format!("{of}.{}", select.field))
        }
        Expr::Call(call) if call.func_name == op::INDEX && call.target.is_none() => {
            let [of, key] = call.args.as_slice() else { return None };
            let of = path_below(of, bound)?;
            match &key.expr {
                Expr::Literal(LiteralValue::String(key)) => Some(format!("{of}.{}", key.inner())),
                Expr::Literal(LiteralValue::Int(at)) => Some(format!("{of}[{}]", at.inner())),
                _ => None,
            }
        }
        _ => None,
    }
}

fn text(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::compile;
    use crate::vocabulary::tests::SMALL;

    #[test]
    fn names_are_read_with_or_without_a_guard() {
        let rows = [
            ("score < 5 && score > 1", "score score"),
            ("has(facts.adult) && facts.adult == false", "facts.adult?"),
            ("facts.adult == false && has(facts.adult)", "facts.adult?"),
            ("!has(facts.adult) || facts.adult", "facts.adult?"),
            ("has(facts.adult) || facts.adult", "facts.adult"),
            ("!(has(facts.adult) && facts.adult)", "facts.adult?"),
            ("(has(features.a) || has(features.b)) && features.a > 1.0", "features.a"),
            ("'late' in features && features.late > features['other']", "features features.late? features.other"),
            ("has(features.a) ? features.a > 1.0 : features.a < 1.0", "features.a? features.a"),
            (
                "debts.exists(d, d.kind == 'x' && has(d.monthly) && d.monthly > 5.0)",
                "debts debts[].kind debts[].monthly?",
            ),
            ("debts.sum(d, d.monthly) > pd", "debts debts[].monthly pd"),
            ("reports[0].status == 'hit'", "reports[0].status"),
        ];
        for (source, expected) in rows {
            let names = compile(source, &SMALL).unwrap().names();
            let told = names.read.iter().map(|read| format!("{}{}", read.name, if read.is_guarded { "?" } else { "" }));
            assert_eq!(told.collect::<Vec<_>>().join(" "), expected, "{source}");
        }
    }

    #[test]
    fn words_are_told_with_the_name_that_they_are_held_against() {
        let rows = [
            ("band == 'A' || 'B' != band", "band=A band=B"),
            ("band in ['A', 'B'] && score in [1]", "band=A band=B"),
            ("debts.exists(d, d.kind == 'card')", "debts[].kind=card"),
            ("band.startsWith('A')", ""),
        ];
        for (source, expected) in rows {
            let names = compile(source, &SMALL).unwrap().names();
            let told = names.words.iter().map(|held| format!("{}={}", held.name, held.word));
            assert_eq!(told.collect::<Vec<_>>().join(" "), expected, "{source}");
        }
    }
}
