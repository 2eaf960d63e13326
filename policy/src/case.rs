//! What a policy decides on: a score event as rules, conditions and reasons see it. Borrows everything and copies pointers alone; what
//! few rules ask for (parties, features, times) is read when it is asked for. With [`crate::facts`] the only file that knows how an
//! event is written.

use crate::facts::{Amount, Facts};
use chrono::{DateTime, Utc};
use domain::money::BadMoney;
use domain::{ApplicantKind, FeatureFlag, Intent, Money, ReportStatus, RequestType, Role, ScoreStatus};
use schemas::Word;
use schemas::risk::{CandidateReason, FeatureUsed, Party as CarriedParty, ReportUsed, RiskEvent, Subject, Times};

/// One application with its score. A word of tomorrow stays what it is: conditions see it, rules refer on it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'e> {
    pub(crate) tenant: &'e str,
    pub(crate) product: &'e str,
    pub(crate) intent: &'e Word<Intent>,
    pub(crate) request_type: &'e Word<RequestType>,
    pub(crate) channel: &'e str,
    pub(crate) jurisdiction: &'e str,
    /// The amount that is asked for, as it was published.
    pub(crate) requested: Amount<'e>,
    /// The same as money, or what is wrong with it.
    pub(crate) asked: Asked,
    /// Months; none for open-ended credit, or where nobody knows.
    pub(crate) term_months: Option<u32>,
    pub(crate) purpose: Option<&'e str>,
    pub(crate) status: &'e Word<ScoreStatus>,
    /// The score that was published, whatever the status says.
    pub(crate) score: Option<Score<'e>>,
    /// Of the primary applicant.
    pub(crate) facts: Facts<'e>,
    /// Whether the value of any feature was outside its range.
    pub(crate) has_clamped: bool,
    subjects: &'e [Subject],
    others: &'e [CarriedParty],
    features: &'e [FeatureUsed],
    reports: &'e [ReportUsed],
    reasons: &'e [CandidateReason],
    times: &'e Times,
}

/// The amount that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An amount.
    Amount(Money),
    /// In a currency that is none here.
    UnknownCurrency,
    /// In an amount that no record of ours holds.
    TooLarge,
}

/// A score, quantised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Score<'e> {
    /// Calibrated probability of default; in a damaged event it may lie outside 0..=1.
    pub pd: f64,
    /// 0 safe, 1 risky.
    pub class: u8,
    pub points: i32,
    /// Lowest and highest points.
    pub range: [i32; 2],
    pub scale_id: &'e str,
    pub band: &'e str,
}

/// One of those who apply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Party<'e> {
    pub role: &'e Word<Role>,
    /// Where the event says it.
    pub kind: Option<&'e Word<ApplicantKind>>,
    pub facts: Facts<'e>,
}

/// A bureau report that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report<'e> {
    pub source: &'e str,
    pub status: &'e Word<ReportStatus>,
    pub pulled_at: &'e str,
}

/// What made the score worse or better, with what the applicant is told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factor<'e> {
    pub code: &'e str,
    pub text: &'e str,
    pub form_c1: &'e str,
    /// HMDA reason for denial, 1..=9.
    pub hmda: u8,
    /// Its part of the margin; positive is riskier.
    pub contribution: f64,
    /// Names of the features behind it.
    pub features: &'e [String],
}

static PRIMARY: Word<Role> = Word::Known(Role::Primary);

impl<'e> Case<'e> {
    /// Reads an event.
    pub fn of(event: &'e RiskEvent) -> Self {
        Self {
            tenant: &event.application.tenant,
            product: &event.product,
            intent: &event.intent,
            request_type: &event.request_type,
            channel: &event.channel,
            jurisdiction: &event.jurisdiction,
            requested: Amount::of(&event.requested.amount),
            asked: match event.requested.amount.money() {
                Ok(money) => Asked::Amount(money),
                Err(BadMoney::UnknownCurrency(_)) => Asked::UnknownCurrency,
                Err(BadMoney::TooLarge(_)) => Asked::TooLarge,
            },
            term_months: event.requested.term_months,
            purpose: event.requested.purpose.as_deref(),
            status: &event.status,
            score: event.score.as_ref().map(|score| Score {
                pd: score.pd,
                class: score.class,
                points: score.score,
                range: score.range,
                scale_id: &score.scale_id,
                band: &score.band,
            }),
            facts: Facts::of(&event.facts),
            has_clamped: event.features.iter().any(is_clamped),
            subjects: &event.subjects,
            others: &event.parties,
            features: &event.features,
            reports: &event.reports,
            reasons: &event.reasons,
            times: &event.times,
        }
    }

