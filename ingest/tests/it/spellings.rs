//! Any spelling of any application is a duplicate of it, and any change of it a conflict. What is the same is said here again, apart
//! from the code that is tried.

use crate::equality::{status, with_data};
use crate::stack::Stack;
use domain::Digest;
use ingest::Config;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use unicode_normalization::UnicodeNormalization;

/// A row of numbers, each below a bound.
struct Chance(u64);

impl Chance {
    fn next(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn one<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        of[self.next(of.len())]
    }

    fn is(&mut self) -> bool {
        self.next(2) == 0
    }
}

const TEXTS: [&str; 8] =
    ["", "plain", "Zo\u{eb}", "e\u{301}a", "\u{1f600} \"q\" \\", "\u{ac00}\u{11a8}", "q\u{323}\u{307}", "\t\u{212b}"];

/// Anything that a free object may hold.
fn free(chance: &mut Chance, depth: usize) -> Value {
    match chance.next(if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => chance.is().into(),
        2 => (chance.next(2_000_000) as i64 - 1_000_000).into(),
        3 => (chance.next(1000) as f64 / 8.0 + 0.1).into(),
        4 => chance.one(&TEXTS).into(),
        5 => (0..chance.next(3)).map(|_| free(chance, depth - 1)).collect(),
        _ => free_object(chance, depth - 1),
    }
}

fn free_object(chance: &mut Chance, depth: usize) -> Value {
    let keys = ["a", "b", "Gru\u{308}n", "\u{e9}", "\u{fb33}", "\u{1f600}"];
    let members = (0..chance.next(5)).map(|_| (chance.one(&keys).nfc().collect(), free(chance, depth)));
    Value::Object(members.collect::<Map<String, Value>>())
}

fn instant(chance: &mut Chance) -> Value {
    let fraction = chance.one(&["", ".5", ".250", ".000001"]);
    format!("2026-11-0{}T09:00:0{}{fraction}Z", 1 + chance.next(3), chance.next(10)).into()
}

fn money(chance: &mut Chance) -> Value {
    json!({"amount_minor": chance.next(1_000_000) + 1, "currency": "TWD"})
}

fn facts(chance: &mut Chance) -> Value {
    let mut facts = Map::new();
    let mut maybe = |name: &str, chance: &mut Chance, value: &dyn Fn(&mut Chance) -> Value| {
        if chance.is() {
            facts.insert(name.to_owned(), value(chance));
        }
    };
    maybe("of_legal_age", chance, &|chance| chance.is().into());
    maybe("dependants", chance, &|chance| if chance.is() { Value::Null } else { chance.next(5).into() });
    let groups = [("employment", "tenure_months"), ("housing", "residence_months")];
    for (group, months) in groups {
        maybe(group, chance, &|chance| {
            [json!(null), json!({}), json!({months: null}), json!({months: 7})][chance.next(4)].clone()
        });
    }
    maybe("accounts", chance, &|chance| if chance.is() { json!({}) } else { Value::Null });
    maybe("income", chance, &|chance| {
        let income = |chance: &mut Chance| json!({"amount": money(chance), "period": "month", "basis": "net", "evidence": "stated"});
        (0..chance.next(3)).map(|_| income(chance)).collect()
    });
    maybe("debts", chance, &|chance| {
        let debt = |chance: &mut Chance| json!({"kind": "card", "balance": if chance.is() { Value::Null } else { money(chance) }, "evidence": "stated"});
        (0..chance.next(3)).map(|_| debt(chance)).collect()
    });
    facts.into()
}

fn report(chance: &mut Chance) -> Value {
    let mut report = json!({"source": "b", "report_id": format!("r-{}", chance.next(9)), "pulled_at": instant(chance), "status": "hit"});
    if chance.is() {
        report["fields"] = free_object(chance, 1);
    }
    report
}

