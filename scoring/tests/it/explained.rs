//! Contributions add up, say what they claim, and reasons are made of them.

use crate::packages;
use crate::proof::{edited, sealed, with_json};
use proptest::prelude::*;
use scoring::explain::inexact;
use scoring::manifest::Kind;
use scoring::{FeatureVector, Model, PackageFiles};
use serde_json::{Value, json};
use std::sync::LazyLock;

static MODELS: LazyLock<Vec<(Model, Vec<FeatureVector>)>> = LazyLock::new(packages::all);

/// Feature by feature from one real row or another: rows that are possible, and that nobody had.
fn mixed(rows: &[FeatureVector], picks: &[usize]) -> FeatureVector {
    let width = rows[0].values.len();
    let value = |feature: usize| rows[picks[feature % picks.len()] % rows.len()].values[feature];
    FeatureVector::plain((0..width).map(value).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn contributions_add_up_to_the_margin(picks in prop::collection::vec(0..1000usize, 24)) {
        for (model, rows) in MODELS.iter() {
            let row = mixed(rows, &picks);
            let scored = model.score_block(&mut model.state().unwrap(), &[row]).unwrap().remove(0).unwrap();
            // Trees add their margin up in single precision, contributions are exact.
            let most = if model.manifest().kind == Kind::Trees { 1e-5 } else { 1e-6 };
            prop_assert!(scored.residual.abs() <= most, "{}: {}", model.manifest().name, scored.residual);
            prop_assert_eq!(inexact(scored.residual), None);
            let sum = scored.base + scored.contributions.iter().sum::<f64>();
            // Each published number was rounded once.
            let rounding = 0.5e-6 * (scored.contributions.len() as f64 + 2.0) + 1e-9;
            prop_assert!((f64::from(scored.margin) - sum).abs() <= rounding + scored.residual.abs());
            let strongest: Vec<_> = scored.candidates.iter().map(|candidate| candidate.contribution).collect();
            // No package of the repository reads inquiries, which alone are told beyond four.
            prop_assert!(strongest.len() <= 4 && strongest.windows(2).all(|pair| pair[0] >= pair[1]));
            for candidate in &scored.candidates {
                let sum: f64 = candidate.features.iter().map(|at| scored.contributions[*at]).sum();
                prop_assert!((candidate.contribution - sum).abs() < 1e-6 && candidate.contribution > 0.0);
            }
        }
    }
}

/// Against the best value of each feature nothing speaks for an applicant, so nothing is hidden behind what does.
#[test]
fn against_the_best_values_nothing_is_to_an_applicants_credit() {
    let files = edited(&packages::named("taiwan-scorecard"), "\"near_cutoff\"", "\"best_value\"");
    let golden: Value = serde_json::from_slice(&files.golden).unwrap();
    let rows = golden["rows"].as_array().unwrap();
    let parts: Vec<Vec<f64>> = rows.iter().map(|row| numbers(&row["partials"])).collect();
    let best = |feature: usize| parts.iter().map(|parts| parts[feature]).fold(f64::INFINITY, f64::min);
    let best: Vec<f64> = (0..parts[0].len()).map(best).collect();
    let group = json!({"rows": 1, "mean_partials": best, "background": [rows[0]["features"]]});
    let reference = with_json(&files.reference, |reference| reference["best_value"] = group);
    let model = Model::load(&sealed(PackageFiles { reference, ..files }), &packages::scales()).unwrap();
    let row = |row: &Value| numbers(&row["features"]).into_iter().map(|value| value as f32).collect();
    let given: Vec<_> = rows.iter().map(|given| FeatureVector::plain(row(given))).collect();
    let scored = model.score_block(&mut model.state().unwrap(), &given).unwrap();
    let of_all: Vec<f64> = scored.iter().flatten().flat_map(|scored| scored.contributions.clone()).collect();
    assert!(of_all.len() == best.len() * rows.len() && of_all.iter().all(|part| *part >= 0.0));
    assert!(of_all.iter().any(|part| *part > 0.1));
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn the_method_is_named() {
    for (model, _) in MODELS.iter() {
        let expected = match model.manifest().kind {
            Kind::Scorecard => "scorecard_exact",
            Kind::Trees => "treeshap_interventional",
            Kind::Net | Kind::Graph => "shapley_permutation_antithetic_16",
        };
        assert_eq!(model.method(), expected);
    }
}

/// The fixed walks are a sample; averaged over many applicants they must not lean to a side, and each must agree with
/// the margin's own answer where only one feature differs from every background row's.
#[test]
fn a_feature_that_changes_nothing_contributes_nothing() {
    for (model, rows) in MODELS.iter().filter(|(model, _)| model.manifest().kind == Kind::Net) {
        let mut state = model.state().unwrap();
        let scored = model.score_block(&mut state, &rows[..32]).unwrap();
        for (row, scored) in rows.iter().zip(scored.iter().flatten()) {
            for (at, contribution) in scored.contributions.iter().enumerate() {
                let same =
                    rows[rows.len() - 64..rows.len() - 32].iter().all(|other| other.values[at] == row.values[at]);
                assert!(!same || *contribution == 0.0, "{}: feature {at}", model.manifest().name);
            }
        }
    }
}
