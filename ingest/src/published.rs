//! The slow path: what the published JSON Schemas take where a refused record is wrong, so that a sender can mend it. Never decides
//! whether a record is refused, and knows no value of it.

use crate::error::Error;
use crate::expected;
use crate::refusal::{Fault, Reason};
use crate::strict::node::unescaped;
use crate::strict::{Node, Object};
use schemas::application::{SUBMITTED, WITHDRAWN};
use schemas::catalogue::documents;
use schemas::reply::Expected;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashMap;

const SUBMITTED_FILE: &str = "application.submitted.v1.json";
const WITHDRAWN_FILE: &str = "application.withdrawn.v1.json";
const COMMON_FILE: &str = "common.v1.json";
const STRUCTURED_FILE: &str = "structured.v1.json";
const HEADERS_FILE: &str = "headers.v1.json";

/// The schemas of what senders may send, by file name.
pub struct Published(HashMap<&'static str, Value>);

/// A part of a schema, and the file that its references start from.
type Part<'p> = (&'p str, &'p Value);

impl Published {
    /// Reads the schemas.
    ///
    /// # Errors
    /// [`Error::Config`] when one is no JSON.
    pub fn new() -> Result<Self, Error> {
        let files = [SUBMITTED_FILE, WITHDRAWN_FILE, COMMON_FILE, STRUCTURED_FILE, HEADERS_FILE];
        let read = documents().filter(|document| files.contains(&document.file)).map(|document| {
            let schema = serde_json::from_str(document.text);
            schema.map(|schema| (document.file, schema)).map_err(|error| Error::Config(format!("schema: {error}")))
        });
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    /// Adds to a fault what the contract takes in its place, unless that is said already.
    pub(crate) fn explain(&self, fault: &mut Fault, event_type: &str) {
        if fault.expected.is_some() {
            return;
        }
        let expected = match (fault.reason, fault.attribute) {
            (Reason::BadEnvelope, Some(attribute)) => self.of_attribute(attribute),
            (Reason::UnknownField, _) => self.of_parent(fault, event_type),
            (reason, _) if is_about_a_value(reason) => expected::of(&self.at(event_type, steps(&fault.pointer))),
            _ => return,
        };
        fault.expected = (expected != Expected::default()).then(|| Box::new(expected));
    }

    /// Cuts a pointer at the first step that the contract does not know: behind it where members have names, before it where none are
    /// meant to be. A key further down may be a value that was put in the wrong place. Where any name is taken, such as in
    /// `attributes`, all are told.
    pub(crate) fn stop_at_unknown(&self, pointer: &mut String, event_type: &str) {
        let (mut parts, mut end) = (self.parts(event_type, std::iter::empty()), 0);
        for step in pointer.split('/').skip(1) {
            if parts.iter().any(|(_, schema)| takes_any_member(schema)) {
                return;
            }
            let has_names = parts.iter().any(|(_, schema)| schema.get("properties").is_some());
            parts = self.member(parts, &unescaped(step));
            if !parts.is_empty() || has_names {
                end += 1 + step.len();
            }
            if parts.is_empty() {
                return pointer.truncate(end);
            }
        }
    }

    /// The words of a closed list that stands at a place of an application; none where it takes something else.
    pub(crate) fn words_at(&self, pointer: &str) -> Vec<String> {
        expected::of(&self.at(SUBMITTED, steps(pointer))).words
    }

    /// What an attribute takes as a header and in structured mode, which knows the types that are taken.
    fn of_attribute(&self, attribute: &str) -> Expected {
        let mut parts = self.member(self.whole(HEADERS_FILE), &format!("ce_{attribute}"));
        parts.extend(self.member(self.whole(STRUCTURED_FILE), attribute));
        expected::of(&schemas(&parts))
    }

    /// The names of the object that has the unknown field, and which of them may have been meant.
    fn of_parent(&self, fault: &mut Fault, event_type: &str) -> Expected {
        let (parent, name) = fault.pointer.rsplit_once('/').unwrap_or_default();
        let expected = expected::names(&self.at(event_type, steps(parent)));
        let meant = expected::nearest(&unescaped(name), &expected.names);
        if let (None, Some(meant)) = (&fault.remark, meant) {
            fault.remark = Some(format!("the nearest name is {meant}"));
        }
        expected
    }

    /// A value of the right type for a place, so that what is wrong elsewhere can be looked for; none where the place is in no schema.
    pub(crate) fn stand_in<'s>(
        &self,
        event_type: &str,
        path: impl Iterator<Item = Cow<'s, str>>,
    ) -> Option<Node<'static>> {
        self.stand_in_of(&self.parts(event_type, path))
    }

    fn stand_in_of(&self, parts: &[Part<'_>]) -> Option<Node<'static>> {
        let expected = expected::of(&schemas(parts));
        if expected.types.iter().any(|name| name == "null") {
            return Some(Node::Null);
        }
        match expected.types.first()?.as_str() {
            "string" => Some(Node::Text(expected.words.into_iter().next().unwrap_or_default().into())),
            "integer" | "number" => Some(Node::Int(expected.minimum.unwrap_or_default().max(0))),
            "boolean" => Some(Node::Bool(false)),
            "array" => Some(Node::List(Vec::new())),
            _ => self.object_of(parts).map(Node::Map),
        }
    }

    fn object_of(&self, parts: &[Part<'_>]) -> Option<Object<'static>> {
        let required = parts.iter().filter_map(|(_, schema)| schema.get("required")?.as_array()).flatten();
        let mut object = Object::default();
        for name in required.filter_map(Value::as_str) {
            let members: Vec<_> = parts.iter().flat_map(|part| self.member(vec![*part], name)).collect();
            object.put(name.to_owned().into(), self.stand_in_of(&members)?);
        }
        Some(object)
    }

    /// Every schema that holds of a place in a body.
    fn at<'p, 's>(&'p self, event_type: &str, path: impl Iterator<Item = Cow<'s, str>>) -> Vec<&'p Value> {
        schemas(&self.parts(event_type, path))
    }

    fn parts<'p, 's>(&'p self, event_type: &str, path: impl Iterator<Item = Cow<'s, str>>) -> Vec<Part<'p>> {
        let whole = self.whole(if event_type == WITHDRAWN { WITHDRAWN_FILE } else { SUBMITTED_FILE });
        path.fold(whole, |parts, step| self.member(parts, &step))
    }

    fn whole(&self, file: &'static str) -> Vec<Part<'_>> {
        self.0.get(file).map(|schema| self.with_what_it_names((file, schema))).unwrap_or_default()
    }

    /// One step down: a member of an object, or an element of a list.
    fn member<'p>(&'p self, parts: Vec<Part<'p>>, step: &str) -> Vec<Part<'p>> {
        let below = parts.into_iter().filter_map(|(file, schema)| {
            let index = || step.parse::<usize>().ok();
            let named = schema.get("properties").and_then(|members| members.get(step));
            let element = || index().and_then(|at| schema.get("prefixItems")?.get(at));
            let any = || index().and_then(|_| schema.get("items"));
            Some((file, named.or_else(element).or_else(any)?))
        });
        below.flat_map(|part| self.with_what_it_names(part)).collect()
    }

    /// A schema, and those that hold with it: by reference, or all of a list.
    fn with_what_it_names<'p>(&'p self, (file, schema): Part<'p>) -> Vec<Part<'p>> {
        let referred = schema.get("$ref").and_then(Value::as_str).and_then(|reference| {
            let (target, pointer) = reference.split_once('#')?;
            let file = if target.is_empty() { file } else { target };
            Some((file, self.0.get(file)?.pointer(pointer)?))
        });
        let all = schema.get("allOf").and_then(Value::as_array).into_iter().flatten().map(|one| (file, one));
        let named = referred.into_iter().chain(all).flat_map(|part| self.with_what_it_names(part));
        std::iter::once((file, schema)).chain(named).collect()
    }
}

fn schemas<'p>(parts: &[Part<'p>]) -> Vec<&'p Value> {
    parts.iter().map(|(_, schema)| *schema).collect()
}