/// A valid application.
fn application(chance: &mut Chance, id: &str) -> Value {
    let mut data = json!({
        "tenant": "demo", "application_id": id, "revision": 1, "product": "credit_card", "intent": "decide",
        "request_type": "new", "channel": "online", "jurisdiction": "TW-TPE",
        "requested": {"amount": money(chance)}, "submitted_at": instant(chance), "as_of": "2026-10-31", "applicants": [],
    });
    if chance.is() {
        data["completed_at"] = if chance.is() { Value::Null } else { instant(chance) };
    }
    if chance.is() {
        let security = |chance: &mut Chance| json!({"kind": "vehicle", "value": if chance.is() { Value::Null } else { money(chance) }});
        data["collateral"] = (0..chance.next(3)).map(|_| security(chance)).collect();
    }
    if chance.is() {
        let document = |chance: &mut Chance| json!({"id": "d", "kind": "payslip", "sha256": Digest::of(&[chance.next(9) as u8]).to_string()});
        data["documents"] = (0..chance.next(3)).map(|_| document(chance)).collect();
    }
    if chance.is() {
        data["attributes"] = free_object(chance, 3);
    }
    for role in &["primary", "co_applicant"][..1 + chance.next(2)] {
        let mut applicant =
            json!({"role": role, "kind": "person", "customer_ref": chance.one(&["c 1", "Zo\u{eb}-7", "\u{ac00}"])});
        for name in ["identity", "protected"] {
            if chance.is() {
                applicant[name] = free_object(chance, 2);
            }
        }
        if chance.is() {
            applicant["facts"] = facts(chance);
        }
        if chance.is() {
            applicant["reports"] = (0..chance.next(3)).map(|_| report(chance)).collect();
        }
        if chance.is() {
            let consent = |chance: &mut Chance| json!({"purpose": "credit_report", "granted_at": instant(chance)});
            applicant["consents"] = (0..chance.next(3)).map(|_| consent(chance)).collect();
        }
        data["applicants"].as_array_mut().unwrap().push(applicant);
    }
    data
}

/// Members of an object, by its place in the contract (indices are `*`), that say nothing: they may be there or not.
fn optional(place: &str) -> &'static [(&'static str, &'static str)] {
    match place {
        "" => &[("collateral", "[]"), ("documents", "[]"), ("attributes", "{}"), ("completed_at", "null")],
        "/applicants/*" => {
            &[("identity", "{}"), ("protected", "{}"), ("consents", "[]"), ("reports", "[]"), ("facts", "{}")]
        }
        "/applicants/*/facts" => {
            &[("employment", "{}"), ("housing", "{}"), ("accounts", "{}"), ("obligations", "{}"), ("assets", "{}")]
        }
        "/applicants/*/reports/*" => &[("fields", "{}")],
        _ => &[],
    }
}

/// Writes a document in other words, as chance will have them.
fn respelt(value: &Value, place: &str, chance: &mut Chance) -> String {
    let blank = chance.one(&["", " ", "\n"]);
    match value {
        Value::Object(object) => {
            let mut object = object.clone();
            for (name, empty) in optional(place) {
                let empty: Value = serde_json::from_str(empty).unwrap();
                if chance.is() && object.get(*name) == Some(&empty) {
                    object.remove(*name);
                } else if chance.is() && !object.contains_key(*name) {
                    object.insert((*name).to_owned(), empty);
                }
            }
            let mut members: Vec<_> = object.iter().collect();
            for index in (1..members.len()).rev() {
                members.swap(index, chance.next(index + 1));
            }
            let mut written = |(name, member): (&String, &Value)| {
                let below = format!("{place}/{name}");
                format!("{blank}{}:{}", text(name, chance), respelt(member, &below, chance))
            };
            format!("{{{}}}", members.into_iter().map(&mut written).collect::<Vec<_>>().join(","))
        }
        Value::Array(list) => {
            let below = format!("{place}/*");
            let elements: Vec<_> = list.iter().map(|element| respelt(element, &below, chance)).collect();
            format!("[{blank}{}]", elements.join(","))
        }
        Value::Number(number) if number.is_i64() => {
            let number = number.as_i64().unwrap();
            [format!("{number}"), format!("{number}.0"), format!("{number}e0")][chance.next(3)].clone()
        }
        Value::String(sent) => match place {
            "/submitted_at"
            | "/completed_at"
            | "/applicants/*/consents/*/granted_at"
            | "/applicants/*/reports/*/pulled_at" => {
                let time = sent.strip_suffix('Z').unwrap();
                let dot = if time.contains('.') { "" } else { "." };
                let zeros = chance.next(4);
                let fraction = if zeros == 0 { String::new() } else { format!("{dot}{}", "0".repeat(zeros)) };
                format!("\"{time}{fraction}Z\"")
            }
            "/applicants/*/customer_ref" => {
                let around = |chance: &mut Chance| chance.one(&["", " ", "\u{a0}", "\u{2003}\u{3000}"]);
                let (before, after) = (around(chance), around(chance));
                text(&format!("{before}{sent}{after}"), chance)
            }
            "/documents/*/sha256" if chance.is() => format!("\"{}\"", sent.to_uppercase()),
            _ => text(sent, chance),
        },
        other => other.to_string(),
    }
}

