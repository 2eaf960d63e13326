//! Why: principal reasons (Regulation B 1002.9), the date of the notice, and the disclosure of a score (FCRA 615(a)). Reasons are what the applicant failed; they are never padded and never "the score was not reached".

use crate::case::{Case, Factor};
use crate::rules::ReasonText;
use chrono::{SecondsFormat, TimeDelta};
use domain::reason::{self, INQUIRIES, MAX_PRINCIPAL_REASONS};
use domain::{ReasonSource, Role};
use schemas::decision::{Notice, PrincipalReason, ScoreDisclosure};

/// Days from the completed application to the notice (Regulation B 1002.9(a)(1)).
pub(crate) const NOTICE_DAYS: i64 = 30;

/// Key factors of a score that are disclosed, before inquiries.
const MAX_KEY_FACTORS: usize = 4;

/// Reasons of rules that declined: equals all, so the order of codes is their order.
pub(crate) fn of_policy(reasons: &[&ReasonText]) -> Vec<PrincipalReason> {
    let mut reasons = reasons.to_vec();
    reasons.sort_by(|left, right| left.code.cmp(&right.code));
    reasons.dedup_by(|left, right| left.code == right.code);
    let ranked = reasons.into_iter().take(MAX_PRINCIPAL_REASONS).zip(1..);
    ranked
        .map(|(reason, rank)| PrincipalReason {
            rank,
            code: reason.code.clone(),
            source: ReasonSource::Policy.into(),
            text: reason.text.clone(),
            form_c1: reason.form_c1.clone(),
            hmda: reason.hmda,
        })
        .collect()
}

/// Reasons behind a score, from its own factors: strongest first, ties by code.
pub(crate) fn of_model(case: &Case<'_>) -> Vec<PrincipalReason> {
    let ranked = factors(case).into_iter().take(MAX_PRINCIPAL_REASONS).zip(1..);
    ranked
        .map(|(factor, rank)| PrincipalReason {
            rank,
            code: factor.code.to_owned(),
            source: ReasonSource::Model.into(),
            text: factor.text.to_owned(),
            form_c1: factor.form_c1.to_owned(),
            hmda: factor.hmda,
        })
        .collect()
}

/// Those that may be told, strongest first, each code once.
fn factors<'e>(case: &Case<'e>) -> Vec<Factor<'e>> {
    let mut factors: Vec<_> = case.factors().filter(|factor| is_specific(case, factor)).collect();
    factors.sort_by(|l, r| r.contribution.total_cmp(&l.contribution).then_with(|| l.code.cmp(r.code)));
    let mut seen: Vec<&str> = Vec::with_capacity(factors.len());
    factors.retain(|factor| {
        let first = !seen.contains(&factor.code);
        seen.push(factor.code);
        first
    });
    factors
}

/// A factor that was scored, that made it worse, and that says something.
fn is_specific(case: &Case<'_>, factor: &Factor<'_>) -> bool {
    let generic = reason::find(factor.code).is_some_and(|found| found.code == "other" && found.text == factor.text);
    let scored = || factor.features.iter().any(|name| case.feature_names().any(|used| used == name));
    factor.contribution > 0.0 && !factor.code.is_empty() && !factor.text.trim().is_empty() && !generic && scored()
}

/// The notice of an adverse action; `None` when the event has no time to count from.
pub(crate) fn notice(case: &Case<'_>) -> Option<Notice> {
    let from = case.completed_at().or_else(|| case.received_at())?;
    let due_by = from.checked_add_signed(TimeDelta::days(NOTICE_DAYS))?;
    let has_primary = case.roles().any(|role| role.is(Role::Primary));
    let recipient = match case.roles().next() {
        Some(first) if !has_primary => first.clone(),
        _ => Role::Primary.into(),
    };
    Some(Notice { due_by: due_by.to_rfc3339_opts(SecondsFormat::Millis, true), recipients: vec![recipient] })
}

