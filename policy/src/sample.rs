//! A made-up event in which everything has a value, to try an expression on before it meets a real one. Never leaves this
//! crate.

use domain::facts::{Evidence, IncomeBasis, Period};
use domain::{ApplicantKind, Intent, ReportStatus, RequestType, Role, ScoreStatus};
use schemas::Word;
use schemas::application::*;
use schemas::risk::*;

/// Parties beside the primary, at most: the contract's bound.
pub(crate) const MAX_OTHERS: usize = 15;
/// Elements of the other lists, at most: what each of them may have.
pub(crate) const MAX_LISTED: usize = 64;

/// An event that has every fact, another party, and these features.
pub(crate) fn event(features: &[String]) -> RiskEvent {
    let mut event = bare();
    let used = |name: &String| FeatureUsed { name: name.clone(), value: 1.0, flag: None, contribution: 0.0 };
    event.features = features.iter().map(used).collect();
    let other =
        |role: Role| Party { role: role.into(), kind: ApplicantKind::Person.into(), facts: event.facts.clone() };
    event.parties = vec![other(Role::CoApplicant), other(Role::Guarantor)];
    event.subjects = subjects(ApplicantKind::Person.into(), &event.parties);
    event
}

/// The same with so many elements in each list, for a condition that names one by its number.
pub(crate) fn longer(mut event: RiskEvent, len: usize) -> RiskEvent {
    let len = len.clamp(1, MAX_LISTED);
    event.reports = vec![event.reports[0].clone(); len];
    event.facts.income = vec![event.facts.income[0].clone(); len];
    event.facts.debts = event.facts.debts.map(|debts| vec![debts[0].clone(); len]);
    let others = event.parties.clone();
    event.parties = others.into_iter().cycle().take((2 * len).clamp(2, MAX_OTHERS)).collect();
    event.subjects = subjects(ApplicantKind::Person.into(), &event.parties);
    event
}

/// Who applies: a primary of that kind, and these others.
pub(crate) fn subjects(kind: Word<ApplicantKind>, others: &[Party]) -> Vec<Subject> {
    let subject = |role, kind| Subject { role, kind, key_id: "k".into(), subject: "00".into() };
    let others = others.iter().map(|other| subject(other.role.clone(), other.kind.clone()));
    std::iter::once(subject(Role::Primary.into(), kind)).chain(others).collect()
}

fn bare() -> RiskEvent {
    RiskEvent {
        application: ApplicationRef { tenant: "t".into(), application_id: "a".into(), revision: 1 },
        subjects: Vec::new(),
        input: InputRef {
            event_id: String::new(),
            topic: String::new(),
            partition: 0,
            offset: 0,
            data_digest: String::new(),
            data_digest_key: None,
        },
        product: "product".into(),
        intent: Intent::Decide.into(),
        request_type: RequestType::New.into(),
        channel: "online".into(),
        jurisdiction: "US-CA".into(),
        requested: Requested { amount: money(), term_months: Some(12), purpose: Some("word".to_owned()) },
        facts: Facts {
            of_legal_age: Some(true),
            income: vec![Income {
                amount: money(),
                period: Period::Month.into(),
                basis: IncomeBasis::Net.into(),
                evidence: Evidence::Stated.into(),
            }],
            debts: Some(vec![Debt {
                kind: "loan".into(),
                balance: Some(money()),
                payment: Some(money()),
                period: Some(Period::Month.into()),
                evidence: Evidence::Stated.into(),
            }]),
            employment: Some(Employment {
                status: Some(Word::parse("word")),
                tenure_months: Some(1),
                tenure_band: Some(Word::parse("word")),
                occupation: Some(Word::parse("word")),
            }),
            housing: Some(Housing {
                status: Some(Word::parse("word")),
                residence_months: Some(1),
                residence_band: Some(Word::parse("word")),
            }),
            dependants: Some(1),
            dependants_band: Some(Word::parse("word")),
            accounts: Some(Accounts {
                checking_band: Some(Word::parse("word")),
                savings_band: Some(Word::parse("word")),
            }),
            obligations: Some(Obligations {
                credit_history: Some(Word::parse("word")),
                instalment_rate_band: Some(Word::parse("word")),
                other_instalment_plans: Some(Word::parse("word")),
                existing_credits_band: Some(Word::parse("word")),
                other_debtors: Some(Word::parse("word")),
            }),
            assets: Some(Assets { most_valuable: Some(Word::parse("word")) }),
            telephone: Some(true),
        },
        parties: Vec::new(),
        times: Times {
            submitted_at: "2026-01-01T00:00:00Z".into(),
            completed_at: None,
            received_at: "2026-01-01T00:00:00Z".into(),
            as_of: "2026-01-01".into(),
        },
        status: ScoreStatus::Scored.into(),
        unscorable: Vec::new(),
        model: None,
        route: RouteRef::default(),
        score: Some(Score {
            margin: 0.0,
            pd_raw: 0.5,
            pd: 0.5,
            class: 1,
            threshold: 0.5,
            score: 600,
            range: [300, 850],
            scale_id: "scale".into(),
            band: "C".into(),
        }),
        features: Vec::new(),
        explanation: None,
        reasons: Vec::new(),
        reports: vec![ReportUsed {
            source: "bureau".into(),
            report_id: "r".into(),
            status: ReportStatus::Hit.into(),
            pulled_at: "2026-01-01T00:00:00Z".into(),
        }],
    }
}

fn money() -> WireMoney {
    WireMoney { amount_minor: 100, currency: "USD".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::parties;
    use crate::vocabulary::{SCALARS, facts};
    use expressions::Found;

    #[test]
    fn everything_has_a_value() {
        let event = event(&["a".to_owned(), "b".to_owned()]);
        let case = Case::of(&event);
        for scalar in SCALARS {
            assert!(!matches!((scalar.get)(&case), Found::Absent), "{}", scalar.name);
        }
        for fact in facts() {
            assert!(!matches!((fact.get)(&case.facts), Found::Absent), "{}.{}", fact.group, fact.name);
        }
        let names: Vec<&str> = event.features.iter().map(|feature| feature.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(event.features.iter().all(|feature| feature.flag.is_none()));
        assert_eq!(event.reports.len(), 1);
    }

    #[test]
    fn all_parties_have_the_same_facts() {
        let event = event(&[]);
        let all: Vec<_> = Case::of(&event).parties().into_iter().flatten().collect();
        let roles: Vec<&str> = all.iter().map(|party| party.role.as_str()).collect();
        assert_eq!(roles, Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>());
        assert!(all.iter().all(|party| party.facts.of_legal_age == Some(true)));
        assert!(all.iter().all(|party| party.kind.is_some()), "and each is a person or an organisation");
        assert_eq!(parties::debt_to_income(&Case::of(&event)), Some(1.0), "it owes what it earns");
        let longer = longer(event, 1_000);
        assert_eq!((longer.reports.len(), longer.parties.len(), longer.subjects.len()), (64, 15, 16));
    }
}
