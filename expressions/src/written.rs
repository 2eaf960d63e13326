//! A part of an expression as its author wrote it: cut out of the text, with the brackets that belong to it.

use crate::tree::children;
use cel::common::ast::{Expr, IdedExpr, SourceInfo};

/// The longest text of a part that is told, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// The text of an expression, and where its nodes are.
pub(crate) struct Written<'s> {
    pub text: &'s str,
    pub places: &'s SourceInfo,
}

impl Written<'_> {
    /// The text of a part.
    pub(crate) fn text(&self, part: &IdedExpr) -> String {
        let Some((start, end)) = self.span(part).map(|span| balanced(self.text, span)) else { return String::new() };
        let text = self.text[start..end].split_whitespace().collect::<Vec<_>>().join(" ");
        text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned()
    }

    /// From the first to the last token of a part, in bytes.
    fn span(&self, part: &IdedExpr) -> Option<(usize, usize)> {
        let own = self.places.offset_for(part.id).map(|(start, stop)| {
            let start = self.text.floor_char_boundary(start as usize);
            (start, self.text.ceil_char_boundary((stop as usize).saturating_add(1).max(start)))
        });
        let below = children(part).into_iter().filter_map(|child| self.span(child));
        let all = own.into_iter().chain(below).reduce(|(low, high), (start, end)| (low.min(start), high.max(end)));
        all.map(|(start, end)| match &part.expr {
            // The parser places a member at its dot, and a macro at its bracket.
            Expr::Select(select) => (self.named(start), self.behind(end, &select.field)),
            _ => (self.named(start), end),
        })
    }

    /// Where the name before a bracket begins.
    fn named(&self, start: usize) -> usize {
        if !self.text[start..].starts_with('(') {
            return start;
        }
        let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        self.text[..start].trim_end_matches(is_of_name).len()
    }

    /// Where a member ends.
    fn behind(&self, end: usize, field: &str) -> usize {
        let rest = self.text[end..].trim_start();
        let rest = rest.strip_prefix('.').unwrap_or(rest).trim_start();
        if rest.starts_with(field) { self.text.len() - rest.len() + field.len() } else { end }
    }
}

/// The span with the brackets around it that it opens or closes itself.
fn balanced(text: &str, (mut start, mut end): (usize, usize)) -> (usize, usize) {
    let (mut open, mut unopened) = (0usize, 0usize);
    let mut quote = None;
    for letter in text[start..end].chars() {
        match (quote, letter) {
            (Some(by), letter) if by == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') if open == 0 => unopened += 1,
            (None, ')' | ']' | '}') => open -= 1,
            _ => {}
        }
    }
    for _ in 0..unopened {
        let before = text[..start].trim_end();
        if before.ends_with(['(', '[', '{']) {
            start = before.len() - 1;
        }
    }
    for _ in 0..open {
        let behind = text[end..].trim_start();
        if behind.starts_with([')', ']', '}']) {
            end = text.len() - behind.len() + 1;
        }
    }
    (start, end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::compile;
    use crate::vocabulary::tests::SMALL;

    #[test]
    fn each_test_is_told_as_it_was_written() {
        let rows: [(&str, &[&str]); 8] = [
            ("score < 5", &["score < 5"]),
            ("has(facts.adult) && facts.adult == false", &["has(facts.adult)", "facts.adult == false"]),
            ("(score < 5) || !(band in ['A', 'B'])", &["score < 5", "band in ['A', 'B']"]),
            ("((pd + 1.0) * 2.0) > 3.0 && band == 'é'", &["((pd + 1.0) * 2.0) > 3.0", "band == 'é'"]),
            ("debts.exists(d, d.kind == 'x') && score < 5", &["debts.exists(d, d.kind == 'x')", "score < 5"]),
            ("debts.sum(d, d.monthly) > 5.0 || score < 5", &["debts.sum(d, d.monthly) > 5.0", "score < 5"]),
            ("band.startsWith('A)') && score\n  < 5", &["band.startsWith('A)')", "score < 5"]),
            ("features['late fee'] >= 3.0", &["features['late fee'] >= 3.0"]),
        ];
        for (source, expected) in rows {
            let compiled = compile(source, &SMALL).unwrap();
            let told: Vec<&str> = compiled.logic().tests().iter().map(|test| test.text.as_str()).collect();
            assert_eq!(told, expected, "{source}");
        }
    }
}
