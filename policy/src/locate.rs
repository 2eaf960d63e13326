//! Finds the line of a path in a YAML text, and a place in an expression that stands there, for findings. A best effort on block style;
//! never decides anything.

/// The line, from 1, of `/section/index/field`; of the nearest part of the path that is found otherwise.
pub(crate) fn line_of(text: &str, path: &str) -> Option<usize> {
    let mut parts = path.split('/').skip(1);
    let section = parts.next()?;
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().position(|line| key_of(line) == Some(section) && !line.starts_with([' ', '-']))?;
    let Some(index) = parts.next().and_then(|part| part.parse::<usize>().ok()) else { return Some(start + 1) };
    let end = lines[start + 1..]
        .iter()
        .position(|line| !line.is_empty() && !line.starts_with([' ', '-', '#']))
        .map_or(lines.len(), |length| start + 1 + length);
    let Some(item) = nth_item(&lines[..end], start + 1, index) else { return Some(start + 1) };
    let Some(field) = parts.next() else { return Some(item + 1) };
    let next = nth_item(&lines[..end], start + 1, index + 1).unwrap_or(end);
    let found = (item..next).find(|line| key_of(lines[*line]) == Some(field));
    Some(found.unwrap_or(item) + 1)
}

/// Line and column of a path, or of a place in the expression that stands there; all from 1. The column of such a place is right or left
/// out, however the expression is written.
pub(crate) fn place_in(
    text: &str,
    path: &str,
    inside: Option<((usize, usize), &str)>,
) -> (Option<usize>, Option<usize>) {
    let Some(line) = line_of(text, path) else { return (None, None) };
    let lines: Vec<&str> = text.lines().collect();
    let written = lines.get(line - 1).copied().unwrap_or_default();
    let field = path.rsplit('/').next().unwrap_or_default();
    let key = format!("{field}:");
    let begin = written.find(&key);
    let Some((at, expression)) = inside else {
        let column = begin.unwrap_or_else(|| written.len() - written.trim_start_matches([' ', '-']).len());
        return (Some(line), Some(written[..column].chars().count() + 1));
    };
    let found = begin.and_then(|begin| Raw::behind(&lines, line - 1, begin + key.len())?.place(at, expression));
    found.map_or((Some(line), None), |(line, column)| (Some(line), Some(column)))
}

/// A scalar as it is written, from a letter on. Reads what is no white space, because that alone is the same in every style.
struct Raw<'t> {
    lines: &'t [&'t str],
    /// The line, from 0, and the byte in it.
    line: usize,
    byte: usize,
    quote: Option<char>,
}

impl<'t> Raw<'t> {
    /// The scalar behind a key.
    fn behind(lines: &'t [&'t str], line: usize, byte: usize) -> Option<Self> {
        let mut raw = Self { lines, line, byte, quote: None };
        raw.skip()?;
        // A tag or an anchor.
        while raw.rest().starts_with(['!', '&']) {
            raw.byte += raw.rest().find([' ', '\t']).unwrap_or(raw.rest().len());
            raw.skip()?;
        }
        match raw.rest().chars().next()? {
            quote @ ('"' | '\'') => (raw.quote, raw.byte) = (Some(quote), raw.byte + 1),
            '|' | '>' => (raw.line, raw.byte) = (raw.line + 1, 0),
            _ => {}
        }
        Some(raw)
    }

    /// Where a place of the expression stands; none where what is written is not that expression.
    fn place(mut self, (line, column): (usize, usize), expression: &str) -> Option<(usize, usize)> {
        let lines: Vec<&str> = expression.split('\n').collect();
        let before = lines.get(..line.checked_sub(1)?)?.iter().map(|line| line.chars().count() + 1).sum::<usize>();
        let wanted = before + column.checked_sub(1)?;
        let (mut found, mut end) = (None, None);
        for (at, letter) in expression.chars().enumerate().filter(|(_, letter)| !letter.is_whitespace()) {
            let (read, place) = self.next()?;
            if read != letter {
                return None;
            }
            if at >= wanted && found.is_none() {
                found = Some(place);
            }
            end = Some((self.line, self.byte));
        }
        let (line, byte) = found.or(end)?;
        Some((line + 1, self.lines.get(line)?.get(..byte)?.chars().count() + 1))
    }

    /// The next letter that is no white space, and where it begins.
    fn next(&mut self) -> Option<(char, (usize, usize))> {
        loop {
            self.skip()?;
            let place = (self.line, self.byte);
            let (letter, bytes) = self.letter()?;
            self.byte += bytes;
            if !letter.is_whitespace() {
                return Some((letter, place));
            }
        }
    }

    /// One letter as its style means it, with its bytes.
    fn letter(&self) -> Option<(char, usize)> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        match (self.quote, first) {
            (Some('\''), '\'') => rest.starts_with("''").then_some((first, 2)),
            (Some('"'), '"') => None,
            (Some('"'), '\\') => escaped(rest),
            _ => Some((first, first.len_utf8())),
        }
    }

    /// Over white space and breaks.
    fn skip(&mut self) -> Option<()> {
        loop {
            let rest = self.rest();
            self.byte += rest.len() - rest.trim_start().len();
            if !self.rest().is_empty() {
                return Some(());
            }
            (self.line, self.byte) = (self.line + 1, 0);
            self.lines.get(self.line)?;
        }
    }

    fn rest(&self) -> &'t str {
        self.lines.get(self.line).and_then(|line| line.get(self.byte..)).unwrap_or_default()
    }
}

