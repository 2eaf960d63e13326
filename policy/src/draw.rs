//! Made-up applications to try a condition on where nothing is proven: values around those that it names, texts of those that it names,
//! parties of every kind, and things that are absent. The same ones every time. Where a condition asks for what only chance would meet,
//! nothing is tried.

use crate::bounds::{Domain, Known, Start, Values};
use crate::case::Case;
use crate::condition::Condition;
use crate::sample::{self, MAX_LISTED, MAX_OTHERS};
use crate::vocabulary::VOCABULARY;
use domain::facts::Period;
use domain::{ApplicantKind, Role, Worded};
use expressions::Literal;
use expressions::vocabulary::{Kind, Type};
use schemas::Word;
use schemas::application::{Debt, Facts, Income, WireMoney};
use schemas::risk::{Party, ReportUsed, RiskEvent};
use serde_yaml_ng::{Mapping, Value};

/// Applications that a condition is tried on for each product.
pub(crate) const SAMPLE: usize = 2_000;
/// So many of a sample must have a truth before anything is said of it.
const ENOUGH: usize = SAMPLE / 10;
/// The functions whose arguments made-up applications are drawn for; others, such as `matches`, ask for what is not drawn.
const DRAWN: [&str; 7] = ["size", "contains", "startsWith", "endsWith", "int", "uint", "double"];
/// Names of what one party has beside another; where none is read, the other parties stay as they are.
const OF_ALL: [&str; 7] = ["facts", "parties", "co_applicants", "guarantors", "incomes", "debts", "debt_to_income"];

/// How often a condition held, and did not; where it was undetermined counts as neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sampled {
    pub held: usize,
    pub not: usize,
}

impl Sampled {
    /// Tries a condition on applications of each of what is known, until it has seen both truths.
    pub(crate) fn of(when: &Condition, product: &str, known: &[Known], start: &Start<'_>) -> Self {
        let mut sum = Self::default();
        if known.is_empty() || !is_drawn(when) {
            return sum;
        }
        let mut draws: Vec<Draw> = known.iter().map(|known| Draw::of(when, known, start)).collect();
        for at in 0..SAMPLE {
            if sum.held > 0 && sum.not > 0 {
                break;
            }
            let turn = at % draws.len();
            let event = draws[turn].event(product);
            match when.holds(&Case::of(&event)) {
                Ok(true) => sum.held += 1,
                Ok(false) => sum.not += 1,
                Err(_) => {}
            }
        }
        sum
    }

    /// The truth that it had alone, where it had one often enough.
    pub(crate) fn alone(self) -> Option<bool> {
        match (self.held, self.not) {
            (0, not) if not >= ENOUGH => Some(false),
            (held, 0) if held >= ENOUGH => Some(true),
            _ => None,
        }
    }
}

/// Whether made-up applications vary all that a condition asks for.
fn is_drawn(when: &Condition) -> bool {
    let against = when.compiled().against();
    let read = when.compiled().names().read;
    !against.has_computed_equality
        && against.functions.iter().all(|name| DRAWN.contains(&name.as_str()))
        && !read.iter().any(|read| read.name == "features")
}

struct Draw {
    state: u64,
    /// Single values beside facts that the condition reads, with what they may be.
    names: Vec<(String, Domain)>,
    /// Facts, with what they may be of the primary and of another party.
    facts: Vec<(String, [Domain; 2])>,
    numbers: Vec<f64>,
    /// Whole numbers that may be a count.
    counts: Vec<usize>,
    texts: Vec<String>,
    /// Texts that stand beside a name.
    beside: Vec<(String, String)>,
    features: Vec<String>,
    /// Whether facts are read, or what all parties have.
    has_parties: bool,
}

