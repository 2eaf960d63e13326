//! What a JSON Schema takes at one place, as replies tell it, and the same in words. Pure; knows no value of a sender.

use schemas::reply::Expected;
use serde_json::Value;

/// Longer lists are not told: nobody reads them in a reply.
const MAX_LISTED: usize = 64;

/// What several schemas take that hold of the same value.
pub(crate) fn of(schemas: &[&Value]) -> Expected {
    let first = |keyword: &str| schemas.iter().find_map(|schema| schema.get(keyword));
    let numbers = |keyword: &'static str| schemas.iter().filter_map(move |schema| schema.get(keyword)?.as_i64());
    let counts = |keyword: &'static str| numbers(keyword).filter_map(|count| u64::try_from(count).ok());
    let lists = schemas.iter().filter_map(|schema| {
        let constant = schema.get("const").map(std::slice::from_ref);
        constant.or_else(|| schema.get("enum")?.as_array().map(Vec::as_slice))
    });
    Expected {
        types: first("type").map(texts).unwrap_or_default(),
        words: lists.min_by_key(|list| list.len()).map(texts_of).unwrap_or_default(),
        names: Vec::new(),
        pattern: first("pattern").and_then(Value::as_str).map(printable),
        format: first("format").and_then(Value::as_str).map(str::to_owned),
        minimum: numbers("minimum").max(),
        maximum: numbers("maximum").min(),
        min_length: counts("minLength").max(),
        max_length: counts("maxLength").min(),
        min_items: counts("minItems").max(),
        max_items: counts("maxItems").chain(counts("maxProperties")).min(),
        earliest: None,
        latest: None,
    }
}

/// What one of several schemas takes: their types together, and the rest where there is one.
pub(crate) fn any(forms: &[Value]) -> Expected {
    match forms {
        [one] => of(&[one]),
        _ => {
            let all = forms.iter().flat_map(|form| of(&[form]).types);
            let types = all.fold(Vec::new(), |mut types, one| {
                if !types.contains(&one) {
                    types.push(one);
                }
                types
            });
            // Null goes last, as everywhere.
            let (null, mut types): (Vec<_>, Vec<_>) = types.into_iter().partition(|name| name == "null");
            types.extend(null);
            Expected { types, ..Expected::default() }
        }
    }
}

/// The names of an object's members.
pub(crate) fn names(schemas: &[&Value]) -> Expected {
    let members = schemas.iter().filter_map(|schema| schema.get("properties")?.as_object());
    let mut names: Vec<String> = members.flat_map(|members| members.keys().cloned()).collect();
    names.sort();
    names.dedup();
    Expected { names, ..Expected::default() }
}

/// The name that somebody may have meant; none where no name is near.
pub(crate) fn nearest<'n>(wrong: &str, names: &'n [String]) -> Option<&'n str> {
    let distance = |name: &String| strsim::osa_distance(&wrong.to_lowercase(), name);
    let near = names.iter().map(|name| (distance(name), name)).min()?;
    (near.0 <= 1.max(near.1.chars().count() / 3)).then_some(near.1)
}

/// One text, or the texts of a list.
fn texts(value: &Value) -> Vec<String> {
    value
        .as_str()
        .map_or_else(|| value.as_array().map(|list| texts_of(list)).unwrap_or_default(), |one| vec![one.into()])
}

fn texts_of(list: &[Value]) -> Vec<String> {
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A pattern without control characters, which a database or a terminal would not take: escaped, it means the same.
fn printable(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        if c.is_control() { text.push_str(&format!("\\u{:04x}", u32::from(c))) } else { text.push(c) }
    }
    text
}

/// The same in words; none where there is nothing to say.
pub(crate) fn say(expected: &Expected) -> Option<String> {
    let is_nullable = expected.types.iter().any(|name| name == "null");
    let mut said = match expected.words.as_slice() {
        [] => kinds(expected)?,
        [only] => only.clone(),
        words if words.len() <= MAX_LISTED => format!("one of {}", words.join(", ")),
        words => format!("one of {} words", words.len()),
    };
    if is_nullable {
        said.push_str(", or null");
    }
    Some(said)
}

/// Types with their bounds.
fn kinds(expected: &Expected) -> Option<String> {
    let kinds = expected.types.iter().filter(|name| *name != "null").map(|name| match name.as_str() {
        "string" => text(expected),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => "a list".to_owned(),
        _ => "an object".to_owned(),
    });
    let mut parts = vec![kinds.collect::<Vec<_>>().join(" or ")];
    parts.extend(between(expected.minimum, expected.maximum, "from", ""));
    parts.extend(between(expected.min_length, expected.max_length, "of", " characters"));
    parts.extend(between(expected.min_items, expected.max_items, "of", " elements"));
    parts.extend(between(expected.earliest.as_deref(), expected.latest.as_deref(), "from", ""));
    let said = parts.concat();
    (!said.is_empty()).then_some(said)
}

