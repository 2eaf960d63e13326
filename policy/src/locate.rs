//! Finds the line of a path in a YAML text, for findings. A best effort on block style; never decides anything.

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

/// Line and column of a place in an expression that stands at a path; both from 1. Exact where the expression stands on one line.
pub(crate) fn place_in(text: &str, path: &str, at: Option<(usize, usize)>) -> (Option<usize>, Option<usize>) {
    let Some(line) = line_of(text, path) else { return (None, None) };
    let written = text.lines().nth(line - 1).unwrap_or_default();
    let field = path.rsplit('/').next().unwrap_or_default();
    let key = format!("{field}:");
    let Some(begin) = written.find(&key) else {
        return (Some(line), Some(written.chars().take_while(|letter| " -".contains(*letter)).count() + 1));
    };
    let behind = &written[begin + key.len()..];
    let value = behind.trim_start();
    let before = |to: usize| written[..to].chars().count() + 1;
    match (at, value.chars().next()) {
        (None, _) => (Some(line), Some(before(begin))),
        // A block: its lines are those of the expression where it is literal.
        (Some((inner, column)), Some('>' | '|') | None) => {
            let own = text.lines().nth(line + inner - 1).unwrap_or_default();
            (Some(line + inner), Some(own.len() - own.trim_start().len() + column))
        }
        (Some((_, column)), Some(first)) => {
            let start = written.len() - value.len() + usize::from("'\"".contains(first));
            (Some(line), Some(before(start) + column - 1))
        }
    }
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
            ("/knockouts/1/when", None, (5, 5)),
            ("/knockouts/1/reason", None, (4, 5)),
        ];
        for (path, at, (line, column)) in rows {
            assert_eq!(place_in(text, path, at), (Some(line), Some(column)), "{path} {at:?}");
        }
    }
}
