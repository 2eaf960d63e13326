//! Where a key of an entry stands in the text of a route, and where in it a place of its expression is. A best effort; never decides
//! anything.

/// Line and column, both from 1, of a key of the entry of that index, from 0; with `at`, line and column in its text, of that place.
pub(super) fn place_of(text: &str, entry: usize, key: &str, at: Option<(usize, usize)>) -> Option<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let heads = lines.iter().enumerate().filter(|(_, line)| line.trim() == "[[entry]]").map(|(at, _)| at);
    let mut heads = heads.skip(entry);
    let head = heads.next()?;
    let end = heads.next().unwrap_or(lines.len());
    let is_key = |line: &str| line.split_once('=').is_some_and(|(before, _)| before.trim() == key);
    let Some(line) = (head..end).find(|line| is_key(lines[*line])) else { return Some((head + 1, 1)) };
    let written = lines[line];
    let behind = written.find('=')? + 1;
    let value = behind + written[behind..].len() - written[behind..].trim_start().len();
    let is_block = ["\"\"\"", "'''"].iter().any(|quotes| written[value..].starts_with(quotes));
    let (inner, column) = at.unwrap_or((1, 1));
    match is_block {
        // What stands behind the quotes is the first line, unless nothing does.
        true if written[value + 3..].is_empty() => Some((line + inner + 1, column)),
        true if inner > 1 => Some((line + inner, column)),
        true => Some((line + 1, written[..value].chars().count() + 3 + column)),
        false => Some((line + 1, written[..value].chars().count() + 1 + raw(&written[value..], column))),
    }
}

/// The column in a quoted text as it is written, of one in the text that it stands for: an escaped character is two.
fn raw(quoted: &str, column: usize) -> usize {
    let has_escapes = quoted.starts_with('"');
    let mut letters = quoted.chars().skip(1);
    (1..column).fold(1, |at, _| match letters.next() {
        Some('\\') if has_escapes => {
            letters.next();
            at + 2
        }
        _ => at + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_in_its_entry() {
        let text = "name = \"r\"\n[[entry]]\nid = \"a\"\nwhen = 'x > 1'\n[[entry]]\nid = \"b\"\nwhen = \"x == \\\"y\\\" && z\"\n\
                    [[entry]]\nwhen = '''\nx &&\n  y'''\n";
        let rows = [
            (0, "when", Some((1, 1)), Some((4, 9))),
            (0, "when", Some((1, 3)), Some((4, 11))),
            (1, "when", Some((1, 6)), Some((7, 14))),
            (1, "when", Some((1, 13)), Some((7, 23))),
            (2, "when", Some((2, 3)), Some((11, 3))),
            (1, "id", None, Some((6, 7))),
            (1, "product", None, Some((5, 1))),
            (7, "id", None, None),
        ];
        for (entry, key, at, expected) in rows {
            assert_eq!(place_of(text, entry, key, at), expected, "{entry} {key} {at:?}");
        }
    }
}
