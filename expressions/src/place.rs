//! Where an expression reads: a way through a document, in names and numbers. What holds the document turns it into something of
//! its own that is fast to follow.

use crate::tree::path_of;
use crate::vocabulary::{Shape, Type, Vocabulary};
use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators as op};

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A member of a map.
    Key(String),
    /// An element of a list.
    Index(usize),
}

/// A way to a single value, or to what is on the way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From the top. Never empty.
    pub path: Vec<Step>,
    /// Whether it is through the document as it was sent, and not through the names of a vocabulary.
    pub is_as_sent: bool,
    /// Whether it is written with dots alone, and not with an index.
    pub is_dotted: bool,
}

impl Place {
    /// The way, where it is all names.
    pub fn names(&self) -> Option<Vec<&str>> {
        let name = |step: &'_ Step| matches!(step, Step::Key(_));
        self.path.iter().all(name).then(|| self.path.iter().filter_map(Step::key).collect())
    }

    /// The place that an expression names, with its type.
    pub(crate) fn of(expr: &IdedExpr, vocabulary: &Vocabulary) -> Option<(Self, Type)> {
        let (path, is_dotted) = (steps(expr)?, path_of(expr).is_some());
        let Some(Step::Key(root)) = path.first() else { return None };
        if vocabulary.whole.as_ref().is_some_and(|whole| whole.name == *root) {
            let path: Vec<Step> = path.into_iter().skip(1).collect();
            return (!path.is_empty()).then_some((Self { path, is_as_sent: true, is_dotted }, Type::Open));
        }
        let of = path[1..].iter().try_fold(vocabulary.type_of(&[root])?, |of, step| match (step, of) {
            (Step::Key(name), of) => of.member(name),
            (Step::Index(_), Type::List(_)) => Some(of.element()),
            (Step::Index(_), Type::Open) => Some(Type::Open),
            (Step::Index(_), _) => None,
        })?;
        Some((Self { path, is_as_sent: false, is_dotted }, of))
    }

    /// The place of the map that a `has()` looks into; `None` where the map is always there.
    pub(crate) fn parent(&self, vocabulary: &Vocabulary) -> Option<Self> {
        let path = &self.path[..self.path.len() - 1];
        let keys: Option<Vec<&str>> = path.iter().map(Step::key).collect();
        let is_there = match keys {
            _ if self.is_as_sent => path.is_empty(),
            Some(keys) => {
                matches!(vocabulary.type_of(&keys), Some(Type::Map(Shape::Named(_) | Shape::Free(_) | Shape::Open)))
            }
            None => false,
        };
        (!is_there).then(|| Self { path: path.to_vec(), ..*self })
    }
}

impl Step {
    /// The member's name.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }
}

/// The steps of `a.b[0]["c"]`, the first of them a name.
pub(crate) fn steps(expr: &IdedExpr) -> Option<Vec<Step>> {
    if let Some(path) = path_of(expr) {
        return Some(path.into_iter().map(|name| Step::Key(name.to_owned())).collect());
    }
    match &expr.expr {
        Expr::Select(select) if !select.test => {
            let mut path = steps(&select.operand)?;
            path.push(Step::Key(select.field.clone()));
            Some(path)
        }
        Expr::Call(call) if call.func_name == op::INDEX && call.target.is_none() => {
            let [operand, index] = call.args.as_slice() else { return None };
            let mut path = steps(operand)?;
            path.push(match &index.expr {
                Expr::Literal(LiteralValue::Int(at)) => Step::Index(usize::try_from(*at.inner()).ok()?),
                Expr::Literal(LiteralValue::String(key)) => Step::Key(key.inner().to_owned()),
                _ => return None,
            });
            Some(path)
        }
        _ => None,
    }
}

/// A way as an author writes it.
pub(crate) fn written(path: &[Step]) -> String {
    let is_word = |key: &str| {
        let mut letters = key.bytes();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    };
    path.iter().enumerate().fold(String::new(), |text, (at, step)| match step {
        Step::Key(key) if at == 0 => key.clone(),
        Step::Key(key) if is_word(key) => format!("{text}.{key}"),
        Step::Key(key) => format!("{text}[{key:?}]"),
        Step::Index(at) => format!("{text}[{at}]"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::measured::Expression;
    use crate::vocabulary::tests::SMALL;

    /// The place, its type, and whether its parent is asked for.
    fn told(source: &str) -> Option<(String, String, bool)> {
        let expression = Expression::parse(source, &SMALL.sizes).unwrap();
        let (place, of) = Place::of(expression.tree(), &SMALL)?;
        let of = format!("{of:?}").split('(').take(2).collect::<Vec<_>>().join("(");
        let way = if place.is_as_sent { "sent: " } else { "" };
        Some((format!("{way}{}", written(&place.path)), of, place.parent(&SMALL).is_some()))
    }

    #[test]
    fn names_and_indices_lead_to_places() {
        let rows = [
            ("score", Some(("score", "Known(Int)", true))),
            ("facts.employment.months", Some(("facts.employment.months", "Known(Int)", false))),
            ("features['late']", Some(("features.late", "Known(Double)", false))),
            ("features['late fee']", Some(("features[\"late fee\"]", "Known(Double)", false))),
            ("attributes.a", Some(("attributes.a", "Open", false))),
            ("attributes.a.b", Some(("attributes.a.b", "Open", true))),
            ("reports[0].status", Some(("reports[0].status", "Open", true))),
            ("debts[1].kind", Some(("debts[1].kind", "Known(Text)", true))),
            ("data.a", Some(("sent: a", "Open", false))),
            ("data.a[0].b", Some(("sent: a[0].b", "Open", true))),
            ("data", None),
            ("score.x", None),
            ("nothing.x", None),
            ("reports[-1]", None),
            ("size(reports)", None),
            ("has(facts.adult)", None),
        ];
        for (source, expected) in rows {
            let expected =
                expected.map(|(way, of, parent): (&str, &str, bool)| (way.to_owned(), of.to_owned(), parent));
            assert_eq!(told(source), expected, "{source}");
        }
    }
}
