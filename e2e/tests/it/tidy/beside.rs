//! Pure code has its tests beside it: in the file, or in a file `tests.rs` or a folder `tests` next to it.

use super::{PURE, files, root};
use std::path::Path;

/// Of a hundred lines of a pure crate's source, so many are its own tests.
const LEAST: usize = 25;

#[test]
fn a_quarter_of_a_pure_crate_is_its_own_tests() {
    for folder in PURE {
        let src = root().join(folder).join("src");
        let (mut tests, mut all) = (0, 0);
        for file in files(&src, "rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            all += text.lines().count();
            tests += lines_of_tests(file.strip_prefix(&src).unwrap(), &text);
        }
        let share = 100.0 * tests as f64 / all as f64;
        let why = "write a table of named rows beside the code, or move an integration test that is of one module";
        assert!(
            100 * tests >= LEAST * all,
            "{folder}: {tests} of {all} lines are tests, {share:.1} %, at least {LEAST}: {why}"
        );
    }
}

/// All lines of a file of tests; elsewhere those from the last module `tests` on, which ends its file.
fn lines_of_tests(path: &Path, text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    if path.components().any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name)) {
        return lines.len();
    }
    let opens =
        |line: &&str| line.strip_suffix("mod tests {").is_some_and(|before| ["", "pub(crate) "].contains(&before));
    let is_marked = |at: &usize| {
        let attributes = lines[..*at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.into_iter().any(|line| *line == "#[cfg(test)]")
    };
    let begins = lines.iter().rposition(opens).filter(is_marked);
    begins.map_or(0, |at| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).count();
        lines.len() - at + attributes
    })
}

#[test]
fn lines_of_tests_are_counted_from_their_attributes_to_the_end() {
    let rows = [
        ("a.rs", "fn f() {}\n\n#[cfg(test)]\nmod tests {\n}\n", 3),
        ("a.rs", "fn f() {}\n\n#[cfg(test)]\n#[allow(clippy::unwrap_used)]\nmod tests {\n    use super::*;\n}\n", 5),
        ("a.rs", "#[cfg(test)]\npub(crate) mod tests {\n}\n", 3),
        ("a.rs", "mod tests {\n}\n", 0),
        ("a.rs", "#[cfg(test)]\nmod tests;\n", 0),
        ("a.rs", "#[cfg(test)]\nfn only() {}\n\nfn f() {}\n", 0),
        ("a/tests.rs", "//! Tests.\n\nfn f() {}\n", 3),
        ("a/tests/more.rs", "//! Tests.\n", 1),
        ("latests.rs", "//! No tests.\n", 0),
    ];
    for (path, text, expected) in rows {
        assert_eq!(lines_of_tests(Path::new(path), text), expected, "{path}: {text}");
    }
}
