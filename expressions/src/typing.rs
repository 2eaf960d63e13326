//! What type an expression has, and what in it cannot work: unknown names and functions, operands that never match. Works on
//! the syntax tree alone; where a type depends on the document it says so.

use crate::finding::Finding;
use crate::tree::{children, path_of};
use crate::vocabulary::{self, Kind, Shape, Type, Vocabulary};
use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators as op};

/// So many faults of one expression are told.
const MAX_FINDINGS: usize = 8;

const BOOL: Type = Type::Known(Kind::Bool);
const INT: Type = Type::Known(Kind::Int);
const DOUBLE: Type = Type::Known(Kind::Double);
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
    ("double", DOUBLE),
    ("bool", BOOL),
    ("timestamp", Type::NoTruth),
    ("duration", Type::NoTruth),
    ("bytes", Type::NoTruth),
    ("uint", Type::NoTruth),
    ("type", Type::NoTruth),
    ("dyn", Type::Open),
    ("getFullYear", INT),
    ("getMonth", INT),
    ("getDate", INT),
    ("getDayOfMonth", INT),
    ("getDayOfWeek", INT),
    ("getDayOfYear", INT),
    ("getHours", INT),
    ("getMinutes", INT),
    ("getSeconds", INT),
    ("getMilliseconds", INT),
    ("@not_strictly_false", BOOL),
];

/// The macros, for whoever misspells one.
const MACROS: [&str; 7] = ["has", "exists", "all", "exists_one", "filter", "map", "sum"];

/// The type of an expression and everything that cannot work in it, each with the node where it is.
pub(crate) fn infer(expr: &IdedExpr, vocabulary: &Vocabulary) -> (Type, Vec<(u64, Finding)>) {
    let mut typist = Typist { vocabulary, bound: Vec::new(), faults: Vec::new() };
    let of = typist.typed(expr);
    (of, typist.faults)
}

