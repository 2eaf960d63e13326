//! A score event as CEL's variables, built once for what an expression asks for, and how large those may be. Never shows more
//! than [`vocabulary`].

use crate::vocabulary::{self, GROUPS, SCALARS, Value, Var};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use expressions::sizes::{self, Container, Gauge, Sizes};
use schemas::application::{Debt, Income, WireMoney};
use schemas::risk::{ReportUsed, RiskEvent};
use std::collections::HashMap;
use std::sync::OnceLock;

/// How large an event is at most: the bounds of the contract (`schemas/json/common.v1.json`), and short words.
pub(crate) static SCOPE: sizes::Scope = sizes::Scope {
    containers: &[
        Container { name: "facts", len: 64, item: 2, weight: 8_192 },
        Container { name: "features", len: 512, item: 5, weight: 3_072 },
        Container { name: "reports", len: 64, item: 12, weight: 1_024 },
        Container { name: "income", len: 64, item: 16, weight: 1_024 },
        Container { name: "debts", len: 256, item: 24, weight: 6_144 },
    ],
    other: Container { name: "", len: 16, item: 4, weight: 32 },
    text: 256,
    built: &["facts", "features", "reports"],
    is_scalar: |path| Var::of_path(path).is_some(),
};

/// The variables of one event.
pub(crate) struct Scope<'a> {
    event: &'a RiskEvent,
    facts: OnceLock<Boxed<'a>>,
    features: OnceLock<Boxed<'a>>,
    reports: OnceLock<Boxed<'a>>,
}

type Boxed<'v> = Box<dyn Val + 'v>;
type Entries<'v> = HashMap<CelMapKey<'v>, Boxed<'v>>;

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let built = match variable {
            "facts" => self.facts.get_or_init(|| map(self.facts())),
            "features" => self.features.get_or_init(|| map(self.features())),
            "reports" => self.reports.get_or_init(|| list(self.event.reports.iter().map(report))),
            name => return named(self.event, name),
        };
        Some(CowVal::Borrowed(built.as_ref()))
    }
}

/// CEL asks for the longest dotted name first, so that a scalar is found without building the map around it.
fn named<'b>(event: &'b RiskEvent, name: &str) -> Option<CowVal<'b, 'b>> {
    let mut parts = name.splitn(4, '.');
    let path = [parts.next()?, parts.next().unwrap_or_default(), parts.next().unwrap_or_default()];
    let depth = path.iter().take_while(|part| !part.is_empty()).count();
    let var = if parts.next().is_some() { None } else { Var::of_path(&path[..depth]) }?;
    var.get(event).map(|value| CowVal::Owned(boxed(value)))
}

/// How large what an event shows is: a value and its key count one each, and a long text more.
pub(crate) fn sizes(event: &RiskEvent) -> Sizes {
    let mut gauge = Gauge::new(&SCOPE);
    SCALARS.iter().filter_map(|scalar| (scalar.get)(event)).for_each(|value| {
        weigh(&mut gauge, value);
    });
    let known = vocabulary::facts().filter_map(|fact| (fact.get)(&event.facts));
    let facts: u64 = known.map(|value| weigh(&mut gauge, value)).sum();
    let income = each(&mut gauge, "income", &event.facts.income, |gauge, income| {
        let words = [&income.period, &income.basis, &income.evidence].map(|word| 1 + gauge.text(word.len()));
        words.iter().sum::<u64>() + weigh_money(gauge, &income.amount)
    });
    let debts = each(&mut gauge, "debts", &event.facts.debts, |gauge, debt| {
        let words = [Some(&debt.kind), Some(&debt.evidence), debt.period.as_ref()];
        let words: u64 = words.into_iter().flatten().map(|word| 1 + gauge.text(word.len())).sum();
        let amounts = [&debt.balance, &debt.payment].into_iter().flatten();
        words + amounts.map(|amount| weigh_money(gauge, amount)).sum::<u64>()
    });
    gauge.container("facts", 0, 0, facts + income + debts + 2 * GROUPS.len() as u64);
    each(&mut gauge, "reports", &event.reports, |gauge, report| {
        [report.source.as_str(), report.status.as_str(), report.pulled_at.as_str()]
            .map(|word| 1 + gauge.text(word.len()))
            .iter()
            .sum()
    });
    let names = event.features.iter().map(|feature| gauge.text(feature.name.len())).collect::<Vec<_>>();
    let weight = names.iter().map(|name| 1 + name).sum();
    gauge.container("features", names.len(), names.iter().copied().max().unwrap_or(0), weight);
    gauge.sizes()
}

