//! What is decided, as a table: bend the event, read the outcome.

use crate::fixture::{event, feature, policy, reason, score};
use domain::{FeatureFlag, Intent, Outcome, ReasonSource, ReportStatus, RequestType, Role, ScoreStatus};
use policy::{Case, Compiled, decide};
use schemas::Word;
use schemas::risk::{ReportUsed, RiskEvent};

type Bend = fn(&mut RiskEvent);

/// `outcome step referral rules reasons`, a dash where there is nothing.
fn told(event: &RiskEvent, policy: &Compiled) -> String {
    let decided = decide(&Case::of(event), policy);
    assert_eq!(
        decided.referral.is_some(),
        decided.outcome == Outcome::Refer,
        "a referral has a word, nothing else has"
    );
    assert_eq!(decided.notice.is_some(), decided.outcome.is_adverse());
    let list = |words: Vec<&str>| if words.is_empty() { "-".to_owned() } else { words.join(",") };
    format!(
        "{} {} {} {} {}",
        decided.outcome.as_str(),
        decided.step.as_str(),
        decided.referral.as_ref().map_or("-", Word::as_str),
        list(decided.rules.iter().map(|rule| rule.id.as_str()).collect()),
        list(decided.principal_reasons.iter().map(|reason| reason.code.as_str()).collect()),
    )
}

fn report(event: &mut RiskEvent, status: ReportStatus) {
    event.reports.push(ReportUsed {
        source: "bureau".into(),
        report_id: "r".into(),
        status: status.into(),
        pulled_at: "2026-11-01T00:00:00Z".into(),
    });
}

fn unscorable(event: &mut RiskEvent) {
    event.status = ScoreStatus::Unscorable.into();
    event.unscorable = vec!["missing:income".into()];
    event.score = None;
}

const MODEL_REASONS: &str = "excessive_obligations,income_insufficient,limited_experience,delinquent_obligations";

