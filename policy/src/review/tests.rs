//! Each thing that a review finds, as a table: one edit of a clean policy, one finding. The examples of `docs/policies.md` are such edits.

use super::*;
use crate::models::{Feature, Package, Routed};
use domain::scale::Band;

const CLEAN: &str = "\
name: clean
version: 1.0.0
products:
  - {product: card, scale_id: card.v1, currencies: [USD], fallback: refer}
knockouts:
  - id: late
    when: has(features.late) && features.late >= 3.0
    reason: delinquent_obligations
  - id: long
    when: term_months > 72
    absent: skip
    reason: term
  - id: wide
    when: features.limit > 5000.0
    outcome: refer
limits:
  - {id: most, product: card, currency: USD, max_amount_minor: 500000, outcome: refer}
zones:
  - id: thin
    when: reports.exists(r, r.status == 'thin')
  - id: jobless
    when: facts.employment.status == 'unemployed'
    absent: refer
cutoffs:
  - {id: cut, product: card, approve_at_or_above: 600, decline_below: 550}
reasons:
  - {code: term, text: We do not offer credit for the term requested, form_c1: other, hmda: 9}
";

fn feature(name: &str, range: (f64, f64), is_always_there: bool) -> Feature {
    let (range, words) = (Some(range), Vec::new());
    Feature {
        name: name.into(),
        of: String::new(),
        range,
        is_whole: true,
        words,
        is_always_there,
        is_restricted: name == "secret",
    }
}

fn models() -> Models {
    let all = |some: &[Feature]| some.to_vec();
    let late = feature("late", (-2.0, 9.0), false);
    let (limit, secret) = (feature("limit", (0.0, 1e6), true), feature("secret", (0.0, 1.0), true));
    let only = feature("only", (0.0, 9.0), true);
    let words = ["car_used", "other"].map(str::to_owned).into();
    let purpose = Feature { of: "purpose".into(), words, ..feature("purpose", (0.0, 1.0), false) };
    let packages = vec![
        Package { label: "a@1.0.0".into(), features: all(&[late.clone(), limit.clone(), secret.clone(), only]) },
        Package { label: "b@1.0.0".into(), features: all(&[late, limit, secret, purpose]) },
    ];
    Models { products: vec![Routed { product: "card".into(), without_parties: Vec::new(), packages }] }
}

fn scales() -> Vec<Scale> {
    let bands = [("A", 600), ("B", 300)].map(|(name, min_score)| Band { name: name.into(), min_score });
    vec![Scale::new("card.v1", (40.0, 660.0, 20.0), (300, 850), bands.into()).unwrap()]
}

/// `severity code rule line:column` of what is found.
fn found(from: &str, to: &str) -> Vec<String> {
    assert!(CLEAN.contains(from), "the policy has no {from:?}");
    let text = CLEAN.replacen(from, to, 1);
    let place = |of: Option<usize>| of.map_or("-".to_owned(), |of| of.to_string());
    let told = review(text.as_bytes(), &scales(), &models()).into_iter().map(|found| {
        assert!(!found.advice.is_empty() && !found.message.is_empty());
        let severity = if found.is_error() { "error" } else { "warning" };
        let rule = found.rule.as_deref().unwrap_or("-");
        format!("{severity} {} {rule} {}:{}", found.code, place(found.line), place(found.column))
    });
    told.collect()
}

#[test]
fn a_clean_policy_has_no_findings() {
    assert_eq!(review(CLEAN.as_bytes(), &scales(), &models()), []);
}

