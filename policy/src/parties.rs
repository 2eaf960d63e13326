//! Debts and incomes of all parties of a case. Where the event does not carry all parties, nothing is said of them.

use crate::case::Case;
use crate::facts::{Debt, Income};
use expressions::ratio::{self, Flow};

/// Monthly payments of all debts of all parties by their monthly incomes, in the currency of the request. `None` where a party was not
/// asked for debts: what nobody asked for is not zero (ADR 57).
pub(crate) fn debt_to_income(case: &Case<'_>) -> Option<f64> {
    let parties = case.parties()?;
    if !parties.clone().all(|party| party.facts.has_debts_asked()) {
        return None;
    }
    let debts = parties.clone().flat_map(|party| party.facts.debts()).map(|debt| payment(&debt));
    let incomes = parties.flat_map(|party| party.facts.incomes());
    let incomes = incomes.map(|income| (earned(&income), income.basis.as_str()));
    ratio::debt_to_income(debts, incomes, case.requested.currency)
}

/// What is paid for a debt; `None` where that is not known.
pub(crate) fn payment<'e>(debt: &Debt<'e>) -> Option<Flow<'e>> {
    let (amount, period) = (debt.payment?, debt.period?);
    Some(Flow { amount_minor: amount.amount_minor, currency: amount.currency, period: period.as_str() })
}

/// What is earned.
pub(crate) fn earned<'e>(income: &Income<'e>) -> Flow<'e> {
    let amount = income.amount;
    Flow { amount_minor: amount.amount_minor, currency: amount.currency, period: income.period.as_str() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use domain::facts::Evidence;
    use domain::{ApplicantKind, Role};
    use schemas::Word;
    use schemas::application::{Debt, Income, WireMoney};
    use schemas::risk::{Party as Carried, RiskEvent, Subject};

    fn subject(role: Role) -> Subject {
        let kind = ApplicantKind::Person.into();
        Subject { role: role.into(), kind, key_id: "k".into(), subject: "00".into() }
    }

    #[test]
    fn all_parties_are_known_or_nothing_is_said_of_them() {
        let mut event = sample::event(&[]);
        let carried = event.parties.clone();
        let (role, kind) = (Role::Guarantor.into(), ApplicantKind::Person.into());
        let other = Carried { role, kind, facts: event.facts.clone() };
        let rows: [(&[Role], Vec<Carried>, Option<usize>); 5] = [
            (&[], Vec::new(), Some(1)),
            (&[Role::Primary], Vec::new(), Some(1)),
            (&[Role::Primary, Role::Guarantor], Vec::new(), None),
            (&[Role::Primary, Role::Guarantor], vec![other.clone()], Some(2)),
            (&[Role::Primary, Role::CoApplicant, Role::Guarantor], vec![other], None),
        ];
        for (roles, parties, expected) in rows {
            event.subjects = roles.iter().map(|role| subject(*role)).collect();
            event.parties = parties;
            assert_eq!(Case::of(&event).parties().map(Iterator::count), expected, "{roles:?}");
            assert_eq!(debt_to_income(&Case::of(&event)).is_some(), expected.is_some(), "{roles:?}");
        }
        assert!(!carried.is_empty(), "the sample has another party");
    }
    fn flow_of(amount_minor: i64, currency: &str) -> WireMoney {
        WireMoney { amount_minor, currency: currency.into() }
    }

    fn debt(payment: Option<WireMoney>, period: Option<&str>) -> Debt {
        Debt {
            kind: "card".into(),
            balance: None,
            payment,
            period: period.map(Word::parse),
            evidence: Evidence::Stated.into(),
        }
    }

    fn income(amount: WireMoney, period: &str, basis: &str) -> Income {
        Income { amount, period: Word::parse(period), basis: Word::parse(basis), evidence: Evidence::Stated.into() }
    }

    #[test]
    fn debts_by_incomes_are_a_ratio_or_nobody_knows() {
        let usd = |amount| flow_of(amount, "USD");
        let monthly = |amount| debt(Some(usd(amount)), Some("month"));
        let earns = |amount| income(usd(amount), "month", "net");
        let rows: [(&str, Vec<Debt>, Vec<Income>, Option<f64>); 9] = [
            ("no debts", vec![], vec![earns(400)], Some(0.0)),
            ("one of each", vec![monthly(100)], vec![earns(400)], Some(0.25)),
            ("several", vec![monthly(100), monthly(100)], vec![earns(100), earns(300)], Some(0.5)),
            ("a year and a month", vec![monthly(100)], vec![income(usd(4_800), "year", "net")], Some(0.25)),
            ("no income", vec![monthly(100)], vec![], None),
            ("a debt without a payment", vec![debt(None, Some("month"))], vec![earns(400)], None),
            ("a payment without a period", vec![debt(Some(usd(100)), None)], vec![earns(400)], None),
            ("another currency", vec![monthly(100)], vec![income(flow_of(400, "EUR"), "month", "net")], None),
            ("before and after taxes", vec![], vec![earns(400), income(usd(400), "month", "gross")], None),
        ];
        for (name, debts, incomes, expected) in rows {
            let mut event = sample::event(&[]);
            event.parties.clear();
            event.subjects.clear();
            (event.facts.debts, event.facts.income) = (Some(debts), incomes);
            assert_eq!(debt_to_income(&Case::of(&event)), expected, "{name}");
        }
    }

    #[test]
    fn debts_that_nobody_asked_for_are_not_zero() {
        let earns = vec![income(flow_of(400, "USD"), "month", "net")];
        let asked = |debts: Option<Vec<Debt>>| {
            let mut event = sample::event(&[]);
            (event.facts.debts, event.facts.income) = (debts, earns.clone());
            event
        };
        for (name, primary, other, expected) in [
            ("both were asked, and owe nothing", Some(vec![]), Some(vec![]), Some(0.0)),
            ("the primary was not asked", None, Some(vec![]), None),
            ("the other one was not asked", Some(vec![]), None, None),
        ] {
            let mut event = asked(primary);
            event.parties.truncate(1);
            event.subjects.clear();
            event.parties[0].facts.debts = other;
            assert_eq!(debt_to_income(&Case::of(&event)), expected, "{name}");
        }
        assert_eq!(crate::Case::of(&asked(None)).facts.debts().len(), 0, "the list itself is empty, as any list is");
    }

    #[test]
    fn the_primary_is_the_first_and_of_the_kind_that_the_event_says() {
        let mut event = sample::event(&[]);
        let roles = |event: &RiskEvent| {
            let parties = Case::of(event).parties();
            parties.map(|all| all.map(|party| party.role.to_string()).collect::<Vec<_>>())
        };
        let kind = |event: &RiskEvent| Case::of(event).parties()?.next()?.kind.map(ToString::to_string);
        assert_eq!(roles(&event), Some(["primary", "co_applicant", "guarantor"].map(str::to_owned).into()));
        event.subjects.clear();
        assert_eq!(kind(&event), None, "an event without subjects says nothing");
        event.subjects = vec![subject(Role::Primary)];
        event.subjects[0].kind = ApplicantKind::Organisation.into();
        assert_eq!(kind(&event).as_deref(), Some("organisation"));
    }
}