#[test]
fn steps_end_in_their_order() {
    let model = |start: &str| format!("{start} {MODEL_REASONS}");
    let rows: Vec<(&str, Bend, String)> = vec![
        ("approved", |_| {}, "approve cutoff - card_points -".into()),
        ("at the cutoff", |e| e.score = Some(score(600, "B")), "approve cutoff - card_points -".into()),
        ("under it", |e| e.score = Some(score(599, "C")), "refer zone grey_zone card_points -".into()),
        ("above decline", |e| e.score = Some(score(550, "C")), "refer zone grey_zone card_points -".into()),
        ("under decline", |e| e.score = Some(score(549, "D")), model("decline cutoff - card_points")),
        (
            "another cutoff",
            |e| e.request_type = RequestType::Increase.into(),
            "refer zone grey_zone card_increase -".into(),
        ),
        ("minor", |e| e.facts.of_legal_age = Some(false), "decline knockout - minor not_of_legal_age".into()),
        (
            "two knockouts, codes in order",
            |e| {
                e.facts.of_legal_age = Some(false);
                e.features[0].value = 4.0;
            },
            "decline knockout - minor,late delinquent_obligations,not_of_legal_age".into(),
        ),
        ("frozen report", |e| report(e, ReportStatus::Frozen), "refer knockout policy_rule frozen -".into()),
        ("plain report", |e| report(e, ReportStatus::Hit), "approve cutoff - card_points -".into()),
        (
            "decline beats refer",
            |e| {
                report(e, ReportStatus::Frozen);
                e.facts.of_legal_age = Some(false);
            },
            "decline knockout - minor,frozen not_of_legal_age".into(),
        ),
        ("unscorable", unscorable, "refer fallback unscorable - -".into()),
        (
            "unscorable but a minor",
            |e| {
                unscorable(e);
                e.facts.of_legal_age = Some(false);
            },
            "decline knockout - minor not_of_legal_age".into(),
        ),
        (
            "unscorable without the feature a rule wants",
            |e| {
                unscorable(e);
                e.features.clear();
            },
            "refer fallback unscorable late -".into(),
        ),
        ("missing feature", |e| e.features.clear(), "refer fallback rule_error late -".into()),
        (
            "feature flagged missing",
            |e| e.features[0] = feature("late", 9.0, Some(FeatureFlag::Missing)),
            "refer fallback rule_error late -".into(),
        ),
        (
            "feature clamped",
            |e| e.features[0] = feature("late", 9.0, Some(FeatureFlag::Clamped)),
            "decline knockout - late delinquent_obligations".into(),
        ),
        (
            "an error beside a knockout",
            |e| {
                e.features.clear();
                e.facts.of_legal_age = Some(false);
            },
            "refer fallback rule_error minor,late -".into(),
        ),
        (
            "above the most",
            |e| e.requested.amount.amount_minor = 1_000_001,
            "decline limit - card_most income_insufficient".into(),
        ),
        ("at the most", |e| e.requested.amount.amount_minor = 1_000_000, "approve cutoff - card_points -".into()),
        (
            "too much for its band",
            |e| {
                e.requested.amount.amount_minor = 500_001;
                e.score = Some(score(580, "C"));
            },
            "refer limit amount_limit card_people -".into(),
        ),
        (
            "less is offered",
            |e| {
                e.requested.amount.amount_minor = 400_000;
                e.score = Some(score(610, "B"));
            },
            "counteroffer limit - card_offer,card_points -".into(),
        ),
        (
            "nothing is offered under the cutoff",
            |e| {
                e.requested.amount.amount_minor = 400_000;
                e.score = Some(score(540, "B"));
            },
            model("decline cutoff - card_offer,card_points"),
        ),
        ("zone", |e| e.channel = "partner".into(), "refer zone new_channel new_channel -".into()),
        (
            "no explanation",
            |e| {
                e.score = Some(score(500, "D"));
                e.reasons.clear();
            },
            "refer cutoff explanation_unavailable card_points -".into(),
        ),
        (
            "reasons that are none",
            |e| {
                e.score = Some(score(500, "D"));
                e.reasons = vec![reason("other", "use", 0.5), reason("bankruptcy", "not_scored", 0.5)];
                e.reasons.push(reason("limited_experience", "age_of_file", -0.1));
            },
            "refer cutoff explanation_unavailable card_points -".into(),
        ),
        (
            "no time to count from",
            |e| {
                e.score = Some(score(500, "D"));
                e.times.completed_at = None;
                e.times.received_at = "yesterday".into();
            },
            "refer fallback rule_error card_points -".into(),
        ),
        ("unknown product", |e| e.product = "boat".into(), "refer fallback unknown_product - -".into()),
        ("unknown intent", |e| e.intent = Word::parse("muse"), "refer fallback unknown_intent - -".into()),
        ("unknown request", |e| e.request_type = Word::parse("swap"), "refer fallback unknown_request_type - -".into()),
        ("unknown status", |e| e.status = Word::parse("guessed"), "refer fallback unknown_status - -".into()),
        ("scored without score", |e| e.score = None, "refer fallback unscorable - -".into()),
        (
            "a currency that the policy does not lend in",
            |e| e.requested.amount.currency = "JPY".into(),
            "refer fallback unknown_currency - -".into(),
        ),
        (
            "a currency that is none",
            |e| e.requested.amount.currency = "usd".into(),
            "refer fallback unknown_currency - -".into(),
        ),
        (
            "an amount that no record holds",
            |e| e.requested.amount.amount_minor = i64::MAX,
            "refer fallback rule_error - -".into(),
        ),
        (
            "a knockout, whatever the amount",
            |e| {
                e.requested.amount.currency = "usd".into();
                e.facts.of_legal_age = Some(false);
            },
            "decline knockout - minor not_of_legal_age".into(),
        ),
        ("another scale", |e| e.product = "loan".into(), "refer fallback scale_mismatch - -".into()),
        ("a score off its range", |e| e.score = Some(score(851, "A")), "refer fallback rule_error - -".into()),
        (
            "a probability in percent",
            |e| {
                if let Some(score) = &mut e.score {
                    score.pd = 12.0;
                }
            },
            "refer fallback rule_error - -".into(),
        ),
        ("by band", |e| loan(e, "B"), "approve cutoff - loan_bands -".into()),
        ("grey band", |e| loan(e, "C"), "refer zone grey_zone loan_bands -".into()),
        ("bad band", |e| loan(e, "D"), model("decline cutoff - loan_bands")),
        ("unlisted band", |e| loan(e, "Z"), "refer fallback no_rule - -".into()),
    ];
    let policy = policy();
    for (name, bend, expected) in rows {
        let mut event = event();
        bend(&mut event);
        assert_eq!(told(&event, &policy), expected, "{name}");
    }
}

