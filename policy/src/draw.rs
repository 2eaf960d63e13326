//! Made-up applications to try a condition on where nothing is proven: values around those that it names, words that it names, and things
//! that are absent. The same ones every time.

use crate::bounds::{Domain, Known, Start, Values};
use crate::case::Case;
use crate::condition::Condition;
use crate::sample;
use crate::vocabulary::VOCABULARY;
use domain::facts::Period;
use expressions::vocabulary::{Kind, Type};
use expressions::{Form, Literal};
use schemas::Word;
use schemas::application::{Debt, Facts, Income, WireMoney};
use schemas::risk::RiskEvent;
use serde_yaml_ng::{Mapping, Value};

/// Applications that a condition is tried on for each product.
pub(crate) const SAMPLE: usize = 2_000;

/// How often a condition held, and did not; where it was undetermined counts as neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sampled {
    pub held: usize,
    pub not: usize,
}

impl Sampled {
    /// Tries a condition.
    pub(crate) fn of(when: &Condition, product: &str, known: &Known, start: &Start<'_>) -> Self {
        let mut draw = Draw::of(when, known, start);
        (0..SAMPLE).fold(Self::default(), |sum, _| {
            let event = draw.event(product);
            match when.holds(&Case::of(&event)) {
                Ok(true) => Self { held: sum.held + 1, ..sum },
                Ok(false) => Self { not: sum.not + 1, ..sum },
                Err(_) => sum,
            }
        })
    }
}

struct Draw {
    state: u64,
    /// Single values that the condition reads, with what they may be.
    names: Vec<(String, Domain)>,
    numbers: Vec<f64>,
    texts: Vec<String>,
    features: Vec<String>,
}