#[test]
fn each_thing_is_found_once_where_it_stands() {
    let late = "has(features.late) && features.late >= 3.0";
    let rows = [
        (late, "has(features.lates) && features.lates >= 3.0", "error unknown_feature late 7:34"),
        (late, "features.late >= 3.0", "warning may_be_absent late 7:11"),
        (late, "has(features.late) && features.late > 9.0", "warning never_holds late 7:5"),
        ("features.limit > 5000.0", "features.limit >= 0.0", "warning always_holds wide 14:5"),
        ("features.limit > 5000.0", "features.only > 5.0", "warning feature_of_some wide 14:11"),
        ("features.limit > 5000.0", "features.secret > 0.0", "error restricted_feature wide 14:11"),
        ("features.limit > 5000.0", "features.limit * 0.0 > 1.0", "warning never_holds wide 14:5"),
        ("    absent: skip\n", "", "warning may_be_absent long 10:11"),
        ("    absent: refer\n", "", "warning may_be_absent jobless 22:11"),
        ("'unemployed'", "'unemploied'", "error unknown_word jobless 22:38"),
        ("'thin'", "'thinn'", "error unknown_word thin 20:41"),
        ("when: reports.exists", "when: band == 'C' || reports.exists", "error unknown_word thin 20:19"),
        ("features.limit > 5000.0", "debt_to_income > 45\n    absent: refer", "warning percent_for_ratio wide 14:11"),
        ("features.limit > 5000.0", "currency == 'EUR'", "warning unlisted_currency wide 14:23"),
        ("features.limit > 5000.0", "purpose == 'car_usd'\n    absent: skip", "warning word_of_no_model wide 14:22"),
        ("features.limit > 5000.0", "channel == 'anything'", "-"),
        ("reason: term\n", "reason: term_not_known\n", "error unknown_code long 12:5"),
        ("reason: term\n", "reason: delinquent_obligations\n", "warning unused_reason - 27:6"),
        ("name: clean\n", "name: clean\nwithheld: [never_read]\n", "warning unused_withheld - 2:1"),
        ("product: card, scale_id", "product: cards, scale_id", "error no_cutoff"),
        (
            "zones:\n",
            "zones:\n  - id: later\n    when: has(features.late) && features.late >= 5.0\n",
            "warning shadowed later 19:5",
        ),
        (
            "cutoffs:\n",
            "cutoffs:\n  - {id: half, product: card, when: amount_minor > 5, approve_at_or_above: 600, decline_below: 550}\n  \
             - {id: other, product: card, when: amount_minor > 7, approve_at_or_above: 610, decline_below: 550}\n",
            "warning shadowed other 26:5",
        ),
        (
            "limits:\n",
            "limits:\n  - {id: less, product: card, currency: USD, max_amount_minor: 5000, outcome: refer}\n",
            "error unreachable most 18:5",
        ),
    ];
    for (from, to, expected) in rows {
        let found = found(from, to);
        match expected {
            "error no_cutoff" => {
                assert!(found.iter().any(|line| line.starts_with("error unknown_product")), "{found:?}")
            }
            "-" => assert_eq!(found, Vec::<String>::new(), "{to}"),
            _ => assert_eq!(found, [expected], "{to}"),
        }
    }
}

#[test]
fn a_sentence_names_what_was_meant_and_says_what_is_proven() {
    let sentence = |from: &str, to: &str| {
        let text = CLEAN.replacen(from, to, 1);
        review(text.as_bytes(), &scales(), &models()).remove(0).message
    };
    let rows = [
        (
            "has(features.late) && features.late >= 3.0",
            "has(features.latte) && features.latte >= 3.0",
            "no model of card has a feature latte: did you mean late?",
        ),
        (
            "'unemployed'",
            "'unemploied'",
            "facts.employment.status is never \"unemploied\": did you mean unemployed?; its words: employed, self_employed, \
             unemployed, retired, student, other",
        ),
        (
            "features.limit > 5000.0",
            "features.limit < 0.0",
            "never holds: this is proven by what contracts and models declare",
        ),
        (
            "features.limit > 5000.0",
            "features.limit * 0.0 > 1.0",
            "never holds: this is seen on a sample of 2000 made-up applications of each product, and not proven",
        ),
    ];
    for (from, to, expected) in rows {
        assert_eq!(sentence(from, to), expected, "{to}");
    }
    let unrouted = Models {
        products: vec![Routed { product: "cards".into(), without_parties: Vec::new(), packages: Vec::new() }],
    };
    let found = review(CLEAN.as_bytes(), &scales(), &unrouted);
    assert_eq!(found[0].message, "no route scores card: did you mean cards?");
}

