//! An application as expressions and pointers see it: every place that a contract or a route reads, found in one walk, and the whole
//! of it for the interpreter, built only when that is asked. May show facts, never who somebody is.

use crate::lookup::{self, Lookup};
use crate::names;
use crate::weight;
use cel::context::VariableResolver;
use expressions::application::{LISTS_OF_ALL, PARTIES, REQUEST};
use expressions::sizes::{Container, Scope, Sizes};
use expressions::vocabulary::{Kind, Name, Shape, Type, Whole};
use expressions::{Compiled, Finding, Found, Place, Step, Vocabulary};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::OnceCell;

/// Members of an application that no expression may touch: who somebody is, and what must not matter.
pub const FORBIDDEN: [&str; 4] = ["identity", "protected", "customer_ref", "subject"];

/// What an application has beside what every user of expressions may name.
const SENT: &[Name] = &[
    ("attributes", Type::Map(&Shape::Open)),
    ("reports", Type::List(&Shape::Open)),
    ("collateral", Type::List(&Shape::Open)),
    ("documents", Type::List(&Shape::Open)),
    ("as_of", Type::Known(Kind::Text)),
    ("submitted_at", Type::Known(Kind::Text)),
    ("completed_at", Type::Known(Kind::Text)),
];

/// Where each name leads in an application as it is sent. The longest beginning counts.
const PATHS: &[(&str, &str)] = &[
    ("product", "product"),
    ("intent", "intent"),
    ("request_type", "request_type"),
    ("channel", "channel"),
    ("jurisdiction", "jurisdiction"),
    ("requested.amount.amount_minor", "amount_minor"),
    ("requested.amount.currency", "currency"),
    ("requested.term_months", "term_months"),
    ("requested.purpose", "purpose"),
    ("applicants[0].facts", "facts"),
    ("applicants[0].reports", "reports"),
    ("applicants", "parties"),
    ("attributes", "attributes"),
    ("collateral", "collateral"),
    ("documents", "documents"),
    ("as_of", "as_of"),
    ("submitted_at", "submitted_at"),
    ("completed_at", "completed_at"),
];

/// How large the lists and maps are that are known by name.
const CONTAINERS: &[Container] = &[
    Container { name: "data", len: 64, item: 4, weight: 16_384 },
    Container { name: "applicants", len: 16, item: 8_192, weight: 16_384 },
    Container { name: "facts", len: 64, item: 4, weight: 8_192 },
    Container { name: "income", len: 64, item: 24, weight: 1_536 },
    Container { name: "debts", len: 256, item: 32, weight: 8_192 },
    Container { name: "reports", len: 64, item: 1_024, weight: 8_192 },
    Container { name: "consents", len: 64, item: 24, weight: 1_536 },
    Container { name: "documents", len: 256, item: 24, weight: 6_144 },
    Container { name: "collateral", len: 64, item: 64, weight: 4_096 },
    Container { name: "attributes", len: 1_024, item: 4, weight: 8_192 },
    Container { name: "fields", len: 1_024, item: 4, weight: 8_192 },
    LISTS_OF_ALL[0],
    LISTS_OF_ALL[1],
    LISTS_OF_ALL[2],
    LISTS_OF_ALL[3],
    LISTS_OF_ALL[4],
];

/// The names at the top.
const NAMES: &[&[Name]] = &[REQUEST, PARTIES, SENT];

/// The names of feature contracts.
pub(crate) static CONTRACT: Vocabulary = vocabulary("feature contracts");

/// The names of an application for somebody's expressions. Lists have the bounds of the contract (`application.submitted.v1.json`):
/// what is larger is not refused; it may put an expression that loops over it over its budget.
pub const fn vocabulary(readers: &'static str) -> Vocabulary {
    Vocabulary {
        readers,
        names: NAMES,
        whole: Some(Whole { name: "data", now: PATHS }),
        out_of_reach: &FORBIDDEN,
        sizes: Scope {
            containers: CONTAINERS,
            other: Container { name: "", len: 256, item: 32, weight: 64 },
            text: 1_024,
            built: &[],
            is_scalar: |path| CONTRACT.is_value(path),
        },
    }
}

