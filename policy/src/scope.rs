//! A case as expressions read it: its places for the short way, and CEL's variables, built once for what an expression asks
//! for, with how large those are. Never shows more than [`vocabulary`].

use crate::case::{Case, Party, Report};
use crate::facts::{Amount, Debt, Facts, Income};
use crate::parties::{earned, payment};
use crate::vocabulary::{self, SCALARS, VOCABULARY, Var};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use domain::Role;
use expressions::application::GROUPS;
use expressions::ratio::Flow;
use expressions::sizes::{Gauge, Sizes};
use expressions::{Document, Found, Value};
use schemas::Word;
use std::collections::HashMap;
use std::sync::OnceLock;

/// A case as a document of the language.
pub(crate) struct Readable<'a>(pub &'a Case<'a>);

impl Document for Readable<'_> {
    type Place = Var;

    fn at(&self, place: &Var) -> Found<'_> {
        place.get(self.0)
    }

    fn lend<T>(&self, to: impl FnOnce(&dyn VariableResolver, &Sizes) -> T) -> T {
        to(&Scope { case: self.0, built: Default::default() }, &sizes(self.0))
    }
}

/// The names that are maps and lists.
const BUILT: [&str; 8] = ["facts", "features", "reports", "parties", "co_applicants", "guarantors", "incomes", "debts"];

/// The variables of one case; nothing is built yet.
struct Scope<'a> {
    case: &'a Case<'a>,
    /// By [`BUILT`]; none where the case has no such thing.
    built: [OnceLock<Option<Boxed<'a>>>; BUILT.len()],
}

type Boxed<'v> = Box<dyn Val + 'v>;
type Entries<'v> = HashMap<CelMapKey<'v>, Boxed<'v>>;

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let Some(at) = BUILT.iter().position(|name| *name == variable) else { return named(self.case, variable) };
        let built = self.built[at].get_or_init(|| build(self.case, variable));
        built.as_ref().map(|value| CowVal::Borrowed(value.as_ref()))
    }
}

/// CEL asks for the longest dotted name first, so that a scalar is found without building the map around it.
fn named<'b>(case: &Case<'b>, name: &str) -> Option<CowVal<'b, 'b>> {
    let mut parts = name.splitn(4, '.');
    let path = [parts.next()?, parts.next().unwrap_or_default(), parts.next().unwrap_or_default()];
    let depth = path.iter().take_while(|part| !part.is_empty()).count();
    let var = if parts.next().is_some() { None } else { Var::of_path(&path[..depth]) }?;
    var.get(case).single().map(|value| CowVal::Owned(boxed(value)))
}

fn build<'b>(case: &Case<'b>, name: &str) -> Option<Boxed<'b>> {
    let currency = case.requested.currency;
    let having =
        |role: Role| case.parties().map(|all| list(all.filter(move |party| party.role.is(role)).map(party_of)));
    match name {
        "facts" => Some(map(facts_of(&case.facts))),
        "features" => Some(map(features(case))),
        "reports" => Some(list(case.reports().map(report))),
        "parties" => case.parties().map(|all| list(all.map(party_of))),
        "co_applicants" => having(Role::CoApplicant),
        "guarantors" => having(Role::Guarantor),
        "incomes" => case.parties().map(|all| {
            let of = |party: Party<'b>| party.facts.incomes().map(move |found| (party.role.as_str(), found));
            list(all.flat_map(of).map(|(role, found)| owned_by(role, income(found), Some(earned(&found)), currency)))
        }),
        "debts" => case.parties().map(|all| {
            let of = |party: Party<'b>| party.facts.debts().map(move |found| (party.role.as_str(), found));
            list(all.flat_map(of).map(|(role, found)| owned_by(role, debt(found), payment(&found), currency)))
        }),
        _ => None,
    }
}

/// How large what a case shows is: a value and its key count one each, and a long text more.
fn sizes(case: &Case<'_>) -> Sizes {
    let mut gauge = Gauge::new(&VOCABULARY.sizes);
    let own = SCALARS.iter().filter(|scalar| scalar.name != "debt_to_income");
    own.filter_map(|scalar| (scalar.get)(case).single()).for_each(|value| {
        weigh(&mut gauge, &value);
    });
    let facts = weigh_facts(&mut gauge, &case.facts);
    gauge.container("facts", 0, 0, facts);
    each(&mut gauge, "reports", case.reports(), |gauge, report| {
        [report.source, report.status.as_str(), report.pulled_at].map(|word| 1 + gauge.text(word.len())).iter().sum()
    });
    let names = case.feature_names().map(|name| gauge.text(name.len())).collect::<Vec<_>>();
    let weight = names.iter().map(|name| 1 + name).sum();
    gauge.container("features", names.len(), names.iter().copied().max().unwrap_or(0), weight);
    weigh_parties(&mut gauge, case);
    gauge.sizes()
}

/// The lists of all parties.
fn weigh_parties(gauge: &mut Gauge<'_>, case: &Case<'_>) {
    let all: Vec<Party<'_>> = case.parties().into_iter().flatten().collect();
    let weights: Vec<u64> = all.iter().map(|party| 8 + weigh_facts(gauge, &party.facts)).collect();
    let (most, weight) = (weights.iter().copied().max().unwrap_or(0), weights.iter().sum::<u64>());
    for name in ["parties", "co_applicants", "guarantors"] {
        gauge.container(name, all.len(), most, weight);
    }
    let incomes = all.iter().map(|party| party.facts.incomes().len()).sum();
    let debts = all.iter().map(|party| party.facts.debts().len()).sum();
    for (name, len) in [("incomes", incomes), ("/debts", debts)] {
        gauge.container(name, len, 0, weight.saturating_add(4 * len as u64));
    }
}