#[test]
fn withheld_features_are_taken_and_a_document_with_errors_is_told_of_those() {
    let text = CLEAN.replacen("features.limit > 5000.0", "features.secret > 0.0", 1) + "withheld: [secret]\n";
    assert_eq!(review(text.as_bytes(), &scales(), &models()), []);
    let broken = review(b"name: [", &[], &Models::default());
    assert_eq!(broken.iter().map(|found| found.code).collect::<Vec<_>>(), ["malformed"]);
}

#[test]
fn what_a_route_makes_absent_names_its_entries() {
    let mut models = models();
    models.products[0].without_parties = vec!["cards".into()];
    let said = |when: &str| {
        let text = CLEAN.replacen("features.limit > 5000.0", when, 1);
        review(text.as_bytes(), &scales(), &models).into_iter().map(|found| found.message).collect::<Vec<_>>()
    };
    let of = |name: &str, then: &str| {
        format!(
            "{name} is absent for applications of several applicants, and {then}: route entry `cards` lacks `parties = true`"
        )
    };
    let rows: [(&str, Vec<String>); 4] = [
        ("debt_to_income > 0.5\n    absent: skip", vec![of("debt_to_income", "the rule does not hold there")]),
        ("debt_to_income > 0.5\n    absent: refer", vec![of("debt_to_income", "people look there")]),
        ("debts.exists(d, d.kind == 'car')", vec![of("debts", "the rule fails there, and people look")]),
        ("facts.debts.exists(d, d.kind == 'car')", vec![]),
    ];
    for (when, expected) in rows {
        assert_eq!(said(when), expected, "{when}");
    }
    assert_eq!(said("debt_to_income > 0.5").len(), 2, "it may be absent for other reasons too");
}

#[test]
fn what_has_does_not_take_is_not_offered_a_guard() {
    let advice = |when: &str| {
        let text = CLEAN.replacen("features.limit > 5000.0", when, 1);
        let found = review(text.as_bytes(), &scales(), &models());
        found.into_iter().find(|found| found.code == "may_be_absent").unwrap().advice
    };
    for when in ["pd > 0.5", "score > 5", "band == 'A'", "term_months > 5"] {
        assert!(!advice(when).contains("Guard it") && advice(when).contains("absent: skip"), "{when}");
    }
    assert!(advice("facts.dependants > 5").starts_with("Guard it with has()"));
}

/// The table of keys of `docs/policies.md` is the code's: what each struct takes, as its parser says it.
#[test]
fn the_page_has_every_key() {
    let page = include_str!("../../../docs/policies.md");
    let table = page.split("## Every key").nth(1).unwrap();
    let written: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let keys_of = |yaml: &str| -> Vec<String> {
        let why = crate::load::parse(yaml).unwrap_err().message;
        let named = why.split("expected one of ").nth(1).unwrap_or_else(|| panic!("{why}"));
        let named = named.split('`').skip(1).step_by(2);
        named.map(str::to_owned).collect()
    };
    let mut expected = Vec::new();
    for key in keys_of("no_key: 1") {
        let is_list_of_maps = !["name", "version", "description", "withheld"].contains(&key.as_str());
        expected.push(key.clone());
        if is_list_of_maps {
            let inner = keys_of(&format!("{key}: [{{no_key: 1}}]"));
            expected.extend(inner.into_iter().map(|inner| format!("{key}[].{inner}")));
        }
    }
    assert_eq!(written, expected);
}

/// What is found where a zone has this condition.
fn of_zone(condition: &str) -> Vec<&'static str> {
    let text = CLEAN.replacen("reports.exists(r, r.status == 'thin')", condition, 1);
    let found = review(text.as_bytes(), &scales(), &models());
    assert!(!found.iter().any(Finding::is_error), "{condition}: {found:?}");
    found.into_iter().filter(|found| found.rule.as_deref() == Some("thin")).map(|found| found.code).collect()
}

