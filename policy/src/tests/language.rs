//! The examples of `docs/expressions.md` that are for policies, each as a rule of a policy.

use crate::fixture::{POLICY, event};
use crate::{Case, Compiled, Severity, check, decide};
use domain::facts::{Evidence, IncomeBasis, Period};
use domain::{ApplicantKind, Role};
use schemas::Word;
use schemas::application::{Debt, Facts, Income, WireMoney};
use schemas::risk::{Party, RiskEvent, Subject};

const PAGE: &str = include_str!("../../../docs/expressions.md");

/// The lines of the blocks that are tagged so.
fn examples(tags: [&str; 2]) -> Vec<&str> {
    let blocks = PAGE.split("```").skip(1).step_by(2);
    let tagged = blocks.filter_map(|block| block.split_once('\n')).filter(|(tag, _)| tags.contains(tag));
    tagged.flat_map(|(_, block)| block.lines()).filter(|line| !line.is_empty()).collect()
}

fn with(condition: &str) -> String {
    let quoted = condition.replace('\\', "\\\\").replace('"', "\\\"");
    POLICY.replacen("when: channel == 'partner'", &format!("when: \"{quoted}\""), 1)
}

#[test]
fn every_example_is_a_rule() {
    let examples = examples(["cel", "cel policy"]);
    assert!(examples.len() >= 15, "{examples:?}");
    for example in examples {
        let findings = check(with(example).as_bytes());
        let errors: Vec<_> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{example}: {errors:?}");
    }
}

#[test]
fn no_example_is_said_to_hold_never_or_always() {
    for example in examples(["cel", "cel policy"]) {
        let found = crate::review(with(example).as_bytes(), &[], &crate::Models::default());
        let told = found.iter().filter(|finding| finding.rule.as_deref() == Some("new_channel"));
        let told: Vec<_> = told.filter(|finding| ["never_holds", "always_holds"].contains(&finding.code)).collect();
        assert!(told.is_empty(), "{example}: {told:?}");
    }
}

fn money(amount_minor: i64) -> WireMoney {
    WireMoney { amount_minor, currency: "USD".into() }
}

/// Facts of somebody who earns and owes so much a month.
fn owing(earned: i64, owed: i64) -> Facts {
    let income = Income {
        amount: money(earned),
        period: Period::Month.into(),
        basis: IncomeBasis::Gross.into(),
        evidence: Evidence::Verified.into(),
    };
    let debt = Debt {
        kind: "card".into(),
        balance: None,
        payment: Some(money(owed)),
        period: Some(Period::Month.into()),
        evidence: Evidence::Stated.into(),
    };
    Facts { income: vec![income], debts: Some(vec![debt]), of_legal_age: Some(true), ..Facts::default() }
}

/// A couple, whose second half the event carries or not.
fn couple(is_carried: bool) -> RiskEvent {
    let mut event = event();
    let subject = |role: Role| Subject { role: role.into(), ..event.subjects[0].clone() };
    event.subjects = vec![subject(Role::Primary), subject(Role::CoApplicant)];
    event.facts = owing(300_000, 60_000);
    let (role, kind) = (Role::CoApplicant.into(), ApplicantKind::Person.into());
    let other = Party { role, kind, facts: owing(100_000, 40_000) };
    event.parties = vec![other].into_iter().filter(|_| is_carried).collect();
    event
}

#[test]
fn all_parties_count_or_a_person_looks() {
    let rows = [
        ("debt_to_income > 0.24 && debt_to_income < 0.26", true, "new_channel"),
        ("debt_to_income > 0.4", true, "-"),
        ("debts.sum(d, d.monthly_minor) == 100000.0", true, "new_channel"),
        ("incomes.all(i, i.evidence == 'verified') && incomes.size() == 2", true, "new_channel"),
        ("co_applicants.exists(p, p.facts.of_legal_age)", true, "new_channel"),
        ("guarantors.size() == 0", true, "new_channel"),
        ("facts.debts.exists(d, d.payment.amount_minor == 60000)", false, "new_channel"),
        ("debt_to_income > 0.4", false, "rule_error"),
        ("debts.sum(d, d.monthly_minor) == 100000.0", false, "rule_error"),
        ("co_applicants.exists(p, p.facts.of_legal_age)", false, "rule_error"),
        ("parties.size() == 1", false, "rule_error"),
    ];
    for (condition, is_carried, expected) in rows {
        let policy = Compiled::load(with(condition).as_bytes()).unwrap();
        let decided = decide(&Case::of(&couple(is_carried)), &policy);
        let referral = decided.referral.as_ref().map_or("-", Word::as_str);
        assert_eq!(referral, expected, "{condition}, carried: {is_carried}");
    }
}
