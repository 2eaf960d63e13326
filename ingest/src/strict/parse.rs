//! Bytes to a [`Node`], or the reason and the pointer of the first thing that is wrong. Never allocates for a string that has
//! no escape in it, never recurses deeper than it is allowed to, never builds more than [`MAX_NODES`].

use super::node::{Node, Object, push_step};
use crate::refusal::{Fault, Reason};
use domain::money::MAX_MINOR;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

/// Most values of one document. Two bytes of text can become a node with a list of its own, so that the length of a body does
/// not bound its tree; this does, to about 15 MiB. An application with every list of the contract full of ordinary entries
/// fits.
pub const MAX_NODES: usize = 1 << 16;

/// Parses one JSON document with at most `max_depth` levels and [`MAX_NODES`] values.
///
/// # Errors
/// A [`Fault`]: `not_utf8`, `not_json`, `too_deep`, `too_many`, `duplicate_key`, `number_out_of_range` or `nul_character`.
pub fn parse(bytes: &[u8], max_depth: usize) -> Result<Node<'_>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::new(Reason::NotUtf8, String::new()))?;
    let trail = RefCell::new(Trail::default());
    let nodes_left = Cell::new(MAX_NODES);
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Place { levels_left: max_depth, nodes_left: &nodes_left, trail: &trail }.deserialize(&mut json);
    match read {
        Ok(node) => json.end().map(|()| node).map_err(|error| trail.into_inner().fault(&error, MORE)),
        Err(error) => Err(trail.into_inner().fault(&error, "")),
    }
}

/// What is said where something stands behind a whole document, such as the next line of several events.
const MORE: &str = ", where more stands behind it; several events are lines of application/x-ndjson at the door, and a record each on Kafka";

/// Where an error happened: filled from the inside out while the error travels up.
#[derive(Default)]
struct Trail {
    reason: Option<Reason>,
    steps: Vec<String>,
}

impl Trail {
    fn fault(self, error: &serde_json::Error, why: &str) -> Fault {
        // The parser has no code for it, only its words.
        let too_large = || error.to_string().starts_with("number out of range").then_some(Reason::NumberOutOfRange);
        let reason = self.reason.or_else(too_large).unwrap_or(Reason::NotJson);
        let mut pointer = String::new();
        self.steps.iter().rev().for_each(|step| push_step(&mut pointer, step));
        let fault = Fault::new(reason, pointer);
        match reason {
            Reason::NotJson => fault.because(place_of(error) + why),
            _ => fault,
        }
    }
}

/// Where the parser stopped, from 1; it counts a line's end as the start of the next.
fn place_of(error: &serde_json::Error) -> String {
    match (error.line(), error.column()) {
        (line, 0) => format!("the end of line {}", line.saturating_sub(1).max(1)),
        (line, column) => format!("line {line}, column {column}"),
    }
}

#[derive(Clone, Copy)]
struct Place<'t> {
    levels_left: usize,
    nodes_left: &'t Cell<usize>,
    trail: &'t RefCell<Trail>,
}