impl Draw {
    fn of(when: &Condition, known: &Known, start: &Start<'_>) -> Self {
        let compiled = when.compiled();
        let against = compiled.against();
        let numbers: Vec<f64> = against.literals.iter().filter_map(|literal| literal.value().number()).collect();
        let texts = against.literals.iter().filter_map(|literal| match literal {
            Literal::Text(text) => Some(text.clone()),
            _ => None,
        });
        let is_count = |number: &f64| number.fract() == 0.0 && (0.0..=256.0).contains(number);
        let features = compiled.members("features");
        let read = compiled.names().read.into_iter().map(|read| read.name);
        let read = read.filter(|name| VOCABULARY.is_value(&name.split('.').collect::<Vec<_>>()));
        let mut read: Vec<String> = read.filter(|name| !is_fact(name) && !name.starts_with("features.")).collect();
        read.extend(features.iter().map(|name| format!("features.{name}")));
        read.sort_unstable();
        read.dedup();
        let anyones = |name: &str| start(name).unwrap_or(Domain { values: None, absent: false, present: true });
        let own = |name: &str| known.get(name).cloned().unwrap_or_else(|| anyones(name));
        let facts = VOCABULARY.values().into_iter().map(|(name, _)| name).filter(|name| is_fact(name));
        Self {
            state: 1,
            names: read.into_iter().map(|name| (name.clone(), own(&name))).collect(),
            facts: facts.map(|name| (name.clone(), [own(&name), anyones(&name)])).collect(),
            counts: numbers.iter().filter(|number| is_count(number)).map(|number| *number as usize).collect(),
            numbers,
            texts: texts.collect(),
            beside: against.texts,
            features,
            has_parties: compiled.variables().iter().any(|name| OF_ALL.contains(&name.as_str())),
        }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let at = self.below(of.len());
        of.get(at).cloned()
    }

    fn word<T: Worded>(&mut self) -> Word<T> {
        let at = self.below(T::ALL.len());
        Word::parse(T::ALL[at].as_str())
    }

    /// A number around one that the condition names, of any size, or anywhere in its range.
    fn number(&mut self, (low, high): (f64, f64), is_whole: bool) -> f64 {
        let share = self.below(1_001) as f64 / 1_000.0;
        let (from, to) = (low.max(-1e7), high.min(1e7));
        let number = match (self.numbers.is_empty(), self.below(6)) {
            (false, 0..=2) => {
                let at = self.below(self.numbers.len());
                let near = self.numbers[at];
                let far = self.below(3) as f64 - 1.0;
                if is_whole { near + far } else { near * (1.0 + far * 0.01) + far * 0.001 }
            }
            (_, 3) => from,
            (_, 4) => 10f64.powf(15.0 * share),
            _ => from + (to - from).max(0.0) * share,
        };
        let number = number.clamp(low, high);
        if is_whole { number.floor() } else { number }
    }

    /// How many there are: few, or about as many as the condition names.
    fn count(&mut self, most: usize) -> usize {
        let near = match self.below(4) {
            0 => self.one(&self.counts.clone()),
            _ => None,
        };
        let count = match near {
            Some(near) => (near + self.below(3)).saturating_sub(1),
            None => self.below(4),
        };
        count.min(most)
    }

    /// A text made of those that the condition names, as a whole, at either end or inside; of about such a length; or another.
    fn text(&mut self, name: &str) -> String {
        let others = match name {
            "jurisdiction" => ["US-CA", "DE-BE"],
            "currency" => ["USD", "EUR"],
            _ => ["online", "partner"],
        };
        let own: Vec<String> = self.beside.iter().filter(|(of, _)| of == name).map(|(_, text)| text.clone()).collect();
        let named = if own.is_empty() || self.below(4) == 0 { self.texts.clone() } else { own };
        match self.below(6) {
            0 | 1 if !named.is_empty() => self.one(&named).unwrap_or_default(),
            2 | 3 if !named.is_empty() => {
                let before = self.below(2) * 3;
                let mut text = self.letters(before);
                for _ in 0..=self.below(3) {
                    text += &self.one(&named).unwrap_or_default();
                }
                let behind = self.below(2) * 3;
                text + &self.letters(behind)
            }
            4 => {
                let len = self.count(256);
                self.letters(len)
            }
            _ => self.one(&others).unwrap_or_default().to_owned(),
        }
    }

