//! What the fuzz target of routes tries, without its eye on coverage: the same changes of the shipped route, the same in every
//! run. Each is refused with findings that are few and short, or its conditions are told on applications of three sizes.

#[allow(dead_code)] // routes are TOML
#[path = "../../../fuzz/src/document.rs"]
mod document;
#[allow(dead_code)] // documents are changed here, not planted
#[path = "../../../fuzz/src/expression.rs"]
mod expression;

use crate::fixture::{STANDARD, library};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use scorer::Route;
use scorer::condition::Condition;
use scoring::expr::Document;
use scoring::lookup::Lookup;
use serde_json::json;

/// Changes of the route that are tried.
const ROUTES: u64 = 150;
/// Conditions that are tried.
const CONDITIONS: u64 = 400;

#[test]
fn changed_routes_are_refused_in_few_words_or_taken() {
    let library = library();
    for seed in 0..ROUTES {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let bytes = document::changed_toml(STANDARD.as_bytes(), &mut rng).unwrap();
        if let Err(rejected) = Route::load(&bytes, &library) {
            assert!(rejected.0.len() <= 201, "seed {seed}");
            assert!(rejected.0.iter().all(|finding| finding.to_string().len() < 2_000), "seed {seed}");
        }
    }
}

#[test]
fn conditions_are_refused_or_told_on_applications_of_any_size() {
    let texts = [1, 64, 2_000].map(|times: usize| {
        let debt = json!({"kind": "k".repeat(times), "balance": {"amount_minor": 5, "currency": "USD"}});
        let facts = json!({"trade_lines": 2, "debts": vec![debt; 4 * times], "income": []});
        json!({"channel": "web", "applicants": [{"facts": facts}], "attributes": {"a": {"b": [1, 2]}}}).to_string()
    });
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..CONDITIONS {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let source = expression::written(&mut rng, 1 + seed as u32 % 5);
        let mut lookup = Lookup::default();
        let Ok(condition) = Condition::compile(&source, &mut lookup) else {
            refused += 1;
            continue;
        };
        taken += 1;
        for text in &texts {
            condition.holds(&Document::of_text(text, &lookup).unwrap());
        }
    }
    assert!(taken > 10 && refused > 10, "{taken} taken, {refused} refused: the conditions are of one kind");
}
