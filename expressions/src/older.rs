//! The older way of writing: paths through the document as it was sent, such as `data.applicants[0].facts.dependants`. It goes on
//! meaning what it meant; who wrote it is told what to write now.

use crate::finding::Finding;
use crate::place::{Step, steps, written};
use crate::tree::children;
use crate::vocabulary::{Vocabulary, Whole};
use cel::common::ast::{Expr, IdedExpr};

/// What to write in place of each path through the document, each path once, with the node where it first stands.
pub(crate) fn names(expr: &IdedExpr, vocabulary: &Vocabulary) -> Vec<(u64, Finding)> {
    let Some(whole) = &vocabulary.whole else { return Vec::new() };
    let mut found: Vec<(u64, Finding)> = Vec::new();
    walk(expr, whole, &mut |node, path| {
        let finding = told(path, whole, vocabulary);
        if found.iter().all(|(_, known)| known.message != finding.message) {
            found.push((node, finding));
        }
    });
    found
}

/// Calls `each` for the longest path at each place.
fn walk(expr: &IdedExpr, whole: &Whole, each: &mut dyn FnMut(u64, &[Step])) {
    let path = match &expr.expr {
        Expr::Select(select) if select.test => steps(&select.operand).map(|mut path| {
            path.push(Step::Key(select.field.clone()));
            path
        }),
        _ => steps(expr),
    };
    match path {
        Some(path) if path[0].key() == Some(whole.name) => each(expr.id, &path[1..]),
        Some(_) => {}
        None => children(expr).into_iter().for_each(|child| walk(child, whole, each)),
    }
}

fn told(path: &[Step], whole: &Whole, vocabulary: &Vocabulary) -> Finding {
    let old = written(path);
    let of = format!("{}.{old}", whole.name);
    let fits = |from: &str| match old.strip_prefix(from) {
        Some(rest) => rest.is_empty() || rest.starts_with(['.', '[']),
        None => false,
    };
    let known = whole.now.iter().filter(|(from, _)| fits(from)).max_by_key(|(from, _)| from.len());
    let Some((from, to)) = known else {
        return Finding::new("old_name", format!("{of} is read as it was sent: it has no name of its own"));
    };
    let now = format!("{to}{}", &old[from.len()..]);
    let names: Vec<&str> = now.split(['.', '[']).collect();
    match now.contains('[') || vocabulary.type_of(&names).is_some() {
        true => Finding::new("old_name", format!("write {now} in place of {of}")),
        false => Finding {
            suggestion: vocabulary.nearest(&now),
            ..Finding::new("old_name", format!("{of} is never there: {now} is not published to {}", vocabulary.readers))
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::compile;
    use crate::vocabulary::tests::SMALL;

    #[test]
    fn what_to_write_now_is_told_once_for_each_path() {
        let rows: [(&str, &[&str]); 7] = [
            ("score < 5", &[]),
            (
                "data.applicants[0].facts.adult == true || !has(data.applicants[0].facts.adult)",
                &["write facts.adult in place of data.applicants[0].facts.adult (line 1, column 1)"],
            ),
            (
                "score > 1 && data.attributes.a.b == 1",
                &["write attributes.a.b in place of data.attributes.a.b (line 1, column 14)"],
            ),
            (
                "data.attributes['late fee'] == 1",
                &["write attributes[\"late fee\"] in place of data.attributes[\"late fee\"] (line 1, column 1)"],
            ),
            (
                "data.applicants[0].facts.trade_lines < 3",
                &[
                    "data.applicants[0].facts.trade_lines is never there: facts.trade_lines is not published to tests (line 1, column 1)",
                ],
            ),
            (
                "data.applicants[1].facts.adult",
                &[
                    "data.applicants[1].facts.adult is read as it was sent: it has no name of its own (line 1, column 1)",
                ],
            ),
            (
                "data.applicants[0].facts.income.exists(i, i.period == 'week')",
                &["write facts.income in place of data.applicants[0].facts.income (line 1, column 1)"],
            ),
        ];
        for (source, expected) in rows {
            let compiled = compile(source, &SMALL).unwrap();
            let told: Vec<String> = compiled.warnings().iter().map(ToString::to_string).collect();
            assert_eq!(told, expected, "{source}");
        }
    }
}
