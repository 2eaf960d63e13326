//! The record of a rule in a decision: that it held, failed or hung on a value outside its range, with what it saw and what it held that
//! against. Made for such rules alone.

use crate::case::{Case, Score};
use crate::comparisons::{self, constant};
use crate::condition::{Condition, Problem};
use crate::rules::{Cut, CutoffRule, KnockoutRule, LimitRule, ZoneRule};
use domain::{Comparator, Money, Outcome, Step};
use schemas::decision::{Comparison, RuleFired};

/// Characters of a recorded value or threshold: the contract's bound.
const MAX_RECORDED_CHARS: usize = 512;

/// What a knockout saw: its own expressions, or else the two sides of a simple comparison.
pub(crate) fn knockout(case: &Case<'_>, rule: &KnockoutRule) -> RuleFired {
    let compared = rule.when.compared(case);
    let (seen, against) = compared.map_or((None, None), |(seen, against)| (seen, Some(against)));
    let value = rule.value.as_ref().map_or(seen, |value| value.text(case));
    let threshold = rule.threshold.as_ref().map_or(against, |threshold| threshold.text(case));
    fired(&rule.id, Step::Knockout, (value, threshold), comparisons::of(&rule.when, case))
}

pub(crate) fn limit(case: &Case<'_>, asked: Money, score: &Score<'_>, rule: &LimitRule) -> RuleFired {
    let [value, threshold] = [asked, rule.most].map(|money| money.amount_minor().to_string());
    let mut all = comparisons::of_limit(asked, rule.most, score.band, &rule.bands);
    all.extend(rule.when.iter().flat_map(|when| comparisons::of(when, case)));
    fired(&rule.id, Step::Limit, (Some(value), Some(threshold)), all)
}

pub(crate) fn zone(case: &Case<'_>, rule: &ZoneRule) -> RuleFired {
    let (value, threshold) = rule.when.compared(case).map_or((None, None), |(seen, against)| (seen, Some(against)));
    fired(&rule.id, Step::Zone, (value, threshold), comparisons::of(&rule.when, case))
}

/// On which side of a cutoff a score lies, and the record of it; none where it lists the band nowhere.
pub(crate) fn cutoff(case: &Case<'_>, rule: &CutoffRule, score: &Score<'_>) -> Option<(Outcome, RuleFired)> {
    let (side, value, threshold, mut all) = match &rule.by {
        Cut::Points { approve_at_or_above, decline_below } => {
            let (points, value) = (score.points, score.points.to_string());
            let held = |operator, threshold: &i32| constant("score", operator, value.clone(), threshold.to_string());
            if points >= *approve_at_or_above {
                let all = vec![held(Comparator::AtLeast, approve_at_or_above)];
                (Outcome::Approve, value, approve_at_or_above.to_string(), all)
            } else if points < *decline_below {
                let all = vec![held(Comparator::Below, decline_below)];
                (Outcome::Decline, value, decline_below.to_string(), all)
            } else {
                let all = vec![held(Comparator::AtLeast, decline_below), held(Comparator::Below, approve_at_or_above)];
                (Outcome::Refer, value, format!("{decline_below}..{approve_at_or_above}"), all)
            }
        }
        Cut::Bands { approve, refer: grey, decline } => {
            let listed = [(approve, Outcome::Approve), (grey, Outcome::Refer), (decline, Outcome::Decline)];
            let found = listed.into_iter().find(|(bands, _)| bands.iter().any(|band| band == score.band));
            let (bands, side) = found?;
            let (value, threshold) = (score.band.to_owned(), bands.join(","));
            let all = vec![constant("band", Comparator::OneOf, value.clone(), threshold.clone())];
            (side, value, threshold, all)
        }
    };
    all.extend(rule.when.iter().flat_map(|when| comparisons::of(when, case)));
    let step = if side == Outcome::Refer { Step::Zone } else { Step::Cutoff };
    Some((side, fired(&rule.id, step, (Some(value), Some(threshold)), all)))
}

/// A rule without a truth.
pub(crate) fn failure(id: &str, step: Step, problem: &Problem) -> RuleFired {
    fired(id, step, (Some(format!("error: {}", problem.text)), None), Vec::new())
}

/// A rule whose truth hangs on a value outside its range.
pub(crate) fn doubt(case: &Case<'_>, id: &str, step: Step, when: &Condition) -> RuleFired {
    let (all, names) = when.doubted(case);
    fired(id, step, (Some(names), None), all)
}

fn fired(id: &str, step: Step, told: (Option<String>, Option<String>), comparisons: Vec<Comparison>) -> RuleFired {
    let short = |text: String| match text.len() > MAX_RECORDED_CHARS {
        true => text.chars().take(MAX_RECORDED_CHARS).collect(),
        false => text,
    };
    let (value, threshold) = (told.0.map(short), told.1.map(short));
    RuleFired { id: id.to_owned(), step: step.into(), value, threshold, comparisons }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_recorded_is_cut_at_the_bound_of_the_contract() {
        let text = |chars: usize| Some("ä".repeat(chars));
        for (given, expected) in
            [(1, 1), (MAX_RECORDED_CHARS, MAX_RECORDED_CHARS), (MAX_RECORDED_CHARS + 1, MAX_RECORDED_CHARS)]
        {
            let record = fired("r", Step::Zone, (text(given), text(given)), Vec::new());
            assert_eq!((record.value, record.threshold), (text(expected), text(expected)), "{given}");
        }
    }
}
