//! A case under a policy → outcome, step, rules and reasons. The same on every machine and in every order of calls.
//! An error never approves, and nothing goes unanswered: what cannot be decided is a referral with a word.

use crate::case::{Asked, Case, Score};
use crate::condition::{Condition, Problem};
use crate::document::{KnockoutOutcome, LimitOutcome};
use crate::load::Compiled;
use crate::rules::{CutoffRule, ProductRules};
use crate::{reasons, records};
use domain::{Intent, Money, Outcome, Referral, ScoreStatus, Step};
use schemas::Word;
use schemas::decision::{Notice, Offer, PrincipalReason, RuleFired, ScoreDisclosure};

/// What a policy says of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The outcome.
    pub outcome: Outcome,
    /// The step that ended it.
    pub step: Step,
    /// Why a person must look; present exactly when the outcome is refer. A zone of the policy may bring a word of its own.
    pub referral: Option<Word<Referral>>,
    /// Whether nothing more is to come but by a new act; never where `intent` is `prequalify`.
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

/// Applies a policy to a case.
pub fn decide(case: &Case<'_>, policy: &Compiled) -> Decided {
    let mut fired = Vec::new();
    let end = match judge(case, policy, &mut fired) {
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
    match end.answer {
        Answer::Refer(referral) => decided.referral = Some(referral),
        Answer::Approve { granted, as_asked } => {
            decided.outcome = if as_asked { Outcome::Approve } else { Outcome::Counteroffer };
            decided.offer = Some(Offer {
                amount_minor: granted.amount_minor(),
                currency: granted.currency().code().to_owned(),
                term_months: case.term_months,
            });
        }
        Answer::Decline { reasons, score_used } => decline(case, &mut decided, reasons, score_used),
    }
    // Whoever only asked hears what would be decided; the application itself is still to come.
    decided.is_final = decided.outcome != Outcome::Refer && !case.intent.is(Intent::Prequalify);
    decided
}

/// A decline is published with specific reasons and a date for its notice, or not at all.
fn decline(case: &Case<'_>, decided: &mut Decided, reasons: Vec<PrincipalReason>, score_used: bool) {
    if reasons.is_empty() {
        decided.referral = Some(Referral::ExplanationUnavailable.into());
        return;
    }
    let Some(notice) = reasons::notice(case) else {
        (decided.step, decided.referral) = (Step::Fallback, Some(Referral::RuleError.into()));
        return;
    };
    decided.outcome = Outcome::Decline;
    decided.principal_reasons = reasons;
    decided.notice = Some(notice);
    decided.score_disclosure = if score_used { reasons::disclosure(case) } else { Vec::new() };
}

/// Where and how it ended.
struct End {
    step: Step,
    answer: Answer,
}

enum Answer {
    Approve { granted: Money, as_asked: bool },
    Decline { reasons: Vec<PrincipalReason>, score_used: bool },
    Refer(Word<Referral>),
}

fn refer(step: Step, referral: Referral) -> End {
    End { step, answer: Answer::Refer(referral.into()) }
}

/// The steps in their order; `Err` is the early end.
fn judge(case: &Case<'_>, policy: &Compiled, fired: &mut Vec<RuleFired>) -> Result<End, End> {
    let rules = policy.rules(case.product).ok_or_else(|| refer(Step::Fallback, Referral::UnknownProduct))?;
    known_words(case)?;
    knockouts(case, rules, fired)?;
    let (score, asked) = score_of(case, rules)?;
    let granted = limits(case, asked, rules, score, fired)?;
    zones(case, rules, fired)?;
    cutoffs(case, rules, score, (asked, granted), fired)
}

/// A word of tomorrow is for people.
fn known_words(case: &Case<'_>) -> Result<(), End> {
    let unknown = |referral| Err(refer(Step::Fallback, referral));
    match (case.intent.known(), case.request_type.known(), case.status.known()) {
        (None, _, _) => unknown(Referral::UnknownIntent),
        (_, None, _) => unknown(Referral::UnknownRequestType),
        (_, _, None) => unknown(Referral::UnknownStatus),
        (Some(_), Some(_), Some(_)) => Ok(()),
    }
}

/// What a rule says of a case.
enum Verdict {
    Holds,
    HoldsNot,
    /// It hangs on a feature whose value was outside its range: the bound that stands there was never sent, so it decides nothing.
    InDoubt,
    Failed(Problem),
}

/// A rule that only sends to people does so on a bound, too: nothing is decided by that.
fn verdict(when: &Condition, case: &Case<'_>, only_refers: bool) -> Verdict {
    match when.holds(case) {
        Ok(true) if only_refers => Verdict::Holds,
        Ok(_) if when.is_in_doubt(case) => Verdict::InDoubt,
        Ok(true) => Verdict::Holds,
        Ok(false) => Verdict::HoldsNot,
        Err(problem) => Verdict::Failed(problem),
    }
}

/// All that hold fire, whatever their order; one that fails makes it a referral. What is certain comes before what is in doubt.
fn knockouts(case: &Case<'_>, rules: &ProductRules, fired: &mut Vec<RuleFired>) -> Result<(), End> {
    let (mut failed, mut referred, mut in_doubt, mut reasons) = (false, false, false, Vec::new());
    for rule in &rules.knockouts {
        let only_refers = rule.outcome == KnockoutOutcome::Refer;
        match verdict(&rule.when, case, only_refers) {
            Verdict::HoldsNot => continue,
            Verdict::Holds => {
                fired.push(records::knockout(case, rule));
                match (rule.outcome, &rule.reason) {
                    (KnockoutOutcome::Decline, Some(reason)) => reasons.push(reason),
                    (KnockoutOutcome::Decline, None) | (KnockoutOutcome::Refer, _) => referred = true,
                }
            }
            Verdict::InDoubt => {
                in_doubt = true;
                fired.push(records::doubt(case, &rule.id, Step::Knockout, &rule.when));
            }
            Verdict::Failed(problem) => {
                failed = true;
                fired.push(records::failure(&rule.id, Step::Knockout, &problem));
            }
        }
    }
    if failed {
        Err(rule_error(case))
    } else if !reasons.is_empty() {
        let answer = Answer::Decline { reasons: reasons::of_policy(&reasons), score_used: false };
        Err(End { step: Step::Knockout, answer })
    } else if referred {
        Err(refer(Step::Knockout, Referral::Rule))
    } else if in_doubt {
        Err(refer(Step::Knockout, Referral::OutOfRange))
    } else {
        Ok(())
    }
}

/// A rule that misses a field because there was no score is no fault of the rule.
fn rule_error(case: &Case<'_>) -> End {
    let unscorable = case.status.is(ScoreStatus::Unscorable);
    refer(Step::Fallback, if unscorable { Referral::Unscorable } else { Referral::RuleError })
}

fn score_of<'c, 'e>(case: &'c Case<'e>, rules: &ProductRules) -> Result<(&'c Score<'e>, Money), End> {
    let fallback = |referral| refer(Step::Fallback, referral);
    let score = case.scored().ok_or_else(|| fallback(Referral::Unscorable))?;
    let [floor, cap] = score.range;
    if !(floor..=cap).contains(&score.points) || !(0.0..=1.0).contains(&score.pd) {
        return Err(fallback(Referral::RuleError));
    }
    if score.scale_id != rules.scale_id {
        return Err(fallback(Referral::ScaleMismatch));
    }
    match case.asked {
        Asked::Amount(asked) if rules.currencies.contains(&asked.currency()) => Ok((score, asked)),
        Asked::Amount(_) | Asked::UnknownCurrency => Err(fallback(Referral::UnknownCurrency)),
        Asked::TooLarge => Err(fallback(Referral::RuleError)),
    }
}

/// The amount that may be granted: as asked, or the lowest limit that is offered instead.
fn limits(
    case: &Case<'_>,
    asked: Money,
    rules: &ProductRules,
    score: &Score<'_>,
    fired: &mut Vec<RuleFired>,
) -> Result<Money, End> {
    let (mut referred, mut score_used, mut reasons, mut granted) = (false, false, Vec::new(), asked);
    let (mut failed, mut in_doubt) = (false, false);
    for rule in &rules.limits {
        let covers = rule.bands.is_empty() || rule.bands.iter().any(|band| band == score.band);
        // Of another currency it is never above.
        let is_above = asked > rule.most;
        if !covers || !is_above {
            continue;
        }
        let only_refers = rule.outcome == LimitOutcome::Refer;
        match rule.when.as_ref().map_or(Verdict::Holds, |when| verdict(when, case, only_refers)) {
            Verdict::HoldsNot => continue,
            Verdict::Holds => {
                fired.push(records::limit(case, asked, score, rule));
                match (rule.outcome, &rule.reason) {
                    (LimitOutcome::Decline, Some(reason)) => {
                        score_used |= !rule.bands.is_empty() || rule.when.as_ref().is_some_and(|w| w.reads_score());
                        reasons.push(reason);
                    }
                    (LimitOutcome::Counteroffer, _) => granted = if rule.most < granted { rule.most } else { granted },
                    (LimitOutcome::Decline, None) | (LimitOutcome::Refer, _) => referred = true,
                }
            }
            Verdict::InDoubt => {
                in_doubt = true;
                fired.extend(rule.when.iter().map(|when| records::doubt(case, &rule.id, Step::Limit, when)));
            }
            Verdict::Failed(problem) => {
                failed = true;
                fired.push(records::failure(&rule.id, Step::Limit, &problem));
            }
        }
    }
    if failed {
        Err(rule_error(case))
    } else if !reasons.is_empty() {
        let answer = Answer::Decline { reasons: reasons::of_policy(&reasons), score_used };
        Err(End { step: Step::Limit, answer })
    } else if referred || granted.amount_minor() <= 0 {
        Err(refer(Step::Limit, Referral::Limit))
    } else if in_doubt {
        Err(refer(Step::Limit, Referral::OutOfRange))
    } else {
        Ok(granted)
    }
}

fn zones(case: &Case<'_>, rules: &ProductRules, fired: &mut Vec<RuleFired>) -> Result<(), End> {
    let (mut word, mut in_doubt): (Option<&Word<Referral>>, bool) = (None, false);
    for rule in &rules.zones {
        match verdict(&rule.when, case, true) {
            Verdict::HoldsNot => {}
            Verdict::Holds => {
                fired.push(records::zone(case, rule));
                word = word.or(Some(&rule.referral));
            }
            Verdict::InDoubt => {
                in_doubt = true;
                fired.push(records::doubt(case, &rule.id, Step::Zone, &rule.when));
            }
            Verdict::Failed(problem) => {
                fired.push(records::failure(&rule.id, Step::Zone, &problem));
                return Err(rule_error(case));
            }
        }
    }
    match word {
        Some(word) => Err(End { step: Step::Zone, answer: Answer::Refer(word.clone()) }),
        None if in_doubt => Err(refer(Step::Zone, Referral::OutOfRange)),
        None => Ok(()),
    }
}

fn cutoffs(
    case: &Case<'_>,
    rules: &ProductRules,
    score: &Score<'_>,
    amounts: (Money, Money),
    fired: &mut Vec<RuleFired>,
) -> Result<End, End> {
    for rule in &rules.cutoffs {
        match rule.when.as_ref().map_or(Verdict::Holds, |when| verdict(when, case, false)) {
            Verdict::Holds => return cut(case, rule, score, amounts, fired),
            Verdict::HoldsNot => {}
            Verdict::InDoubt => {
                fired.extend(rule.when.iter().map(|when| records::doubt(case, &rule.id, Step::Cutoff, when)));
                return Err(refer(Step::Cutoff, Referral::OutOfRange));
            }
            Verdict::Failed(problem) => {
                fired.push(records::failure(&rule.id, Step::Cutoff, &problem));
                return Err(rule_error(case));
            }
        }
    }
    Err(refer(Step::Fallback, Referral::NoRule))
}

/// `amounts`: what is asked for and what may be granted.
fn cut(
    case: &Case<'_>,
    rule: &CutoffRule,
    score: &Score<'_>,
    (asked, granted): (Money, Money),
    fired: &mut Vec<RuleFired>,
) -> Result<End, End> {
    let (side, record) = records::cutoff(case, rule, score).ok_or_else(|| refer(Step::Fallback, Referral::NoRule))?;
    fired.push(record);
    Ok(match side {
        Outcome::Approve => {
            let as_asked = granted == asked;
            let step = if as_asked { Step::Cutoff } else { Step::Limit };
            End { step, answer: Answer::Approve { granted, as_asked } }
        }
        Outcome::Decline => {
            let answer = Answer::Decline { reasons: reasons::of_model(case), score_used: true };
            End { step: Step::Cutoff, answer }
        }
        _ => refer(Step::Zone, Referral::GreyZone),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
