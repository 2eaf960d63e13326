//! A score event under a policy → outcome, step, rules and reasons. The same on every machine and in every order of calls.
//! An error never approves, and nothing goes unanswered: what cannot be decided is a referral with a word.

use crate::document::{KnockoutOutcome, LimitOutcome};
use crate::load::Compiled;
use crate::reasons;
use crate::referral::Referral;
use crate::rules::{Cut, CutoffRule, ProductRules};
use domain::outcome::{Outcome, Step};
use schemas::decision::{Notice, Offer, PrincipalReason, RuleFired, ScoreDisclosure};
use schemas::risk::{RiskEvent, Score};

/// What a policy says of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The outcome.
    pub outcome: Outcome,
    /// The step that ended it.
    pub step: Step,
    /// Why a person must look; present exactly when the outcome is refer.
    pub referral: Option<Referral>,
    /// Whether nothing more is to come but by a new act.
    pub is_final: bool,
    /// The rules that fired or failed, in the order of steps and of the document.
    pub rules: Vec<RuleFired>,
    /// At most four, strongest first.
    pub principal_reasons: Vec<PrincipalReason>,
    /// Present exactly when the action is adverse.
    pub notice: Option<Notice>,
    /// Present when a score was used in an adverse action.
    pub score_disclosure: Vec<ScoreDisclosure>,
    /// Present for approve and counteroffer.
    pub offer: Option<Offer>,
}

/// Applies a policy to a score event.
pub fn decide(event: &RiskEvent, policy: &Compiled) -> Decided {
    let mut fired = Vec::new();
    let end = match judge(event, policy, &mut fired) {
        Ok(end) | Err(end) => end,
    };
    let mut decided = Decided {
        outcome: Outcome::Refer,
        step: end.step,
        referral: None,
        is_final: false,
        rules: fired,
        principal_reasons: Vec::new(),
        notice: None,
        score_disclosure: Vec::new(),
        offer: None,
    };
    match end.verdict {
        Verdict::Refer(referral) => decided.referral = Some(referral),
        Verdict::Approve(offer) => {
            let as_asked = offer.amount_minor == event.requested.amount.amount_minor;
            decided.outcome = if as_asked { Outcome::Approve } else { Outcome::Counteroffer };
            decided.is_final = !(as_asked && event.intent == "prequalify");
            decided.offer = Some(offer);
        }
        Verdict::Decline { reasons, score_used } => decline(event, &mut decided, reasons, score_used),
    }
    decided
}

/// A decline is published with specific reasons and a date for its notice, or not at all.
fn decline(event: &RiskEvent, decided: &mut Decided, reasons: Vec<PrincipalReason>, score_used: bool) {
    if reasons.is_empty() {
        decided.referral = Some(Referral::ExplanationUnavailable);
        return;
    }
    let Some(notice) = reasons::notice(event) else {
        (decided.step, decided.referral) = (Step::Fallback, Some(Referral::RuleError));
        return;
    };
    decided.outcome = Outcome::Decline;
    decided.is_final = true;
    decided.principal_reasons = reasons;
    decided.notice = Some(notice);
    decided.score_disclosure = if score_used { reasons::disclosure(event) } else { Vec::new() };
}

/// Where and how it ended.
struct End {
    step: Step,
    verdict: Verdict,
}

enum Verdict {
    Approve(Offer),
    Decline { reasons: Vec<PrincipalReason>, score_used: bool },
    Refer(Referral),
}

fn refer(step: Step, referral: Referral) -> End {
    End { step, verdict: Verdict::Refer(referral) }
}

/// The steps in their order; `Err` is the early end.
fn judge(event: &RiskEvent, policy: &Compiled, fired: &mut Vec<RuleFired>) -> Result<End, End> {
    let rules = policy.rules(&event.product).ok_or_else(|| refer(Step::Fallback, Referral::UnknownProduct))?;
    known_words(event)?;
    knockouts(event, rules, fired)?;
    let score = score_of(event, rules)?;
    let offered_minor = limits(event, rules, score, fired)?;
    zones(event, rules, fired)?;
    cutoffs(event, rules, score, offered_minor, fired)
}

