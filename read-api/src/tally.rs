//! PURE. Folds counted groups into figures with their rates, and scores into distributions. A rate without anything to divide by is absent, not zero.

use domain::Outcome;
use schemas::Word;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Points in a bin of a distribution.
pub(crate) const BIN_POINTS: i32 = 20;

/// Applications of one group with one outcome, counted by the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Outcome of the decision that stands; none before it.
    pub outcome: Option<Word<Outcome>>,
    /// Applications.
    pub applications: i64,
    /// Of them automatic: answered without a person ([`Outcome::ANSWERS`]).
    pub automatic: i64,
    /// Of them with a score.
    pub scored: i64,
    /// Of them unscorable.
    pub unscorable: i64,
    /// Of the scored those of class 1.
    pub risky: i64,
}

/// What became of a group of applications.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Figures {
    /// Applications, each by its newest revision.
    pub applications: i64,
    /// Of them decided.
    pub decided: i64,
    /// Decided, by outcome.
    pub outcomes: BTreeMap<String, i64>,
    /// Approved, of the decided.
    pub approval_rate: Option<f64>,
    /// Referred to a person, of the decided.
    pub referral_rate: Option<f64>,
    /// Declined, of the decided.
    pub decline_rate: Option<f64>,
    /// Automatic, of the decided: approved, countered or declined without a person. A referral waits for one.
    pub automatic_share: Option<f64>,
    /// Unscorable, of all that the scorer has seen.
    pub unscorable_share: Option<f64>,
    /// Class 1, of the scored.
    pub risky_share: Option<f64>,
}

/// Scores on one scale.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Distribution {
    /// Scale.
    pub scale_id: String,
    /// Scores.
    pub count: i64,
    /// The score in the middle.
    pub median: i32,
    /// Points in a bin.
    pub bin_points: i32,
    /// Bins that hold a score, lowest first.
    pub bins: Vec<Bin>,
}

/// Scores from `low` to just below the next bin.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Bin {
    /// Lowest points.
    pub low: i32,
    /// Scores.
    pub count: i64,
}

impl Distribution {
    /// Of the number of applications at each score; none without any.
    pub fn of(scale_id: String, scores: &BTreeMap<i32, i64>) -> Option<Self> {
        let count = scores.values().sum();
        let mut below = 0;
        let mut reaches_middle = |at: i64| {
            below += at;
            2 * below >= count
        };
        let median = scores.iter().find(|(_, at)| reaches_middle(**at)).map(|(score, _)| *score)?;
        let mut bins: BTreeMap<i32, i64> = BTreeMap::new();
        for (score, at) in scores {
            *bins.entry(score.div_euclid(BIN_POINTS) * BIN_POINTS).or_default() += at;
        }
        let bins = bins.into_iter().map(|(low, count)| Bin { low, count }).collect();
        Some(Self { scale_id, count, median, bin_points: BIN_POINTS, bins })
    }
}

/// Figures of a group from its parts by outcome.
pub fn figures<'a>(parts: impl IntoIterator<Item = &'a Counted>) -> Figures {
    let mut sum = Counted::default();
    let mut outcomes: BTreeMap<String, i64> = BTreeMap::new();
    for part in parts {
        sum.applications += part.applications;
        sum.automatic += part.automatic;
        sum.scored += part.scored;
        sum.unscorable += part.unscorable;
        sum.risky += part.risky;
        if let Some(outcome) = &part.outcome {
            *outcomes.entry(outcome.to_string()).or_default() += part.applications;
        }
    }
    let decided = outcomes.values().sum();
    let of_decided = |outcome: Outcome| share(outcomes.get(outcome.as_str()).copied().unwrap_or_default(), decided);
    Figures {
        applications: sum.applications,
        decided,
        approval_rate: of_decided(Outcome::Approve),
        referral_rate: of_decided(Outcome::Refer),
        decline_rate: of_decided(Outcome::Decline),
        automatic_share: share(sum.automatic, decided),
        unscorable_share: share(sum.unscorable, sum.unscorable + sum.scored),
        risky_share: share(sum.risky, sum.scored),
        outcomes,
    }
}

fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(outcome: Option<&str>, applications: i64, automatic: i64) -> Counted {
        let outcome = outcome.map(Word::parse);
        Counted { outcome, applications, automatic, scored: applications, unscorable: 0, risky: 1 }
    }

    #[test]
    fn rates_are_of_the_decided() {
        let parts = [
            counted(Some("approve"), 6, 6),
            counted(Some("refer"), 1, 0),
            counted(Some("decline"), 2, 1),
            counted(Some("postponed"), 1, 0),
            counted(None, 5, 0),
        ];
        let figures = figures(&parts);
        assert_eq!((figures.applications, figures.decided), (15, 10));
        assert_eq!(
            (figures.approval_rate, figures.referral_rate, figures.decline_rate),
            (Some(0.6), Some(0.1), Some(0.2))
        );
        assert_eq!(figures.automatic_share, Some(0.7));
        assert_eq!(figures.outcomes.get("postponed"), Some(&1), "an outcome of tomorrow is counted");
        assert_eq!((figures.unscorable_share, figures.risky_share), (Some(0.0), Some(5.0 / 15.0)));
    }

    #[test]
    fn scores_fall_into_bins_around_a_median() {
        let spread = |scores: &[(i32, i64)]| {
            let of = Distribution::of("s".to_owned(), &scores.iter().copied().collect())?;
            Some((of.count, of.median, of.bins.iter().map(|bin| (bin.low, bin.count)).collect::<Vec<_>>()))
        };
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[(619, 1)]), Some((1, 619, vec![(600, 1)])));
        assert_eq!(
            spread(&[(599, 2), (600, 1), (619, 1)]),
            Some((4, 599, vec![(580, 2), (600, 2)])),
            "the lower of two"
        );
        assert_eq!(spread(&[(-1, 1), (0, 3)]), Some((4, 0, vec![(-20, 1), (0, 3)])));
    }

    #[test]
    fn nothing_has_no_rate() {
        assert_eq!(figures([]), Figures::default());
        assert_eq!(figures(&[counted(None, 3, 0)]).approval_rate, None);
    }
}
