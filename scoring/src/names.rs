//! The whole of an application for the interpreter: as it was sent, under `data`, and under the names of the language, with whatever
//! is made of all parties. Each is built when it is first asked for.

use cel::common::types::CelNull;
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::objects::Map;
use expressions::application::{GROUPS, LISTS};
use expressions::ratio::{self, Flow};
use expressions::sizes::Sizes;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// The whole of an application.
pub(crate) struct Whole<'a> {
    data: Cow<'a, Value>,
    sizes: Sizes,
    sent: OnceLock<Box<dyn Val>>,
    named: OnceLock<HashMap<&'static str, Box<dyn Val>>>,
}

impl VariableResolver for Whole<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if variable == "data" {
            return Some(CowVal::Borrowed(self.sent.get_or_init(|| boxed(&self.data)).as_ref()));
        }
        // Dotted names are asked for first, and their beginnings after them.
        if variable.contains('.') {
            return None;
        }
        let named = self.named.get_or_init(|| {
            let named = named(&self.data).into_iter();
            named.map(|(name, value)| (name, boxed(&value))).collect()
        });
        named.get(variable).map(|value| CowVal::Borrowed(value.as_ref()))
    }
}

impl<'a> Whole<'a> {
    /// Of a document of such sizes.
    pub(crate) fn of(data: Cow<'a, Value>, sizes: Sizes) -> Self {
        Self { data, sizes, sent: OnceLock::new(), named: OnceLock::new() }
    }

    pub(crate) fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Monthly payments of all debts of all parties by their monthly incomes, in the currency of the request. `None` where a party was
    /// not asked for debts: what nobody asked for is not zero (ADR 57).
    pub(crate) fn debt_to_income(&self) -> Option<f64> {
        debt_to_income(&self.data)
    }
}

fn debt_to_income(data: &Value) -> Option<f64> {
    if !applicants(data).iter().all(|applicant| applicant["facts"]["debts"].is_array()) {
        return None;
    }
    let debts = items(data, "debts").map(|(_, debt)| flow(&debt["payment"], &debt["period"]));
    let mut incomes = Vec::new();
    for (_, income) in items(data, "income") {
        incomes.push((flow(&income["amount"], &income["period"])?, income["basis"].as_str()?));
    }
    ratio::debt_to_income(debts, incomes.into_iter(), currency(data)?)
}

/// The names that have a value, but for `debt_to_income`, which is added where it is known.
fn named(data: &Value) -> Vec<(&'static str, Value)> {
    let applicants = applicants(data);
    let primary = applicants.first().unwrap_or(&Value::Null);
    let list = |value: &Value| if value.is_array() { value.clone() } else { json!([]) };
    let parties: Vec<Value> = applicants.iter().map(party).collect();
    let having = |role: &str| parties.iter().filter(|party| party["role"] == role).cloned().collect::<Vec<_>>();
    let amount = &data["requested"]["amount"];
    let mut named = vec![
        ("product", data["product"].clone()),
        ("intent", data["intent"].clone()),
        ("request_type", data["request_type"].clone()),
        ("channel", data["channel"].clone()),
        ("jurisdiction", data["jurisdiction"].clone()),
        ("amount_minor", amount["amount_minor"].clone()),
        ("currency", amount["currency"].clone()),
        ("term_months", data["requested"]["term_months"].clone()),
        ("purpose", data["requested"]["purpose"].clone()),
        ("as_of", data["as_of"].clone()),
        ("submitted_at", data["submitted_at"].clone()),
        ("completed_at", data["completed_at"].clone()),
        ("facts", facts(&primary["facts"])),
        ("attributes", if data["attributes"].is_object() { data["attributes"].clone() } else { json!({}) }),
        ("reports", list(&primary["reports"])),
        ("collateral", list(&data["collateral"])),
        ("documents", list(&data["documents"])),
        ("co_applicants", Value::Array(having("co_applicant"))),
        ("guarantors", Value::Array(having("guarantor"))),
        ("incomes", of_all(data, "income", "amount")),
        ("debts", of_all(data, "debts", "payment")),
    ];
    named.push(("parties", Value::Array(parties)));
    let ratio = debt_to_income(data).and_then(serde_json::Number::from_f64);
    named.extend(ratio.map(|ratio| ("debt_to_income", Value::Number(ratio))));
    named.retain(|(_, value)| !value.is_null());
    named
}

