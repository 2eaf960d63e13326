//! The condition of a route's entry: CEL over an application's `data`, by the engine of the feature contracts, and as they may
//! not it reads nothing of who somebody is. Compiled once; yields true, false, or that it could not be told.

use cel::common::ast::{ComprehensionExpr, Expr as Node, IdedExpr, LiteralValue, operators as op};
use expressions::Expression;
use scoring::expr::{Document, Expr, Yield};
use scoring::lookup::Lookup;

/// The longest condition, in bytes: what is longer is a model, and belongs into one.
pub const MAX_LENGTH: usize = 2_000;

/// Functions that answer yes or no.
const QUESTIONS: [&str; 6] = ["contains", "startsWith", "endsWith", "matches", "bool", "@not_strictly_false"];

/// A compiled condition.
#[derive(Debug)]
pub struct Condition(Expr);

/// What is known of a value before there is an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Truth,
    /// A field may hold anything.
    Open,
    Other,
}

impl Condition {
    /// Compiles `source`; `lookup` grows by what it reads.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn compile(source: &str, lookup: &mut Lookup) -> Result<Self, String> {
        if source.len() > MAX_LENGTH {
            return Err(format!("{} bytes, at most {MAX_LENGTH} are allowed", source.len()));
        }
        let expr = Expr::compile(source, lookup)?;
        match kind(expr.expression().tree())? {
            Kind::Truth | Kind::Open => Ok(Self(expr)),
            Kind::Other => Err("is never true or false: end it in a comparison, has(), in, or a question".to_owned()),
        }
    }

    /// The measured expression.
    pub(crate) fn expression(&self) -> &Expression {
        self.0.expression()
    }

    /// Whether it holds; `None` where it reads what is absent, fails, or costs too much on this application.
    pub fn holds(&self, data: &Document<'_>) -> Option<bool> {
        match self.0.eval(data) {
            Ok(Yield::Bool(holds)) => Some(holds),
            Ok(Yield::Number(_) | Yield::Text(_)) | Err(_) => None,
        }
    }
}

fn kind(expr: &IdedExpr) -> Result<Kind, String> {
    Ok(match &expr.expr {
        Node::Literal(LiteralValue::Boolean(_)) => Kind::Truth,
        Node::Ident(name) if name == "data" => Kind::Other,
        Node::Select(select) if select.test => Kind::Truth,
        Node::Select(_) | Node::Ident(_) => Kind::Open,
        Node::Comprehension(inner) => of_macro(inner)?,
        Node::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT, operands) => logic(operands)?,
            (op::CONDITIONAL, [test, then, otherwise]) => {
                logic(std::slice::from_ref(test))?;
                match (kind(then)?, kind(otherwise)?) {
                    (Kind::Truth, Kind::Truth) => Kind::Truth,
                    (Kind::Other, _) | (_, Kind::Other) => Kind::Other,
                    _ => Kind::Open,
                }
            }
            (op::EQUALS | op::NOT_EQUALS | op::IN, _) => Kind::Truth,
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, _) => Kind::Truth,
            (op::INDEX | op::OPT_INDEX, _) => Kind::Open,
            (name, _) if QUESTIONS.contains(&name) => Kind::Truth,
            _ => Kind::Other,
        },
        _ => Kind::Other,
    })
}

fn logic(operands: &[IdedExpr]) -> Result<Kind, String> {
    for operand in operands {
        if kind(operand)? == Kind::Other {
            return Err("&&, ||, ! and ?: take what is true or false".to_owned());
        }
    }
    Ok(Kind::Truth)
}

/// `all` and `exists` start from a truth, `map` and `filter` from a list, and `exists_one` compares in the end.
fn of_macro(inner: &ComprehensionExpr) -> Result<Kind, String> {
    match &inner.result.expr {
        Node::Ident(name) if *name == inner.accu_var => kind(&inner.accu_init),
        _ => kind(&inner.result),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_may_be_true_or_false_is_taken() {
        for (source, expected) in [
            ("data.channel == \"web\"", None),
            ("!has(data.applicants[0].facts.trade_lines) || data.applicants[0].facts.trade_lines < 3", None),
            ("data.attributes.is_thin", None),
            ("data.reports.all(r, r.status != \"hit\")", None),
            ("data.reports.exists_one(r, r.status == \"hit\")", None),
            ("data.reports.size() == 0", None),
            ("data.channel in [\"web\", \"app\"] ? has(data.a.b) : true", None),
            ("data.channel.startsWith(\"w\")", None),
            ("data.a + 1", Some("never true or false")),
            // A list that is built grows element by element, each time as a copy.
            ("data.reports.filter(r, r.status == \"hit\")", Some("costs up to")),
            ("[data.channel]", Some("never true or false")),
            ("data", Some("never true or false")),
            ("\"yes\"", Some("never true or false")),
            ("data.reports.size() && true", Some("take what is true or false")),
            ("data.a ? 1 : 2", Some("never true or false")),
            ("data.a <", Some("not CEL")),
            ("income > 5", Some("unknown name income")),
            ("data.applicants[0].protected.sex == \"f\"", Some("reads protected")),
            ("data.applicants[0].subject.subject == \"f\"", Some("reads subject")),
        ] {
            let why = Condition::compile(source, &mut Lookup::default()).err();
            match expected {
                None => assert_eq!(why, None, "{source}"),
                Some(word) => assert!(why.as_ref().is_some_and(|why| why.contains(word)), "{source}: {why:?}"),
            }
        }
        let long = format!("data.a == \"{}\"", "x".repeat(MAX_LENGTH));
        assert!(Condition::compile(&long, &mut Lookup::default()).unwrap_err().contains("at most 2000"));
        let deep = format!("{}data.a == 1{}", "(".repeat(900), ")".repeat(900));
        assert!(Condition::compile(&deep, &mut Lookup::default()).is_err(), "deep nesting is refused, not followed");
    }

    #[test]
    fn what_cannot_be_told_is_neither() {
        let source = "data.applicants[0].facts.trade_lines < 3 && data.attributes.flag";
        let mut lookup = Lookup::default();
        let condition = Condition::compile(source, &mut lookup).unwrap();
        let applicants = |lines: serde_json::Value| json!([{"facts": {"trade_lines": lines}}]);
        for (data, expected) in [
            (json!({"applicants": applicants(json!(1)), "attributes": {"flag": true}}), Some(true)),
            (json!({"applicants": applicants(json!(1)), "attributes": {"flag": false}}), Some(false)),
            (json!({"applicants": applicants(json!(7)), "attributes": {}}), Some(false)),
            (json!({"applicants": applicants(json!(null)), "attributes": {"flag": true}}), None),
            (json!({"applicants": applicants(json!("many")), "attributes": {"flag": true}}), None),
            (json!({"applicants": [], "attributes": {"flag": true}}), None),
            (json!({"applicants": applicants(json!(1)), "attributes": {"flag": "yes"}}), None),
        ] {
            let text = data.to_string();
            assert_eq!(condition.holds(&Document::of_text(&text, &lookup).unwrap()), expected, "{data}");
        }
    }
}
