//! PURE. Two lines of a recording that differ, in words for people: the members that are not the same, also those within a value that
//! is JSON itself, and the bytes around the first one that differs.

use serde_json::Value;
use std::collections::BTreeSet;

/// Most members that are told.
const MOST: usize = 12;
/// Characters that are shown before and behind the first one that differs.
const AROUND: usize = 60;

/// What is not the same, one line for each member.
pub fn between(before: &str, after: &str) -> Vec<String> {
    let mut told = Vec::new();
    match (serde_json::from_str(before), serde_json::from_str(after)) {
        (Ok(before), Ok(after)) => walk("", &before, &after, &mut told),
        _ => told.push(texts("line", before, after)),
    }
    let more = told.len().saturating_sub(MOST);
    told.truncate(MOST);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told
}

fn walk(at: &str, before: &Value, after: &Value, told: &mut Vec<String>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(was), Value::Object(is)) => {
            let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            for name in names {
                let member = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or(Value::Null);
                walk(&format!("{at}/{name}"), &member(was), &member(is), told);
            }
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            for (index, (was, is)) in was.iter().zip(is).enumerate() {
                walk(&format!("{at}/{index}"), was, is, told);
            }
        }
        (Value::String(was), Value::String(is)) => match (document(was), document(is)) {
            (Some(inner_was), Some(inner_is)) if inner_was != inner_is => {
                walk(&format!("{at}:"), &inner_was, &inner_is, told);
            }
            _ => told.push(texts(at, was, is)),
        },
        _ => told.push(format!("{at}: {} | {}", short(before), short(after))),
    }
}

/// A text that is a JSON object or array itself.
fn document(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

fn texts(at: &str, before: &str, after: &str) -> String {
    let same = before.chars().zip(after.chars()).take_while(|(was, is)| was == is).count();
    let shown = |text: &str| -> String {
        let from = same.saturating_sub(AROUND);
        let cut = text.chars().skip(from).take(2 * AROUND).collect::<String>();
        let front = if from > 0 { "…" } else { "" };
        let back = if text.chars().count() > from + 2 * AROUND { "…" } else { "" };
        format!("{front}{}{back}", cut.escape_debug())
    };
    format!("{at} from character {same}: {} | {}", shown(before), shown(after))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(2 * AROUND) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_differ_are_named_also_within_a_value() {
        let rows: [(&str, &str, &[&str]); 6] = [
            (r#"{"a":1}"#, r#"{"a":1}"#, &[]),
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":3}"#, &["/b: 2 | 3"]),
            (r#"{"a":1}"#, r#"{"b":1}"#, &["/a: 1 | null", "/b: null | 1"]),
            (r#"{"value":"{\"pd\":0.1}"}"#, r#"{"value":"{\"pd\":0.2}"}"#, &["/value:/pd: 0.1 | 0.2"]),
            (
                r#"{"value":"{\"pd\":1}"}"#,
                r#"{"value":"{\"pd\": 1}"}"#,
                &["/value from character 6: {\\\"pd\\\":1} | {\\\"pd\\\": 1}"],
            ),
            ("x", "y", &["line from character 0: x | y"]),
        ];
        for (before, after, expected) in rows {
            assert_eq!(between(before, after), expected, "{before} / {after}");
        }
    }

    #[test]
    fn what_is_long_is_cut_around_the_difference() {
        let (before, after) = ("a".repeat(1_000) + "x", "a".repeat(1_000) + "y");
        let told = between(&before, &after).concat();
        assert!(told.len() < 300 && told.contains('x') && told.contains('y') && told.contains('…'), "{told}");
        let many = |to: usize| serde_json::to_string(&(0..40).map(|n| n + to).collect::<Vec<_>>()).unwrap_or_default();
        let told = between(&many(0), &many(1));
        assert_eq!((told.len(), told.last().map(String::as_str)), (MOST + 1, Some("and 28 more")));
    }
}
