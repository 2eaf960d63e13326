//! A [`Node`] into a struct by serde. The path of a mistake is built only while the error travels up, so that a good
//! document pays nothing for it.

use super::node::Node;
use crate::refusal::{Fault, Reason};
use serde::de::value::StrDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;

/// Reads a struct out of a tree.
///
/// # Errors
/// The first [`Fault`]: `unknown_field`, `missing_field`, `wrong_type` or `bad_value`, with its pointer.
pub(crate) fn from_node<'n, T: Deserialize<'n>>(node: &'n Node<'_>) -> Result<T, Fault> {
    read(node).map_err(|mistake| mistake.fault())
}

/// The same for who wants to know the place itself.
///
/// # Errors
/// The first [`Mistake`].
pub(crate) fn read<'n, T: Deserialize<'n>>(node: &'n Node<'_>) -> Result<T, Mistake> {
    T::deserialize(Reader(node))
}

/// Where a document is not of the shape that was asked for.
#[derive(Debug)]
pub(crate) struct Mistake {
    reason: Reason,
    /// From the inside out.
    steps: Vec<String>,
}

impl Mistake {
    fn new(reason: Reason) -> Self {
        Self { reason, steps: Vec::new() }
    }

    fn under(mut self, step: impl Into<String>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// Its word and its pointer, as far as they may be told.
    pub(crate) fn fault(&self) -> Fault {
        Fault::new(self.reason, self.pointer())
    }

    /// The whole pointer, which may lead to what is personal.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.path().for_each(|step| super::node::push_step(&mut pointer, step));
        pointer
    }

    /// Whether something is there that should not be.
    pub(crate) fn is_too_much(&self) -> bool {
        self.reason == Reason::UnknownField
    }

    /// The steps to it, from the outside in.
    pub(crate) fn path(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.steps.iter().rev().map(String::as_str)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str())
    }
}

impl std::error::Error for Mistake {}

/// serde tells what went wrong by which of these it calls; the texts it offers hold values and are dropped.
impl de::Error for Mistake {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new(Reason::BadValue)
    }

    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self::new(Reason::WrongType)
    }

    fn invalid_value(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self::new(Reason::BadValue)
    }

    fn invalid_length(_: usize, _: &dyn de::Expected) -> Self {
        Self::new(Reason::BadValue)
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::new(Reason::UnknownField).under(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Reason::MissingField).under(field)
    }
}

#[derive(Clone, Copy)]
struct Reader<'n, 'a>(&'n Node<'a>);

impl<'n> de::Deserializer<'n> for Reader<'n, '_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Int(value) => visitor.visit_i64(*value),
            Node::Float(value) => visitor.visit_f64(*value),
            Node::Text(text) => visitor.visit_borrowed_str(text),
            Node::List(elements) => {
                let mut rest = Elements { all: elements, next: 0 };
                let value = visitor.visit_seq(&mut rest)?;
                if rest.next < elements.len() { Err(Mistake::new(Reason::BadValue)) } else { Ok(value) }
            }
            Node::Map(object) => visitor.visit_map(Members { members: object.members(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if matches!(self.0, Node::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    /// A derived struct would read an array as its fields in order: here an object is an object.
    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if matches!(self.0, Node::Map(_)) {
            self.deserialize_any(visitor)
        } else {
            Err(Mistake::new(Reason::WrongType))
        }
    }

    /// A free-form map would read null as empty: here null is not an object.
    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if matches!(self.0, Node::Map(_)) {
            self.deserialize_any(visitor)
        } else {
            Err(Mistake::new(Reason::WrongType))
        }
    }

    forward_to_deserialize_any! {
        <W: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct enum identifier ignored_any
    }
}

struct Elements<'n, 'a> {
    all: &'n [Node<'a>],
    next: usize,
}

impl<'n> SeqAccess<'n> for &mut Elements<'n, '_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some(node) = self.all.get(self.next) else { return Ok(None) };
        let value = seed.deserialize(Reader(node)).map_err(|mistake| mistake.under(self.next.to_string()))?;
        self.next += 1;
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.all.len() - self.next)
    }
}

struct Members<'n, 'a, I> {
    members: I,
    value: Option<(&'n str, &'n Node<'a>)>,
}

impl<'n, 'a: 'n, I: Iterator<Item = (&'n str, &'n Node<'a>)>> MapAccess<'n> for Members<'n, 'a, I> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        self.value = self.members.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        seed.deserialize(StrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let (key, node) = self.value.take().expect("serde asks for a key before its value");
        seed.deserialize(Reader(node)).map_err(|mistake| mistake.under(key))
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use schemas::application::{Report, Requested};

    fn check<T: for<'n> Deserialize<'n>>(text: &str, expected: Option<(Reason, &str)>) {
        let node = parse(text.as_bytes(), 8).expect("rows are JSON");
        let found = from_node::<T>(&node).err().map(|fault| (fault.reason, fault.pointer));
        assert_eq!(found, expected.map(|(reason, pointer)| (reason, pointer.to_owned())), "{text}");
    }

    #[test]
    fn a_mistake_has_its_word_and_its_pointer() {
        let money = r#""amount":{"amount_minor":1,"currency":"USD"}"#;
        let rows = [
            (format!("{{{money}}}"), None),
            (format!("{{{money},\"term_months\":null}}"), None),
            (format!("{{{money},\"tern_months\":1}}"), Some((Reason::UnknownField, "/tern_months"))),
            (format!("{{{money},\"term_months\":\"1\"}}"), Some((Reason::WrongType, "/term_months"))),
            (format!("{{{money},\"term_months\":-1}}"), Some((Reason::BadValue, "/term_months"))),
            ("{}".into(), Some((Reason::MissingField, "/amount"))),
            (r#"{"amount":{"currency":"USD"}}"#.into(), Some((Reason::MissingField, "/amount/amount_minor"))),
            (
                r#"{"amount":{"amount_minor":1.5,"currency":"USD"}}"#.into(),
                Some((Reason::WrongType, "/amount/amount_minor")),
            ),
            ("[]".into(), Some((Reason::WrongType, ""))),
            (r#"{"amount":[1,"USD"]}"#.into(), Some((Reason::WrongType, "/amount"))),
        ];
        for (text, expected) in rows {
            check::<Requested>(&text, expected);
        }
    }

    #[test]
    fn a_pair_has_two_elements() {
        let report = |range: &str| {
            format!(
                r#"{{"source":"b","report_id":"1","pulled_at":"t","status":"hit","range":{range},"fields":{{"a":[1]}}}}"#
            )
        };
        check::<Report>(&report("[1,2]"), None);
        check::<Report>(&report("[1]"), Some((Reason::BadValue, "/range")));
        check::<Report>(&report("[1,2,3]"), Some((Reason::BadValue, "/range")));
        check::<Report>(&report("[1,\"2\"]"), Some((Reason::WrongType, "/range/1")));
    }
}
