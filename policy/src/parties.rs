//! All parties of a score event: the primary applicant, whose facts every event carries, and the others where the route had them
//! carried. Where there are others and the event does not carry them, nothing is said of all parties.

use domain::Role;
use expressions::ratio::{self, Flow};
use schemas::application::{Debt, Facts, Income, WireMoney};
use schemas::risk::{Party as Carried, RiskEvent};

/// One of those who apply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Party<'e> {
    pub role: &'e str,
    /// `person` or `organisation`, where the event says it.
    pub kind: Option<&'e str>,
    pub facts: &'e Facts,
}

/// All of them, the primary first; `None` where the event does not carry all.
pub(crate) fn all(event: &RiskEvent) -> Option<impl Iterator<Item = Party<'_>> + Clone> {
    let others = event.parties.iter();
    let is_complete = event.subjects.len() <= 1 + event.parties.len();
    let kind = event.subjects.first().map(|subject| subject.kind.as_str());
    let primary = Party { role: Role::Primary.as_str(), kind, facts: &event.facts };
    let others = others.map(carried);
    is_complete.then(|| std::iter::once(primary).chain(others))
}

fn carried(other: &Carried) -> Party<'_> {
    Party { role: other.role.as_str(), kind: Some(other.kind.as_str()), facts: &other.facts }
}

/// Monthly payments of all debts of all parties by their monthly incomes, in the currency of the request.
pub(crate) fn debt_to_income(event: &RiskEvent) -> Option<f64> {
    let parties = all(event)?;
    let debts = parties.clone().flat_map(|party| &party.facts.debts).map(payment);
    let incomes = parties.flat_map(|party| &party.facts.income).map(|income| (earned(income), income.basis.as_str()));
    ratio::debt_to_income(debts, incomes, &event.requested.amount.currency)
}

/// What is paid for a debt; `None` where that is not known.
pub(crate) fn payment(debt: &Debt) -> Option<Flow<'_>> {
    Some(flow(debt.payment.as_ref()?, debt.period.as_deref()?))
}

/// What is earned.
pub(crate) fn earned(income: &Income) -> Flow<'_> {
    flow(&income.amount, &income.period)
}

fn flow<'a>(amount: &'a WireMoney, period: &'a str) -> Flow<'a> {
    Flow { amount_minor: amount.amount_minor, currency: &amount.currency, period }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use domain::ApplicantKind;
    use schemas::risk::Subject;

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
            assert_eq!(all(&event).map(Iterator::count), expected, "{roles:?}");
            assert_eq!(debt_to_income(&event).is_some(), expected.is_some(), "{roles:?}");
        }
        assert!(!carried.is_empty(), "the sample has another party");
    }
    fn flow_of(amount_minor: i64, currency: &str) -> WireMoney {
        WireMoney { amount_minor, currency: currency.into() }
    }

    fn debt(payment: Option<WireMoney>, period: Option<&str>) -> Debt {
        Debt { kind: "card".into(), balance: None, payment, period: period.map(Into::into), evidence: "stated".into() }
    }

    fn income(amount: WireMoney, period: &str, basis: &str) -> Income {
        Income { amount, period: period.into(), basis: basis.into(), evidence: "stated".into() }
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
            (event.facts.debts, event.facts.income) = (debts, incomes);
            assert_eq!(debt_to_income(&event), expected, "{name}");
        }
    }

    #[test]
    fn the_primary_is_the_first_and_of_the_kind_that_the_event_says() {
        let mut event = sample::event(&[]);
        let roles =
            |event: &RiskEvent| all(event).map(|all| all.map(|party| party.role.to_owned()).collect::<Vec<_>>());
        let kind = |event: &RiskEvent| all(event).and_then(|mut all| all.next()?.kind.map(str::to_owned));
        assert_eq!(roles(&event), Some(["primary", "co_applicant", "guarantor"].map(str::to_owned).into()));
        assert_eq!(kind(&event), None, "an event without subjects says nothing");
        event.subjects = vec![subject(Role::Primary)];
        event.subjects[0].kind = ApplicantKind::Organisation.into();
        assert_eq!(kind(&event).as_deref(), Some("organisation"));
    }
}
