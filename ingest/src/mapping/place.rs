//! Places of a document by JSON pointer. Pure.

use serde_json::{Map, Value};

/// Sets the place that a pointer names, making objects and lists on the way; a number as a step makes a list.
pub(super) fn put(data: &mut Value, pointer: &str, value: Value) {
    let mut at = data;
    let mut steps = pointer.split('/').skip(1).peekable();
    while let Some(step) = steps.next() {
        let step = step.replace("~1", "/").replace("~0", "~");
        let slot = match at {
            Value::Array(list) => {
                let index: usize = step.parse().unwrap_or(0);
                while list.len() <= index {
                    list.push(Value::Object(Map::new()));
                }
                &mut list[index]
            }
            other => {
                if !other.is_object() {
                    *other = Value::Object(Map::new());
                }
                let object = other.as_object_mut().expect("made an object above");
                object.entry(step).or_insert(Value::Null)
            }
        };
        match steps.peek() {
            None => {
                *slot = value;
                return;
            }
            Some(next) if slot.is_null() => {
                let is_index = next.bytes().all(|byte| byte.is_ascii_digit());
                *slot = if is_index { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
            }
            Some(_) => {}
        }
        at = slot;
    }
}
