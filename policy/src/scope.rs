//! A score event as CEL's variables, built only for what an expression asks for. Never shows more than [`vocabulary`].

use crate::vocabulary::{self, GROUPS, Value, Var};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use schemas::application::{Debt, Income, WireMoney};
use schemas::risk::{ReportUsed, RiskEvent};
use std::collections::HashMap;

/// The variables of one event.
pub(crate) struct Scope<'a>(pub &'a RiskEvent);

type Boxed<'v> = Box<dyn Val + 'v>;
type Entries<'v> = HashMap<CelMapKey<'v>, Boxed<'v>>;

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let map = match variable {
            "facts" => self.facts(),
            "features" => self.features(),
            "reports" => return Some(CowVal::Owned(list(self.0.reports.iter().map(report)))),
            name => return named(self.0, name),
        };
        Some(CowVal::Owned(Box::new(CelMap::from(map))))
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

impl<'b> Scope<'b> {
    fn facts(&self) -> Entries<'b> {
        let mut groups: HashMap<&str, Entries<'b>> = GROUPS.iter().map(|group| (*group, Entries::new())).collect();
        let mut top = Entries::new();
        for fact in vocabulary::facts() {
            if let Some(value) = (fact.get)(&self.0.facts) {
                let place = if fact.group.is_empty() { Some(&mut top) } else { groups.get_mut(fact.group) };
                if let Some(entries) = place {
                    entries.insert(key(fact.name), boxed(value));
                }
            }
        }
        for (name, entries) in groups {
            top.insert(key(name), Box::new(CelMap::from(entries)));
        }
        top.insert(key("income"), list(self.0.facts.income.iter().map(income)));
        top.insert(key("debts"), list(self.0.facts.debts.iter().map(debt)));
        top
    }

    fn features(&self) -> Entries<'b> {
        let known = self.0.features.iter().filter(|feature| vocabulary::is_known(feature.flag.as_deref()));
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
    words([("source", &report.source), ("status", &report.status), ("pulled_at", &report.pulled_at)])
}

fn money(money: &WireMoney) -> Boxed<'_> {
    let mut entries = words([("currency", &money.currency)]);
    entries.insert(key("amount_minor"), boxed(Value::Int(money.amount_minor)));
    Box::new(CelMap::from(entries))
}

fn words<'v, const N: usize>(pairs: [(&'v str, &'v String); N]) -> Entries<'v> {
    pairs.into_iter().map(|(name, word)| (key(name), boxed(Value::Text(word)))).collect()
}

fn list<'v>(items: impl Iterator<Item = Entries<'v>>) -> Boxed<'v> {
    let items: Vec<Boxed<'v>> = items.map(|entries| Box::new(CelMap::from(entries)) as Boxed<'v>).collect();
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
