//! What a body means, held against the contract: identifiers, closed lists, money, times, the order of applicants. Sees one
//! parsed body and collects every fault in it, up to a bound; never changes anything.

use crate::amounts;
use crate::refusal::{Fault, MAX_FAULTS, Reason};
use crate::rules::{Rules, limit};
use chrono::{DateTime, NaiveDate};
use domain::{ApplicationId, Currency, Money, Revision, Tenant, Worded};
use runtime::clock;
use schemas::Word;
use schemas::application::{Application, WireMoney, Withdrawal};
use schemas::reply::Expected;

/// The earliest date that facts may describe.
const EARLIEST: NaiveDate = NaiveDate::from_ymd_opt(1900, 1, 1).expect("a calendar day");
/// 1900-01-01T00:00:00Z in milliseconds since 1970.
const EARLIEST_MS: i64 = -2_208_988_800_000;
const DAY_MS: i64 = 86_400_000;

/// Every fault of an application that was sent by `tenant` and touched at `now_ms`.
pub fn application(body: &Application, tenant: &Tenant, rules: &Rules, now_ms: i64) -> Vec<Fault> {
    let mut check = Check { rules, now_ms, faults: Vec::new() };
    check.identity(&body.tenant, &body.application_id, tenant);
    check.that(Revision::new(body.revision).is_ok(), Reason::BadIdentifier, || "/revision".into());
    check.or(rules.has_product(&body.product), || {
        let words = rules.products.keys().cloned().collect();
        Fault::new(Reason::UnknownProduct, "/product".into()).expecting(Expected { words, ..Expected::default() })
    });
    check.known(&body.intent, || "/intent".into());
    check.known(&body.request_type, || "/request_type".into());
    check.token(&body.channel, || "/channel".into());
    check.that(is_subdivision(&body.jurisdiction), Reason::BadValue, || "/jurisdiction".into());
    check.requested(body);
    check.securities(body);
    check.submission(&body.submitted_at, || "/submitted_at".into());
    if let Some(completed_at) = &body.completed_at {
        check.submission(completed_at, || "/completed_at".into());
    }
    check.date(&body.as_of, || "/as_of".into());
    check.applicants(&body.applicants);
    check.at_most(limit::ATTRIBUTES, body.attributes.len(), || "/attributes".into());
    check.faults
}

/// Every fault of a withdrawal.
pub fn withdrawal(body: &Withdrawal, tenant: &Tenant, rules: &Rules, now_ms: i64) -> Vec<Fault> {
    let mut check = Check { rules, now_ms, faults: Vec::new() };
    check.identity(&body.tenant, &body.application_id, tenant);
    check.submission(&body.withdrawn_at, || "/withdrawn_at".into());
    if let Some(reason) = &body.reason {
        check.code(reason, || "/reason".into());
    }
    check.faults
}

pub(crate) struct Check<'r> {
    rules: &'r Rules,
    now_ms: i64,
    faults: Vec<Fault>,
}

