//! Each thing that a check finds, as a table: one edit of a good document, one finding.

use crate::fixture::POLICY;
use crate::{Severity, check};

/// Edits the good document and gives `severity code path` of what is found.
fn found(from: &str, to: &str) -> Vec<String> {
    assert!(POLICY.contains(from), "the fixture has no {from:?}");
    let findings = check(POLICY.replacen(from, to, 1).as_bytes());
    let severity = |severity| if severity == Severity::Error { "error" } else { "warning" };
    findings.iter().map(|f| format!("{} {} {}", severity(f.severity), f.code, f.path)).collect()
}

#[test]
fn the_good_document_has_no_findings() {
    assert_eq!(check(POLICY.as_bytes()), []);
}

#[test]
fn each_fault_is_found_where_it_stands() {
    let rows = [
        ("outcome: refer", "outcom: refer", "error unknown_field /knockouts/2/outcom"),
        ("outcome: refer", "outcome: approve", "error malformed /knockouts/2/outcome"),
        ("version: 1.0.0", "version: 1.0", "error bad_version /version"),
        ("version: 1.0.0", "version: '1'", "error bad_version /version"),
        ("name: test", "name: Test 1", "error bad_token /name"),
        ("currencies: [USD]", "currencies: []", "error no_currency /products/0/currencies"),
        ("currencies: [USD, EUR]", "currencies: [USD, XXX]", "error unknown_currency /products/1/currencies"),
        ("    fallback: refer\n", "", "error no_fallback /products/0"),
        ("fallback: refer", "fallback: approve", "error malformed /products/0/fallback"),
        ("  - product: loan", "  - product: card", "error duplicate_id /products/1/product"),
        ("id: late", "id: minor", "error duplicate_id /knockouts/1/id"),
        (
            "products: [card]\n    when: features",
            "products: [boat]\n    when: features",
            "error unknown_product /knockouts/1",
        ),
        ("    reason: delinquent_obligations\n", "", "error decline_without_code /knockouts/1/reason"),
        ("    reason: income_insufficient\n", "", "error decline_without_code /limits/0/reason"),
        ("reason: delinquent_obligations", "reason: bad_vibes", "error unknown_code /knockouts/1/reason"),
        ("reason: delinquent_obligations", "reason: other", "error unspecific_code /knockouts/1/reason"),
        ("form_c1: other", "form_c1: nearest", "error unknown_code /reasons/0/form_c1"),
        ("hmda: 9", "hmda: 10", "error unknown_code /reasons/0/hmda"),
        ("text: Applicant is not", "text: ''\n    # ", "error unspecific_code /reasons/0/text"),
        ("features.late >= 3.0", "features.late >=", "error syntax /knockouts/1/when"),
        ("features.late >= 3.0", "lateness >= 3.0", "error unknown_variable /knockouts/1/when"),
        ("features.late >= 3.0", "facts.age < 18", "error unknown_variable /knockouts/1/when"),
        ("features.late >= 3.0", "applicants[0].protected.sex == 'm'", "error unknown_variable /knockouts/1/when"),
        ("features.late >= 3.0", "later(3)", "error unknown_function /knockouts/1/when"),
        ("features.late >= 3.0", "features.late >= 'x'", "error type_mismatch /knockouts/1/when"),
        ("features.late >= 3.0", "features.late + 1.0", "error not_boolean /knockouts/1/when"),
        ("features.late >= 3.0", "features['late']", "error not_boolean /knockouts/1/when"),
        ("features.late >= 3.0", "amount_minor / (term_months - 12) > 1", "error fails_on_sample /knockouts/1/when"),
        ("features.late >= 3.0", "score < 500", "error score_in_knockout /knockouts/1/when"),
        ("features.late >= 3.0", "features.late >= 3.0 || 1 < 2", "error constant_true /knockouts/1/when"),
        ("features.late >= 3.0", "features.late >= 3.0 && false", "error constant_false /knockouts/1/when"),
        (
            "features.late >= 3.0",
            "(facts.of_legal_age == false) && has(facts.of_legal_age)",
            "error unreachable /knockouts/1/when",
        ),
        ("channel == 'partner'", "features.late>=3.0", "error unreachable /zones/0/when"),
        ("request_type == 'increase'", "1 == 1", "error constant_true /cutoffs/0/when"),
        ("    when: request_type == 'increase'\n", "", "error overlapping_cutoffs /cutoffs/1"),
        (
            "approve_at_or_above: 600",
            "approve_at_or_above: 540",
            "error inverted_cutoff /cutoffs/1/approve_at_or_above",
        ),
        ("    decline_below: 550\n", "", "error incomplete_cutoff /cutoffs/1"),
        (
            "    decline_below: 550\n",
            "    decline_below: 550\n    refer_bands: [C]\n",
            "error incomplete_cutoff /cutoffs/1",
        ),
        ("refer_bands: [C]", "refer_bands: [B]", "error overlapping_cutoffs /cutoffs/2"),
        ("max_amount_minor: 300000", "max_amount_minor: -1", "error negative_limit /limits/2/max_amount_minor"),
        ("currency: USD", "currency: EUR", "error unreachable /limits/0/currency"),
        (
            "bands: [C, D]\n    max_amount_minor: 500000\n    outcome: refer",
            "max_amount_minor: 5\n    outcome: decline\n    reason: garnishment",
            "error unreachable /limits/1",
        ),
        ("referral: new_channel", "referral: New channel", "error bad_token /zones/0/referral"),
        (
            "product: loan\n    approve",
            "product: card\n    when: amount_minor > 5\n    approve",
            "error unreachable /cutoffs/2",
        ),
    ];
    for (from, to, expected) in rows {
        let found = found(from, to);
        assert!(found.iter().any(|line| line == expected), "{to}: wanted {expected}, found {found:?}");
    }
}

