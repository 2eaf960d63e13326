//! Lines of a mapping file as TOML has them. Pure.

use std::fmt::Write;

/// Ends a line; none for a text without anything in it.
pub(super) fn line(text: &mut String, line: &str) {
    if !line.is_empty() {
        writeln!(text, "{line}").expect("a string takes all");
    }
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) fn list<'t, T: AsRef<str> + 't + ?Sized>(words: impl Iterator<Item = &'t T>) -> String {
    format!("[{}]", words.map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(", "))
}