pub(crate) fn applicants(data: &Value) -> &[Value] {
    data["applicants"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn currency(data: &Value) -> Option<&str> {
    data["requested"]["amount"]["currency"].as_str()
}

/// Facts with every group and list, empty where nothing is known.
fn facts(stated: &Value) -> Value {
    let mut facts = stated.as_object().cloned().unwrap_or_default();
    for group in GROUPS {
        let known = facts.get(group).is_some_and(Value::is_object);
        if !known {
            facts.insert(group.to_owned(), json!({}));
        }
    }
    for list in LISTS {
        let known = facts.get(list).is_some_and(Value::is_array);
        if !known {
            facts.insert(list.to_owned(), json!([]));
        }
    }
    Value::Object(facts)
}

fn party(applicant: &Value) -> Value {
    json!({ "role": applicant["role"], "kind": applicant["kind"], "facts": facts(&applicant["facts"]) })
}

/// Each income or debt of each party, with the party's role.
pub(crate) fn items<'d>(data: &'d Value, list: &'static str) -> impl Iterator<Item = (&'d Value, &'d Value)> {
    applicants(data).iter().flat_map(move |applicant| {
        let items = applicant["facts"][list].as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().map(move |item| (&applicant["role"], item))
    })
}

/// The incomes or debts of all parties, each with whose it is and what it comes to in a month.
fn of_all(data: &Value, list: &'static str, amount: &str) -> Value {
    let owned = |(role, item): (&Value, &Value)| {
        let mut item = item.clone();
        let monthly = currency(data).and_then(|currency| flow(&item[amount], &item["period"])?.monthly_minor(currency));
        if let Some(members) = item.as_object_mut() {
            members.insert("role".to_owned(), role.clone());
            members.insert("monthly_minor".to_owned(), json!(monthly));
        }
        item
    };
    items(data, list).map(owned).collect()
}

fn flow<'d>(amount: &'d Value, period: &'d Value) -> Option<Flow<'d>> {
    let (amount_minor, currency) = (amount["amount_minor"].as_i64()?, amount["currency"].as_str()?);
    Some(Flow { amount_minor, currency, period: period.as_str()? })
}

fn boxed(value: &Value) -> Box<dyn Val> {
    Box::<dyn Val>::try_from(to_cel(value)).unwrap_or_else(|_| Box::new(CelNull))
}

/// Null members are left out: to an expression, asked and unknown is as missing as never asked.
fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(elements) => cel::Value::List(Arc::new(elements.iter().map(to_cel).collect())),
        Value::Object(members) => {
            let present = members.iter().filter(|(_, value)| !value.is_null());
            let map: HashMap<_, _> = present.map(|(key, value)| (key.as_str().into(), to_cel(value))).collect();
            cel::Value::Map(Map { map: Arc::new(map) })
        }
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => cel::Value::Int(int),
            (None, Some(uint)) => cel::Value::UInt(uint),
            (None, None) => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn value(data: &Value, name: &str) -> Option<Value> {
        named(data).into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    #[test]
    fn lists_and_groups_are_there_though_nothing_is_known() {
        for data in [json!({}), json!({"applicants": null}), json!({"applicants": [], "attributes": 1})] {
            for list in
                ["reports", "collateral", "documents", "parties", "co_applicants", "guarantors", "incomes", "debts"]
            {
                assert_eq!(value(&data, list), Some(json!([])), "{list} of {data}");
            }
            assert_eq!(value(&data, "attributes"), Some(json!({})), "{data}");
            let facts = value(&data, "facts").unwrap();
            assert!(GROUPS.iter().all(|group| facts[group] == json!({})), "{facts}");
            assert!(LISTS.iter().all(|list| facts[list] == json!([])), "{facts}");
            for name in ["product", "amount_minor", "term_months", "debt_to_income"] {
                assert_eq!(value(&data, name), None, "{name} of {data}");
            }
        }
    }

    #[test]
    fn a_party_shows_role_kind_and_facts_and_no_more() {
        let of = |role: &str| json!({"role": role, "kind": "person", "subject": {"subject": "00"}, "protected": {"sex": "f"}});
        let data = json!({"applicants": [of("primary"), of("guarantor"), of("co_applicant")]});
        let parties = value(&data, "parties").unwrap();
        for party in parties.as_array().unwrap() {
            let members: BTreeSet<&str> = party.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(members, BTreeSet::from(["facts", "kind", "role"]));
        }
        for (name, role) in [("co_applicants", "co_applicant"), ("guarantors", "guarantor")] {
            let found = value(&data, name).unwrap();
            assert_eq!((found.as_array().unwrap().len(), &found[0]["role"]), (1, &json!(role)));
        }
    }

    #[test]
    fn an_income_or_debt_says_whose_it_is_and_what_it_comes_to_in_a_month() {
        let money = |amount: i64, currency: &str| json!({"amount_minor": amount, "currency": currency});
        let data = json!({
            "requested": {"amount": money(1, "EUR")},
            "applicants": [
                {"role": "primary",
                 "facts": {"income": [{"amount": money(1_200, "EUR"), "period": "year", "basis": "net"}], "debts": []}},
                {"role": "guarantor", "facts": {"income": [{"amount": money(12, "EUR"), "period": "week", "basis": "net"}],
                 "debts": [{"payment": money(38, "EUR"), "period": "month"}, {"payment": money(5, "USD"), "period": "month"}]}},
            ],
        });
        let told = |name: &str| -> Vec<(Value, Value)> {
            let items = value(&data, name).unwrap();
            let told = |item: &Value| (item["role"].clone(), item["monthly_minor"].clone());
            items.as_array().unwrap().iter().map(told).collect()
        };
        assert_eq!(told("incomes"), [(json!("primary"), json!(100.0)), (json!("guarantor"), json!(52.0))]);
        assert_eq!(told("debts"), [(json!("guarantor"), json!(38.0)), (json!("guarantor"), json!(null))]);
        assert_eq!(debt_to_income(&data), None, "a debt in another currency leaves it unknown");
        let mut one_currency = data.clone();
        one_currency["applicants"][1]["facts"]["debts"].as_array_mut().unwrap().pop();
        assert_eq!(debt_to_income(&one_currency), Some(0.25));
        let mut not_asked = one_currency;
        not_asked["applicants"][0]["facts"].as_object_mut().unwrap().remove("debts");
        assert_eq!(debt_to_income(&not_asked), None, "what nobody asked for is not zero");
    }

    #[test]
    fn members_without_a_value_are_left_out_and_numbers_keep_their_kind() {
        let value = to_cel(&json!({"a": null, "b": [1, 18_446_744_073_709_551_615_u64, 1.5, "x", true, null]}));
        let cel::Value::Map(map) = value else { panic!("no map") };
        assert_eq!(map.map.len(), 1);
        let list = map.map.values().next().unwrap();
        let expected = vec![
            cel::Value::Int(1),
            cel::Value::UInt(u64::MAX),
            cel::Value::Float(1.5),
            cel::Value::String(Arc::new("x".to_owned())),
            cel::Value::Bool(true),
            cel::Value::Null,
        ];
        assert_eq!(*list, cel::Value::List(Arc::new(expected)));
    }
}
