//! What an expression may not reach: who somebody is, and what must not matter. Where a vocabulary has such words, they may stand
//! nowhere, not even as a text, and what is indexed is a literal, so that no name is put together while it is evaluated.

use crate::finding::Finding;
use crate::tree::children;
use crate::vocabulary::Vocabulary;
use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators as op};

/// The first thing that is out of reach, with the node where it is.
pub(crate) fn check(expr: &IdedExpr, vocabulary: &Vocabulary) -> Option<(u64, Finding)> {
    if vocabulary.out_of_reach.is_empty() {
        return None;
    }
    let found = match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => named(text.inner(), vocabulary),
        Expr::Ident(name) => named(name, vocabulary),
        Expr::Select(select) => named(&select.field, vocabulary),
        Expr::Call(call) if matches!(call.func_name.as_str(), op::INDEX | op::OPT_INDEX) => {
            let is_literal = matches!(call.args.last().map(|arg| &arg.expr), Some(Expr::Literal(_)));
            (!is_literal).then(|| Finding::new("out_of_reach", "an index must be a literal"))
        }
        _ => None,
    };
    let here = found.map(|finding| (expr.id, finding));
    here.or_else(|| children(expr).into_iter().find_map(|child| check(child, vocabulary)))
}

fn named(name: &str, vocabulary: &Vocabulary) -> Option<Finding> {
    let is_out = vocabulary.out_of_reach.contains(&name);
    is_out.then(|| Finding::new("out_of_reach", format!("reads {name}, which no expression may")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::measured::Expression;
    use crate::vocabulary::tests::SMALL;

    #[test]
    fn what_is_out_of_reach_is_found_however_it_is_written() {
        let rows = [
            ("data.applicants[0].facts.adult", None),
            ("data['applicants'][0]", None),
            ("data.applicants[0].protected.sex == 'f'", Some("reads protected")),
            ("data.applicants[0]['identity'].name == 'x'", Some("reads identity")),
            ("has(data.applicants[0].identity)", Some("reads identity")),
            ("data.applicants.exists(a, a.protected.age > 60)", Some("reads protected")),
            ("data['iden' + 'tity'] == 1", Some("an index must be a literal")),
            ("{'protected': 1}['protected'] == 1", Some("reads protected")),
            ("reports.exists(identity, true)", None),
            ("protected == 1", Some("reads protected")),
        ];
        for (source, expected) in rows {
            let expression = Expression::parse(source, &SMALL.sizes).unwrap();
            let found = check(expression.tree(), &SMALL).map(|(_, finding)| finding.message);
            match expected {
                None => assert_eq!(found, None, "{source}"),
                Some(words) => {
                    assert!(found.as_ref().is_some_and(|found| found.starts_with(words)), "{source}: {found:?}")
                }
            }
        }
    }
}
