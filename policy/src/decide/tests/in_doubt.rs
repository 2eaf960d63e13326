//! What is absent, withheld or outside its range, and what a rule that fires tells of what it compared.

use super::*;

#[test]
fn what_is_absent_decides_nothing_where_the_rest_does() {
    let rows = [
        ("features.gone > 1.0 && false == facts.of_legal_age", "approve cutoff - cut -"),
        ("facts.of_legal_age == true || features.gone > 1.0", "refer knockout policy_rule r -"),
        ("has(features.gone) && features.gone > 1.0", "approve cutoff - cut -"),
        ("!has(features.gone) || features.gone > 1.0", "refer knockout policy_rule r -"),
        ("features.gone > 1.0 && facts.of_legal_age", "refer fallback rule_error r -"),
        ("features.gone > 1.0 || !facts.of_legal_age", "refer fallback rule_error r -"),
        ("!(features.gone > 1.0)", "refer fallback rule_error r -"),
    ];
    for (condition, expected) in rows {
        let policy = small(&format!("knockouts: [{{id: r, when: '{condition}', outcome: refer}}]"));
        assert_eq!(told(&event(), &policy), expected, "{condition}");
    }
}

/// What reads a value outside its range decides nothing by it, wherever in a policy it stands; what decides without it does.
#[test]
fn a_value_outside_its_range_sends_to_people_and_decides_nothing() {
    let cut = "approve_at_or_above: 600, decline_below: 550";
    let limit = |when: &str, rest: &str| {
        format!("limits: [{{id: r, product: card, currency: USD, max_amount_minor: 5, when: '{when}', {rest}}}]")
    };
    let rows = [
        (
            "knockouts: [{id: r, when: features.late > 1.0, reason: garnishment}]".into(),
            "refer knockout out_of_range r -",
        ),
        (
            "knockouts: [{id: r, when: features.late > 99.0, reason: garnishment}]".into(),
            "refer knockout out_of_range r -",
        ),
        (
            "knockouts: [{id: r, when: '!(features.late < 1.0)', reason: garnishment}]".into(),
            "refer knockout out_of_range r -",
        ),
        (
            "knockouts: [{id: r, when: features.late + 1.0 > 5.0, reason: garnishment}]".into(),
            "refer knockout out_of_range r -",
        ),
        (
            "knockouts: [{id: r, when: \"features['late'] > 1.0\", reason: garnishment}]".into(),
            "refer knockout out_of_range r -",
        ),
        (
            "knockouts: [{id: r, when: has(features.late), reason: garnishment}]".into(),
            "decline knockout - r garnishment",
        ),
        (
            "knockouts: [{id: r, when: features.late > 1.0 || channel == 'online', reason: garnishment}]".into(),
            "decline knockout - r garnishment",
        ),
        (
            "knockouts: [{id: r, when: features.late > 1.0 && channel == 'web', reason: garnishment}]".into(),
            "approve cutoff - cut -",
        ),
        ("knockouts: [{id: r, when: features.late > 1.0, outcome: refer}]".into(), "refer knockout policy_rule r -"),
        ("knockouts: [{id: r, when: features.late > 99.0, outcome: refer}]".into(), "refer knockout out_of_range r -"),
        (limit("features.late > 1.0", "outcome: decline, reason: garnishment"), "refer limit out_of_range r -"),
        (limit("features.late > 1.0", "outcome: counteroffer"), "refer limit out_of_range r -"),
        (limit("features.late > 1.0", "outcome: refer"), "refer limit amount_limit r -"),
        (limit("features.use > 1.0", "outcome: refer"), "approve cutoff - cut -"),
        ("zones: [{id: r, when: features.late > 1.0}]".into(), "refer zone grey_zone r -"),
        ("zones: [{id: r, when: features.late > 99.0}]".into(), "refer zone out_of_range r -"),
        (
            format!("cutoffs: [{{id: r, product: card, when: features.late > 1.0, {cut}}}]"),
            "refer cutoff out_of_range r -",
        ),
    ];
    let mut event = event();
    event.features[0] = feature("late", 9.0, Some(FeatureFlag::Clamped));
    for (sections, expected) in rows {
        assert_eq!(told(&event, &small(&sections)), expected, "{sections}");
    }
    let policy = small("knockouts: [{id: r, when: features.late > 1.0, reason: garnishment}]");
    let decided = decide(&Case::of(&event), &policy);
    assert_eq!(decided.rules[0].value.as_deref(), Some("out of range: late"));
    let comparison = &decided.rules[0].comparisons[0];
    assert_eq!((comparison.fact.as_str(), comparison.value.as_deref()), ("features.late", Some("9")));
    assert!(comparison.flag.as_ref().is_some_and(|flag| flag.is(FeatureFlag::Clamped)));
    let beyond = small("knockouts: [{id: r, when: features.late > 99.0, reason: garnishment}]");
    let comparison = decide(&Case::of(&event), &beyond).rules.remove(0).comparisons.remove(0);
    assert_eq!(comparison.operator.as_str(), "at_most", "what is told is so");
}