/// A text in one of its normal forms, with escapes or without.
fn text(sent: &str, chance: &mut Chance) -> String {
    let spelt: String = match chance.next(3) {
        0 => sent.to_owned(),
        1 => sent.nfc().collect(),
        _ => sent.nfd().collect(),
    };
    if chance.is() {
        let units: String = spelt.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        return format!("\"{units}\"");
    }
    Value::from(spelt).to_string()
}

/// Changes one thing that is said.
fn changed(data: &Value, chance: &mut Chance) -> Value {
    let mut other = data.clone();
    match chance.next(8) {
        0 => {
            other["requested"]["amount"]["amount_minor"] =
                (data["requested"]["amount"]["amount_minor"].as_i64().unwrap() + 1).into()
        }
        1 => other["requested"]["term_months"] = Value::Null,
        2 => other["submitted_at"] = "2026-11-05T10:00:00.001Z".into(),
        3 => other["applicants"][0]["facts"]["telephone"] = Value::Null,
        4 => other["attributes"]["new"] = free(chance, 2),
        5 => other["applicants"][0]["identity"]["new"] = json!({}),
        6 => {
            other["applicants"][0]["customer_ref"] =
                format!("{}x", data["applicants"][0]["customer_ref"].as_str().unwrap()).into()
        }
        _ => {
            let of = |list: &Value| list.as_array().cloned().unwrap_or_default();
            let mut securities = of(&data["collateral"]);
            securities.push(json!({"kind": "guarantee"}));
            other["collateral"] = securities.into();
        }
    }
    other
}

#[test]
fn any_spelling_of_any_application_is_a_duplicate_and_any_change_is_a_conflict() {
    let stack = RefCell::new(Stack::with(&Config { tenant_quota_per_day: 0, ..Config::default() }));
    let number = RefCell::new(0);
    let mut runner = TestRunner::new(Cases::with_cases(512));
    let run = runner.run(&proptest::num::u64::ANY, |seed| {
        let (mut stack, mut chance) = (stack.borrow_mut(), Chance(seed));
        let id = format!("any-{}", number.replace_with(|number| *number + 1));
        let data = application(&mut chance, &id);
        let spelt: Vec<String> = (0..3).map(|_| respelt(&data, "", &mut chance)).collect();
        assert_eq!(status(&mut stack, &with_data(&id, &spelt[0])), "accepted", "{}", spelt[0]);
        for again in &spelt {
            assert_eq!(status(&mut stack, &with_data(&id, again)), "duplicate", "{}\nthen\n{again}", spelt[0]);
        }
        let other = respelt(&changed(&data, &mut chance), "", &mut chance);
        assert_eq!(status(&mut stack, &with_data(&id, &other)), "conflict", "{}\nthen\n{other}", spelt[0]);
        Ok(())
    });
    run.unwrap();
}