struct Typist<'e, 'v> {
    vocabulary: &'v Vocabulary,
    /// Variables that macros bind, innermost last.
    bound: Vec<(&'e str, Type)>,
    faults: Vec<(u64, Finding)>,
}

impl<'e> Typist<'e, '_> {
    /// The type; open where something is wrong, so that the rest is looked at all the same.
    fn typed(&mut self, expr: &'e IdedExpr) -> Type {
        match &expr.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => self.variable(expr, &[name]),
            Expr::Select(select) => {
                let found = match path_of(&select.operand) {
                    Some(mut path) => {
                        path.push(&select.field);
                        self.variable(expr, &path)
                    }
                    None => {
                        let of = self.typed(&select.operand);
                        self.member(expr, of, &select.field)
                    }
                };
                if select.test { BOOL } else { found }
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.typed(element);
                }
                Type::List(&Shape::Open)
            }
            Expr::Map(_) => {
                for part in children(expr) {
                    self.typed(part);
                }
                Type::Map(&Shape::Open)
            }
            Expr::Comprehension(comprehension) => self.each(expr, comprehension),
            Expr::Call(call) if is_unknown(&call.func_name) => self.unknown_function(expr, &call.func_name),
            Expr::Call(call) => {
                if let Some(target) = &call.target {
                    self.typed(target);
                }
                let types: Vec<Type> = call.args.iter().map(|arg| self.typed(arg)).collect();
                match call.target {
                    None => self.operator(expr, &call.func_name, &types, &call.args),
                    Some(_) => result_of(&call.func_name),
                }
            }
            Expr::Struct(_) | Expr::Unspecified => self.mismatch(expr, "messages cannot be built here"),
        }
    }

    fn fault(&mut self, expr: &IdedExpr, finding: Finding) -> Type {
        if self.faults.len() < MAX_FINDINGS {
            self.faults.push((expr.id, finding));
        }
        Type::Open
    }

    fn mismatch(&mut self, expr: &IdedExpr, message: &str) -> Type {
        self.fault(expr, Finding::new("type_mismatch", message))
    }

    /// A dotted name.
    fn variable(&mut self, expr: &IdedExpr, path: &[&str]) -> Type {
        let bound = self.bound.iter().rev().find(|(name, _)| *name == path[0]).map(|(_, of)| *of);
        if let Some(root) = bound {
            let mut of = root;
            for name in &path[1..] {
                of = self.member(expr, of, name);
            }
            return of;
        }
        if let Some(of) = self.vocabulary.type_of(path) {
            return of;
        }
        let name = path.join(".");
        let suggestion = self.vocabulary.nearest(&name);
        let message = format!("{name} is not published to {}", self.vocabulary.readers);
        self.fault(expr, Finding { suggestion, ..Finding::new("unknown_variable", message) })
    }

    fn member(&mut self, expr: &IdedExpr, of: Type, name: &str) -> Type {
        match (of.member(name), of) {
            (Some(found), _) => found,
            (None, Type::Map(Shape::Named(members))) => {
                let known = members.iter().map(|(known, _)| (*known).to_owned());
                let suggestion = vocabulary::nearest(name, known);
                let message = format!("there is no {name} here");
                self.fault(expr, Finding { suggestion, ..Finding::new("unknown_variable", message) })
            }
            (None, _) => self.mismatch(expr, "only maps have fields"),
        }
    }

    fn each(&mut self, expr: &IdedExpr, c: &'e ComprehensionExpr) -> Type {
        let range = self.typed(&c.iter_range);
        if let Type::Known(_) | Type::NoTruth = range {
            return self.mismatch(expr, "only lists and maps can be gone through");
        }
        let start = self.typed(&c.accu_init);
        let depth = self.bound.len();
        self.bound.push((&c.accu_var, start));
        self.bound.push((&c.iter_var, range.element()));
        self.bound.extend(c.iter_var2.as_deref().map(|name| (name, Type::Open)));
        self.typed(&c.loop_cond);
        self.typed(&c.loop_step);
        let result = self.typed(&c.result);
        self.bound.truncate(depth);
        result
    }

    fn operator(&mut self, expr: &IdedExpr, name: &str, types: &[Type], args: &[IdedExpr]) -> Type {
        match (name, types) {
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT, _) => match types.iter().all(|of| fits(*of, BOOL)) {
                true => BOOL,
                false => self.mismatch(expr, "&&, ||, ! and ?: take what is true or false"),
            },
            (op::EQUALS | op::NOT_EQUALS, [left, right]) => match fits(*left, *right) {
                true => BOOL,
                false => self.mismatch(expr, "== of two types is never true"),
            },
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [left, right]) => {
                let ordered = |of: &Type| matches!(of, Type::Known(_) | Type::NoTruth | Type::Open);
                match ordered(left) && ordered(right) && fits(*left, *right) {
                    true => BOOL,
                    false => self.mismatch(expr, "these two types have no order"),
                }
            }
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [left, right]) => {
                arithmetic(name, *left, *right)
                    .unwrap_or_else(|| self.mismatch(expr, "arithmetic does not mix types: write 1.0, or double(x)"))
            }
            (op::NEGATE, [of]) => match *of {
                INT | DOUBLE | Type::NoTruth => *of,
                Type::Open => Type::NoTruth,
                _ => self.mismatch(expr, "only numbers can be negated"),
            },
            (op::CONDITIONAL, [test, left, right]) => match fits(*test, BOOL) {
                true => either(*left, *right),
                false => self.mismatch(expr, "&&, ||, ! and ?: take what is true or false"),
            },
            (op::IN, [item, Type::List(_)]) => match &args[1].expr {
                Expr::List(list) if !is_among(*item, &list.elements) => {
                    self.mismatch(expr, "an element of the list never equals this")
                }
                _ => BOOL,
            },
            (op::IN, [_, of @ Type::Map(Shape::Named(_))]) => match text(&args[0]) {
                Some(name) if of.member(name).is_none() => self.member(expr, *of, name),
                _ => BOOL,
            },
            (op::IN, [_, Type::Map(_) | Type::Open | Type::NoTruth]) => BOOL,
            (op::INDEX, [of @ Type::List(Shape::Named(_)), _]) => of.element(),
            (op::INDEX, [of @ Type::Map(Shape::Named(_)), _]) => match text(&args[1]) {
                Some(name) => self.member(expr, *of, name),
                None => Type::Open,
            },
            (op::INDEX, [Type::List(_) | Type::Map(_) | Type::Open | Type::NoTruth, _]) => Type::Open,
            (op::IN | op::INDEX, _) => self.mismatch(expr, "in and [] take a list or a map"),
            _ => result_of(name),
        }
    }

    fn unknown_function(&mut self, expr: &IdedExpr, name: &str) -> Type {
        if MACROS.contains(&name) {
            let message = format!("{name} does not take that: it is written {}", form(name));
            return self.fault(expr, Finding::new("unknown_function", message));
        }
        let known = FUNCTIONS.iter().map(|(known, _)| *known).chain(MACROS).map(str::to_owned);
        let suggestion = vocabulary::nearest(name, known.filter(|known| !known.starts_with('@')));
        let message = format!("{name} is not a function of CEL's standard library");
        self.fault(expr, Finding { suggestion, ..Finding::new("unknown_function", message) })
    }
}

