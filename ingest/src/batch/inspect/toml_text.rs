//! Lines of a mapping file as TOML has them. Pure.

use std::fmt::Write;

/// Ends a line; none for a text without anything in it.
pub(super) fn line(text: &mut String, line: &str) {
    if !line.is_empty() {
        writeln!(text, "{line}").expect("a string takes all");
    }
}

/// A basic string on one line, which a key may be too.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04X}", u32::from(c)).expect("a string takes all"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

pub(super) fn list<'t, T: AsRef<str> + 't + ?Sized>(words: impl Iterator<Item = &'t T>) -> String {
    format!("[{}]", words.map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_read_as_key_and_as_value() {
        for text in ["plain", "a\nb", "c\"'d", "\\", "\u{7f}\0", "ä🎈", ""] {
            let line = format!("map = {{ {0} = {0} }}", quoted(text));
            let read: toml::Table = toml::from_str(&line).expect("one line of TOML");
            assert_eq!(read["map"].get(text).and_then(toml::Value::as_str), Some(text), "{line}");
        }
    }
}