/// The lender's own score, where it was used. The lender is the one who made it.
pub(crate) fn disclosure(case: &Case<'_>) -> Vec<ScoreDisclosure> {
    let Some(score) = &case.score else { return Vec::new() };
    let factors = factors(case);
    let (named, rest) = factors.split_at(factors.len().min(MAX_KEY_FACTORS));
    let fifth = rest.iter().find(|factor| factor.code == INQUIRIES);
    let date = case.received_at().or_else(|| case.completed_at()).map(|at| at.date_naive().to_string());
    vec![ScoreDisclosure {
        score: i64::from(score.points),
        range: score.range.map(i64::from),
        date: date.unwrap_or_default(),
        agency: case.tenant.to_owned(),
        key_factors: named.iter().chain(fifth).map(|factor| factor.text.to_owned()).collect(),
    }]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::decide::decide;
    use crate::fixture::{POLICY, event, reason as factor, score, small, subject};
    use crate::load::Compiled;
    use domain::Outcome;
    use schemas::risk::{CandidateReason, RiskEvent};

    fn text(code: &str) -> ReasonText {
        ReasonText { code: code.into(), text: format!("text of {code}"), form_c1: "other".into(), hmda: 9 }
    }

    fn codes(reasons: &[PrincipalReason]) -> Vec<&str> {
        reasons.iter().map(|reason| reason.code.as_str()).collect()
    }

    #[test]
    fn reasons_of_rules_are_in_the_order_of_their_codes() {
        let rows: [(&[&str], &[&str]); 4] = [
            (&[], &[]),
            (&["b", "a"], &["a", "b"]),
            (&["b", "a", "b"], &["a", "b"]),
            (&["e", "d", "c", "b", "a"], &["a", "b", "c", "d"]),
        ];
        for (given, expected) in rows {
            let texts: Vec<ReasonText> = given.iter().map(|code| text(code)).collect();
            let told = of_policy(&texts.iter().collect::<Vec<_>>());
            assert_eq!(codes(&told), expected, "{given:?}");
            assert!(told.iter().zip(1..).all(|(reason, rank)| reason.rank == rank), "{given:?}");
            assert!(
                told.iter().all(|reason| reason.source.is(ReasonSource::Policy) && reason.text.ends_with(&reason.code))
            );
        }
    }

    #[test]
    fn a_knockout_tells_what_it_saw_what_it_asked_for_and_why() {
        let mut event = event();
        event.facts.of_legal_age = Some(false);
        let policy = Compiled::load(POLICY.as_bytes()).unwrap();
        let decided = decide(&Case::of(&event), &policy);
        let rule = &decided.rules[0];
        assert_eq!((rule.value.as_deref(), rule.threshold.as_deref()), (Some("false"), Some("false")));
        let text = "Applicant is not of legal age to enter into a contract";
        assert_eq!(decided.principal_reasons[0].text, text);
    }

    #[test]
    fn reasons_of_a_model_are_its_strongest_specific_factors() {
        let own = |code: &str, text: &str| CandidateReason { text: text.into(), ..factor(code, "use", 0.5) };
        let rows: [(&str, Vec<CandidateReason>, &[&str]); 9] = [
            ("none", vec![], &[]),
            (
                "weakest last",
                vec![factor("garnishment", "use", 0.1), factor("bankruptcy", "use", 0.2)],
                &["bankruptcy", "garnishment"],
            ),
            (
                "ties by code",
                vec![factor("garnishment", "use", 0.2), factor("bankruptcy", "use", 0.2)],
                &["bankruptcy", "garnishment"],
            ),
            ("each once", vec![factor("bankruptcy", "use", 0.5), factor("bankruptcy", "late", 0.4)], &["bankruptcy"]),
            ("what made it better", vec![factor("bankruptcy", "use", -0.1), factor("garnishment", "use", 0.0)], &[]),
            ("what was not scored", vec![factor("bankruptcy", "not_scored", 0.5)], &[]),
            ("what says nothing", vec![factor("other", "use", 0.5)], &[]),
            ("other, with a text of its own", vec![own("other", "Unpaid rent")], &["other"]),
            ("without a text", vec![own("bankruptcy", " ")], &[]),
        ];
        for (name, reasons, expected) in rows {
            let event = RiskEvent { reasons, ..event() };
            assert_eq!(codes(&of_model(&Case::of(&event))), expected, "{name}");
        }
        let four = of_model(&Case::of(&event()));
        let ranks: Vec<u32> = four.iter().map(|reason| reason.rank).collect();
        assert_eq!(ranks, [1, 2, 3, 4], "the fifth is left out");
        assert!(four.iter().all(|reason| reason.source.is(ReasonSource::Model)));
    }

    #[test]
    fn a_notice_is_due_thirty_days_after_completion_to_one_recipient() {
        let rows: [(&str, Option<&str>, &str, &[Role], Option<(&str, Role)>); 7] = [
            (
                "complete",
                Some("2026-11-02T09:00:00Z"),
                "2026-11-03T10:00:00Z",
                &[Role::Primary],
                Some(("2026-12-02T09:00:00.000Z", Role::Primary)),
            ),
            (
                "of another zone",
                Some("2026-11-02T01:00:00+02:00"),
                "",
                &[Role::Primary],
                Some(("2026-12-01T23:00:00.000Z", Role::Primary)),
            ),
            (
                "not complete",
                None,
                "2026-11-03T10:00:00Z",
                &[Role::Primary],
                Some(("2026-12-03T10:00:00.000Z", Role::Primary)),
            ),
            (
                "complete at no time",
                Some("soon"),
                "2026-11-03T10:00:00Z",
                &[],
                Some(("2026-12-03T10:00:00.000Z", Role::Primary)),
            ),
            ("no time at all", None, "yesterday", &[Role::Primary], None),
            (
                "the primary is not the first",
                None,
                "2026-11-03T10:00:00Z",
                &[Role::Guarantor, Role::Primary],
                Some(("2026-12-03T10:00:00.000Z", Role::Primary)),
            ),
            (
                "no primary",
                None,
                "2026-11-03T10:00:00Z",
                &[Role::Guarantor],
                Some(("2026-12-03T10:00:00.000Z", Role::Guarantor)),
            ),
        ];
        for (name, completed, received, roles, expected) in rows {
            let mut event = event();
            event.times.completed_at = completed.map(str::to_owned);
            event.times.received_at = received.to_owned();
            event.subjects = roles.iter().map(|role| subject(*role)).collect();
            let expected = expected.map(|(due_by, role)| (due_by.to_owned(), vec![role.into()]));
            assert_eq!(notice(&Case::of(&event)).map(|notice| (notice.due_by, notice.recipients)), expected, "{name}");
        }
    }

    #[test]
    fn a_disclosure_names_the_score_its_range_and_its_key_factors() {
        let mut event = event();
        event.score = Some(score(549, "D"));
        let told = &disclosure(&Case::of(&event))[0];
        assert_eq!((told.score, told.range, told.agency.as_str()), (549, [300, 850], "bank"));
        assert_eq!(told.date, "2026-11-03");
        assert_eq!(told.key_factors.len(), 5, "inquiries come as the fifth factor");
        assert_eq!(told.key_factors[4], "Number of recent inquiries on credit bureau report");
        event.reasons[1] = factor("garnishment", "inquiries", 0.1);
        assert_eq!(disclosure(&Case::of(&event))[0].key_factors.len(), 4, "another fifth factor is not disclosed");
        event.times.received_at = "yesterday".into();
        assert_eq!(
            disclosure(&Case::of(&event))[0].date,
            "2026-11-02",
            "of completion where nobody knows when it was received"
        );
        event.score = None;
        assert_eq!(disclosure(&Case::of(&event)), []);
    }

    #[test]
    fn a_score_is_disclosed_where_it_was_used() {
        let limit = |rest: &str| {
            let rule =
                "id: a, product: card, currency: USD, max_amount_minor: 5, outcome: decline, reason: garnishment";
            format!("limits: [{{{rule}{rest}}}]")
        };
        let rows: [(&str, String, usize); 6] = [
            ("a knockout", "knockouts: [{id: a, when: channel == 'online', reason: garnishment}]".into(), 0),
            ("a limit on the amount alone", limit(""), 0),
            ("a limit of a band", limit(", bands: [A]"), 1),
            ("a limit whose condition reads the score", limit(", when: score < 650"), 1),
            ("a limit whose condition reads something else", limit(", when: term_months < 650"), 0),
            ("a cutoff", "cutoffs: [{id: a, product: card, approve_at_or_above: 700, decline_below: 700}]".into(), 1),
        ];
        for (name, sections, expected) in rows {
            let decided = decide(&Case::of(&event()), &small(&sections));
            assert_eq!((decided.outcome, decided.score_disclosure.len()), (Outcome::Decline, expected), "{name}");
        }
    }
}