/// How a macro is written.
fn form(name: &str) -> String {
    match name {
        "has" => "has(map.name)".to_owned(),
        _ => format!("list.{name}(x, …)"),
    }
}

/// The text of a literal string.
fn text(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// The type of what a function gives.
fn result_of(name: &str) -> Type {
    FUNCTIONS.iter().find(|(known, _)| *known == name).map_or(Type::Open, |(_, result)| *result)
}

/// Whether a function is neither an operator nor one of the standard library.
fn is_unknown(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && !FUNCTIONS.iter().any(|(known, _)| *known == name)
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => BOOL,
        LiteralValue::Int(_) => INT,
        LiteralValue::Double(_) => DOUBLE,
        LiteralValue::String(_) => TEXT,
        LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => Type::Open,
    }
}

fn either(left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::Known(one), Type::Known(other)) if one == other => left,
        (Type::List(_), Type::List(_)) => Type::List(&Shape::Open),
        (Type::Map(_), Type::Map(_)) => Type::Map(&Shape::Open),
        (Type::Open, other) | (other, Type::Open) if fits(other, BOOL) => Type::Open,
        _ if fits(left, BOOL) && fits(right, BOOL) => Type::Open,
        _ => Type::NoTruth,
    }
}

fn is_among(item: Type, elements: &[IdedExpr]) -> bool {
    let literal = |e: &IdedExpr| if let Expr::Literal(of) = &e.expr { literal_type(of) } else { Type::Open };
    elements.iter().all(|element| fits(item, literal(element)))
}

/// CEL adds int to int and double to double, and never mixes them; `None` where it would have to.
fn arithmetic(name: &str, left: Type, right: Type) -> Option<Type> {
    Some(match (left, right) {
        (Type::Open | Type::NoTruth, Type::Open | Type::NoTruth) => Type::NoTruth,
        (Type::Open | Type::NoTruth, BOOL | Type::Map(_)) | (BOOL | Type::Map(_), Type::Open | Type::NoTruth) => {
            return None;
        }
        (Type::Open | Type::NoTruth, other) | (other, Type::Open | Type::NoTruth) => match other {
            TEXT if name != op::ADD => Type::NoTruth,
            other => other,
        },
        (INT, INT) => left,
        (DOUBLE, DOUBLE) if name != op::MODULO => left,
        (TEXT, TEXT) if name == op::ADD => left,
        (Type::List(_), Type::List(_)) if name == op::ADD => Type::List(&Shape::Open),
        _ => return None,
    })
}