fn known_words(event: &RiskEvent) -> Result<(), End> {
    let unknown = |referral| Err(refer(Step::Fallback, referral));
    if !matches!(event.intent.as_str(), "decide" | "prequalify" | "score_only") {
        return unknown(Referral::UnknownIntent);
    }
    if !matches!(event.request_type.as_str(), "new" | "increase" | "renewal" | "existing_review") {
        return unknown(Referral::UnknownRequestType);
    }
    if !matches!(event.status.as_str(), "scored" | "unscorable") {
        return unknown(Referral::UnknownStatus);
    }
    Ok(())
}

/// All that hold fire, whatever their order; one that fails makes it a referral.
fn knockouts(event: &RiskEvent, rules: &ProductRules, fired: &mut Vec<RuleFired>) -> Result<(), End> {
    let (mut failed, mut referred, mut reasons) = (false, false, Vec::new());
    for rule in &rules.knockouts {
        match rule.when.holds(event) {
            Ok(false) => continue,
            Ok(true) => {
                fired.push(reasons::knockout_record(event, rule));
                match (rule.outcome, &rule.reason) {
                    (KnockoutOutcome::Decline, Some(reason)) => reasons.push(reason),
                    (KnockoutOutcome::Decline, None) | (KnockoutOutcome::Refer, _) => referred = true,
                }
            }
            Err(problem) => {
                failed = true;
                fired.push(failure(&rule.id, Step::Knockout, &problem));
            }
        }
    }
    if failed {
        Err(rule_error(event))
    } else if !reasons.is_empty() {
        let verdict = Verdict::Decline { reasons: reasons::of_policy(&reasons), score_used: false };
        Err(End { step: Step::Knockout, verdict })
    } else if referred {
        Err(refer(Step::Knockout, Referral::Rule))
    } else {
        Ok(())
    }
}

/// A rule that misses a field because there was no score is no fault of the rule.
fn rule_error(event: &RiskEvent) -> End {
    let unscorable = event.status == "unscorable";
    refer(Step::Fallback, if unscorable { Referral::Unscorable } else { Referral::RuleError })
}

fn failure(id: &str, step: Step, problem: &str) -> RuleFired {
    RuleFired {
        id: id.to_owned(),
        step: step.as_str().to_owned(),
        value: Some(format!("error: {problem}")),
        threshold: None,
    }
}

fn score_of<'a>(event: &'a RiskEvent, rules: &ProductRules) -> Result<&'a Score, End> {
    let fallback = |referral| refer(Step::Fallback, referral);
    let score = event.score.as_ref().filter(|_| event.status == "scored");
    let score = score.ok_or_else(|| fallback(Referral::Unscorable))?;
    let [floor, cap] = score.range;
    if !(floor..=cap).contains(&score.score) || !(0.0..=1.0).contains(&score.pd) {
        return Err(fallback(Referral::RuleError));
    }
    if score.scale_id != rules.scale_id {
        return Err(fallback(Referral::ScaleMismatch));
    }
    if !rules.currencies.contains(&event.requested.amount.currency) {
        return Err(fallback(Referral::UnknownCurrency));
    }
    Ok(score)
}

/// The amount that may be granted, in minor units: as asked, or the lowest limit that is offered instead.
fn limits(event: &RiskEvent, rules: &ProductRules, score: &Score, fired: &mut Vec<RuleFired>) -> Result<i64, End> {
    let amount = &event.requested.amount;
    let (mut referred, mut score_used, mut reasons, mut granted) = (false, false, Vec::new(), amount.amount_minor);
    let mut failed = false;
    for rule in &rules.limits {
        let covers = rule.currency == amount.currency && (rule.bands.is_empty() || rule.bands.contains(&score.band));
        if !covers || amount.amount_minor <= rule.max_amount_minor {
            continue;
        }
        match rule.when.as_ref().map_or(Ok(true), |when| when.holds(event)) {
            Ok(false) => continue,
            Ok(true) => {
                fired.push(reasons::limit_record(event, rule));
                match (rule.outcome, &rule.reason) {
                    (LimitOutcome::Decline, Some(reason)) => {
                        score_used |= !rule.bands.is_empty() || rule.when.as_ref().is_some_and(|w| w.reads_score());
                        reasons.push(reason);
                    }
                    (LimitOutcome::Counteroffer, _) => granted = granted.min(rule.max_amount_minor),
                    (LimitOutcome::Decline, None) | (LimitOutcome::Refer, _) => referred = true,
                }
            }
            Err(problem) => {
                failed = true;
                fired.push(failure(&rule.id, Step::Limit, &problem));
            }
        }
    }
    if failed {
        Err(rule_error(event))
    } else if !reasons.is_empty() {
        let verdict = Verdict::Decline { reasons: reasons::of_policy(&reasons), score_used };
        Err(End { step: Step::Limit, verdict })
    } else if referred || granted <= 0 {
        Err(refer(Step::Limit, Referral::Limit))
    } else {
        Ok(granted)
    }
}