/// Takes note of the facts of a party, and gives their weight.
fn weigh_facts(gauge: &mut Gauge<'_>, facts: &Facts<'_>) -> u64 {
    let known = vocabulary::facts().filter_map(|fact| (fact.get)(facts).single());
    let values: u64 = known.map(|value| weigh(gauge, &value)).sum();
    let income = each(gauge, "income", facts.incomes(), |gauge, income| {
        let words = [income.period.as_str(), income.basis.as_str(), income.evidence.as_str()];
        let words = words.map(|word| 1 + gauge.text(word.len()));
        words.iter().sum::<u64>() + weigh_money(gauge, income.amount)
    });
    let debts = each(gauge, "debts", facts.debts(), |gauge, debt| {
        let words = [Some(debt.kind), Some(debt.evidence.as_str()), debt.period.map(Word::as_str)];
        let words: u64 = words.into_iter().flatten().map(|word| 1 + gauge.text(word.len())).sum();
        let amounts = [debt.balance, debt.payment].into_iter().flatten();
        words + amounts.map(|amount| weigh_money(gauge, amount)).sum::<u64>()
    });
    values + income + debts + 2 * GROUPS.len() as u64
}

/// Takes note of a list under its name, and gives its weight.
fn each<T>(
    gauge: &mut Gauge<'_>,
    name: &str,
    items: impl Iterator<Item = T>,
    weigh: impl Fn(&mut Gauge<'_>, T) -> u64,
) -> u64 {
    let weights: Vec<u64> = items.map(|item| 1 + weigh(gauge, item)).collect();
    gauge.container(name, weights.len(), weights.iter().copied().max().unwrap_or(0), weights.iter().sum())
}

fn weigh(gauge: &mut Gauge<'_>, value: &Value<'_>) -> u64 {
    match value {
        Value::Text(text) => 1 + gauge.text(text.len()),
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) => 2,
    }
}

fn weigh_money(gauge: &mut Gauge<'_>, money: Amount<'_>) -> u64 {
    5 + gauge.text(money.currency.len())
}

fn facts_of<'e>(facts: &Facts<'e>) -> Entries<'e> {
    let mut groups: HashMap<&str, Entries<'_>> = GROUPS.iter().map(|group| (*group, Entries::new())).collect();
    let mut top = Entries::new();
    for fact in vocabulary::facts() {
        if let Some(value) = (fact.get)(facts).single() {
            let place = if fact.group.is_empty() { Some(&mut top) } else { groups.get_mut(fact.group) };
            if let Some(entries) = place {
                entries.insert(key(fact.name), boxed(value));
            }
        }
    }
    for (name, entries) in groups {
        top.insert(key(name), map(entries));
    }
    top.insert(key("income"), list(facts.incomes().map(income)));
    top.insert(key("debts"), list(facts.debts().map(debt)));
    top
}

fn features<'e>(case: &Case<'e>) -> Entries<'e> {
    case.known_features().map(|(name, value)| (key(name), boxed(Value::Double(value)))).collect()
}

fn party_of(party: Party<'_>) -> Entries<'_> {
    let mut entries: Entries<'_> = HashMap::from([(key("role"), text(party.role.as_str()))]);
    entries.extend(party.kind.map(|kind| (key("kind"), text(kind.as_str()))));
    entries.insert(key("facts"), map(facts_of(&party.facts)));
    entries
}

/// What an income or a debt has beside what was stated: whose it is, and what it comes to in a month.
fn owned_by<'v>(role: &'v str, mut entries: Entries<'v>, flow: Option<Flow<'_>>, currency: &str) -> Entries<'v> {
    entries.insert(key("role"), text(role));
    let monthly = flow.and_then(|flow| flow.monthly_minor(currency));
    entries.extend(monthly.map(|monthly| (key("monthly_minor"), boxed(Value::Double(monthly)))));
    entries
}

fn income(income: Income<'_>) -> Entries<'_> {
    let (period, basis, evidence) = (income.period.as_str(), income.basis.as_str(), income.evidence.as_str());
    let mut entries = words([("period", period), ("basis", basis), ("evidence", evidence)]);
    entries.insert(key("amount"), money(income.amount));
    entries
}

fn debt(debt: Debt<'_>) -> Entries<'_> {
    let mut entries = words([("kind", debt.kind), ("evidence", debt.evidence.as_str())]);
    if let Some(period) = debt.period {
        entries.insert(key("period"), text(period.as_str()));
    }
    for (name, amount) in [("balance", debt.balance), ("payment", debt.payment)] {
        if let Some(amount) = amount {
            entries.insert(key(name), money(amount));
        }
    }
    entries
}

fn report(report: Report<'_>) -> Entries<'_> {
    words([("source", report.source), ("status", report.status.as_str()), ("pulled_at", report.pulled_at)])
}

fn money(amount: Amount<'_>) -> Boxed<'_> {
    let mut entries = words([("currency", amount.currency)]);
    entries.insert(key("amount_minor"), boxed(Value::Int(amount.amount_minor)));
    map(entries)
}

fn words<'v, const N: usize>(pairs: [(&'v str, &'v str); N]) -> Entries<'v> {
    pairs.into_iter().map(|(name, word)| (key(name), text(word))).collect()
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

fn text(value: &str) -> Boxed<'_> {
    Box::new(CelString::from(value))
}

fn boxed(value: Value<'_>) -> Boxed<'_> {
    match value {
        Value::Bool(value) => Box::new(CelBool::from(value)),
        Value::Int(value) => Box::new(CelInt::from(value)),
        Value::Uint(value) => Box::new(cel::common::types::CelUInt::from(value)),
        Value::Double(value) => Box::new(CelDouble::from(value)),
        Value::Text(value) => Box::new(CelString::from(value.into_owned())),
    }
}
