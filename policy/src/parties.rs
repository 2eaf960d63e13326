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
}