/// A place of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// In that slot of the lookup, as it was sent.
    Sent(usize),
    /// In that slot, a value under a name: null is as absent as absent.
    Named(usize),
    /// Made of all debts and incomes.
    DebtToIncome,
}

/// Compiles an expression; `lookup` grows by what it reads.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(
    source: &str,
    vocabulary: &'static Vocabulary,
    lookup: &mut Lookup,
) -> Result<Compiled<Spot>, Vec<Finding>> {
    Ok(expressions::compile(source, vocabulary)?.bind(&mut |place| spot(place, lookup)))
}

/// Where a place of the language is in an application; `None` where only the interpreter can tell.
fn spot(place: &Place, lookup: &mut Lookup) -> Option<Spot> {
    if place.is_as_sent {
        return Some(Spot::Sent(lookup.slot(&lookup_steps(&place.path))));
    }
    let root = place.path.first().and_then(Step::key)?;
    if root == "debt_to_income" {
        return Some(Spot::DebtToIncome);
    }
    let (sent, _) = PATHS.iter().find(|(_, name)| *name == root && *name != "parties")?;
    let mut steps = lookup_steps(&sent_steps(sent));
    steps.extend(lookup_steps(&place.path[1..]));
    let names = place.names();
    let is_value = names.as_ref().is_some_and(|names| CONTRACT.is_value(names));
    match names.and_then(|names| CONTRACT.type_of(&names)) {
        Some(Type::Map(_) | Type::List(_)) => None,
        _ if is_value => Some(Spot::Named(lookup.slot(&steps))),
        _ => Some(Spot::Sent(lookup.slot(&steps))),
    }
}

/// Where a place stands in an application as it is sent; what is made of several parties, among the applicants.
pub(crate) fn sent(place: &Place) -> Vec<Step> {
    if place.is_as_sent {
        return place.path.clone();
    }
    let root = place.path.first().and_then(Step::key);
    match PATHS.iter().find(|(_, name)| Some(*name) == root) {
        Some((sent, _)) => [&sent_steps(sent), &place.path[1..]].concat(),
        None => vec![Step::Key("applicants".to_owned())],
    }
}

fn lookup_steps(path: &[Step]) -> Vec<lookup::Step> {
    let step = |step: &Step| match step {
        Step::Key(key) => lookup::Step::Key(key.clone()),
        Step::Index(at) => lookup::Step::Index(*at),
    };
    path.iter().map(step).collect()
}

/// The steps of a path of [`PATHS`].
fn sent_steps(path: &str) -> Vec<Step> {
    let words = path.split(['.', '[', ']']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_or_else(|_| Step::Key(word.to_owned()), Step::Index)).collect()
}

/// An application.
pub struct Document<'a> {
    source: Source<'a>,
    found: Vec<Found<'a>>,
    whole: OnceCell<names::Whole<'a>>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Tree(&'a Value),
    Text(&'a str),
}

impl<'a> Document<'a> {
    /// Looks up all that a contract reads.
    pub fn new(data: &'a Value, lookup: &Lookup) -> Self {
        Self { source: Source::Tree(data), found: lookup.find(data), whole: OnceCell::new() }
    }

    /// The same from JSON text, of which only what is read is kept.
    ///
    /// # Errors
    /// The parser's.
    pub fn of_text(text: &'a str, lookup: &Lookup) -> Result<Self, serde_json::Error> {
        Ok(Self { source: Source::Text(text), found: lookup.find_in_text(text)?, whole: OnceCell::new() })
    }

    /// What is in a slot of the contract's lookup.
    pub(crate) fn in_slot(&self, slot: usize) -> &Found<'a> {
        &self.found[slot]
    }

    /// The whole of it, for the interpreter; built when it is first asked for.
    fn whole(&self) -> &names::Whole<'a> {
        let build = || {
            let data = match self.source {
                Source::Tree(data) => Cow::Borrowed(data),
                // The text was read once already, so it is JSON.
                Source::Text(text) => Cow::Owned(serde_json::from_str(text).unwrap_or(Value::Null)),
            };
            let sizes = weight::sizes(&data, &CONTRACT.sizes);
            names::Whole::of(data, sizes)
        };
        self.whole.get_or_init(build)
    }
}

