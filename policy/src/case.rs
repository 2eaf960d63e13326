//! What a policy decides on: a score event read into domain types, once. Conditions read the event beside it, because they name what
//! was published, words of tomorrow among it.

use domain::money::BadMoney;
use domain::{Intent, Money, RequestType, ScoreStatus};
use schemas::risk::{RiskEvent, Score};

/// One score event, as rules see it. A word that is not known here is none.
#[derive(Debug, Clone, Copy)]
pub struct Case<'e> {
    /// Product.
    pub product: &'e str,
    /// What is wanted.
    pub intent: Option<Intent>,
    /// What kind of request it is.
    pub request_type: Option<RequestType>,
    /// Whether there is a score.
    pub status: Option<ScoreStatus>,
    /// What is asked for, or what is wrong with it.
    pub asked: Asked,
    /// Months; none for open-ended credit, or where nobody knows.
    pub term_months: Option<u32>,
    /// The score, where the event says that there is one.
    pub score: Option<&'e Score>,
    /// As it was published.
    pub(crate) event: &'e RiskEvent,
}

/// The amount that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// An amount.
    Amount(Money),
    /// In a currency that is none here.
    UnknownCurrency,
    /// In an amount that no record of ours holds.
    TooLarge,
}

impl<'e> Case<'e> {
    /// Reads an event.
    pub fn of(event: &'e RiskEvent) -> Self {
        let status = event.status.known();
        Self {
            product: &event.product,
            intent: event.intent.known(),
            request_type: event.request_type.known(),
            status,
            asked: match event.requested.amount.money() {
                Ok(money) => Asked::Amount(money),
                Err(BadMoney::UnknownCurrency(_)) => Asked::UnknownCurrency,
                Err(BadMoney::TooLarge(_)) => Asked::TooLarge,
            },
            term_months: event.requested.term_months,
            score: event.score.as_ref().filter(|_| status == Some(ScoreStatus::Scored)),
            event,
        }
    }
}