/// Takes note of a list under its name, and gives its weight.
fn each<T>(gauge: &mut Gauge<'_>, name: &str, items: &[T], weigh: impl Fn(&mut Gauge<'_>, &T) -> u64) -> u64 {
    let weights: Vec<u64> = items.iter().map(|item| 1 + weigh(gauge, item)).collect();
    gauge.container(name, weights.len(), weights.iter().copied().max().unwrap_or(0), weights.iter().sum())
}

fn weigh(gauge: &mut Gauge<'_>, value: Value<'_>) -> u64 {
    match value {
        Value::Text(text) => 1 + gauge.text(text.len()),
        Value::Bool(_) | Value::Int(_) | Value::Double(_) => 2,
    }
}

fn weigh_money(gauge: &mut Gauge<'_>, money: &WireMoney) -> u64 {
    5 + gauge.text(money.currency.len())
}

impl<'b> Scope<'b> {
    /// Of an event; nothing is built yet.
    pub(crate) fn new(event: &'b RiskEvent) -> Self {
        Self { event, facts: OnceLock::new(), features: OnceLock::new(), reports: OnceLock::new() }
    }

    fn facts(&self) -> Entries<'b> {
        let mut groups: HashMap<&str, Entries<'b>> = GROUPS.iter().map(|group| (*group, Entries::new())).collect();
        let mut top = Entries::new();
        for fact in vocabulary::facts() {
            if let Some(value) = (fact.get)(&self.event.facts) {
                let place = if fact.group.is_empty() { Some(&mut top) } else { groups.get_mut(fact.group) };
                if let Some(entries) = place {
                    entries.insert(key(fact.name), boxed(value));
                }
            }
        }
        for (name, entries) in groups {
            top.insert(key(name), Box::new(CelMap::from(entries)));
        }
        top.insert(key("income"), list(self.event.facts.income.iter().map(income)));
        top.insert(key("debts"), list(self.event.facts.debts.iter().map(debt)));
        top
    }

    fn features(&self) -> Entries<'b> {
        let known = self.event.features.iter().filter(|feature| vocabulary::is_known(feature.flag.as_ref()));
        known.map(|feature| (key(&feature.name), boxed(Value::Double(f64::from(feature.value))))).collect()
    }
}

fn income(income: &Income) -> Entries<'_> {
    let mut entries = words([("period", &income.period), ("basis", &income.basis), ("evidence", &income.evidence)]);
    entries.insert(key("amount"), money(&income.amount));
    entries
}

fn debt(debt: &Debt) -> Entries<'_> {
    let mut entries = words([("kind", &debt.kind), ("evidence", &debt.evidence)]);
    if let Some(period) = &debt.period {
        entries.insert(key("period"), boxed(Value::Text(period)));
    }
    for (name, amount) in [("balance", &debt.balance), ("payment", &debt.payment)] {
        if let Some(amount) = amount {
            entries.insert(key(name), money(amount));
        }
    }
    entries
}

fn report(report: &ReportUsed) -> Entries<'_> {
    words([("source", &report.source), ("status", report.status.as_str()), ("pulled_at", &report.pulled_at)])
}

fn money(money: &WireMoney) -> Boxed<'_> {
    let mut entries = words([("currency", &money.currency)]);
    entries.insert(key("amount_minor"), boxed(Value::Int(money.amount_minor)));
    Box::new(CelMap::from(entries))
}

fn words<'v, const N: usize>(pairs: [(&'v str, &'v str); N]) -> Entries<'v> {
    pairs.into_iter().map(|(name, word)| (key(name), boxed(Value::Text(word)))).collect()
}

fn map(entries: Entries<'_>) -> Boxed<'_> {
    Box::new(CelMap::from(entries))
}

fn list<'v>(items: impl Iterator<Item = Entries<'v>>) -> Boxed<'v> {
    let items: Vec<Boxed<'v>> = items.map(map).collect();
    Box::new(CelList::from(items))
}

fn key(name: &str) -> CelMapKey<'_> {
    CelMapKey::String(CelString::from(name))
}

fn boxed(value: Value<'_>) -> Boxed<'_> {
    match value {
        Value::Bool(value) => Box::new(CelBool::from(value)),
        Value::Int(value) => Box::new(CelInt::from(value)),
        Value::Double(value) => Box::new(CelDouble::from(value)),
        Value::Text(value) => Box::new(CelString::from(value)),
    }
}
