//! Two documents that say the same are equal, however they are written.

use crate::corpus::good;
use crate::stack::{Stack, header};
use domain::Digest;
use proptest::prelude::*;
use serde_json::Value;

/// The next of a row of numbers below `bound`.
fn next(seed: &mut u64, bound: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize % bound
}

/// Writes a document with members in an order, and whitespace, that a seed chooses.
fn shuffled(value: &Value, seed: &mut u64, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            for index in (1..members.len()).rev() {
                members.swap(index, next(seed, index + 1));
            }
            let blank = [" ", "\n", "\t", ""][next(seed, 4)];
            out.push('{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(blank);
                out.push_str(&escaped(key, next(seed, 2) == 0));
                out.push(':');
                out.push_str(blank);
                shuffled(member, seed, out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (index, element) in list.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                shuffled(element, seed, out);
            }
            out.push(']');
        }
        Value::Number(number) if number.is_i64() && next(seed, 2) == 0 => out.push_str(&format!("{number}.0")),
        Value::String(text) => out.push_str(&escaped(text, next(seed, 2) == 0)),
        other => out.push_str(&other.to_string()),
    }
}

fn escaped(text: &str, with_escapes: bool) -> String {
    if with_escapes {
        format!("\"{}\"", text.chars().map(|c| format!("\\u{:04x}", c as u32)).collect::<String>())
    } else {
        Value::from(text).to_string()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_in_other_words_is_a_duplicate(mut seed in any::<u64>()) {
        let record = good("L-1").0;
        let data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
        let mut text = String::new();
        shuffled(&data, &mut seed, &mut text);
        let mut stack = Stack::new();
        let first = stack.send(&record);
        let second = stack.send(&crate::corpus::Record { body: Some(text.clone().into_bytes()), ..record });
        let reply = second.reply();
        prop_assert_eq!(reply["status"].as_str(), Some("duplicate"), "{}", text);
        let intake = [first, second].map(|outcome| outcome.on("t.credit.intake.v1")[0].clone());
        prop_assert_eq!(header(&intake[0], "ce_datadigest"), header(&intake[1], "ce_datadigest"));
        prop_assert_eq!(&intake[0].payload, &intake[1].payload, "one normal form");
    }
}

/// HMAC-SHA-256 (RFC 2104) by hand.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let keyed = |pad: u8, text: &[u8]| Digest::of(&[&block.map(|byte| byte ^ pad)[..], text].concat()).0;
    keyed(0x5c, &keyed(0x36, text))
}

#[test]
fn the_digest_is_a_keyed_one_of_that_of_the_standard_form() {
    let record = good("L-1").0;
    let body = record.body.clone().unwrap();
    let value: Value = serde_json::from_slice(&body).unwrap();
    let standard = Digest::of(&serde_json_canonicalizer::to_vec(&value).unwrap());
    let (id, secret) = ingest::config::DEMO_DIGEST_KEY.split_once(':').unwrap();
    let of_tenant = hmac(&hex::decode(secret).unwrap(), b"defaultx data digest 1\0demo");
    let expected = hex::encode(hmac(&of_tenant, &standard.0[..16]));
    let mut stack = Stack::new();
    let outcome = stack.send(&record);
    for topic in ["intake", "applications", "identities"] {
        let record = outcome.on(&format!("t.credit.{topic}.v1"))[0];
        assert_eq!(header(record, "ce_datadigest"), Some(expected.as_str()), "{topic}");
        assert_eq!(header(record, "ce_datadigestkey"), Some(id), "{topic}");
    }
}
