//! What an expression holds names against: its literals, wherever they stand, and what it does with names beside. For whoever makes up
//! documents to try it on. Evaluates nothing.

use crate::lower::literal;
use crate::names::path_below;
use crate::native::Literal;
use crate::tree::children;
use cel::common::ast::{Expr, IdedExpr, operators as op};

/// What names are held against.
#[derive(Debug, Default)]
pub struct Against {
    /// Every literal, in the order of the text.
    pub literals: Vec<Literal>,
    /// Texts that a name is compared with or that a function looks for in it, with that name.
    pub texts: Vec<(String, String)>,
    /// The functions that are called by name.
    pub functions: Vec<String>,
    /// Whether something is asked to be equal, or to be among others, that is no name beside literals.
    pub has_computed_equality: bool,
}

impl Against {
    /// Looks through an expression.
    pub(crate) fn of(expr: &IdedExpr) -> Self {
        let mut against = Self::default();
        against.walk(expr);
        against
    }

    fn walk(&mut self, expr: &IdedExpr) {
        match &expr.expr {
            Expr::Literal(_) => self.literals.extend(literal(expr)),
            // What a macro counts with is not the author's.
            Expr::Comprehension(each) => {
                [&each.iter_range, &each.loop_step].into_iter().for_each(|part| self.walk(part))
            }
            Expr::Call(call) => {
                let sides: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
                match call.func_name.as_str() {
                    op::EQUALS | op::NOT_EQUALS | op::IN => self.equal(&sides),
                    name if name.starts_with(|first: char| first.is_alphabetic()) => {
                        self.functions.push(name.to_owned());
                        self.beside(&sides);
                    }
                    _ => {}
                }
                sides.into_iter().for_each(|side| self.walk(side));
            }
            _ => children(expr).into_iter().for_each(|child| self.walk(child)),
        }
    }

    fn equal(&mut self, sides: &[&IdedExpr]) {
        let is_name = |side: &IdedExpr| path_below(side, &[]).is_some();
        let is_literal = |side: &IdedExpr| match &side.expr {
            Expr::List(list) => list.elements.iter().all(|element| literal(element).is_some()),
            _ => literal(side).is_some(),
        };
        self.has_computed_equality |= match sides {
            [left, right] => !(is_name(left) && is_literal(right) || is_literal(left) && is_name(right)),
            _ => true,
        };
        self.beside(sides);
    }

    fn beside(&mut self, sides: &[&IdedExpr]) {
        let Some(name) = sides.iter().find_map(|side| path_below(side, &[])) else { return };
        for side in sides {
            let all = if let Expr::List(list) = &side.expr { list.elements.iter().collect() } else { vec![*side] };
            for text in all.into_iter().filter_map(literal) {
                if let Literal::Text(text) = text {
                    self.texts.push((name.clone(), text));
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::compile;
    use crate::vocabulary::tests::SMALL;

    #[test]
    fn literals_functions_and_equality_are_told() {
        let rows = [
            ("score < 5 && band == 'A'", "5 'A'", "band=A", "", false),
            ("band.startsWith('A') && size(band) > 3", "'A' 3", "band=A", "startsWith size", false),
            ("band in ['A', 'B']", "'A' 'B'", "band=A band=B", "", false),
            ("debts.exists(d, d.kind == 'x')", "'x'", "d.kind=x", "", false),
            ("band + band == 'AA'", "'AA'", "", "", true),
            ("debts.size() == 3", "3", "", "size", true),
            ("score / 5 > 5", "5 5", "", "", false),
        ];
        for (source, literals, texts, functions, is_computed) in rows {
            let against = compile(source, &SMALL).unwrap().against();
            let told = against.literals.iter().map(|literal| match literal {
                crate::Literal::Text(text) => format!("'{text}'"),
                other => other.value().number().unwrap_or_default().to_string(),
            });
            assert_eq!(told.collect::<Vec<_>>().join(" "), literals, "{source}");
            let told = against.texts.iter().map(|(name, text)| format!("{name}={text}"));
            assert_eq!(told.collect::<Vec<_>>().join(" "), texts, "{source}");
            assert_eq!(
                (against.functions.join(" ").as_str(), against.has_computed_equality),
                (functions, is_computed),
                "{source}"
            );
        }
    }
}