/// A letter behind a backslash in double quotes.
fn escaped(rest: &str) -> Option<(char, usize)> {
    let kind = rest.chars().nth(1);
    let digits = match kind {
        // The line goes on.
        None => return Some((' ', 1)),
        Some(letter @ ('"' | '\\' | '/' | ' ')) => return Some((letter, 2)),
        Some('n' | 't' | 'r' | '\t') => return Some((' ', 2)),
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        Some(_) => return None,
    };
    let code = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
    Some((char::from_u32(code)?, 2 + digits))
}

fn nth_item(lines: &[&str], from: usize, index: usize) -> Option<usize> {
    let dash = |line: &&str| line.trim_start().starts_with("- ") || line.trim() == "-";
    let indent = |line: &str| line.len() - line.trim_start().len();
    let first = lines.iter().skip(from).find(|line| dash(line)).map(|line| indent(line))?;
    (from..lines.len()).filter(|at| dash(&lines[*at]) && indent(lines[*at]) == first).nth(index)
}

fn key_of(line: &str) -> Option<&str> {
    line.trim_start().trim_start_matches("- ").trim_start().split_once(':').map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_lines() {
        let text = "name: x\n# note\nknockouts:\n  - id: a\n    when: p\n\n  - id: b\n    when: >\n      q\ncutoffs:\n- id: c\n";
        let rows = [
            ("/name", Some(1)),
            ("/knockouts", Some(3)),
            ("/knockouts/0", Some(4)),
            ("/knockouts/1/when", Some(8)),
            ("/knockouts/1/reason", Some(7)),
            ("/knockouts/9", Some(3)),
            ("/cutoffs/0/id", Some(11)),
            ("/zones/0", None),
        ];
        for (path, expected) in rows {
            assert_eq!(line_of(text, path), expected, "{path}");
        }
    }

    #[test]
    fn a_place_of_an_expression_is_one_of_the_document() {
        let text = "knockouts:\n  - id: a\n    when: x > 1\n  - id: b\n    when: 'y > 1'\n  - id: c\n    when: |\n      z > 1\n      && w\n";
        let rows = [
            ("/knockouts/0/when", Some((1, 1)), (3, 11)),
            ("/knockouts/0/when", Some((1, 5)), (3, 15)),
            ("/knockouts/1/when", Some((1, 1)), (5, 12)),
            ("/knockouts/2/when", Some((2, 4)), (9, 10)),
            ("/knockouts/2/when", Some((2, 5)), (9, 11)),
            ("/knockouts/1/when", None, (5, 5)),
            ("/knockouts/1/reason", None, (4, 5)),
        ];
        let written = ["x > 1", "y > 1", "z > 1\n&& w\n"];
        for (path, at, (line, column)) in rows {
            let index: usize = path.split('/').nth(2).and_then(|index| index.parse().ok()).expect(path);
            let inside = at.map(|at| (at, written[index]));
            assert_eq!(place_in(text, path, inside), (Some(line), Some(column)), "{path} {at:?}");
        }
        let another = place_in(text, "/knockouts/0/when", Some(((1, 1), "not what is written")));
        assert_eq!(another, (Some(3), None), "no column rather than a wrong one");
    }
}
