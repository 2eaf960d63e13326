//! JSON and TOML with a value changed: what parses goes on parsing, and means something else.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Texts that mean something to a manifest: kinds, policies, pointers, expressions, names that are none.
const TEXTS: [&str; 28] = [
    "",
    "/",
    "/a/0/b~1c",
    "/a~2",
    "/attributes/x",
    "trees",
    "net",
    "scorecard",
    "nan",
    "value",
    "unscorable",
    "log_odds",
    "probability",
    "isotonic",
    "binned",
    "none",
    "increasing",
    "decreasing",
    "all",
    "minor:JPY",
    "data",
    "data.a.b",
    "double(data.a) / double(data.b)",
    "data.a.all(x, x > 0) ? 1.0 : 0.0",
    "data.a.map(x, data.a.map(y, data.a.map(z, x + y + z)))",
    "((((((((((((((((((((((((((((((1.0))))))))))))))))))))))))))))))",
    "has(data.a) && !has(data.b) || data.c == 'x'",
    "- - - - - - - - - - - - - - - - - - - - 1.0",
];

/// A JSON document with up to three changes.
pub fn changed_json(bytes: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    serde_json::to_vec(&changed(serde_json::from_slice(bytes).ok()?, rng)).ok()
}

/// A TOML document with up to three changes.
pub fn changed_toml(bytes: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let table: toml::Table = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let changed = changed(serde_json::to_value(table).ok()?, rng);
    toml::to_string(&changed).ok().map(String::into_bytes)
}

/// A value with up to three changes.
pub fn changed(mut value: Value, rng: &mut ChaCha8Rng) -> Value {
    for _ in 0..rng.random_range(1..=3) {
        let mut left = rng.random_range(0..count(&value));
        change(&mut value, &mut left, rng);
    }
    value
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(elements) => elements.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the value that is `left` values away, depth first; says whether it did.
fn change(value: &mut Value, left: &mut usize, rng: &mut ChaCha8Rng) -> bool {
    if *left == 0 {
        *value = other(value, rng);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(elements) => elements.iter_mut().any(|element| change(element, left, rng)),
        Value::Object(members) => members.values_mut().any(|member| change(member, left, rng)),
        _ => false,
    }
}

fn other(value: &Value, rng: &mut ChaCha8Rng) -> Value {
    let mut value = value.clone();
    match &mut value {
        Value::Array(elements) if !elements.is_empty() => {
            let at = rng.random_range(0..elements.len());
            match rng.random_range(0..3) {
                0 => drop(elements.remove(at)),
                1 => elements.insert(at, elements[at].clone()),
                _ => elements.truncate(at),
            }
        }
        Value::Object(members) if !members.is_empty() => {
            let at = rng.random_range(0..members.len());
            if let Some(key) = members.keys().nth(at).cloned() {
                members.remove(&key);
            }
        }
        Value::Number(number) if rng.random_bool(0.5) => {
            let by = [1.0, -1.0, 0.5, 1e-7, -1e-7].choose(rng).copied().unwrap_or_default();
            value = json!(number.as_f64().unwrap_or_default() + by);
        }
        Value::Number(_) => {
            let numbers = [0.0, -0.0, 1.0, -1.0, 3.5e38, -1e300, 1e-300, 1e9, 16_777_217.0, 9_007_199_254_740_993.0];
            value = json!(numbers.choose(rng).copied().unwrap_or_default());
        }
        Value::Bool(set) => *set = !*set,
        _ => value = json!(TEXTS.choose(rng).copied().unwrap_or_default()),
    }
    value
}