fn loan(event: &mut RiskEvent, band: &str) {
    event.product = "loan".into();
    event.score = Some(score(600, band));
    if let Some(score) = &mut event.score {
        score.scale_id = "loan.v1".into();
    }
}

#[test]
fn a_decline_carries_what_the_law_asks_for() {
    let mut event = event();
    event.score = Some(score(549, "D"));
    let decided = decide(&Case::of(&event), &policy());
    let ranks: Vec<u32> = decided.principal_reasons.iter().map(|reason| reason.rank).collect();
    assert_eq!(ranks, [1, 2, 3, 4]);
    assert!(decided.principal_reasons.iter().all(|reason| reason.source.is(ReasonSource::Model)));
    let notice = decided.notice.unwrap();
    assert_eq!((notice.due_by.as_str(), notice.recipients), ("2026-12-02T09:00:00.000Z", vec![Role::Primary.into()]));
    let disclosure = &decided.score_disclosure[0];
    assert_eq!((disclosure.score, disclosure.range, disclosure.agency.as_str()), (549, [300, 850], "bank"));
    assert_eq!(disclosure.date, "2026-11-03");
    assert_eq!(disclosure.key_factors.len(), 5, "inquiries come as the fifth factor");
    assert_eq!(disclosure.key_factors[4], "Number of recent inquiries on credit bureau report");
}

#[test]
fn a_knockout_uses_no_score_and_counts_from_receipt_where_nothing_else_is_known() {
    let mut event = event();
    event.facts.of_legal_age = Some(false);
    event.times.completed_at = None;
    event.subjects.clear();
    let decided = decide(&Case::of(&event), &policy());
    assert!(decided.score_disclosure.is_empty());
    assert_eq!(decided.notice.unwrap().due_by, "2026-12-03T10:00:00.000Z");
    assert_eq!(decided.principal_reasons[0].text, "Applicant is not of legal age to enter into a contract");
    let rule = &decided.rules[0];
    assert_eq!((rule.value.as_deref(), rule.threshold.as_deref()), (Some("false"), Some("false")));
}

#[test]
fn offers_and_finality() {
    let rows: [(&str, Bend, &str, bool, Option<i64>); 5] = [
        ("as asked", |_| {}, "approve", true, Some(200_000)),
        ("only asking", |e| e.intent = Intent::Prequalify.into(), "approve", false, Some(200_000)),
        (
            "less",
            |e| {
                e.score = Some(score(610, "B"));
                e.requested.amount.amount_minor = 400_000;
            },
            "counteroffer",
            true,
            Some(300_000),
        ),
        ("declined", |e| e.score = Some(score(500, "D")), "decline", true, None),
        ("referred", |e| e.score = Some(score(580, "C")), "refer", false, None),
    ];
    for (name, bend, outcome, is_final, amount) in rows {
        let mut event = event();
        bend(&mut event);
        let decided = decide(&Case::of(&event), &policy());
        let offered = decided.offer.as_ref().map(|offer| offer.amount_minor);
        assert_eq!((decided.outcome.as_str(), decided.is_final, offered), (outcome, is_final, amount), "{name}");
    }
}

#[test]
fn reasons_are_at_most_four_and_never_repeat() {
    let mut event = event();
    event.score = Some(score(500, "D"));
    event.reasons = vec![reason("bankruptcy", "use", 0.5), reason("bankruptcy", "late", 0.4)];
    let decided = decide(&Case::of(&event), &policy());
    assert_eq!(decided.principal_reasons.len(), 1, "never padded");
    assert_eq!(decided.score_disclosure[0].key_factors, ["Bankruptcy"]);
}
