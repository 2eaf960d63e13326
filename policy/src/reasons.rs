//! Why: principal reasons (Regulation B 1002.9), the date of the notice, the disclosure of a score (FCRA 615(a)), and the
//! record of a rule. Reasons are what the applicant failed; they are never padded and never "the score was not reached".

use crate::rules::{KnockoutRule, LimitRule, ReasonText, ZoneRule};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use domain::reason::{self, INQUIRIES, MAX_PRINCIPAL_REASONS};
use domain::{Money, ReasonSource, Role, Step};
use schemas::decision::{Notice, PrincipalReason, RuleFired, ScoreDisclosure};
use schemas::risk::{CandidateReason, RiskEvent};

/// Days from the completed application to the notice (Regulation B 1002.9(a)(1)).
pub(crate) const NOTICE_DAYS: i64 = 30;

/// Key factors of a score that are disclosed, before inquiries.
const MAX_KEY_FACTORS: usize = 4;

/// Characters of a recorded value or threshold: the contract's bound.
const MAX_RECORDED_CHARS: usize = 512;

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
pub(crate) fn of_model(event: &RiskEvent) -> Vec<PrincipalReason> {
    let ranked = factors(event).into_iter().take(MAX_PRINCIPAL_REASONS).zip(1..);
    ranked
        .map(|(candidate, rank)| PrincipalReason {
            rank,
            code: candidate.code.clone(),
            source: ReasonSource::Model.into(),
            text: candidate.text.clone(),
            form_c1: candidate.form_c1.clone(),
            hmda: candidate.hmda,
        })
        .collect()
}

fn factors(event: &RiskEvent) -> Vec<&CandidateReason> {
    let mut factors: Vec<_> = event.reasons.iter().filter(|reason| is_specific(event, reason)).collect();
    factors.sort_by(|l, r| r.contribution.total_cmp(&l.contribution).then_with(|| l.code.cmp(&r.code)));
    let mut seen: Vec<&str> = Vec::with_capacity(factors.len());
    factors.retain(|factor| {
        let first = !seen.contains(&factor.code.as_str());
        seen.push(&factor.code);
        first
    });
    factors
}

/// A factor that was scored, that made it worse, and that says something.
fn is_specific(event: &RiskEvent, candidate: &CandidateReason) -> bool {
    let generic =
        reason::find(&candidate.code).is_some_and(|found| found.code == "other" && found.text == candidate.text);
    let scored = || candidate.features.iter().any(|name| event.features.iter().any(|feature| feature.name == *name));
    candidate.contribution > 0.0
        && !candidate.code.is_empty()
        && !candidate.text.trim().is_empty()
        && !generic
        && scored()
}

/// The notice of an adverse action; `None` when the event has no time to count from.
pub(crate) fn notice(event: &RiskEvent) -> Option<Notice> {
    let completed = event.times.completed_at.as_deref().and_then(instant);
    let from = completed.or_else(|| instant(&event.times.received_at))?;
    let due_by = from.checked_add_signed(TimeDelta::days(NOTICE_DAYS))?;
    let has_primary = event.subjects.iter().any(|subject| subject.role.is(Role::Primary));
    let recipient = match event.subjects.first() {
        Some(first) if !has_primary => first.role.clone(),
        _ => Role::Primary.into(),
    };
    Some(Notice { due_by: due_by.to_rfc3339_opts(SecondsFormat::Millis, true), recipients: vec![recipient] })
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
}

/// The lender's own score, where it was used. The lender is the one who made it.
pub(crate) fn disclosure(event: &RiskEvent) -> Vec<ScoreDisclosure> {
    let Some(score) = &event.score else { return Vec::new() };
    let factors = factors(event);
    let (named, rest) = factors.split_at(factors.len().min(MAX_KEY_FACTORS));
    let fifth = rest.iter().find(|factor| factor.code == INQUIRIES);
    let date = [Some(event.times.received_at.as_str()), event.times.completed_at.as_deref()];
    let date = date.into_iter().flatten().find_map(instant).map(|at| at.date_naive().to_string());
    vec![ScoreDisclosure {
        score: i64::from(score.score),
        range: score.range.map(i64::from),
        date: date.unwrap_or_default(),
        agency: event.application.tenant.clone(),
        key_factors: named.iter().chain(fifth).map(|factor| factor.text.clone()).collect(),
    }]
}

/// What a knockout saw: its own expressions, or else the two sides of a simple comparison.
pub(crate) fn knockout_record(event: &RiskEvent, rule: &KnockoutRule) -> RuleFired {
    let compared = rule.when.compared(event);
    let (seen, against) = compared.map_or((None, None), |(seen, against)| (seen, Some(against)));
    let value = rule.value.as_ref().map_or(seen, |value| value.text(event));
    let threshold = rule.threshold.as_ref().map_or(against, |threshold| threshold.text(event));
    fired(&rule.id, Step::Knockout, value, threshold)
}

pub(crate) fn limit_record(asked: Money, rule: &LimitRule) -> RuleFired {
    let [value, threshold] = [asked, rule.most].map(|money| money.amount_minor().to_string());
    fired(&rule.id, Step::Limit, Some(value), Some(threshold))
}

pub(crate) fn zone_record(event: &RiskEvent, rule: &ZoneRule) -> RuleFired {
    let (value, threshold) = rule.when.compared(event).map_or((None, None), |(seen, against)| (seen, Some(against)));
    fired(&rule.id, Step::Zone, value, threshold)
}

fn fired(id: &str, step: Step, value: Option<String>, threshold: Option<String>) -> RuleFired {
    let short = |text: String| text.chars().take(MAX_RECORDED_CHARS).collect();
    let (value, threshold) = (value.map(short), threshold.map(short));
    RuleFired { id: id.to_owned(), step: step.into(), value, threshold }
}