#[test]
fn a_rule_may_skip_what_is_absent() {
    let rows = [
        ("absent: skip, when: facts.dependants > 1", "approve cutoff - cut -"),
        ("absent: refer, when: facts.dependants > 1", "refer fallback rule_error r -"),
        ("when: facts.dependants > 1", "refer fallback rule_error r -"),
        ("absent: skip, when: 'debts.sum(d, d.monthly_minor) > 1.0'", "approve cutoff - cut -"),
        ("absent: skip, when: amount_minor / (term_months - 12) > 1", "refer fallback rule_error r -"),
    ];
    let mut bent = event();
    (bent.facts.dependants, bent.requested.term_months) = (None, Some(12));
    for (rule, expected) in rows {
        let policy = match rule.contains("- 12") {
            // The check of a document tries a division on a sample of the same term.
            true => small(&format!("zones: [{{id: r, {}}}]", rule.replace("12", "13"))),
            false => small(&format!("knockouts: [{{id: r, {rule}, reason: garnishment}}]")),
        };
        bent.requested.term_months = Some(if rule.contains("- 12") { 13 } else { 12 });
        assert_eq!(told(&bent, &policy), expected, "{rule}");
    }
}

/// `fact operator value threshold against` of each comparison of the first rule.
fn compared(event: &RiskEvent, sections: &str) -> Vec<String> {
    let or = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
    let decided = decide(&Case::of(event), &small(sections));
    let told = decided.rules[0]
        .comparisons
        .iter()
        .map(|of| format!("{} {} {} {} {}", of.fact, of.operator, or(&of.value), or(&of.threshold), or(&of.against)));
    told.collect()
}

#[test]
fn a_rule_that_fires_tells_each_comparison_that_decided() {
    let rows: [(&str, &[&str]); 12] = [
        ("features.late >= 1.0", &["features.late at_least 1 1 -"]),
        ("1.0 <= features.late", &["features.late at_least 1 1 -"]),
        ("has(features.late) && features.late >= 1.0", &["features.late at_least 1 1 -"]),
        ("term_months > 5 && channel == ''online''", &["term_months above 12 5 -", "channel equal online online -"]),
        ("term_months > 50 || channel == ''online''", &["channel equal online online -"]),
        (
            "!(term_months > 50 || channel in [''web'', ''fax''])",
            &["term_months at_most 12 50 -", "channel none_of online web,fax -"],
        ),
        ("facts.of_legal_age", &["facts.of_legal_age equal true true -"]),
        ("!has(features.gone)", &["has(features.gone) equal false false -"]),
        ("features.late + 1.0 > 1.5", &["features.late + 1.0 above 2 1.5 -"]),
        ("features.late >= features.income", &["features.late at_least 1 1 features.income"]),
        ("amount_minor / term_months > 5", &["amount_minor / term_months above 16666 5 -"]),
        ("facts.debts[0].kind == ''loan''", &["facts.debts[0].kind equal - loan -"]),
    ];
    for (when, expected) in rows {
        let sections = format!("knockouts: [{{id: r, when: '{when}', outcome: refer}}]");
        assert_eq!(compared(&event(), &sections), expected, "{when}");
    }
    let limit = "limits: [{id: r, product: card, currency: USD, bands: [A, B], max_amount_minor: 5, outcome: refer, \
                 when: term_months > 5}]";
    let expected = ["amount_minor above 200000 5 -", "band one_of A A,B -", "term_months above 12 5 -"];
    assert_eq!(compared(&event(), limit), expected);
    assert_eq!(compared(&event(), ""), ["score at_least 620 600 -"]);
    let grey = "cutoffs: [{id: cut, product: card, approve_at_or_above: 700, decline_below: 550}]";
    assert_eq!(compared(&event(), grey), ["score at_least 620 550 -", "score below 620 700 -"]);
}

#[test]
fn what_is_withheld_stands_in_no_decision() {
    let rule = "knockouts: [{id: r, when: features.late >= 1.0, outcome: refer, value: features.late}]";
    assert_eq!(compared(&event(), &format!("withheld: [income]\n{rule}")), ["features.late at_least 1 1 -"]);
    assert_eq!(compared(&event(), &format!("withheld: [late]\n{rule}")), ["features.late at_least - 1 -"]);
    let decided = decide(&Case::of(&event()), &small(&format!("withheld: [late]\n{rule}")));
    assert_eq!((decided.rules[0].value.as_deref(), decided.rules[0].threshold.as_deref()), (None, Some("1")));
}
