//! How large an application is, for the cost of expressions: what it has as it was sent, and the lists of all parties that are made
//! of it.

use crate::names::{applicants, items};
use expressions::sizes::{Gauge, Scope, Sizes};
use serde_json::Value;

/// How large an application is; `scope` says which of its lists and maps are known by name.
pub(crate) fn sizes(data: &Value, scope: &Scope) -> Sizes {
    let mut gauge = Gauge::new(scope);
    weigh(&mut gauge, "data", data);
    weigh_parties(&mut gauge, data);
    gauge.sizes()
}

/// Takes note of how large a value is, and gives its weight: it and each key count one, and a long text more.
fn weigh(gauge: &mut Gauge<'_>, name: &str, value: &Value) -> u64 {
    let (len, item, weight) = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => return 1,
        Value::String(text) => return gauge.text(text.len()),
        Value::Array(elements) => {
            let weights: Vec<u64> = elements.iter().map(|element| weigh(gauge, "", element)).collect();
            (weights.len(), weights.iter().copied().max(), weights.iter().sum())
        }
        Value::Object(members) => {
            let keys: Vec<u64> = members.keys().map(|key| gauge.text(key.len())).collect();
            let values: u64 = members.iter().map(|(key, value)| weigh(gauge, key, value)).sum();
            (keys.len(), keys.iter().copied().max(), keys.iter().sum::<u64>() + values)
        }
    };
    gauge.container(name, len, item.unwrap_or(0), weight)
}

/// Takes note of the lists of all parties.
fn weigh_parties(gauge: &mut Gauge<'_>, data: &Value) {
    let mut weight_of = |value: &Value| 8 + weigh(gauge, "facts", &value["facts"]);
    let weights: Vec<u64> = applicants(data).iter().map(&mut weight_of).collect();
    let (most, weight) = (weights.iter().copied().max().unwrap_or(0), weights.iter().sum::<u64>());
    for name in ["parties", "co_applicants", "guarantors"] {
        gauge.container(name, weights.len(), most, weight);
    }
    for (name, list) in [("incomes", "income"), ("/debts", "debts")] {
        let len = items(data, list).count();
        gauge.container(name, len, 0, weight.saturating_add(4 * len as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::CONTRACT;
    use serde_json::json;

    #[test]
    fn each_value_and_each_key_counts_one_and_a_long_text_more() {
        let rows = [
            (json!(null), 1),
            (json!(2.5), 1),
            (json!("x"), 1),
            (json!("x".repeat(64)), 3),
            (json!([]), 1),
            (json!([1, true]), 3),
            (json!({"a": 1}), 3),
            (json!({"a": [1, 2], "b": {}}), 7),
        ];
        for (value, expected) in rows {
            assert_eq!(weigh(&mut Gauge::new(&CONTRACT.sizes), "x", &value), expected, "{value}");
        }
    }

    #[test]
    fn an_application_within_the_bounds_of_its_contract_is_as_large_as_declared() {
        let declared = CONTRACT.sizes.declared();
        let party = |incomes: usize| json!({"facts": {"income": vec![0; incomes]}});
        let rows = [
            (json!({}), true),
            (json!({"debts": vec![0; 256]}), true),
            (json!({"debts": vec![0; 257]}), false),
            (json!({"applicants": vec![party(0); 16]}), true),
            (json!({"applicants": vec![party(0); 17]}), false),
            (json!({"applicants": [party(32), party(32)]}), true),
            // As many as one party may have, but more than all may have together.
            (json!({"applicants": [party(32), party(33)]}), false),
            (json!({"note": "x".repeat(1_024)}), true),
            (json!({"note": "x".repeat(1_025)}), false),
        ];
        for (data, expected) in rows {
            assert_eq!(sizes(&data, &CONTRACT.sizes) == declared, expected, "{data}");
        }
    }
}