fn fits(left: Type, right: Type) -> bool {
    match (left, right) {
        (Type::Open, _) | (_, Type::Open) => true,
        (Type::NoTruth, other) | (other, Type::NoTruth) => !matches!(other, BOOL),
        (Type::Known(Kind::Int | Kind::Double), Type::Known(Kind::Int | Kind::Double)) => true,
        (Type::Known(one), Type::Known(other)) => one == other,
        (Type::List(_), Type::List(_)) | (Type::Map(_), Type::Map(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::measured::Expression;
    use crate::vocabulary::tests::SMALL;

    /// The type, or the codes of what is wrong.
    fn told(source: &str) -> String {
        let expression = Expression::parse(source, &SMALL.sizes).unwrap();
        let (of, faults) = infer(expression.tree(), &SMALL);
        let codes: Vec<&str> = faults.iter().map(|(_, fault)| fault.code).collect();
        match (codes.is_empty(), of) {
            (false, _) => codes.join(","),
            (true, Type::Known(kind)) => kind.as_str().to_owned(),
            (true, Type::List(_)) => "list".to_owned(),
            (true, Type::Map(_)) => "map".to_owned(),
            (true, other) => format!("{other:?}"),
        }
    }

    #[test]
    fn faults_are_found_without_a_document() {
        let rows = [
            ("score < 600", "bool"),
            ("pd", "double"),
            ("features.pay_1 >= 2", "bool"),
            ("features.pay_1 + 1.0 > pd", "bool"),
            ("has(facts.employment.status) && facts.employment.status in ['unemployed']", "bool"),
            ("facts.income.exists(i, i.period == 'month' && i.amount.amount_minor > 5)", "bool"),
            ("reports.all(r, r.status != 'frozen')", "bool"),
            ("reports.map(r, r.status)", "list"),
            ("size(reports) == 0", "bool"),
            ("band.startsWith('A-')", "bool"),
            ("'x' in features", "bool"),
            ("'adult' in facts && 'kind' in debts[0] && debts.all(d, 'kind' in d)", "bool"),
            ("facts['adult'] && debts[0]['kind'] == 'card'", "bool"),
            ("'adutl' in facts", "unknown_variable"),
            ("debts.exists(d, 'knd' in d)", "unknown_variable"),
            ("facts['adutl'] || score < 5", "unknown_variable"),
            ("facts['adult'] < 18", "type_mismatch"),
            ("debts.sum(d, d.monthly) / 2.0", "double"),
            ("debts.sum(d, d.kind == 'card' ? d.monthly : 0.0) > 5.0", "bool"),
            ("debts[0].monthly", "double"),
            ("attributes.a.b", "Open"),
            ("attributes.a + attributes.b", "NoTruth"),
            ("data.a + 1", "int"),
            ("data.a ? 1 : 2", "int"),
            ("data.a ? attributes.b : true", "Open"),
            ("data", "map"),
            ("timestamp(attributes.day) - duration('24h') < timestamp('2026-01-01T00:00:00Z')", "bool"),
            ("income > 5", "unknown_variable"),
            ("facts.incom > 5", "unknown_variable"),
            ("facts.employment.salary > 5", "unknown_variable"),
            ("score.value > 5", "unknown_variable"),
            ("applicant_sex == 'm'", "unknown_variable"),
            ("debts.exists(d, d.knd == 'card')", "unknown_variable"),
            ("debts[0].knd == 'card'", "unknown_variable"),
            ("median(features) > 1", "unknown_function"),
            ("score < '600'", "type_mismatch"),
            ("band == 1", "type_mismatch"),
            ("facts.adult < 18", "type_mismatch"),
            ("score && true", "type_mismatch"),
            ("features.pay_1 + 1 > 2.0", "type_mismatch"),
            ("band in [1, 2]", "type_mismatch"),
            ("score.all(x, x > 1)", "type_mismatch"),
            ("reports.exists(r, score == 'x')", "type_mismatch"),
            ("-band == 'A'", "type_mismatch"),
            ("scor < 5 && bandd == 'A' && score == 'x'", "unknown_variable,unknown_variable,type_mismatch"),
        ];
        for (source, expected) in rows {
            assert_eq!(told(source), expected, "{source}");
        }
    }

    #[test]
    fn the_page_on_the_language_names_every_function_and_macro() {
        let page = include_str!("../../docs/expressions.md");
        let functions = FUNCTIONS.iter().map(|(name, _)| *name).filter(|name| !name.starts_with('@'));
        for name in functions.chain(MACROS) {
            let is_named =
                [format!("`{name}`"), format!("`{name}("), format!(".{name}(")].iter().any(|word| page.contains(word));
            assert!(is_named, "docs/expressions.md does not say what {name} is");
        }
    }

    #[test]
    fn suggestions_come_with_what_is_unknown() {
        for (source, expected) in [
            ("facts.incom == 5", "facts.incom is not published to tests: did you mean facts.income?"),
            ("debts.exists(d, d.knd == 'x')", "there is no knd here: did you mean kind?"),
            ("debts.exist(d, true)", "exist is not a function of CEL's standard library: did you mean exists?"),
            ("'adutl' in facts", "there is no adutl here: did you mean adult?"),
            ("debts.sum(d) > 1.0", "sum does not take that: it is written list.sum(x, …)"),
            ("sise(debts) > 1", "sise is not a function of CEL's standard library: did you mean size?"),
        ] {
            let expression = Expression::parse(source, &SMALL.sizes).unwrap();
            let (_, faults) = infer(expression.tree(), &SMALL);
            assert_eq!(faults[0].1.to_string(), expected, "{source}");
        }
    }

    #[test]
    fn only_so_many_faults_are_told() {
        let source = (0..40).map(|at| format!("x{at} == 1")).collect::<Vec<_>>().join(" || ");
        let expression = Expression::parse(&source, &SMALL.sizes).unwrap();
        assert_eq!(infer(expression.tree(), &SMALL).1.len(), MAX_FINDINGS);
    }
}