impl expressions::Document for Document<'_> {
    type Place = Spot;

    fn at(&self, place: &Spot) -> Found<'_> {
        match place {
            Spot::Sent(slot) => self.found[*slot].lend(),
            Spot::Named(slot) => match &self.found[*slot] {
                Found::Null | Found::NotAContainer => Found::Absent,
                found => found.lend(),
            },
            Spot::DebtToIncome => self.whole().debt_to_income().map_or(Found::Absent, Found::Float),
        }
    }

    fn lend<T>(&self, to: impl FnOnce(&dyn VariableResolver, &Sizes) -> T) -> T {
        let whole = self.whole();
        to(whole, whole.sizes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use expressions::{Undetermined, Value as Yield};
    use proptest::prelude::*;
    use serde_json::json;

    /// Evaluates both ways; gives what CEL says after checking that the short way agrees.
    fn both(source: &str, data: &Value) -> Result<Yield<'static>, Undetermined> {
        let mut lookup = Lookup::default();
        let compiled = compile(source, &CONTRACT, &mut lookup).unwrap();
        let text = data.to_string();
        let (document, read) = (Document::new(data, &lookup), Document::of_text(&text, &lookup).unwrap());
        assert_eq!(document.found, read.found, "{source} on {data}");
        let (short, long) = (compiled.evaluate(&document), compiled.interpret(&read));
        match (&short, &long) {
            (Ok(Yield::Double(a)), Ok(Yield::Double(b))) => assert_eq!(a.to_bits(), b.to_bits(), "{source} on {data}"),
            (Err(short), Err(long)) => assert_eq!(short.is_absence(), long.is_absence(), "{source} on {data}"),
            _ => assert_eq!(short, long, "{source} on {data}"),
        }
        long.map(owned)
    }

    fn owned(value: Yield<'_>) -> Yield<'static> {
        match value {
            Yield::Bool(value) => Yield::Bool(value),
            Yield::Int(value) => Yield::Int(value),
            Yield::Uint(value) => Yield::Uint(value),
            Yield::Double(value) => Yield::Double(value),
            Yield::Text(text) => Yield::Text(text.into_owned().into()),
        }
    }

    #[test]
    fn null_is_as_absent_as_absent() {
        for data in [json!({}), json!({"a": null}), json!({"a": {}}), json!({"a": {"b": null}})] {
            assert!(both("double(data.a.b)", &data).unwrap_err().is_absence(), "{data}");
        }
        assert_eq!(both("has(data.a)", &json!({"a": null})), Ok(Yield::Bool(false)));
    }

    /// Two who apply, and one who vouches for them.
    fn family() -> Value {
        let money = |amount: i64| json!({"amount_minor": amount, "currency": "USD"});
        let income = |amount: i64, period: &str| json!({"amount": money(amount), "period": period, "basis": "gross", "evidence": "stated"});
        let debt = |kind: &str, amount: i64| json!({"kind": kind, "payment": money(amount), "period": "month", "evidence": "stated"});
        json!({
            "product": "loan",
            "channel": "web",
            "requested": {"amount": money(500_000), "term_months": 24, "purpose": null},
            "attributes": {"naics": "722", "late fee": 3, "bill": {"amount_minor": 70}},
            "applicants": [
                {"role": "primary", "kind": "person", "subject": {"subject": "00"}, "reports": [{"status": "hit"}],
                 "facts": {"dependants": 2, "employment": null, "income": [income(120_000, "month")], "debts": [debt("card", 10_000)]}},
                {"role": "co_applicant", "kind": "person", "subject": {"subject": "01"},
                 "facts": {"of_legal_age": true, "income": [income(1_440_000, "year")], "debts": [debt("car", 50_000)]}},
                {"role": "guarantor", "kind": "organisation", "subject": {"subject": "02"}, "facts": {"of_legal_age": false, "debts": []}},
            ],
        })
    }

    #[test]
    fn an_application_is_read_by_names() {
        let yes = || Ok(Yield::Bool(true));
        let rows = [
            ("channel == \"web\" && product in [\"loan\", \"card\"]", yes()),
            ("amount_minor > 400000 && term_months == 24 && currency == \"USD\"", yes()),
            ("has(facts.dependants) && facts.dependants < 3", yes()),
            ("!has(facts.employment.status)", yes()),
            ("!has(facts.employment.status) || facts.employment.status == \"employed\"", yes()),
            ("attributes.naics.startsWith(\"72\")", yes()),
            ("attributes[\"late fee\"] + 1 == 4", yes()),
            ("attributes.bill.amount_minor == 70 && !has(attributes.none)", yes()),
            ("reports[0].status == \"hit\"", yes()),
            ("parties.size() == 3 && parties[0].facts.dependants == 2", yes()),
            ("co_applicants.all(p, p.facts.of_legal_age)", yes()),
            ("guarantors.exists(p, p.kind == \"organisation\" && !p.facts.of_legal_age)", yes()),
            ("parties.exists(p, p.facts.of_legal_age == false)", yes()),
            ("incomes.sum(i, i.monthly_minor)", Ok(Yield::Double(240_000.0))),
            ("debts.sum(d, d.kind == \"car\" ? d.monthly_minor : 0.0)", Ok(Yield::Double(50_000.0))),
            ("debts.exists(d, d.role == \"co_applicant\" && d.payment.amount_minor > 40000)", yes()),
            ("debt_to_income", Ok(Yield::Double(0.25))),
            ("debt_to_income < 0.3 && debt_to_income * 2.0 == 0.5", yes()),
        ];
        for (source, expected) in rows {
            assert_eq!(both(source, &family()), expected, "{source}");
        }
    }

    #[test]
    fn what_is_not_known_is_undetermined() {
        let other_currency = |mut data: Value| {
            data["applicants"][1]["facts"]["debts"][0]["payment"]["currency"] = json!("EUR");
            data
        };
        let rows = [
            ("purpose == \"car\"", family()),
            ("facts.employment.status == \"employed\"", family()),
            ("attributes.none > 1", family()),
            ("parties.all(p, p.facts.of_legal_age)", json!({"applicants": [{"facts": {"of_legal_age": true}}, {}]})),
            ("debt_to_income < 0.5", other_currency(family())),
            ("debts.sum(d, d.monthly_minor) > 1.0", other_currency(family())),
            ("debt_to_income < 0.5", json!({})),
            ("co_applicants[0].facts.dependants > 1", json!({})),
            ("channel == \"web\"", json!({})),
        ];
        for (source, data) in rows {
            assert!(both(source, &data).is_err(), "{source}: {:?}", both(source, &data));
        }
        let source =
            "!has(attributes.a) && incomes.size() == 0 && parties.all(p, false) && !has(facts.employment.status)";
        for empty in
            [json!({}), json!({"applicants": null, "attributes": null}), json!({"applicants": [], "attributes": []})]
        {
            assert_eq!(both(source, &empty), Ok(Yield::Bool(true)), "{empty}");
        }
    }

    #[test]
    fn both_ways_of_writing_read_the_same_places() {
        for (older, now) in [
            ("data.applicants[0].facts.dependants", "facts.dependants"),
            ("data.requested.amount.amount_minor", "amount_minor"),
            ("data.attributes.naics", "attributes.naics"),
            ("data.applicants[0].reports[0].status", "reports[0].status"),
            ("data.applicants[1].facts.of_legal_age", "parties[1].facts.of_legal_age"),
        ] {
            assert_eq!(both(older, &family()), both(now, &family()), "{older}");
            let warnings = compile(older, &CONTRACT, &mut Lookup::default()).unwrap().warnings().to_vec();
            assert_eq!(warnings[0].message, format!("write {now} in place of {older}"));
        }
    }

    #[test]
    fn who_somebody_is_stays_out_of_reach() {
        for source in [
            "data.applicants[0].subject.subject == \"00\"",
            "parties.exists(p, p.subject.subject == \"00\")",
            "parties[0][\"protected\"].sex == \"f\"",
            "co_applicants.exists(p, p.customer_ref == \"x\")",
            "identity.name == \"x\"",
        ] {
            let why = compile(source, &CONTRACT, &mut Lookup::default()).unwrap_err();
            assert_eq!(why[0].code, "out_of_reach", "{source}: {why:?}");
        }
        let shown = "parties.exists(p, [\"role\", \"kind\", \"facts\"].exists(k, k in p) && p.size() > 3)";
        assert_eq!(both(shown, &family()), Ok(Yield::Bool(false)), "a party has no more members than these");
    }

    fn path() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["data.a", "data.b", "data.o.a", "data.o.p.b", "data.l[0]", "data.l[1].a"])
            .prop_map(str::to_owned)
    }

    fn number(depth: u32) -> BoxedStrategy<String> {
        let constant = prop::sample::select(vec!["0.0", "1.5", "-2.0", "100.0"]).prop_map(str::to_owned);
        let leaf = prop_oneof![constant, path().prop_map(|path| format!("double({path})"))].boxed();
        if depth == 0 {
            return leaf;
        }
        let binary = (number(depth - 1), prop::sample::select(vec!["+", "-", "*", "/"]), number(depth - 1));
        let choice = (truth(depth - 1), number(depth - 1), number(depth - 1));
        prop_oneof![
            leaf,
            binary.prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            choice.prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
            number(depth - 1).prop_map(|a| format!("-({a})")),
        ]
        .boxed()
    }

    fn truth(depth: u32) -> BoxedStrategy<String> {
        let compare = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
        let leaf = prop_oneof![
            path(),
            path()
                .prop_filter("an index cannot be asked for", |path| !path.ends_with(']'))
                .prop_map(|p| format!("has({p})")),
            (path(), compare.clone(), prop::sample::select(vec!["1", "-2", "1.5"]))
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (path(), prop::sample::select(vec!["==", "!="])).prop_map(|(a, op)| format!("{a} {op} \"x\"")),
            path().prop_map(|a| format!("\"x\" + {a} == \"xx\"")),
        ]
        .boxed();
        if depth == 0 {
            return leaf;
        }
        prop_oneof![
            leaf,
            (number(depth - 1), compare, number(depth - 1)).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (truth(depth - 1), prop::sample::select(vec!["&&", "||"]), truth(depth - 1))
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            truth(depth - 1).prop_map(|a| format!("!({a})")),
        ]
        .boxed()
    }

    fn leaf_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            Just(json!(0)),
            Just(json!(1)),
            Just(json!(-2)),
            Just(json!(1.5)),
            Just(json!("x")),
            Just(json!("3.5")),
            Just(json!(true)),
            Just(json!([])),
            Just(json!(18_446_744_073_709_551_615_u64)),
        ]
    }

    prop_compose! {
        fn document()(values in prop::collection::vec(prop::option::of(leaf_value()), 6), shape in 0..4) -> Value {
            let mut data = json!({});
            let mut put = |pointer: &str, value: &Option<Value>| {
                let Some(value) = value else { return };
                let mut at = &mut data;
                for step in pointer.split('.') {
                    at = &mut at[step];
                }
                *at = value.clone();
            };
            put("a", &values[0]);
            put("b", &values[1]);
            put("o.a", &values[2]);
            if shape != 1 { put("o.p.b", &values[3]); }
            if shape == 2 { put("o", &values[3]); }
            if shape != 3 { data["l"] = json!([values[4], {"a": values[5]}]); }
            data
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_short_way_says_what_cel_says(source in prop_oneof![number(3), truth(3)], data in document()) {
            let _same = both(&source, &data);
        }
    }
}