#[test]
fn a_product_without_a_cutoff_is_taken_with_a_warning() {
    let (before, after) = POLICY.split_at(POLICY.find("  - id: loan_bands").unwrap());
    let after = &after[after.find("reasons:").unwrap()..];
    let findings = check(format!("{before}{after}").as_bytes());
    let codes: Vec<_> = findings.iter().map(|f| (f.severity, f.code)).collect();
    assert_eq!(codes, [(Severity::Warning, "no_cutoff")]);
}

#[test]
fn findings_are_for_people_and_for_machines() {
    let text = POLICY.replacen("features.late >= 3.0", "lateness >= 3", 1).replacen("hmda: 9", "hmda: 0", 1);
    let findings = check(text.as_bytes());
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    line 19: error [unknown_variable] /knockouts/1/when: late: lateness is not published to policies (line 1, column 1)
    line 67: error [unknown_code] /reasons/0/hmda: HMDA reasons are 1 to 9
    ");
    insta::assert_json_snapshot!(findings[0], @r#"
    {
      "severity": "error",
      "code": "unknown_variable",
      "path": "/knockouts/1/when",
      "line": 19,
      "column": 11,
      "rule": "late",
      "message": "lateness is not published to policies (line 1, column 1)",
      "advice": "Use a name of docs/expressions.md."
    }
    "#);
}

#[test]
fn what_is_no_document_is_one_finding() {
    for (bytes, code) in
        [(&b"\xff\xfe"[..], "malformed"), (b"", "malformed"), (b"- 1\n", "malformed"), (b"name: [", "malformed")]
    {
        let findings = check(bytes);
        assert_eq!(findings.iter().map(|f| f.code).collect::<Vec<_>>(), [code], "{bytes:?}");
    }
}

#[test]
fn what_real_events_carry_does_not_fail_on_the_sample() {
    for condition in [
        "parties.exists(p, p.kind == 'organisation')",
        "parties[0].kind == 'organisation'",
        "parties[4].role == 'guarantor'",
        "reports[1].status == 'thin'",
        "facts.debts[2].kind == 'card'",
        "guarantors[1].facts.income[0].basis == 'gross'",
    ] {
        assert_eq!(found("channel == 'partner'", condition), [] as [&str; 0], "{condition}");
    }
}

/// However a condition is written in YAML, its place is right or its column is left out.
#[test]
fn a_fault_of_a_condition_is_placed_in_the_document() {
    let rows = [
        ("when: scor > 5", Some((1, 11))),
        ("when:    scor > 5 # note", Some((1, 14))),
        ("when: !!str scor > 5", Some((1, 17))),
        ("when: &x scor > 5", Some((1, 14))),
        ("when: 'channel == ''web'' && scor > 5'", Some((1, 34))),
        (r#"when: "ch\u0061nnel == 'web' && scor > 5""#, Some((1, 37))),
        (r#"when: "channel == \"web\" &&\n    scor > 5""#, Some((1, 39))),
        ("when: >-\n      channel == 'web'\n      && amount_minor > 5\n      && scor > 5", Some((4, 10))),
        ("when: >\n      channel == 'web'\n\n      && scor > 5\n", Some((4, 10))),
        ("when: |2-\n        channel == 'web'\n        && scor > 5", Some((3, 12))),
        ("when: |\n      channel == 'web'\n          && scor > 5\n", Some((3, 14))),
        ("when: channel == 'web'\n      && amount_minor > 5\n      && scor > 5", Some((3, 10))),
        ("when: 'channel == ''web''\n\n      && scor > 5'", Some((3, 10))),
        ("when:\n      scor > 5", Some((2, 7))),
        ("when: *shared", None),
    ];
    for (written, expected) in rows {
        let anchor = "description: &shared scor > 5\n";
        let text = POLICY.replacen("when: channel == 'partner'", written, 1);
        let text = if written.contains('*') { format!("{anchor}{text}") } else { text };
        let at =
            text.lines().position(|line| line.trim_start().starts_with("when:") && written.starts_with(line.trim()));
        let at = at.unwrap_or_else(|| panic!("{written}"));
        let told = check(text.as_bytes());
        assert_eq!(told.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["unknown_variable"], "{told:?}");
        let (line, column) = expected.map_or((1, None), |(line, column)| (line, Some(column)));
        assert_eq!((told[0].line, told[0].column), (Some(at + line), column), "{written}");
    }
}