impl Place<'_> {
    fn refuse<E: de::Error>(&self, reason: Reason) -> E {
        self.trail.borrow_mut().reason = Some(reason);
        E::custom(reason.as_str())
    }

    fn step<E>(&self, error: E, step: impl FnOnce() -> String) -> E {
        self.trail.borrow_mut().steps.push(step());
        error
    }

    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Self { levels_left, ..self }),
            None => Err(self.refuse(Reason::TooDeep)),
        }
    }

    fn text<E: de::Error>(&self, text: Cow<'_, str>) -> Result<(), E> {
        if text.as_bytes().contains(&0) { Err(self.refuse(Reason::NulCharacter)) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Node<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        match self.nodes_left.get().checked_sub(1) {
            Some(left) => self.nodes_left.set(left),
            None => return Err(self.refuse(Reason::TooMany)),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node<'de>, E> {
        if value.unsigned_abs() > MAX_MINOR as u64 {
            return Err(self.refuse(Reason::NumberOutOfRange));
        }
        Ok(Node::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node<'de>, E> {
        self.visit_i64(i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node<'de>, E> {
        if value.is_nan() || value.abs() > MAX_MINOR as f64 {
            return Err(self.refuse(Reason::NumberOutOfRange));
        }
        Ok(if value.fract() == 0.0 { Node::Int(value as i64) } else { Node::Float(value) })
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Node<'de>, E> {
        self.text(Cow::Borrowed(text))?;
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node<'de>, E> {
        self.text(Cow::Borrowed(text))?;
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        loop {
            match elements.next_element_seed(inner) {
                Ok(Some(node)) => list.push(node),
                Ok(None) => return Ok(Node::List(list)),
                Err(error) => return Err(self.step(error, || list.len().to_string())),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut list: Vec<(Cow<'de, str>, Node<'de>)> = Vec::new();
        while let Some(key) = members.next_key_seed(Key)? {
            self.text(Cow::Borrowed(&key))?;
            match members.next_value_seed(inner) {
                Ok(node) => list.push((key, node)),
                Err(error) => return Err(self.step(error, || key.into_owned())),
            }
        }
        Object::from_members(list)
            .map(Node::Map)
            .map_err(|key| self.step(self.refuse::<A::Error>(Reason::DuplicateKey), || key))
    }
}

/// Reads a key without copying it where it has no escape.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(text: &[u8]) -> Option<(Reason, String)> {
        parse(text, 4).err().map(|fault| (fault.reason, fault.pointer))
    }

    #[test]
    fn one_meaning_or_none() {
        let rows: &[(&[u8], Reason, &str)] = &[
            (br#"{"a":{"b":1,"b":2}}"#, Reason::DuplicateKey, "/a/b"),
            (br#"{"a":1,"\u0061":2}"#, Reason::DuplicateKey, "/a"),
            (br#"{"a":[0,1e400]}"#, Reason::NumberOutOfRange, "/a/1"),
            (br#"{"a":9007199254740992}"#, Reason::NumberOutOfRange, "/a"),
            (br#"{"a":18446744073709551615}"#, Reason::NumberOutOfRange, "/a"),
            (br#"{"a":1e300}"#, Reason::NumberOutOfRange, "/a"),
            (br#"{"a":NaN}"#, Reason::NotJson, "/a"),
            (br#"{"a":"\ud800"}"#, Reason::NotJson, "/a"),
            (br#"{"a":"x\u0000"}"#, Reason::NulCharacter, "/a"),
            (br#"{"a\u0000":1}"#, Reason::NulCharacter, ""),
            (br#"[[[[[]]]]]"#, Reason::TooDeep, "/0/0/0/0"),
            (br#"{} {}"#, Reason::NotJson, ""),
            (b"", Reason::NotJson, ""),
            (b"\xef\xbb\xbf{}", Reason::NotJson, ""),
            (b"{\"a\":\"\xff\"}", Reason::NotUtf8, ""),
        ];
        for (text, reason, pointer) in rows {
            assert_eq!(fault_of(text), Some((*reason, (*pointer).to_owned())), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(fault_of(br#"{"a":[[[0.5,"\u00e4"]]],"b":null}"#), None);
    }

    #[test]
    fn what_is_no_json_is_told_by_line_and_column() {
        let rows: [(&str, &str); 6] = [
            ("{\n  \"a\": tru\n}", "the end of line 2"),
            ("{\n  \"a\": 'x'\n}", "line 2, column 8"),
            ("{\"a\":1", "line 1, column 6"),
            ("amount=100", "line 1, column 1"),
            ("{\"a\":1}\n{\"a\":2}", "line 2, column 1, where more stands behind it; several events are lines of"),
            ("{\"a\":1}{\"a\":2}", "line 1, column 8, where more stands behind it; several events are lines of"),
        ];
        for (text, told) in rows {
            let remark = parse(text.as_bytes(), 4).err().and_then(|fault| fault.remark).unwrap_or_default();
            let is_whole = told.starts_with(&remark) || remark.starts_with(told);
            assert!(is_whole && !remark.is_empty(), "{text}: {remark}");
        }
    }

    #[test]
    fn a_document_has_a_bounded_number_of_values() {
        let list = |elements: usize| format!("[{}0]", "{},".repeat(elements - 1));
        // The list itself is one.
        assert_eq!(fault_of(list(MAX_NODES - 1).as_bytes()), None);
        assert_eq!(fault_of(list(MAX_NODES).as_bytes()), Some((Reason::TooMany, format!("/{}", MAX_NODES - 1))));
        let one_key = format!("[{}0]", "{\"a\":0},".repeat(MAX_NODES / 2));
        assert_eq!(fault_of(one_key.as_bytes()).map(|(reason, _)| reason), Some(Reason::TooMany));
    }

    #[test]
    fn a_whole_number_is_one_number_however_it_is_written() {
        for text in ["100", "100.0", "1e2", "1.0E+2"] {
            assert_eq!(parse(text.as_bytes(), 1).ok(), Some(Node::Int(100)), "{text}");
        }
        assert_eq!(parse(b"-0.0", 1).ok(), Some(Node::Int(0)));
    }
}