    /// The score, where the event says that there is one.
    pub(crate) fn scored(&self) -> Option<&Score<'e>> {
        self.score.as_ref().filter(|_| self.status.is(ScoreStatus::Scored))
    }

    /// All parties, the primary first; `None` where the event does not carry all.
    pub(crate) fn parties(&self) -> Option<impl Iterator<Item = Party<'e>> + Clone + use<'e>> {
        let is_complete = self.subjects.len() <= 1 + self.others.len();
        let kind = self.subjects.first().map(|subject| &subject.kind);
        let primary = Party { role: &PRIMARY, kind, facts: self.facts };
        let carried = |other: &'e CarriedParty| Party {
            role: &other.role,
            kind: Some(&other.kind),
            facts: Facts::of(&other.facts),
        };
        is_complete.then(|| std::iter::once(primary).chain(self.others.iter().map(carried)))
    }

    /// Roles of those who applied, in the order of the event.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &'e Word<Role>> + use<'e> {
        self.subjects.iter().map(|subject| &subject.role)
    }

    /// The value of a feature that the model used; one that was missing or of an unknown category has none.
    pub(crate) fn feature(&self, name: &str) -> Option<f64> {
        value(self.features.iter().find(|feature| feature.name == name)?)
    }

    /// The features that have a value.
    pub(crate) fn known_features(&self) -> impl Iterator<Item = (&'e str, f64)> + use<'e> {
        self.features.iter().filter_map(|feature| Some((feature.name.as_str(), value(feature)?)))
    }

    /// Names of all features that the model used, whether or not they have a value.
    pub(crate) fn feature_names(&self) -> impl Iterator<Item = &'e str> + use<'e> {
        self.features.iter().map(|feature| feature.name.as_str())
    }

    /// What the model did to a feature, where it did anything.
    pub(crate) fn flag(&self, name: &str) -> Option<&'e Word<FeatureFlag>> {
        self.features.iter().find(|feature| feature.name == name)?.flag.as_ref()
    }

    /// Names of the features whose values were outside their ranges.
    pub(crate) fn clamped_features(&self) -> impl Iterator<Item = &'e str> + use<'e> {
        self.features.iter().filter(|feature| is_clamped(feature)).map(|feature| feature.name.as_str())
    }

    /// Bureau reports.
    pub(crate) fn reports(&self) -> impl ExactSizeIterator<Item = Report<'e>> + use<'e> {
        self.reports.iter().map(|report| Report {
            source: &report.source,
            status: &report.status,
            pulled_at: &report.pulled_at,
        })
    }

    /// Factors of the score, in the order of the event.
    pub(crate) fn factors(&self) -> impl Iterator<Item = Factor<'e>> + use<'e> {
        self.reasons.iter().map(|reason| Factor {
            code: &reason.code,
            text: &reason.text,
            form_c1: &reason.form_c1,
            hmda: reason.hmda,
            contribution: reason.contribution,
            features: &reason.features,
        })
    }

    /// When the application was complete; `None` where the event does not say it, or says no time.
    pub(crate) fn completed_at(&self) -> Option<DateTime<Utc>> {
        self.times.completed_at.as_deref().and_then(instant)
    }

    /// When the deployment first touched it; `None` where what the event says is no time.
    pub(crate) fn received_at(&self) -> Option<DateTime<Utc>> {
        instant(&self.times.received_at)
    }
}

/// What a feature is, where it has a value of its own; a flag of tomorrow is read as none.
fn value(feature: &FeatureUsed) -> Option<f64> {
    let is_known = feature.flag.as_ref().is_none_or(|flag| flag.is(FeatureFlag::Clamped));
    is_known.then(|| f64::from(feature.value))
}

/// Whether the model used a bound of its range in place of the value that was sent.
fn is_clamped(feature: &FeatureUsed) -> bool {
    feature.flag.as_ref().is_some_and(|flag| flag.is(FeatureFlag::Clamped))
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use schemas::application::WireMoney;

    #[test]
    fn a_feature_has_a_value_where_the_model_used_one() {
        use FeatureFlag::{Clamped, Missing, Unknown};
        let rows = [
            (None, Some(1.5)),
            (Some(Clamped.into()), Some(1.5)),
            (Some(Missing.into()), None),
            (Some(Unknown.into()), None),
            (Some(Word::parse("word_of_tomorrow")), None),
        ];
        for (flag, expected) in rows {
            let mut event = sample::event(&["a".to_owned()]);
            (event.features[0].value, event.features[0].flag) = (1.5, flag.clone());
            let case = Case::of(&event);
            assert_eq!(case.feature("a"), expected, "{flag:?}");
            assert_eq!(case.known_features().next(), expected.map(|value| ("a", value)), "{flag:?}");
            assert_eq!(case.feature_names().collect::<Vec<_>>(), ["a"], "{flag:?}");
            assert_eq!(case.feature("b"), None, "it is not among them");
        }
    }

    #[test]
    fn what_is_asked_for_is_money_or_says_why_not() {
        let rows =
            [(100, "USD", None), (100, "usd", Some(Asked::UnknownCurrency)), (i64::MAX, "USD", Some(Asked::TooLarge))];
        for (amount_minor, currency, expected) in rows {
            let mut event = sample::event(&[]);
            event.requested.amount = WireMoney { amount_minor, currency: currency.into() };
            let case = Case::of(&event);
            assert_eq!(Some(case.asked).filter(|asked| !matches!(asked, Asked::Amount(_))), expected, "{currency}");
            assert_eq!((case.requested.amount_minor, case.requested.currency), (amount_minor, currency));
        }
    }

    #[test]
    fn a_score_counts_where_the_status_says_so_and_is_seen_all_the_same() {
        let mut event = sample::event(&[]);
        for (status, counts) in [("scored", true), ("unscorable", false), ("guessed", false)] {
            event.status = Word::parse(status);
            let case = Case::of(&event);
            assert_eq!((case.scored().is_some(), case.score.is_some()), (counts, true), "{status}");
        }
    }
}