fn zones(event: &RiskEvent, rules: &ProductRules, fired: &mut Vec<RuleFired>) -> Result<(), End> {
    let mut word: Option<&str> = None;
    for rule in &rules.zones {
        match rule.when.holds(event) {
            Ok(false) => {}
            Ok(true) => {
                fired.push(reasons::zone_record(event, rule));
                word = word.or(Some(&rule.referral));
            }
            Err(problem) => {
                fired.push(failure(&rule.id, Step::Zone, &problem));
                return Err(rule_error(event));
            }
        }
    }
    word.map_or(Ok(()), |word| Err(refer(Step::Zone, Referral::Zone(word.to_owned()))))
}

fn cutoffs(
    event: &RiskEvent,
    rules: &ProductRules,
    score: &Score,
    granted_minor: i64,
    fired: &mut Vec<RuleFired>,
) -> Result<End, End> {
    for rule in &rules.cutoffs {
        match rule.when.as_ref().map_or(Ok(true), |when| when.holds(event)) {
            Ok(true) => return cut(event, rule, score, granted_minor, fired),
            Ok(false) => {}
            Err(problem) => {
                fired.push(failure(&rule.id, Step::Cutoff, &problem));
                return Err(rule_error(event));
            }
        }
    }
    Err(refer(Step::Fallback, Referral::NoRule))
}

fn cut(
    event: &RiskEvent,
    rule: &CutoffRule,
    score: &Score,
    granted_minor: i64,
    fired: &mut Vec<RuleFired>,
) -> Result<End, End> {
    let mut record = |step: Step, value: String, threshold: String| {
        let (id, step) = (rule.id.clone(), step.as_str().to_owned());
        fired.push(RuleFired { id, step, value: Some(value), threshold: Some(threshold) });
    };
    let side = match &rule.by {
        Cut::Points { approve_at_or_above, decline_below } => {
            let points = score.score;
            if points >= *approve_at_or_above {
                record(Step::Cutoff, points.to_string(), approve_at_or_above.to_string());
                Outcome::Approve
            } else if points < *decline_below {
                record(Step::Cutoff, points.to_string(), decline_below.to_string());
                Outcome::Decline
            } else {
                record(Step::Zone, points.to_string(), format!("{decline_below}..{approve_at_or_above}"));
                Outcome::Refer
            }
        }
        Cut::Bands { approve, refer: grey, decline } => {
            let listed = [(approve, Outcome::Approve), (grey, Outcome::Refer), (decline, Outcome::Decline)];
            let found = listed.into_iter().find(|(bands, _)| bands.contains(&score.band));
            let (bands, side) = found.ok_or_else(|| refer(Step::Fallback, Referral::NoRule))?;
            let step = if side == Outcome::Refer { Step::Zone } else { Step::Cutoff };
            record(step, score.band.clone(), bands.join(","));
            side
        }
    };
    Ok(match side {
        Outcome::Approve => approve(event, granted_minor),
        Outcome::Decline => {
            let verdict = Verdict::Decline { reasons: reasons::of_model(event), score_used: true };
            End { step: Step::Cutoff, verdict }
        }
        _ => refer(Step::Zone, Referral::grey_zone()),
    })
}

fn approve(event: &RiskEvent, amount_minor: i64) -> End {
    let asked = &event.requested;
    let step = if amount_minor == asked.amount.amount_minor { Step::Cutoff } else { Step::Limit };
    let offer = Offer { amount_minor, currency: asked.amount.currency.clone(), term_months: asked.term_months };
    End { step, verdict: Verdict::Approve(offer) }
}
