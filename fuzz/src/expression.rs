//! Expressions that parse: loops within loops, lists of literals, texts that grow, patterns; over the names that a policy and a
//! route know, and some that they do not.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Lists and maps of both kinds of document.
const RANGES: [&str; 17] = [
    "parties",
    "co_applicants",
    "guarantors",
    "incomes",
    "debts",
    "facts.debts",
    "facts.income",
    "reports",
    "features",
    "facts",
    "data.applicants",
    "data.applicants[0].facts.debts",
    "data.applicants[0].facts",
    "data.attributes",
    "data",
    "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]",
    "[[1, 2, 3], [4, 5, 6], [7, 8, 9]]",
];
const VALUES: [&str; 25] = [
    "debt_to_income",
    "attributes.a.b",
    "guarantors[0].facts.of_legal_age",
    "score",
    "amount_minor",
    "purpose",
    "jurisdiction",
    "features.late",
    "facts.dependants",
    "facts.employment.status",
    "data.channel",
    "data.requested.amount.amount_minor",
    "data.applicants[0].facts.trade_lines",
    "data.applicants[1].facts.debts[200].kind",
    "0",
    "-1",
    "1.5",
    "9223372036854775807",
    "18446744073709551615u",
    "''",
    "'a text of some length, which is longer than thirty-two bytes'",
    "true",
    "null",
    "b'bytes'",
    "timestamp('2026-01-01T00:00:00Z')",
];
const PATTERNS: [&str; 8] = ["^a*$", "(a|b)+c", ".*.*.*x", "[a-z]{200}", "(a{50}){50}", "\\\\p{L}{90}", "(", ""];
const BINARY: [&str; 14] = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"];
const MACROS: [&str; 6] = ["exists", "all", "exists_one", "filter", "map", "sum"];
const FUNCTIONS: [&str; 8] = ["size", "string", "int", "double", "bool", "bytes", "type", "duration"];

/// One expression, so deep at most.
pub fn written(rng: &mut ChaCha8Rng, depth: u32) -> String {
    let mut bound = Vec::new();
    any(rng, depth, &mut bound)
}

/// Puts an expression into about every third place of a document that has one.
pub fn plant(value: &mut Value, rng: &mut ChaCha8Rng) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| plant(element, rng)),
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| match name.as_str() {
            "when" | "value" | "threshold" if rng.random_bool(0.3) => {
                let depth = rng.random_range(0..6);
                *value = json!(written(rng, depth));
            }
            _ => plant(value, rng),
        }),
        _ => {}
    }
}

fn one<'a>(rng: &mut ChaCha8Rng, words: &[&'a str]) -> &'a str {
    words.choose(rng).copied().unwrap_or_default()
}

fn any(rng: &mut ChaCha8Rng, depth: u32, bound: &mut Vec<String>) -> String {
    if depth == 0 {
        return leaf(rng, bound);
    }
    let below = depth - 1;
    match rng.random_range(0..12) {
        0..=2 => each(rng, below, bound),
        3..=5 => {
            let op = one(rng, &BINARY);
            format!("({} {op} {})", any(rng, below, bound), any(rng, below, bound))
        }
        6 => format!("({} ? {} : {})", any(rng, below, bound), any(rng, below, bound), any(rng, below, bound)),
        7 => format!("{}({})", one(rng, &FUNCTIONS), any(rng, below, bound)),
        8 => format!("string({}).matches('{}')", any(rng, below, bound), one(rng, &PATTERNS)),
        9 => {
            let inner = any(rng, below, bound);
            format!("[{inner}].map(t, t + t)[0]")
        }
        10 => format!("[{}, {}]", any(rng, below, bound), any(rng, below, bound)),
        _ => format!("{{'k': {}}}.k", any(rng, below, bound)),
    }
}

fn each(rng: &mut ChaCha8Rng, below: u32, bound: &mut Vec<String>) -> String {
    let range = match rng.random_range(0..6) {
        0 => any(rng, below.min(2), bound),
        1 if !bound.is_empty() => format!("{}.facts.debts", bound.choose(rng).cloned().unwrap_or_default()),
        _ => one(rng, &RANGES).to_owned(),
    };
    let (name, of) = (format!("v{}", bound.len()), one(rng, &MACROS));
    bound.push(name.clone());
    let inside = any(rng, below, bound);
    bound.pop();
    format!("{range}.{of}({name}, {inside})")
}

fn leaf(rng: &mut ChaCha8Rng, bound: &[String]) -> String {
    match (bound.choose(rng), rng.random_range(0..4)) {
        (Some(name), 0) => name.clone(),
        (Some(name), 1) => format!("{name}.{}", one(rng, &["kind", "monthly_minor", "facts.dependants"])),
        (_, 2) => format!("has({}.x)", one(rng, &["facts", "features", "data", "data.attributes"])),
        _ => one(rng, &VALUES).to_owned(),
    }
}
