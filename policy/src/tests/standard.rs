//! The policies that ship: each passes its own check, runs natively and decides a plain applicant as its author meant.

use crate::fixture::event;
use crate::{Case, Compiled, decide};
use domain::scale::{Band, Scale};
use domain::{Outcome, RequestType, Step};

const STANDARD: &[u8] = include_bytes!("../../../policies/standard/1.1.0.yaml");
/// The version before, which is in force where nothing was activated.
const FIRST: &[u8] = include_bytes!("../../../policies/standard/1.0.0.yaml");

#[test]
fn the_standard_policy_is_clean_and_native() {
    let policy = Compiled::load(STANDARD).unwrap();
    assert_eq!((policy.name(), policy.version()), ("standard", "1.1.0"));
    assert_eq!(policy.warnings(), []);
    let products: Vec<_> = policy.products().collect();
    assert_eq!(products, ["credit_card", "small_business_term", "consumer_instalment"]);
    let (native, all) = policy.native_share();
    assert_eq!(native, all, "a rule of the standard policy needs the interpreter");
}

/// The scales that models publish in, from the file that they read.
fn scales() -> Vec<Scale> {
    let file: toml::Value = toml::from_str(include_str!("../../../models/scales.toml")).unwrap();
    let number = |scale: &toml::Value, key: &str| {
        scale[key].as_float().or_else(|| scale[key].as_integer().map(|n| n as f64)).unwrap()
    };
    let band = |band: &toml::Value| Band {
        name: band["name"].as_str().unwrap().to_owned(),
        min_score: band["min_score"].as_integer().unwrap() as i32,
    };
    let scale = |scale: &toml::Value| {
        let odds = (number(scale, "pdo"), number(scale, "base_score"), number(scale, "base_odds"));
        let range = (number(scale, "floor") as i32, number(scale, "cap") as i32);
        let bands = scale["bands"].as_array().unwrap().iter().map(band).collect();
        Scale::new(scale["id"].as_str().unwrap(), odds, range, bands).unwrap()
    };
    file["scale"].as_array().unwrap().iter().map(scale).collect()
}

#[test]
fn its_cutoffs_lie_on_the_scales_that_models_use() {
    let policy = Compiled::load(STANDARD).unwrap();
    let scales = scales();
    assert_eq!(policy.check_scales(&scales), []);
    let codes: Vec<_> = policy.check_scales(&scales[1..]).iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["unknown_scale"]);
    let only = vec![Band { name: "A".to_owned(), min_score: 700 }];
    let narrow = Scale::new(scales[0].id(), (40.0, 660.0, 20.0), (700, 850), only).unwrap();
    let codes: Vec<_> = policy.check_scales(&[&[narrow][..], &scales[1..]].concat()).iter().map(|f| f.code).collect();
    assert_eq!(codes.iter().filter(|code| **code == "points_off_scale").count(), 1);
    assert_eq!(codes.iter().filter(|code| **code == "unknown_band").count(), 4);
}

#[test]
fn a_plain_card_applicant_is_approved_and_a_late_one_is_not() {
    let policy = Compiled::load(STANDARD).unwrap();
    let mut event = event();
    event.product = "credit_card".into();
    event.request_type = RequestType::ExistingReview.into();
    event.requested.amount.currency = "TWD".into();
    event.requested.amount.amount_minor = 20_000_000;
    if let Some(score) = &mut event.score {
        score.scale_id = "credit_card.v1".into();
    }
    assert_eq!(decide(&Case::of(&event), &policy).outcome, Outcome::Approve);
    event.features[0].name = "repayment_status_1".into();
    event.features[0].value = 5.0;
    let decided = decide(&Case::of(&event), &policy);
    assert_eq!((decided.outcome, decided.step), (Outcome::Decline, Step::Knockout));
}

/// The version before sent whoever named no term to people.
#[test]
fn an_instalment_without_a_term_is_decided_by_its_score() {
    let mut event = event();
    (event.product, event.requested.amount.currency) = ("consumer_instalment".into(), "DEM".into());
    if let Some(score) = &mut event.score {
        score.scale_id = "consumer_instalment.v1".into();
    }
    for (term, first, now) in
        [(None, "refer", "approve"), (Some(24), "approve", "approve"), (Some(84), "decline", "decline")]
    {
        event.requested.term_months = term;
        let outcome = |policy| decide(&Case::of(&event), &Compiled::load(policy).unwrap()).outcome.as_str();
        assert_eq!((outcome(FIRST), outcome(STANDARD)), (first, now), "{term:?}");
    }
}
