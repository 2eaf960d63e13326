//! The macro `list.sum(x, number)`: the sum of a number over the elements of a list, a double. An element without the number
//! leaves the whole sum undetermined: nothing counts as zero that is not known.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators as op};
use cel::parser::{Macro, MacroExprHelper, ParseError};

/// The variable that the sum grows in; it cannot be written.
const TOTAL: &str = "@total";

/// What the parser makes of `list.sum(x, number)`: a loop that starts at 0.0 and adds `double(number)`.
pub(crate) fn expansion() -> Macro {
    Macro::receiver("sum", 2, expand)
}

fn expand(
    helper: &mut MacroExprHelper<'_>,
    target: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
) -> Result<Option<IdedExpr>, ParseError> {
    let name = match args.first() {
        Some(IdedExpr { expr: Expr::Ident(name), .. }) => name.clone(),
        other => {
            let id = other.map_or(0, |other| other.id);
            return Err(helper.new_error(id, "sum(x, number) takes a plain name for the element first"));
        }
    };
    let (Some(range), Some(number)) = (target.take(), args.pop()) else { return Ok(None) };
    let number = call(helper, "double", vec![number]);
    let total = helper.next_expr(Expr::Ident(TOTAL.to_owned()));
    let loop_step = call(helper, op::ADD, vec![total, number]);
    let start = helper.next_expr(Expr::Literal(LiteralValue::Double(0.0.into())));
    let always = helper.next_expr(Expr::Literal(LiteralValue::Boolean(true.into())));
    let result = helper.next_expr(Expr::Ident(TOTAL.to_owned()));
    Ok(Some(helper.next_expr(Expr::Comprehension(Box::new(ComprehensionExpr {
        iter_range: range,
        iter_var: name,
        iter_var2: None,
        accu_var: TOTAL.to_owned(),
        accu_init: start,
        loop_cond: always,
        loop_step,
        result,
    })))))
}

fn call(helper: &mut MacroExprHelper<'_>, name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    helper.next_expr(Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::measured::{Expression, context};
    use crate::vocabulary::tests::SMALL;
    use cel::Value;

    #[test]
    fn a_sum_is_a_double_and_undetermined_where_an_element_has_no_number() {
        let rows = [
            ("[1, 2, 3].sum(x, x)", Some(6.0)),
            ("[1, 2.5].sum(x, x)", Some(3.5)),
            ("[].sum(x, x)", Some(0.0)),
            ("[1, 2].sum(x, x > 1 ? x : 0)", Some(2.0)),
            ("[[1, 2], [3]].sum(l, l.sum(x, x))", Some(6.0)),
            ("[{'a': 1}, {'b': 2}].sum(m, m.a)", None),
            ("[1, true].sum(x, x)", None),
        ];
        for (source, expected) in rows {
            let expression = Expression::parse(source, &SMALL.sizes).unwrap();
            let found = expression.evaluate(&context(), &SMALL.sizes.declared()).ok();
            assert_eq!(found, expected.map(Value::Float), "{source}");
        }
        for source in ["debts.sum(1, 2)", "debts.sum(d.a, 2)"] {
            let why = Expression::parse(source, &SMALL.sizes).unwrap_err().to_string();
            assert!(why.contains("takes a plain name"), "{why}");
        }
    }

    #[test]
    fn a_sum_over_all_debts_is_cheap() {
        let cost = Expression::parse("debts.sum(d, d.monthly)", &SMALL.sizes).unwrap().cost();
        assert!((256..25_000).contains(&cost), "{cost}");
        assert!(Expression::parse("debts.sum(d, debts.sum(e, e.monthly))", &SMALL.sizes).is_err());
    }
}
