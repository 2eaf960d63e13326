//! Reads `tests/corpus/bad-inputs.json`. Depends on serde_json and base64 alone, so that whoever sends the corpus to a real broker
//! includes this file by its path.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A record to send.
#[derive(Debug, Clone)]
pub struct Record {
    /// In Kafka's binary mode.
    pub headers: Vec<(String, Vec<u8>)>,
    /// None is a tombstone.
    pub body: Option<Vec<u8>>,
}

/// A bad input.
#[derive(Debug, Clone)]
pub struct Case {
    /// In words, unique.
    pub name: String,
    /// What is sent first, and accepted.
    pub before: Vec<Record>,
    /// The bad input.
    pub record: Record,
    /// `ce_id` of the bad input, where it has one.
    pub event_id: String,
    /// Status of its reply.
    pub status: String,
    /// Type of the reply's problem, and reason of the dead letter unless it is superseded.
    pub reason: String,
    /// The first pointer of the reply; none: not looked at.
    pub pointer: Option<String>,
    /// An attribute that the reply names.
    pub attribute: Option<String>,
    /// Whether the reply must carry the id of the event, however that is spelt.
    pub is_answered_by_id: bool,
}

/// Every case. `run` makes ids unique, so that the corpus can be sent again.
pub fn cases(run: &str) -> Vec<Case> {
    let file: Value = serde_json::from_str(include_str!("../corpus/bad-inputs.json")).expect("the corpus is JSON");
    let cases = file["cases"].as_array().expect("cases").iter().enumerate();
    cases.map(|(index, case)| read(&file["base"], case, &format!("corpus-{run}-{index}"))).collect()
}

/// What other people's clients send and what is taken all the same: name and record, whose `ce_id` is the application's.
pub fn habits(run: &str) -> Vec<(String, Record)> {
    let file: Value = serde_json::from_str(include_str!("../corpus/bad-inputs.json")).expect("the corpus is JSON");
    let habits = file["habits"].as_array().expect("habits").iter().enumerate();
    let read = |(index, habit): (usize, &Value)| {
        let id = format!("habit-{run}-{index}");
        (habit["name"].as_str().expect("a name").to_owned(), record(&file["base"], habit, &id, &id))
    };
    habits.map(read).collect()
}

/// A good application, and a withdrawal of it.
pub fn good(id: &str) -> (Record, Record) {
    let file: Value = serde_json::from_str(include_str!("../corpus/bad-inputs.json")).expect("the corpus is JSON");
    (record(&file["base"], &json!({}), id, id), record(&file["base"], &json!({"withdrawal": true}), id, id))
}

fn read(base: &Value, case: &Value, id: &str) -> Case {
    let expect = &case["expect"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let before = case["before"].as_array().into_iter().flatten().enumerate();
    Case {
        name: text(&case["name"]).expect("a name"),
        before: before.map(|(step, change)| record(base, change, id, &format!("{id}-before-{step}"))).collect(),
        record: record(base, case, id, id),
        event_id: id.to_owned(),
        status: text(&expect["status"]).expect("a status"),
        reason: text(&expect["reason"]).expect("a reason"),
        pointer: text(&expect["pointer"]),
        attribute: text(&expect["attribute"]),
        is_answered_by_id: expect["by_id"] == true,
    }
}

fn record(base: &Value, case: &Value, id: &str, event_id: &str) -> Record {
    let is_withdrawal = case["withdrawal"] == true;
    let event_type = if is_withdrawal { "application.withdrawn.v1" } else { "application.submitted.v1" };
    let mut headers: Vec<(String, Vec<u8>)> = [
        ("ce_specversion", "1.0"),
        ("ce_id", event_id),
        ("ce_source", "/corpus"),
        ("ce_type", event_type),
        ("content-type", "application/json"),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
    .into();
    for (name, value) in case["headers"].as_object().into_iter().flatten() {
        headers.retain(|header| header.0 != *name);
        match value {
            Value::String(text) => headers.push((name.clone(), text.as_bytes().to_vec())),
            Value::Object(bytes) => headers.push((name.clone(), hex(bytes["hex"].as_str().expect("hex")))),
            _ => {}
        }
    }
    for (name, value) in case["twice"].as_object().into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap_or(event_id).as_bytes().to_vec()));
    }
    if let Some(prefix) = case["spelling"].as_str() {
        let is_upper = prefix == prefix.to_uppercase();
        let spelt = |rest: &str| format!("{prefix}{}", if is_upper { rest.to_uppercase() } else { rest.to_owned() });
        headers.iter_mut().for_each(|(name, _)| *name = name.strip_prefix("ce_").map_or_else(|| name.clone(), spelt));
    }
    let withdrawal = json!({"tenant": base["tenant"], "application_id": id, "withdrawn_at": "2026-11-03T09:00:00Z"});
    let body = if is_withdrawal { Some(withdrawal.to_string().into_bytes()) } else { body(base, case, id, event_id) };
    Record { headers, body }
}

