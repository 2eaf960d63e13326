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

    /// Monthly payments of all debts of all parties by their monthly incomes, in the currency of the request.
    pub(crate) fn debt_to_income(&self) -> Option<f64> {
        debt_to_income(&self.data)
    }
}

fn debt_to_income(data: &Value) -> Option<f64> {
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