    fn letters(&mut self, len: usize) -> String {
        const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..len).map(|_| char::from(LETTERS[self.below(LETTERS.len())])).collect()
    }

    fn event(&mut self, product: &str) -> RiskEvent {
        let mut event = sample::event(&self.features.clone());
        event.product = product.to_owned();
        for (name, domain) in self.names.clone() {
            let value = self.perhaps(&name, &domain);
            set(&mut event, &name, value);
        }
        let reports = self.count(MAX_LISTED);
        event.reports = (0..reports).map(|_| self.report()).collect();
        if self.has_parties {
            // Half of them in one currency, period and basis: where those differ, much is not known.
            let one = (self.below(2) == 0).then(|| event.requested.amount.currency.clone());
            event.facts = self.facts(0, one.as_deref());
            let others = self.count(MAX_OTHERS);
            let role = self.below(3);
            event.parties = (0..others).map(|_| self.party(role, one.as_deref())).collect();
            event.subjects = sample::subjects(self.word::<ApplicantKind>(), &event.parties);
        }
        event
    }

    fn party(&mut self, role: usize, one: Option<&str>) -> Party {
        let at = if role < 2 { role } else { self.below(2) };
        let role = [Role::CoApplicant, Role::Guarantor][at];
        Party { role: role.into(), kind: self.word(), facts: self.facts(1, one) }
    }

    fn report(&mut self) -> ReportUsed {
        let of = |draw: &mut Self, usual: &str| if draw.below(2) == 0 { draw.text("") } else { usual.to_owned() };
        ReportUsed {
            source: of(self, "bureau"),
            report_id: "r".into(),
            status: self.word(),
            pulled_at: of(self, "2026-01-01T00:00:00Z"),
        }
    }

    /// Facts of the primary, or of another one.
    fn facts(&mut self, whose: usize, one: Option<&str>) -> Facts {
        let mut facts = Mapping::new();
        for (name, domains) in self.facts.clone() {
            let value = self.perhaps(&name, &domains[whose]);
            put(&mut facts, name.trim_start_matches("facts."), value.unwrap_or(Value::Null));
        }
        let told = serde_yaml_ng::from_value::<Facts>(Value::Mapping(facts)).unwrap_or_default();
        let (debts, incomes) = (self.count(MAX_LISTED), self.count(MAX_LISTED));
        // Not asked for, now and then.
        let debts = (self.below(8) > 0).then(|| (0..debts).map(|_| self.debt(one)).collect());
        let income = (0..incomes).map(|_| self.income(one)).collect();
        Facts { debts, income, ..told }
    }

    fn perhaps(&mut self, name: &str, domain: &Domain) -> Option<Value> {
        let is_absent = domain.absent && (!domain.present || self.below(6) == 0);
        (!is_absent).then(|| self.value(name, domain))
    }

    fn value(&mut self, name: &str, domain: &Domain) -> Value {
        let of = VOCABULARY.type_of(&name.split('.').collect::<Vec<_>>());
        match &domain.values {
            Some(Values::Range { low, high, is_whole: true }) => Value::from(self.number((*low, *high), true) as i64),
            Some(Values::Range { low, high, .. }) => Value::from(self.number((*low, *high), false)),
            Some(Values::Words(words)) => {
                let at = self.below(words.len());
                Value::from(words.iter().nth(at).cloned().unwrap_or_default())
            }
            Some(Values::Truth([true, true])) => Value::from(self.below(2) == 0),
            Some(Values::Truth([_, truth])) => Value::from(*truth),
            None => match of {
                Some(Type::Known(Kind::Text)) => Value::from(self.text(name)),
                Some(Type::Known(Kind::Bool)) => Value::from(self.below(2) == 0),
                Some(Type::Known(Kind::Int)) => Value::from(self.number((0.0, 1e6), true) as i64),
                _ => Value::from(self.number((-1e15, 1e15), false)),
            },
        }
    }

    fn money(&mut self, one: Option<&str>) -> WireMoney {
        let currency = one.map_or_else(|| self.text("currency"), str::to_owned);
        WireMoney { amount_minor: self.number((0.0, 1e15), true) as i64, currency }
    }

    fn period(&mut self, one: Option<&str>) -> Word<Period> {
        if one.is_some() { Period::Month.into() } else { self.word() }
    }

    fn debt(&mut self, one: Option<&str>) -> Debt {
        let is_there = one.is_some() || self.below(4) > 0;
        Debt {
            kind: self.text(""),
            balance: is_there.then(|| self.money(one)),
            payment: is_there.then(|| self.money(one)),
            period: is_there.then(|| self.period(one)),
            evidence: self.word(),
        }
    }

    fn income(&mut self, one: Option<&str>) -> Income {
        let basis = if one.is_some() { Word::parse("net") } else { self.word() };
        Income { amount: self.money(one), period: self.period(one), basis, evidence: self.word() }
    }
}

