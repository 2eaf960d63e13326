//! Bytes as a route over a library without packages, and each of its conditions over applications of three sizes. What a
//! condition of a feature contract may be is tried on the way: both are one engine.
#![no_main]

use defaultx_fuzz::{document, expression, watch};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorer::condition::Condition;
use scorer::{Library, Route};
use scoring::application::Document;
use scoring::lookup::Lookup;
use std::sync::LazyLock;

static LIBRARY: LazyLock<Library> = LazyLock::new(Library::default);

/// The same application with more and more of everything.
static APPLICATIONS: LazyLock<[String; 3]> = LazyLock::new(|| {
    [1, 64, 5_000].map(|times| {
    let debt = serde_json::json!({"kind": "k".repeat(times.min(2_000)), "balance": {"amount_minor": 5, "currency": "USD"}});
    let facts = serde_json::json!({"trade_lines": 2, "debts": vec![debt; 4 * times], "income": []});
    serde_json::json!({"channel": "web", "applicants": [{"facts": facts}], "attributes": {"a": {"b": [1, 2]}}}).to_string()
})
});

fuzz_target!(init: watch::begin(), |bytes: &[u8]| {
    watch::watched(|| {
        if let Err(rejected) = Route::load(bytes, &LIBRARY) {
            assert!(rejected.0.len() <= 201, "findings are bounded");
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(table) = text.parse::<toml::Table>() else { return };
        let entries = table.get("entry").and_then(toml::Value::as_array).into_iter().flatten();
        for source in entries.filter_map(|entry| entry.get("when")?.as_str()).take(4) {
            let mut lookup = Lookup::default();
            let Ok(condition) = Condition::compile(source, &mut lookup) else { continue };
            for text in APPLICATIONS.iter() {
                let Ok(data) = Document::of_text(text, &lookup) else { continue };
                condition.holds(&data);
            }
        }
    });
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
    let read = std::str::from_utf8(&bytes[..size]).ok().and_then(|text| text.parse::<toml::Table>().ok());
    let changed = read.and_then(|table| {
        let mut changed = document::changed(serde_json::to_value(table).ok()?, &mut rng);
        expression::plant(&mut changed, &mut rng);
        toml::to_string(&changed).ok().map(String::into_bytes)
    });
    match changed.filter(|changed| changed.len() <= most) {
        Some(changed) if rng.random_bool(0.8) => {
            bytes[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(bytes, size, most),
    }
});