/// Each rule takes the place as a closure: a good body builds no pointer.
impl Check<'_> {
    pub(crate) fn that(&mut self, holds: bool, reason: Reason, at: impl FnOnce() -> String) {
        self.or(holds, || Fault::new(reason, at()));
    }

    /// The same where there is more to say than the published schema does.
    pub(crate) fn or(&mut self, holds: bool, fault: impl FnOnce() -> Fault) {
        if !holds && self.faults.len() < MAX_FAULTS {
            self.faults.push(fault());
        }
    }

    /// A word that is known here.
    pub(crate) fn known<T: Worded>(&mut self, word: &Word<T>, at: impl FnOnce() -> String) {
        self.that(word.known().is_some(), Reason::UnknownWord, at);
    }

    /// The same of a word that may be left out.
    pub(crate) fn known_if_said<T: Worded>(&mut self, word: &Option<Word<T>>, at: impl FnOnce() -> String) {
        self.that(word.as_ref().is_none_or(|word| word.known().is_some()), Reason::UnknownWord, at);
    }

    /// A token is `[a-z_]{1,64}`.
    pub(crate) fn token(&mut self, text: &str, at: impl FnOnce() -> String) {
        let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        self.that((1..=64).contains(&text.len()) && letters, Reason::BadValue, at);
    }

    /// A code is `[a-z0-9_]{1,64}`.
    fn code(&mut self, text: &str, at: impl FnOnce() -> String) {
        let sound = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        self.that((1..=64).contains(&text.len()) && sound, Reason::BadValue, at);
    }

    /// A sender's own text: some characters, none of them a control character.
    pub(crate) fn reference(&mut self, text: &str, longest: usize, at: impl FnOnce() -> String) {
        let fits = !text.is_empty() && text.chars().count() <= longest;
        self.that(fits && !text.contains(char::is_control), Reason::BadValue, at);
    }

    pub(crate) fn at_most(&mut self, bound: usize, len: usize, at: impl FnOnce() -> String) {
        self.that(len <= bound, Reason::TooMany, at);
    }

    /// Money of at least `least` minor units, where a least is given.
    pub(crate) fn money(&mut self, money: &WireMoney, least: Option<i64>, at: impl Fn() -> String) {
        let currency = Currency::parse(&money.currency);
        self.that(currency.is_ok(), Reason::UnknownCurrency, || at() + "/currency");
        if let Ok(currency) = currency {
            let fits = least.is_none_or(|least| money.amount_minor >= least)
                && Money::new(money.amount_minor, currency).is_ok();
            self.that(fits, Reason::BadAmount, || at() + "/amount_minor");
        }
    }

    /// A moment that is not in the future and not absurd.
    pub(crate) fn moment(&mut self, text: &str, at: impl FnOnce() -> String) {
        self.time(text, EARLIEST_MS, at);
    }

    fn submission(&mut self, text: &str, at: impl FnOnce() -> String) {
        self.time(text, self.now_ms - self.rules.oldest_submission_ms, at);
    }

    fn time(&mut self, text: &str, earliest_ms: i64, at: impl FnOnce() -> String) {
        // The contract wants UTC: an offset would be a second way to write the same instant.
        let is_utc = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
        match DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis()) {
            Ok(_) if !is_utc => self.that(false, Reason::BadTime, at),
            Err(_) => self.that(false, Reason::BadTime, at),
            Ok(ms) => {
                let latest_ms = self.now_ms + self.rules.clock_skew_ms;
                let reason = if ms > latest_ms { Reason::FutureTime } else { Reason::AncientTime };
                self.or((earliest_ms..=latest_ms).contains(&ms), || {
                    let text = |ms| DateTime::from_timestamp_millis(ms).map(clock::rfc3339);
                    outside(reason, at(), text(earliest_ms), text(latest_ms))
                });
            }
        }
    }

    /// A calendar day; tomorrow is allowed, because it has begun somewhere.
    pub(crate) fn date(&mut self, text: &str, at: impl FnOnce() -> String) {
        let tomorrow = DateTime::from_timestamp_millis(self.now_ms + DAY_MS).map(|time| time.date_naive());
        match parse_date(text) {
            None => self.that(false, Reason::BadTime, at),
            Some(date) => {
                let is_future = tomorrow.is_some_and(|tomorrow| date > tomorrow);
                let reason = if is_future { Reason::FutureTime } else { Reason::AncientTime };
                self.or(!is_future && date >= EARLIEST, || {
                    outside(reason, at(), Some(EARLIEST.to_string()), tomorrow.map(|day| day.to_string()))
                });
            }
        }
    }

    fn identity(&mut self, tenant: &str, application_id: &str, bound: &Tenant) {
        if Tenant::new(tenant).is_err() {
            self.that(false, Reason::BadIdentifier, || "/tenant".into());
        } else {
            self.or(tenant == bound.as_str(), || {
                let words = vec![bound.as_str().to_owned()];
                Fault::new(Reason::TenantMismatch, "/tenant".into())
                    .expecting(Expected { words, ..Expected::default() })
            });
        }
        self.that(ApplicationId::new(application_id).is_ok(), Reason::BadIdentifier, || "/application_id".into());
    }

    fn requested(&mut self, body: &Application) {
        let before = self.faults.len();
        self.money(&body.requested.amount, Some(1), || "/requested/amount".into());
        // One that is in no list at all: the product knows better than ISO 4217 which is taken.
        let rules = self.rules;
        let lent = rules.currencies_of(&body.product);
        for fault in self.faults[before..].iter_mut().filter(|fault| fault.reason == Reason::UnknownCurrency) {
            fault.expected = (!lent.is_empty()).then(|| Box::new(amounts::expected(lent)));
        }
        self.lent(body);
        let term = body.requested.term_months.unwrap_or(1);
        self.that((1..=limit::TERM_MONTHS).contains(&term), Reason::BadValue, || "/requested/term_months".into());
        if let Some(purpose) = &body.requested.purpose {
            self.token(purpose, || "/requested/purpose".into());
        }
    }

    /// What is asked for is in a currency of its product. One that is in no list at all is told as such.
    fn lent(&mut self, body: &Application) {
        let (lent, asked) = (self.rules.currencies_of(&body.product), &body.requested.amount.currency);
        let fits = lent.is_empty() || lent.iter().any(|currency| currency.code() == asked);
        if !fits && Currency::parse(asked).is_ok() {
            let fault = Fault::new(Reason::CurrencyNotOfProduct, "/requested/amount/currency".into());
            self.or(false, || fault.expecting(amounts::expected(lent)));
        }
    }

    fn securities(&mut self, body: &Application) {
        self.at_most(limit::ELEMENTS, body.collateral.len(), || "/collateral".into());
        for (i, collateral) in body.collateral.iter().enumerate() {
            self.token(&collateral.kind, || format!("/collateral/{i}/kind"));
            if let Some(value) = &collateral.value {
                self.money(value, Some(0), || format!("/collateral/{i}/value"));
            }
            if let Some(valued_at) = &collateral.valued_at {
                self.date(valued_at, || format!("/collateral/{i}/valued_at"));
            }
        }
        self.at_most(limit::DOCUMENTS, body.documents.len(), || "/documents".into());
        for (i, document) in body.documents.iter().enumerate() {
            self.reference(&document.id, limit::ID_CHARS, || format!("/documents/{i}/id"));
            self.token(&document.kind, || format!("/documents/{i}/kind"));
            let digest = domain::Digest::parse(&document.sha256);
            self.that(digest.is_ok(), Reason::BadValue, || format!("/documents/{i}/sha256"));
        }
    }
}

/// A time or a day that is one, too early or too late.
fn outside(reason: Reason, pointer: String, earliest: Option<String>, latest: Option<String>) -> Fault {
    let types = vec!["string".to_owned()];
    Fault::new(reason, pointer).expecting(Expected { types, earliest, latest, ..Expected::default() })
}

/// The shape of ISO 3166-2: a country's two letters, a bar, one to three letters or digits.
fn is_subdivision(text: &str) -> bool {
    let Some((country, part)) = text.split_once('-') else { return false };
    let letters = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
    letters && (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// `YYYY-MM-DD` and nothing else.
pub(crate) fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if shaped { text.parse().ok() } else { None }
}