fn is_fact(name: &str) -> bool {
    name.starts_with("facts.")
}

/// Puts a fact in its group.
fn put(facts: &mut Mapping, name: &str, value: Value) {
    match name.split_once('.') {
        Some((group, member)) => {
            let group = facts.entry(Value::from(group)).or_insert_with(|| Value::Mapping(Mapping::new()));
            if let Value::Mapping(group) = group {
                group.insert(Value::from(member), value);
            }
        }
        None => {
            facts.insert(Value::from(name), value);
        }
    }
}

/// Sets what is no fact; what is no single value stays as it is.
fn set(event: &mut RiskEvent, name: &str, value: Option<Value>) {
    let text = value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let number = value.as_ref().and_then(|value| value.as_f64().or_else(|| value.as_i64().map(|whole| whole as f64)));
    let whole = number.unwrap_or_default() as i64;
    if is_of_score(name) && value.is_none() {
        event.score = None;
    }
    match (name, &mut event.score) {
        ("channel", _) => event.channel = text.unwrap_or_default(),
        ("jurisdiction", _) => event.jurisdiction = text.unwrap_or_else(|| event.jurisdiction.clone()),
        ("currency", _) => event.requested.amount.currency = text.unwrap_or_default(),
        ("intent", _) => event.intent = Word::parse(&text.unwrap_or_default()),
        ("request_type", _) => event.request_type = Word::parse(&text.unwrap_or_default()),
        ("purpose", _) => event.requested.purpose = text,
        ("amount_minor", _) => event.requested.amount.amount_minor = whole,
        ("term_months", _) => event.requested.term_months = number.map(|months| months as u32),
        ("pd", Some(score)) => score.pd = number.unwrap_or_default(),
        ("score", Some(score)) => score.score = whole as i32,
        ("class", Some(score)) => score.class = whole as u8,
        ("band", Some(score)) => score.band = text.unwrap_or_default(),
        (name, _) => {
            let Some(feature) = name.strip_prefix("features.") else { return };
            match number {
                Some(number) => {
                    let used = event.features.iter_mut().filter(|used| used.name == feature);
                    used.for_each(|used| used.value = number as f32);
                }
                None => event.features.retain(|used| used.name != feature),
            }
        }
    }
}

fn is_of_score(name: &str) -> bool {
    ["pd", "score", "class", "band"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_meets_both_truths_of_what_may_be_either() {
        let rows = [
            ("amount_minor > 500 && channel == 'web'", true, true),
            ("debts.sum(d, d.monthly_minor) > 250000.0", true, true),
            ("jurisdiction.startsWith('US-')", true, true),
            ("amount_minor * 0 > 1", false, true),
            ("facts.employment.tenure_months > 5 && facts.employment.tenure_months < 7", true, true),
        ];
        let whole = |name: &str| match name {
            "amount_minor" | "facts.employment.tenure_months" => {
                let values = Some(Values::Range { low: 0.0, high: 1e6, is_whole: true });
                Some(Domain { values, absent: name != "amount_minor", present: true })
            }
            _ => None,
        };
        for (source, held, not) in rows {
            let condition = Condition::parse(source).expect(source);
            let sampled = Sampled::of(&condition, "card", &[Known::new()], &whole);
            assert_eq!((sampled.held > 0, sampled.not > 0), (held, not), "{source}: {sampled:?}");
            assert_eq!(
                sampled,
                Sampled::of(&condition, "card", &[Known::new()], &whole),
                "{source}: the same every time"
            );
        }
    }
}
