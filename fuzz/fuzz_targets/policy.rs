//! Bytes as a policy: refused with findings, or it decides on a plain event, on the largest that the contract allows, and on
//! one that is far larger.
#![no_main]

use defaultx_fuzz::{document, expression, watch};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use policy::{Case, Compiled, decide};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::risk::RiskEvent;
use std::sync::LazyLock;

/// The same applicant with more and more of everything.
static EVENTS: LazyLock<[RiskEvent; 3]> = LazyLock::new(|| {
    [1, 64, 5_000].map(|times| {
        let example = include_bytes!("../../schemas/examples/score.computed.v1/good-term-loan-net.json");
        let example: serde_json::Value = serde_json::from_slice(example).expect("an example is JSON");
        let mut event: RiskEvent = serde_json::from_value(example).expect("an example is an event");
        let facts = &mut event.facts;
        facts.income = facts.income.iter().cycle().take(times.min(1_000)).cloned().collect();
        let debt = serde_json::json!({"kind": "k".repeat(times.min(2_000)), "evidence": "stated"});
        facts.debts = Some(vec![serde_json::from_value(debt).expect("a debt"); 4 * times]);
        event
    })
});

fuzz_target!(init: watch::begin(), |bytes: &[u8]| {
    watch::watched(|| {
        let policy = match Compiled::load(bytes) {
            Ok(policy) => policy,
            Err(rejected) => {
                assert!(rejected.findings.len() <= 201, "findings are bounded");
                assert!(rejected.findings.iter().all(|finding| finding.to_string().len() < 2_000), "and short");
                return;
            }
        };
        let products: Vec<String> = policy.products().map(str::to_owned).collect();
        for event in EVENTS.iter() {
            for product in products.iter().take(2) {
                let event = RiskEvent { product: product.clone(), ..event.clone() };
                decide(&Case::of(&event), &policy);
            }
        }
    });
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
    // Written as JSON, which is YAML too.
    let read = serde_yaml_ng::from_slice(&bytes[..size]).ok();
    let changed = read.and_then(|value| {
        let mut changed = document::changed(value, &mut rng);
        expression::plant(&mut changed, &mut rng);
        serde_json::to_vec(&changed).ok()
    });
    match changed.filter(|changed| changed.len() <= most) {
        Some(changed) if rng.random_bool(0.8) => {
            bytes[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(bytes, size, most),
    }
});
