//! What holds for every event: an error never approves, order does not matter, a decline is always explained.

use crate::fixture::{POLICY, event, feature, policy, score};
use crate::{Case, Compiled, decide};
use domain::{FeatureFlag, Outcome, ScoreStatus};
use proptest::prelude::*;
use proptest::sample::select;
use schemas::Word;
use schemas::risk::RiskEvent;

/// Events of which anything may be missing, unknown or extreme.
fn events() -> impl Strategy<Value = RiskEvent> {
    let words = (
        select(vec!["card", "loan", "boat"]),
        select(vec!["decide", "prequalify", "muse"]),
        select(vec!["new", "increase", "swap"]),
        select(vec!["scored", "unscorable", "guessed"]),
        select(vec!["USD", "EUR", "JPY"]),
        select(vec!["online", "partner"]),
    );
    let numbers = (300i32..850, select(vec!["A", "B", "C", "D", "Z"]), 1i64..2_000_000, -1.0f32..6.0);
    let presence = (any::<[bool; 5]>(), proptest::option::of(select(FeatureFlag::ALL)));
    (words, numbers, presence).prop_map(|(words, (points, band, amount, late), (keep, flag))| {
        let mut event = event();
        let (product, intent, request, status, currency, channel) = words;
        (event.product, event.channel) = (product.into(), channel.into());
        (event.intent, event.request_type, event.status) =
            (Word::parse(intent), Word::parse(request), Word::parse(status));
        event.requested.amount.currency = currency.into();
        event.requested.amount.amount_minor = amount;
        let mut scored = score(points, band);
        scored.scale_id = format!("{product}.v1");
        event.score = Some(scored).filter(|_| keep[0]);
        event.features[0] = feature("late", late, flag);
        if keep[1] {
            event.features.remove(0);
        }
        event.facts.of_legal_age = Some(keep[2]).filter(|_| keep[3]);
        event.reasons.truncate(if keep[4] { 5 } else { 0 });
        event
    })
}

/// The fixture with its rules in another order.
fn turned() -> Compiled {
    let mut document: serde_yaml_ng::Value = serde_yaml_ng::from_str(POLICY).unwrap();
    for section in ["knockouts", "limits", "zones", "products", "reasons"] {
        document[section].as_sequence_mut().unwrap().reverse();
    }
    Compiled::load(serde_yaml_ng::to_string(&document).unwrap().as_bytes()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn nobody_is_approved_on_an_error(event in events()) {
        let decided = decide(&Case::of(&event), &policy());
        let failed = decided.rules.iter().any(|rule| rule.value.as_deref().is_some_and(|value| value.starts_with("error")));
        if failed {
            prop_assert_eq!(decided.outcome, Outcome::Refer);
        }
        let in_doubt = |value: &str| value.starts_with("out of range");
        if decided.rules.iter().any(|rule| rule.value.as_deref().is_some_and(in_doubt)) {
            prop_assert!(matches!(decided.outcome, Outcome::Refer | Outcome::Decline), "nothing is granted in doubt");
        }
        if matches!(decided.outcome, Outcome::Approve | Outcome::Counteroffer) {
            prop_assert!(event.status.is(ScoreStatus::Scored));
            prop_assert!(event.score.is_some() && decided.offer.is_some());
            prop_assert!(event.features.iter().any(|f| f.name == "late" && f.value < 3.0) || event.product == "loan");
        }
    }

    #[test]
    fn a_decline_is_explained_dated_and_at_most_four(event in events()) {
        let decided = decide(&Case::of(&event), &policy());
        if decided.outcome == Outcome::Decline {
            prop_assert!((1..=4).contains(&decided.principal_reasons.len()));
            prop_assert!(decided.notice.is_some());
        } else {
            prop_assert!(decided.principal_reasons.is_empty() && decided.notice.is_none());
            prop_assert!(decided.score_disclosure.is_empty());
        }
    }

    #[test]
    fn the_order_of_rules_changes_nothing_that_is_told(event in events()) {
        let (one, other) = (decide(&Case::of(&event), &policy()), decide(&Case::of(&event), &turned()));
        prop_assert_eq!(one.outcome, other.outcome);
        prop_assert_eq!(one.step, other.step);
        prop_assert_eq!(one.referral, other.referral);
        prop_assert_eq!(one.principal_reasons, other.principal_reasons);
        prop_assert_eq!(one.offer, other.offer);
        let ids = |rules: &[schemas::decision::RuleFired]| {
            let mut ids: Vec<String> = rules.iter().map(|rule| rule.id.clone()).collect();
            ids.sort();
            ids
        };
        prop_assert_eq!(ids(&one.rules), ids(&other.rules));
    }

    #[test]
    fn the_same_event_is_decided_the_same(event in events()) {
        prop_assert_eq!(decide(&Case::of(&event), &policy()), decide(&Case::of(&event), &policy()));
    }
}
