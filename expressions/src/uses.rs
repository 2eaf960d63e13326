//! What an expression reads, and what it takes there: each place, with the kind of value that works. Evaluates nothing.

use crate::place::{Place, Step};
use crate::tree::children;
use crate::typing;
use crate::vocabulary::{Kind, Type, Vocabulary};
use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators as op};

/// A place that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Where. A whole map or list where the expression looks at all of it.
    pub place: Place,
    /// The kind that works there, any number as `double`; `None` where any does, or only the document tells.
    pub takes: Option<Kind>,
}

/// Everything that an expression reads, as often as it does; `yields` is what its own value must be.
pub(crate) fn uses(expr: &IdedExpr, vocabulary: &Vocabulary, yields: Option<Kind>) -> Vec<Use> {
    let mut walk = Walk { vocabulary, found: Vec::new() };
    walk.read(expr, yields);
    walk.found
}

struct Walk<'v> {
    vocabulary: &'v Vocabulary,
    found: Vec<Use>,
}

impl Walk<'_> {
    fn read(&mut self, expr: &IdedExpr, takes: Option<Kind>) {
        if let Some((place, _)) = Place::of(expr, self.vocabulary) {
            return self.found.push(Use { place, takes });
        }
        match &expr.expr {
            Expr::Select(select) if select.test => match Place::of(&select.operand, self.vocabulary) {
                Some((mut place, _)) => {
                    place.path.push(Step::Key(select.field.clone()));
                    self.found.push(Use { place, takes: None });
                }
                None => self.read(&select.operand, None),
            },
            Expr::Call(call) => {
                let args = &call.args;
                let of_text = matches!(call.func_name.as_str(), "startsWith" | "endsWith" | "contains" | "matches");
                call.target.iter().for_each(|target| self.read(target, of_text.then_some(Kind::Text)));
                for (at, arg) in args.iter().enumerate() {
                    let beside = || args.iter().enumerate().filter(move |(other, _)| *other != at);
                    let kind_beside = || beside().find_map(|(_, other)| self.kind(other));
                    let takes = match call.func_name.as_str() {
                        "double" | "int" | op::NEGATE => Some(Kind::Double),
                        op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT => Some(Kind::Bool),
                        op::CONDITIONAL if at == 0 => Some(Kind::Bool),
                        op::CONDITIONAL => takes,
                        op::ADD => takes.or_else(kind_beside),
                        op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO => takes.or_else(kind_beside),
                        op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS => kind_beside(),
                        op::EQUALS | op::NOT_EQUALS => kind_beside(),
                        op::IN if at == 0 => beside().find_map(|(_, list)| kind_of_elements(list)),
                        _ => of_text.then_some(Kind::Text),
                    };
                    self.read(arg, takes);
                }
            }
            _ => children(expr).into_iter().for_each(|child| self.read(child, None)),
        }
    }

    /// The kind of a value, as far as it is known without a document.
    fn kind(&self, expr: &IdedExpr) -> Option<Kind> {
        match typing::infer(expr, self.vocabulary).0 {
            Type::Known(Kind::Int) => Some(Kind::Double),
            Type::Known(kind) => Some(kind),
            Type::List(_) | Type::Map(_) | Type::NoTruth | Type::Open => None,
        }
    }
}

/// The one kind of the literals of a list.
fn kind_of_elements(list: &IdedExpr) -> Option<Kind> {
    let Expr::List(list) = &list.expr else { return None };
    let mut kinds = list.elements.iter().map(|element| match &element.expr {
        Expr::Literal(LiteralValue::String(_)) => Some(Kind::Text),
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::Double(_)) => Some(Kind::Double),
        _ => None,
    });
    let first = kinds.next()??;
    kinds.all(|kind| kind == Some(first)).then_some(first)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::compile;
    use crate::place::written;
    use crate::vocabulary::tests::SMALL;

    /// The places below `attributes`, each with the word of its kind.
    fn told(source: &str, yields: Option<Kind>) -> String {
        let uses = compile(source, &SMALL).unwrap().uses(&SMALL, yields);
        let of = uses.iter().filter(|one| one.place.path[0].key() == Some("attributes"));
        let one = |one: &Use| format!("{}:{}", written(&one.place.path), one.takes.map_or("any", Kind::as_str));
        of.map(one).collect::<Vec<_>>().join(" ").replace("attributes", "a")
    }

    #[test]
    fn each_place_is_told_with_what_works_there() {
        let rows = [
            ("double(data.attributes.x) / 2.0", None, "a.x:double"),
            ("double(attributes.x.amount_minor) > 0.0 ? 1.0 : 0.0", None, "a.x.amount_minor:double"),
            ("'US-' + attributes.state == data.jurisdiction", None, "a.state:string"),
            ("attributes.state + (attributes.kind == 'yes' ? '/line' : '')", None, "a.state:string a.kind:string"),
            ("attributes.state + (attributes.flag ? '/line' : '')", None, "a.state:string a.flag:bool"),
            ("attributes.x", Some(Kind::Text), "a.x:string"),
            ("score > 1 ? attributes.x : attributes.y", Some(Kind::Double), "a.x:double a.y:double"),
            ("attributes.x + attributes.y", Some(Kind::Double), "a.x:double a.y:double"),
            ("attributes.x - attributes.y", None, "a.x:any a.y:any"),
            ("attributes.x < attributes.y", Some(Kind::Bool), "a.x:any a.y:any"),
            ("attributes.x < 5 && !attributes.y", None, "a.x:double a.y:bool"),
            ("attributes.x in ['a', 'b'] || attributes.y in [1, 'b']", None, "a.x:string a.y:any"),
            ("attributes['late fee'].startsWith('1')", None, "a[\"late fee\"]:string"),
            ("has(attributes.x) && has(attributes.y.z)", None, "a.x:any a.y.z:any"),
            ("has(data.attributes.x)", None, "a.x:any"),
            ("size(attributes) > 3", None, "a:any"),
            ("'x' in attributes", None, "a:any"),
            ("attributes.all(k, k != 'x')", None, "a:any"),
            ("debts.exists(d, d.kind == attributes.x)", None, "a.x:any"),
            ("score > 3", None, ""),
        ];
        for (source, yields, expected) in rows {
            assert_eq!(told(source, yields), expected, "{source}");
        }
    }
}