#[test]
fn nothing_that_may_be_either_is_said_to_hold_never_or_always() {
    let rows = [
        "jurisdiction.startsWith('TW-')",
        "jurisdiction.endsWith('NY')",
        "jurisdiction.startsWith('US-') && jurisdiction.endsWith('NY')",
        "channel.contains('web') && jurisdiction.startsWith('TW-') && currency.contains('U')",
        "(!channel.contains('web'))",
        "size(channel) > 20",
        "channel.size() < 3",
        "channel + jurisdiction == 'webTW-TPE'",
        "channel == jurisdiction",
        "channel.matches('^web[0-9]+$')",
        "string(amount_minor).endsWith('99')",
        "timestamp(reports[0].pulled_at) < timestamp('2025-01-01T00:00:00Z')",
        "reports.exists(r, r.source == 'other')",
        "reports.size() > 5",
        "facts.income.exists(i, i.basis == 'gross')",
        "facts.income.exists(i, i.amount.currency != currency)",
        "facts.income.all(i, i.period == 'month')",
        "guarantors.exists(g, g.kind == 'organisation')",
        "parties[0].kind == 'person'",
        "guarantors.size() > 1",
        "co_applicants.size() > 10",
        "parties.all(p, p.facts.debts.size() < 3)",
        "debts.exists(d, d.balance.amount_minor > 500000000)",
        "debts.exists(d, d.evidence == 'verified' && d.role == 'guarantor')",
        "debts.filter(d, d.kind == 'card').exists(d, d.payment.currency == 'EUR')",
        "co_applicants.all(p, has(p.facts.of_legal_age) && p.facts.of_legal_age)",
        "parties.exists(p, has(p.facts.employment.status) && p.facts.employment.status == 'student')",
        "features.limit / 10.0 > 5000.0",
        "amount_minor / 1000 > 50000000",
        "amount_minor % 1000 == 7",
        "amount_minor / 100 == 777",
        "channel == 'web' && jurisdiction == 'TW-TPE' && currency == 'USD' && request_type == 'new' && features.limit == 77.0",
        "incomes.sum(i, i.monthly_minor) > 40000000.0 && debts.sum(d, d.monthly_minor) < 5000.0",
    ];
    for condition in rows {
        let found = of_zone(condition);
        assert!(!found.iter().any(|code| ["never_holds", "always_holds"].contains(code)), "{condition}: {found:?}");
    }
}

#[test]
fn what_no_application_meets_is_still_seen() {
    let rows = [
        ("amount_minor % 2 > 1", "never_holds"),
        ("channel.startsWith('web') && !channel.contains('web')", "never_holds"),
        ("channel == 'web' && channel == 'branch'", "never_holds"),
        ("parties.size() > 0", "always_holds"),
        ("size(channel) >= 0", "always_holds"),
    ];
    for (condition, expected) in rows {
        let found = of_zone(condition);
        assert!(found.contains(&expected), "{condition}: {found:?}");
    }
}

/// A value of the range 0 to 0.1 is carried in single precision, where the bound is a little above itself.
#[test]
fn the_bounds_of_a_feature_are_those_that_its_value_is_carried_with() {
    let mut models = models();
    for package in &mut models.products[0].packages {
        let share = Feature { is_whole: false, ..feature("share", (0.0, 0.1), true) };
        package.features.extend([share, Feature { is_whole: false, ..feature("rest", (0.7, 1.0), true) }]);
    }
    let rows = [
        ("features.share > 0.1", false),
        ("features.share > 0.10000001", true),
        ("features.rest < 0.7", false),
        ("features.rest < 0.69999", true),
    ];
    for (condition, is_never) in rows {
        let text = CLEAN.replacen("reports.exists(r, r.status == 'thin')", condition, 1);
        let found = review(text.as_bytes(), &scales(), &models);
        assert_eq!(found.iter().any(|found| found.code == "never_holds"), is_never, "{condition}: {found:?}");
    }
}
