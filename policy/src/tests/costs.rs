//! What a rule may cost: told at load with the rule, its cost and the limit; at run an event that is too large for a rule is a
//! referral. Nothing here is held against a clock.

use crate::fixture::{POLICY, event, policy};
use crate::{Case, Compiled, check, decide};
use domain::facts::Evidence;
use expressions::{MAX_COST, MAX_TOTAL_COST};
use schemas::application::Debt;

const STANDARD: &[u8] = include_bytes!("../../../policies/standard/1.0.0.yaml");

fn with(condition: &str) -> String {
    POLICY.replacen("features.late >= 3.0", condition, 1)
}

/// `over.exists(…)` so many times within each other.
fn nested(over: &str, depth: usize, inner: &str) -> String {
    (0..depth).fold(inner.to_owned(), |inner, at| format!("{over}.exists(v{at}, {inner})"))
}

fn debt(kind: &str) -> Debt {
    Debt { kind: kind.into(), balance: None, payment: None, period: None, evidence: Evidence::Stated.into() }
}

#[test]
fn loops_within_loops_are_refused_with_rule_cost_and_limit() {
    for depth in [2, 3, 5] {
        let findings = check(with(&nested("facts.debts", depth, "v0.kind == 'never'")).as_bytes());
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.code, finding.path.as_str(), finding.line), ("too_costly", "/knockouts/1/when", Some(19)));
        let words: Vec<&str> = finding.message.split(' ').collect();
        assert_eq!(
            (words[..2].join(" ").as_str(), finding.rule.as_deref()),
            ("costs up", Some("late")),
            "{}",
            finding.message
        );
        let cost: u64 = words[3].parse().unwrap();
        assert!(cost > 256u64.pow(depth as u32), "{}", finding.message);
        assert!(finding.message.contains(&format!("at most {MAX_COST}")), "{}", finding.message);
    }
}

#[test]
fn literal_lists_within_lists_are_refused_and_not_evaluated() {
    for depth in [7, 12] {
        let lists = nested("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]", depth, "v0 == 10");
        let codes: Vec<_> =
            check(with(&format!("\"{lists}\"")).as_bytes()).iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["too_costly"], "{depth}");
    }
    let small = nested("[0, 1, 2]", 3, "amount_minor == v0");
    assert_eq!(check(with(&format!("\"{small}\"")).as_bytes()), [], "what is cheap is taken");
}

#[test]
fn one_loop_is_taken_and_a_larger_event_than_the_contract_allows_is_a_rule_error() {
    let text = with("facts.debts.exists(d, d.kind == 'payday')");
    let policy = Compiled::load(text.as_bytes()).unwrap();
    let said = |debts: usize| {
        let mut event = event();
        event.facts.debts = Some(vec![debt("card"); debts]);
        let decided = decide(&Case::of(&event), &policy);
        let rule = decided.rules.iter().find(|rule| rule.id == "late").and_then(|rule| rule.value.clone());
        (decided.outcome.as_str(), decided.referral.map(|word| word.as_str().to_owned()), rule)
    };
    assert_eq!(said(256), ("approve", None, None));
    let over = "error: over its budget on an application of this size".to_owned();
    assert_eq!(said(20_000), ("refer", Some("rule_error".to_owned()), Some(over)));
}

#[test]
fn rules_cost_together() {
    let rule =
        |at: usize| format!("  - id: r{at}\n    when: facts.debts.exists(d, d.kind == 'k{at}')\n    outcome: refer\n");
    let of = |rules: usize| {
        let rules: String = (0..rules).map(rule).collect();
        POLICY.replacen("knockouts:\n", &format!("knockouts:\n{rules}"), 1)
    };
    assert_eq!(check(of(10).as_bytes()), []);
    let findings = check(of(150).as_bytes());
    assert!(!findings.is_empty() && findings.iter().all(|finding| finding.code == "too_costly"), "{findings:?}");
    let last = &findings[0].message;
    assert!(last.contains("with those before it") && last.contains(&MAX_TOTAL_COST.to_string()), "{last}");
}

#[test]
fn a_document_that_is_too_large_is_one_finding_and_many_findings_are_counted() {
    let codes = |text: &str| check(text.as_bytes()).iter().map(|finding| finding.code).collect::<Vec<_>>();
    assert_eq!(codes(&format!("{POLICY}#{}", "x".repeat(300_000))), ["too_many"]);
    let limit =
        |at: usize| format!("  - {{id: l{at}, product: card, currency: USD, max_amount_minor: 1, outcome: refer}}\n");
    let of = |limits: usize| {
        let limits: String = (0..limits).map(limit).collect();
        POLICY.replacen("limits:\n", &format!("limits:\n{limits}"), 1)
    };
    assert_eq!(codes(&of(2_500)), ["too_many"]);
    let many = check(of(1_000).as_bytes());
    assert_eq!(many.len(), 201, "each after the first holds for the same applications");
    assert_eq!(many[200].message, "799 more are not listed: mend these first");
}

#[test]
fn what_a_parser_says_is_cut() {
    for condition in ["(".repeat(3_000), format!("'{}' <", "x".repeat(3_000)), "1 + ".repeat(900)] {
        let findings = check(with(&format!("\"{condition}\"")).as_bytes());
        assert_eq!(findings[0].code, "syntax");
        assert!(findings.iter().all(|finding| finding.to_string().len() < 600), "{findings:?}");
    }
    let long = "x".repeat(50_000);
    for text in [format!("{long}: 1\n{POLICY}"), POLICY.replace("id: late", &format!("id: {long}"))] {
        let findings = check(text.as_bytes());
        assert!(!findings.is_empty());
        assert!(findings.iter().all(|finding| finding.to_string().len() < 1_000), "a key or an id of 50 kB is cut");
    }
}

#[test]
fn brackets_within_brackets_are_refused_before_they_are_parsed() {
    for open in ["[", "{", "{a: ["] {
        let findings = check(format!("name: {}", open.repeat(30_000)).as_bytes());
        let said: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["error [malformed] : has more than 200 open brackets within each other"]);
    }
}

#[test]
fn the_shipped_policy_is_far_below_the_limits() {
    for policy in [Compiled::load(STANDARD).unwrap(), policy()] {
        assert!(policy.cost() * 10 < MAX_TOTAL_COST, "{} costs {}", policy.name(), policy.cost());
    }
}