impl Draw {
    fn of(when: &Condition, known: &Known, start: &Start<'_>) -> Self {
        let names = when.compiled().names();
        let tests = when.compiled().logic().tests();
        let literals: Vec<&Literal> = tests
            .iter()
            .flat_map(|test| match &test.form {
                Form::Compare(_, [_, right]) => right.literal.iter().collect::<Vec<_>>(),
                Form::In(_, list) => list.iter().collect(),
                Form::Has(_) | Form::Truth(_) => Vec::new(),
            })
            .collect();
        let numbers = literals.iter().filter_map(|literal| literal.value().number()).collect();
        let texts = literals.iter().filter_map(|literal| match literal {
            Literal::Text(text) => Some(text.clone()),
            _ => None,
        });
        let texts = texts.chain(names.words.into_iter().map(|held| held.word)).collect();
        let asked = tests.iter().filter_map(|test| match &test.form {
            Form::Has(name) => Some(name.clone()),
            _ => None,
        });
        let mut read: Vec<String> = names.read.into_iter().map(|read| read.name).chain(asked).collect();
        read.sort_unstable();
        read.dedup();
        let free = || Domain { values: None, absent: false, present: true };
        let names = read.into_iter().map(|name| {
            let domain = known.get(&name).cloned().or_else(|| start(&name)).unwrap_or_else(free);
            (name, domain)
        });
        Self { state: 1, names: names.collect(), numbers, texts, features: when.compiled().members("features") }
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

    /// A number around one that the condition names, or anywhere in its range.
    fn number(&mut self, (low, high): (f64, f64), is_whole: bool) -> f64 {
        let share = self.below(1_001) as f64 / 1_000.0;
        let wide = (high.min(1e7) - low.max(-1e7)).max(0.0);
        let number = match (self.numbers.is_empty(), self.below(4)) {
            (false, 0 | 1) => {
                let at = self.below(self.numbers.len());
                let near = self.numbers[at];
                let far = self.below(3) as f64 - 1.0;
                if is_whole { near + far } else { near * (1.0 + far * 0.01) + far * 0.001 }
            }
            (_, 2) => low.max(-1e7),
            _ => low.max(-1e7) + wide * share,
        };
        let number = number.clamp(low, high);
        if is_whole { number.floor() } else { number }
    }

    /// A text that the condition names, or one of two that it may not.
    fn text(&mut self, name: &str) -> String {
        let others = match name {
            "jurisdiction" => ["US-CA", "DE-BE"],
            "currency" => ["USD", "EUR"],
            _ => ["online", "partner"],
        };
        let at = self.below(self.texts.len() + others.len());
        let other = others[at.saturating_sub(self.texts.len()).min(1)];
        self.texts.get(at).cloned().unwrap_or_else(|| other.to_owned())
    }

    fn event(&mut self, product: &str) -> RiskEvent {
        let mut event = sample::event(&self.features.clone());
        event.product = product.to_owned();
        (event.facts.debts, event.facts.income) = (Some(self.debts()), self.incomes());
        for report in &mut event.reports {
            if !self.texts.is_empty() && self.below(2) == 0 {
                report.status = Word::parse(&self.text(""));
            }
        }
        let mut facts = Mapping::new();
        for (name, domain) in self.names.clone() {
            let is_absent = domain.absent && (!domain.present || self.below(6) == 0);
            let value = (!is_absent).then(|| self.value(&name, &domain));
            match name.strip_prefix("facts.") {
                Some(fact) => put(&mut facts, fact, value.unwrap_or(Value::Null)),
                None => set(&mut event, &name, value),
            }
        }
        if let Ok(told) = serde_yaml_ng::from_value::<Facts>(Value::Mapping(facts)) {
            event.facts = Facts { debts: event.facts.debts, income: event.facts.income, ..told };
        }
        for party in &mut event.parties {
            party.facts.debts = event.facts.debts.clone();
        }
        event
    }

    fn value(&mut self, name: &str, domain: &Domain) -> Value {
        let is_text = VOCABULARY.type_of(&name.split('.').collect::<Vec<_>>()) == Some(Type::Known(Kind::Text));
        match &domain.values {
            Some(Values::Range { low, high, is_whole: true }) => Value::from(self.number((*low, *high), true) as i64),
            Some(Values::Range { low, high, .. }) => Value::from(self.number((*low, *high), false)),
            Some(Values::Words(words)) => {
                let at = self.below(words.len());
                Value::from(words.iter().nth(at).cloned().unwrap_or_default())
            }
            Some(Values::Truth(_)) => Value::from(self.below(2) == 0),
            None if is_text => Value::from(self.text(name)),
            None => Value::from(self.number((-1e7, 1e7), false)),
        }
    }

    fn money(&mut self) -> WireMoney {
        WireMoney { amount_minor: self.number((0.0, 1e9), true) as i64, currency: "USD".into() }
    }

    fn debts(&mut self) -> Vec<Debt> {
        let count = self.below(3);
        let debt = |draw: &mut Self| Debt {
            kind: draw.text(""),
            balance: Some(draw.money()),
            payment: Some(draw.money()),
            period: Some(Period::Month.into()),
            evidence: Word::parse(["stated", "verified"][draw.below(2)]),
        };
        (0..count).map(|_| debt(self)).collect()
    }

    fn incomes(&mut self) -> Vec<Income> {
        let income = |draw: &mut Self| Income {
            amount: draw.money(),
            period: Period::Month.into(),
            basis: Word::parse("net"),
            evidence: Word::parse(["stated", "verified"][draw.below(2)]),
        };
        (0..self.below(2) + 1).map(|_| income(self)).collect()
    }
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
        None if ["debts", "income"].contains(&name) => {}
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
            let sampled = Sampled::of(&condition, "card", &Known::new(), &whole);
            assert_eq!((sampled.held > 0, sampled.not > 0), (held, not), "{source}: {sampled:?}");
            assert_eq!(
                sampled,
                Sampled::of(&condition, "card", &Known::new(), &whole),
                "{source}: the same every time"
            );
        }
    }
}