/// Whether an object may have members of any name.
fn takes_any_member(schema: &Value) -> bool {
    let is_object = schema.get("type").is_some_and(|kind| kind == "object" || kind == &json!(["object", "null"]));
    is_object && schema.get("properties").is_none() && schema.get("additionalProperties") != Some(&Value::Bool(false))
}

/// Whether a word says that a value is not what its place takes: only then is what it takes of use.
fn is_about_a_value(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::MissingField
            | Reason::WrongType
            | Reason::BadValue
            | Reason::UnknownWord
            | Reason::BadIdentifier
            | Reason::BadAmount
            | Reason::UnknownCurrency
            | Reason::BadTime
            | Reason::TooMany
    )
}

/// The steps of a JSON pointer.
fn steps(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(unescaped)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::strict::from_node;
    use schemas::application::{Application, SUBMITTED, Withdrawal};

    fn told(reason: Reason, pointer: &str) -> Fault {
        let mut fault = Fault::new(reason, pointer.to_owned());
        Published::new().unwrap().explain(&mut fault, SUBMITTED);
        fault
    }

    #[test]
    fn what_a_place_takes_is_what_its_schema_says() {
        let rows = [
            (Reason::UnknownWord, "/intent", "one of decide, prequalify, score_only"),
            (Reason::MissingField, "/tenant", "text that fits ^[A-Za-z0-9._:-]{1,64}$"),
            (Reason::BadIdentifier, "/revision", "a whole number from 1 to 2147483647"),
            (Reason::BadAmount, "/requested/amount/amount_minor", "a whole number from 1 to 9007199254740991"),
            (Reason::BadValue, "/requested/term_months", "a whole number from 1 to 600, or null"),
            (Reason::UnknownWord, "/applicants/0/role", "primary"),
            (Reason::UnknownWord, "/applicants/3/role", "one of co_applicant, guarantor"),
            (Reason::UnknownWord, "/applicants/3/facts/housing/status", "one of own, rent, free, or null"),
            (Reason::TooMany, "/documents", "a list of at most 256 elements"),
            (Reason::WrongType, "", "an object"),
            (Reason::BadTime, "/applicants/0/consents/4/granted_at", "a time as RFC 3339 has it, in UTC with Z"),
        ];
        for (reason, pointer, said) in rows {
            let fault = told(reason, pointer);
            assert_eq!(fault.expected.as_deref().and_then(expected::say).as_deref(), Some(said), "{pointer}");
        }
        assert_eq!(told(Reason::BadValue, "/attributes/free").expected, None);
        assert_eq!(told(Reason::DuplicateKey, "/intent").expected, None, "nothing is wrong with the word");
    }

    #[test]
    fn an_unknown_field_is_told_the_names_that_there_are() {
        let fault = told(Reason::UnknownField, "/requested/term_month");
        assert_eq!(fault.expected.unwrap().names, ["amount", "purpose", "term_months"]);
        assert_eq!(fault.remark.as_deref(), Some("the nearest name is term_months"));
        let fault = told(Reason::UnknownField, "/applicants/0/Identity");
        assert_eq!(fault.remark.as_deref(), Some("the nearest name is identity"));
        assert_eq!(told(Reason::UnknownField, "/zzzzzz").remark, None);
    }

    #[test]
    fn a_pointer_ends_where_the_contract_does() {
        let published = Published::new().unwrap();
        let rows = [
            ("/applicants/0/facts/income/2/amount/currency", "/applicants/0/facts/income/2/amount/currency"),
            ("/applicants/0/facts/nam/Anna Svensson", "/applicants/0/facts/nam"),
            ("/applicant/0/Anna Svensson", "/applicant"),
            ("/Applicants/0/name", "/Applicants"),
            ("/tenant/Anna Svensson/1", "/tenant"),
            ("/applicants/Anna Svensson", "/applicants"),
            ("/requested/term_month", "/requested/term_month"),
            ("/attributes/free/deep/~1er", "/attributes/free/deep/~1er"),
            ("/applicants/0/reports/1/fields/free/deep", "/applicants/0/reports/1/fields/free/deep"),
            ("/a~1b/c", "/a~1b"),
            ("", ""),
        ];
        for (sent, told) in rows {
            let mut pointer = sent.to_owned();
            published.stop_at_unknown(&mut pointer, SUBMITTED);
            assert_eq!(pointer, told);
        }
        let mut pointer = "/application_id/x/y".to_owned();
        published.stop_at_unknown(&mut pointer, WITHDRAWN);
        assert_eq!(pointer, "/application_id");
    }

    #[test]
    fn a_stand_in_has_the_right_shape() {
        let published = Published::new().unwrap();
        let whole = |event_type| published.stand_in(event_type, steps("")).unwrap();
        assert!(from_node::<Application>(&whole(SUBMITTED)).is_ok());
        assert!(from_node::<Withdrawal>(&whole(WITHDRAWN)).is_ok());
        assert_eq!(published.stand_in(SUBMITTED, steps("/requested/term_months")), Some(Node::Null));
        assert_eq!(published.stand_in(SUBMITTED, steps("/attributes/free")), None);
    }
}
