//! PURE. Why a value does not fit, in the words of whoever writes a configuration: never what stands there, which may be a secret.

use super::nearest;
use toml::Table;

/// Why a key does not fit. A field's name is no secret, and says what to mend: the nearest that there is, all of them where none is near.
pub(super) fn told(key: &str, message: &str, known: &Table) -> String {
    if let Some(names) = message.strip_prefix("unknown field ") {
        let (_, expected) = names.split_once(", expected ").unwrap_or_default();
        let siblings: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        return match nearest::of_key(key, &siblings, known) {
            Some(near) => format!("there is no such key; the nearest is `{near}`"),
            None => message.to_owned(),
        };
    }
    if message.starts_with("missing field") { message.to_owned() } else { without_values(message) }
}

/// A message of a parser without what it cites: `invalid type: string "hush", expected u32` is told without the text.
pub(super) fn without_values(message: &str) -> String {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let kinds = ["string", "integer", "floating point", "boolean", "character", "byte array"];
    let kept =
        ["invalid type: ", "invalid value: ", "unknown variant "].into_iter().find(|start| what.starts_with(start));
    let what = match kept {
        None => what.split(['`', '"']).next().unwrap_or_default().to_owned(),
        Some("unknown variant ") => "unknown variant".to_owned(),
        Some(start) => {
            let rest = &what[start.len()..];
            let kind = kinds.into_iter().find(|kind| rest.starts_with(kind)).unwrap_or(rest);
            format!("{start}{kind}")
        }
    };
    match (what.strip_prefix("invalid type: "), expected) {
        (_, "") => what.trim().to_owned(),
        (Some(kind), expected) => format!("wants {}, and this is {}", wanted(expected), given(kind.trim())),
        (None, expected) if what.starts_with("invalid value: ") => {
            format!("wants {}, and this is none", wanted(expected))
        }
        (None, expected) => format!("{}, expected {expected}", what.trim()),
    }
}

/// What a type takes, as whoever writes a file says it.
fn wanted(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number, which may be negative",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "string" | "path string" | "a borrowed string" => "text",
        "a sequence" => "a list, [ … ]",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

/// What stands there, in the same words.
fn given(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "floating point" => "a number with a point",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a table",
        other => other,
    }
}