fn body(base: &Value, case: &Value, id: &str, event_id: &str) -> Option<Vec<u8>> {
    if case["tombstone"] == true {
        return None;
    }
    if let Some(text) = case["text"].as_str() {
        return Some(text.as_bytes().to_vec());
    }
    if let Some(digits) = case["hex"].as_str() {
        return Some(hex(digits));
    }
    if let Some(repeat) = case["repeat"].as_object() {
        let part = |name: &str| repeat[name].as_str().expect("text");
        let count = usize::try_from(repeat["count"].as_u64().expect("a count")).expect("it fits");
        return Some([part("before"), &part("unit").repeat(count), part("after")].concat().into_bytes());
    }
    let mut data = base.clone();
    data["application_id"] = id.into();
    change(&mut data, case);
    let mut text = data.to_string();
    if let Some([from, to]) = case["replace"].as_array().map(Vec::as_slice) {
        let from = from.as_str().expect("text");
        assert!(text.contains(from), "the compact form has no {from}");
        text = text.replacen(from, to.as_str().expect("text"), 1);
    }
    if case["structured"] == true {
        let members = case["members"].as_object().into_iter().flatten();
        let members: String = members.map(|(name, value)| format!("\"{name}\":{value},")).collect();
        let data = match case["base64"].as_bool() {
            Some(true) => format!("\"data_base64\":\"{}\"", STANDARD.encode(&text)),
            _ => format!("\"data\":{text}"),
        };
        let around = r#"{"specversion":"1.0","id":"ID","source":"/corpus","type":"application.submitted.v1","#;
        text = format!("{}{members}{data}}}", around.replace("ID", event_id));
    }
    if case["truncate"] == true {
        text.truncate(text.len() / 2);
    }
    Some(text.into_bytes())
}

fn change(data: &mut Value, case: &Value) {
    for pointer in case["drop"].as_array().into_iter().flatten() {
        let (parent, key) = pointer.as_str().and_then(|pointer| pointer.rsplit_once('/')).expect("a pointer");
        data.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(key);
    }
    for (pointer, value) in case["set"].as_object().into_iter().flatten() {
        put(data, pointer, value.clone());
    }
    for (pointer, from) in case["copy"].as_object().into_iter().flatten() {
        let value = data.pointer(from.as_str().expect("a pointer")).cloned().expect("a value to copy");
        put(data, pointer, value);
    }
    for (pointer, how) in case["grow"].as_object().into_iter().flatten() {
        let list = data.pointer_mut(pointer).and_then(Value::as_array_mut).expect("a list");
        let mut element = list[0].clone();
        if how["role"].is_string() {
            element["role"] = how["role"].clone();
        }
        list.resize(usize::try_from(how["to"].as_u64().expect("a length")).expect("it fits"), element);
    }
}

fn put(data: &mut Value, pointer: &str, value: Value) {
    if let Some(slot) = data.pointer_mut(pointer) {
        *slot = value;
        return;
    }
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match data.pointer_mut(parent).expect("a parent") {
        Value::Object(object) => drop(object.insert(key.to_owned(), value)),
        Value::Array(list) => list.push(value),
        _ => panic!("{pointer} has no parent"),
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    (0..digits.len()).step_by(2).map(digit).collect()
}