fn text(expected: &Expected) -> String {
    match (expected.format.as_deref(), expected.pattern.as_deref()) {
        (Some("date-time"), Some(_)) => "a time as RFC 3339 has it, in UTC with Z".to_owned(),
        (Some("date-time"), None) => "a time as RFC 3339 has it".to_owned(),
        (Some("date"), _) => "a day as YYYY-MM-DD".to_owned(),
        (_, Some(pattern)) => format!("text that fits {pattern}"),
        _ => "text".to_owned(),
    }
}

fn between<T: std::fmt::Display>(low: Option<T>, high: Option<T>, before: &str, after: &str) -> Option<String> {
    match (low, high) {
        (Some(low), Some(high)) => Some(format!(" {before} {low} to {high}{after}")),
        (Some(low), None) => Some(format!(" of at least {low}{after}")),
        (None, Some(high)) => Some(format!(" of at most {high}{after}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_expectation_has_its_words() {
        let rows = [
            (json!({"type": "integer", "minimum": 1, "maximum": 600}), "a whole number from 1 to 600"),
            (json!({"type": ["integer", "null"], "minimum": 0}), "a whole number of at least 0, or null"),
            (json!({"type": "string", "pattern": "^[a-z]$"}), "text that fits ^[a-z]$"),
            (json!({"type": "string", "pattern": "^[^\u{0}-\u{1f}]+$"}), "text that fits ^[^\\u0000-\\u001f]+$"),
            (json!({"type": "string", "maxLength": 9}), "text of at most 9 characters"),
            (json!({"type": "string", "minLength": 1, "maxLength": 9}), "text of 1 to 9 characters"),
            (
                json!({"type": "string", "format": "date-time", "pattern": "Z$"}),
                "a time as RFC 3339 has it, in UTC with Z",
            ),
            (json!({"type": "string", "format": "date-time"}), "a time as RFC 3339 has it"),
            (json!({"type": ["string", "null"], "format": "date"}), "a day as YYYY-MM-DD, or null"),
            (json!({"type": "string", "enum": ["a", "b"]}), "one of a, b"),
            (json!({"type": ["string", "null"], "enum": ["a", "b", null]}), "one of a, b, or null"),
            (json!({"const": "1.0"}), "1.0"),
            (json!({"type": "array", "minItems": 1, "maxItems": 16}), "a list of 1 to 16 elements"),
            (json!({"type": "object", "maxProperties": 3}), "an object of at most 3 elements"),
            (json!({"type": "boolean"}), "true or false"),
        ];
        for (schema, said) in rows {
            assert_eq!(say(&of(&[&schema])).as_deref(), Some(said), "{schema}");
        }
        assert_eq!(say(&of(&[&json!({})])), None);
    }

    #[test]
    fn what_several_schemas_take_is_what_each_of_them_takes() {
        let (all, some) = (json!({"type": "string", "enum": ["a", "b", "c"]}), json!({"enum": ["a", "b"]}));
        assert_eq!(of(&[&all, &some]).words, ["a", "b"]);
        let (money, positive) = (json!({"type": "integer", "minimum": -9, "maximum": 9}), json!({"minimum": 1}));
        assert_eq!((of(&[&money, &positive]).minimum, of(&[&positive, &money]).maximum), (Some(1), Some(9)));
    }

    #[test]
    fn what_one_of_several_takes_has_their_types() {
        let (number, text) = (json!({"type": ["number", "null"], "minimum": 1}), json!({"type": ["string", "null"]}));
        assert_eq!(any(&[number.clone(), text]).types, ["number", "string", "null"]);
        assert_eq!(any(&[number]).minimum, Some(1));
        assert_eq!(any(&[]), Expected::default());
    }

    #[test]
    fn a_name_is_meant_where_it_is_near() {
        let names = ["amount", "purpose", "term_months"].map(str::to_owned);
        let rows = [
            ("ammount", Some("amount")),
            ("term_month", Some("term_months")),
            ("Purpose", Some("purpose")),
            ("termMonths", Some("term_months")),
            ("colour", None),
            ("", None),
        ];
        for (wrong, meant) in rows {
            assert_eq!(nearest(wrong, &names), meant, "{wrong}");
        }
    }
}
