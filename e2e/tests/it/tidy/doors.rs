//! A crate shows no more than somebody takes: what it publishes, another crate or its own integration tests name.

use super::{files, folders, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const BEFORE_A_NAME: [&str; 5] = ["const", "static", "fn", "async", concat!("uns", "afe")];

#[test]
fn whatever_is_public_is_named_elsewhere() {
    let read = |file: PathBuf| std::fs::read_to_string(&file).map(|text| (home(&file), file, text)).unwrap();
    let texts: Vec<_> = files(&root(), "rs").into_iter().map(read).collect();
    let mut said: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    for (home, _, text) in &texts {
        code(text).flat_map(words).for_each(|word| said.entry(word).or_default().extend([*home]));
    }
    // The graph engine is made for others too.
    for (home, file, text) in texts.iter().filter(|(home, ..)| home.is_some_and(|home| home != "inference")) {
        let alone = code(text).filter_map(published).find(|name| said[name].iter().eq([home]));
        let why = "which only its own crate names: write pub(crate), and delete what is then never used";
        assert!(alone.is_none(), "{} publishes {alone:?}, {why}", file.display());
    }
}

#[test]
fn what_a_line_publishes_is_seen() {
    let rows = [
        ("    pub const fn of(text: &str) -> Self {", Some("of")),
        ("pub async fn run()", Some("run")),
        ("pub static NAMES: &[&str] = &[];", Some("NAMES")),
        ("pub(crate) const MOST: usize = 1;", None),
        ("pub like: fn(f64) -> f64,", None),
    ];
    rows.iter().for_each(|(line, expected)| assert_eq!(published(line), *expected, "{line}"));
}

/// The folder of the library that a file is of; programs beside it, and tests, are crates of their own.
fn home(file: &Path) -> Option<&'static str> {
    folders().find(|folder| {
        let src = root().join(folder).join("src");
        let program = src.join("lib.rs").exists() && (file == src.join("main.rs") || file.starts_with(src.join("bin")));
        file.starts_with(src) && !program
    })
}

/// The function or constant that a line publishes.
fn published(line: &str) -> Option<&str> {
    let mut words = words(line.trim_start().strip_prefix("pub ")?).peekable();
    let is_one = BEFORE_A_NAME.contains(words.peek()?);
    words.find(|word| is_one && !BEFORE_A_NAME.contains(word))
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}
