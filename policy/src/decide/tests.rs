//! What is decided, as a table: bend the event, read the outcome. Then the same for rules of a kind, each in a small policy.

mod in_doubt;

use super::*;
use crate::fixture::{Bend, event, feature, policy, score, small};
use domain::{FeatureFlag, ReportStatus, RequestType};
use schemas::risk::{ReportUsed, RiskEvent};

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
            "refer knockout out_of_range late -".into(),
        ),
        (
            "feature clamped, whichever side of its range",
            |e| e.features[0] = feature("late", -2.0, Some(FeatureFlag::Clamped)),
            "refer knockout out_of_range late -".into(),
        ),
        (
            "feature clamped that no rule reads",
            |e| e.features[1] = feature("income", 9.0, Some(FeatureFlag::Clamped)),
            "approve cutoff - card_points -".into(),
        ),
        (
            "a certain knockout beside a feature clamped",
            |e| {
                e.features[0] = feature("late", 9.0, Some(FeatureFlag::Clamped));
                e.facts.of_legal_age = Some(false);
            },
            "decline knockout - minor,late not_of_legal_age".into(),
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
        (
            "a word of tomorrow, whatever else there is",
            |e| {
                e.intent = Word::parse("muse");
                e.facts.of_legal_age = Some(false);
            },
            "refer fallback unknown_intent - -".into(),
        ),
        (
            "the product before the intent",
            |e| {
                e.product = "boat".into();
                e.intent = Word::parse("muse");
            },
            "refer fallback unknown_product - -".into(),
        ),
        (
            "the intent before the request and the status",
            |e| {
                e.intent = Word::parse("muse");
                e.request_type = Word::parse("swap");
                e.status = Word::parse("guessed");
            },
            "refer fallback unknown_intent - -".into(),
        ),
        (
            "unscorable before any limit",
            |e| {
                unscorable(e);
                e.requested.amount.amount_minor = 1_000_001;
            },
            "refer fallback unscorable - -".into(),
        ),
        (
            "a frozen report before the missing score",
            |e| {
                unscorable(e);
                report(e, ReportStatus::Frozen);
            },
            "refer knockout policy_rule frozen -".into(),
        ),
        (
            "a declining limit before an offer",
            |e| {
                e.requested.amount.amount_minor = 1_000_001;
                e.score = Some(score(610, "B"));
            },
            "decline limit - card_most,card_offer income_insufficient".into(),
        ),
        (
            "a limit before a zone",
            |e| {
                e.requested.amount.amount_minor = 500_001;
                e.score = Some(score(580, "C"));
                e.channel = "partner".into();
            },
            "refer limit amount_limit card_people -".into(),
        ),
        (
            "a zone before the cutoff",
            |e| {
                e.score = Some(score(549, "D"));
                e.channel = "partner".into();
            },
            "refer zone new_channel new_channel -".into(),
        ),
        ("nothing to grant", |e| e.requested.amount.amount_minor = 0, "refer limit amount_limit - -".into()),
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
        (
            "a range that is broken before the scale",
            |e| {
                e.product = "loan".into();
                e.score = Some(score(299, "D"));
            },
            "refer fallback rule_error - -".into(),
        ),
        (
            "the scale before the currency",
            |e| {
                e.product = "loan".into();
                e.requested.amount.currency = "JPY".into();
            },
            "refer fallback scale_mismatch - -".into(),
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
fn offers_and_finality() {
    let rows: [(&str, Bend, &str, bool, Option<i64>); 4] = [
        ("as asked", |_| {}, "approve", true, Some(200_000)),
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
    for (name, bend, outcome, is_end, amount) in rows {
        for (intent, is_final) in [(Intent::Decide, is_end), (Intent::Prequalify, false)] {
            let mut event = event();
            event.intent = intent.into();
            bend(&mut event);
            let decided = decide(&Case::of(&event), &policy());
            let offered = decided.offer.as_ref().map(|offer| offer.amount_minor);
            assert_eq!((decided.outcome.as_str(), offered), (outcome, amount), "{name}, {}", intent.as_str());
            assert_eq!(decided.is_final, is_final, "{name}, {}", intent.as_str());
            assert_eq!(
                decided.notice.is_some(),
                outcome == "decline",
                "{name}: who only asked is told why, and in time"
            );
        }
    }
}

#[test]
fn rules_of_a_kind_are_weighed_together() {
    let limit = |id: &str, most: u32, rest: &str| {
        format!("{{id: {id}, product: card, currency: USD, max_amount_minor: {most}, outcome: {rest}}}")
    };
    let limits = |rules: &[String]| format!("limits: [{}]", rules.join(", "));
    let rows: [(&str, String, &str); 14] = [
        (
            "the lowest offer",
            limits(&[limit("b", 300, "counteroffer, bands: [A]"), limit("c", 200, "counteroffer")]),
            "counteroffer limit - b,c,cut - 200",
        ),
        ("an offer of nothing", limits(&[limit("a", 0, "counteroffer")]), "refer limit amount_limit a - -"),
        (
            "people before an offer",
            limits(&[limit("a", 300, "counteroffer"), limit("b", 400, "refer")]),
            "refer limit amount_limit a,b - -",
        ),
        (
            "a decline before people",
            limits(&[limit("a", 300, "refer"), limit("b", 400, "decline, reason: garnishment")]),
            "decline limit - a,b garnishment -",
        ),
        ("a limit of another band", limits(&[limit("a", 300, "refer, bands: [B]")]), "approve cutoff - cut - 200000"),
        (
            "a limit whose condition does not hold",
            limits(&[limit("a", 300, "refer, when: channel == 'partner'")]),
            "approve cutoff - cut - 200000",
        ),
        (
            "a limit that is not reached is not evaluated",
            limits(&[limit("a", 200_000, "refer, when: features.gone > 1.0")]),
            "approve cutoff - cut - 200000",
        ),
        (
            "a limit of another currency",
            limits(&[limit("a", 300, "refer").replace("USD", "EUR")]),
            "approve cutoff - cut - 200000",
        ),
        (
            "one reason of two rules",
            "knockouts: [{id: a, when: channel == 'online', reason: garnishment}, \
             {id: b, when: term_months == 12, reason: garnishment}]"
                .into(),
            "decline knockout - a,b garnishment -",
        ),
        (
            "the word of the first zone",
            "zones: [{id: a, when: channel == 'partner', referral: x}, {id: b, when: term_months == 12, referral: y}, \
             {id: c, when: channel == 'online', referral: z}]"
                .into(),
            "refer zone y b,c - -",
        ),
        ("a zone without a word", "zones: [{id: a, when: channel == 'online'}]".into(), "refer zone grey_zone a - -"),
        (
            "the first cutoff whose condition holds",
            "cutoffs: [{id: a, product: card, when: channel == 'partner', approve_at_or_above: 1, decline_below: 1}, \
             {id: b, product: card, when: channel == 'online', approve_at_or_above: 640, decline_below: 621}, \
             {id: c, product: card, approve_at_or_above: 600, decline_below: 600}]"
                .into(),
            "decline cutoff - b excessive_obligations,income_insufficient,limited_experience,delinquent_obligations -",
        ),
        (
            "no cutoff whose condition holds",
            "cutoffs: [{id: a, product: card, when: channel == 'partner', approve_bands: [A]}]".into(),
            "refer fallback no_rule - - -",
        ),
        ("no cutoff at all", "cutoffs: []".into(), "refer fallback no_rule - - -"),
    ];
    for (name, sections, expected) in rows {
        let policy = small(&sections);
        let offer = decide(&Case::of(&event()), &policy).offer.map(|offer| offer.amount_minor.to_string());
        let offer = offer.as_deref().unwrap_or("-").to_owned();
        assert_eq!(format!("{} {offer}", told(&event(), &policy)), expected, "{name}");
    }
}

/// A condition without a value fails its rule: with a score the rule is at fault, without one the score is what is missing.
#[test]
fn an_undetermined_condition_ends_it_for_people() {
    let kinds = [
        ("knockout", "knockouts: [{id: r, when: '?', reason: garnishment}]"),
        ("limit", "limits: [{id: r, product: card, currency: USD, max_amount_minor: 5, when: '?', outcome: refer}]"),
        ("zone", "zones: [{id: r, when: '?'}]"),
        ("cutoff", "cutoffs: [{id: r, product: card, when: '?', approve_at_or_above: 1, decline_below: 1}]"),
    ];
    let conditions = [
        ("features.gone > 1.0", "error: no value for gone"),
        ("facts.dependants > 1", "error: no value for dependants"),
        ("facts.employment.status == 'student'", "error: no value for status"),
        ("parties.size() == 1", "error: no value for parties"),
        ("amount_minor / (term_months - 11) > 1", "error: division by zero"),
    ];
    let mut bent = event();
    (bent.facts.dependants, bent.requested.term_months) = (None, Some(11));
    bent.facts.employment = bent.facts.employment.take().map(|mut known| {
        known.status = None;
        known
    });
    for (kind, sections) in kinds {
        for (condition, expected) in conditions {
            let policy = small(&sections.replace('?', &condition.replace('\'', "''")));
            let decided = decide(&Case::of(&bent), &policy);
            let rule = &decided.rules[0];
            assert_eq!((rule.id.as_str(), rule.step.as_str()), ("r", kind), "{condition}");
            assert_eq!((rule.value.as_deref(), &rule.threshold), (Some(expected), &None), "{kind} {condition}");
            assert_eq!(told(&bent, &policy), "refer fallback rule_error r -", "{kind} {condition}");
        }
    }
    let gone = |sections: &str| small(&sections.replace('?', "features.gone > 1.0"));
    let mut without = event();
    unscorable(&mut without);
    assert_eq!(told(&without, &gone(kinds[0].1)), "refer fallback unscorable r -", "a knockout");
    for (kind, sections) in &kinds[1..] {
        assert_eq!(told(&without, &gone(sections)), "refer fallback unscorable - -", "{kind} is not reached");
    }
}
