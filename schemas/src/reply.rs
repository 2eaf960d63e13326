//! `loan.replies.v1`: exactly one answer for each published record. Ids, coordinates, problem type and pointers; never values.

use crate::Word;
use domain::ReplyStatus;
use serde::{Deserialize, Serialize};

/// `ce_type` of a reply.
pub const REPLIED: &str = "application.replied.v1";

/// The body of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What became of the record.
    pub status: Word<ReplyStatus>,
    /// Where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// Where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The sender's event id, where it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin_id: Option<String>,
    /// The record answered.
    pub origin: Coordinates,
    /// For anything but `accepted` and `duplicate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// What was accepted before, where that is why the record was not: for `duplicate`, `conflict`, `superseded` and what comes after
    /// a withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// What the sender should look at although it refuses nothing: words, such as `application_id_like_email`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Where, for those of [`Self::warnings`] that are about a place in `data`; of very many the first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warning_details: Vec<Warning>,
}

/// Something in `data` that is taken, and that no model of the product reads as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A stable word, such as `unknown_attribute`.
    #[serde(rename = "type")]
    pub kind: String,
    /// JSON pointer (RFC 6901) into `data`.
    pub pointer: String,
    /// The known name that is most like the one that is not known, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// What the models take there; none where a name is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// The newest accepted body of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// From 1.
    pub revision: u32,
    /// When the broker had it, RFC 3339 in UTC, to the second; the time of a resend that came more than half the window of
    /// deduplication later. Absent for an application that was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Topic without prefix, or `http` / `batch` for what came through the door.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// What is wrong, in the spirit of RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word, such as `unknown_field`: that of the first fault.
    #[serde(rename = "type")]
    pub kind: String,
    /// JSON pointers (RFC 6901) into `data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<String>,
    /// Names of CloudEvents attributes that are missing or wrong, such as `id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// Each thing that is wrong, in the order of `pointers` and `attributes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// One thing that is wrong: where, and what the contract expects there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A stable word, of the same list as a problem's.
    #[serde(rename = "type")]
    pub kind: String,
    /// JSON pointer (RFC 6901) into `data`, empty for the whole; none where an attribute alone is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The CloudEvents attribute, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// One sentence for people, made of the contract alone.
    pub detail: String,
    /// The same for programs; none where there is no more to say than the word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// What the contract takes at a place. All that is said holds at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// JSON types, such as `integer` and `null`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// The closed list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// Where a name is wrong and not a value: the names of the object's members, or of the header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// A regular expression (ECMA 262).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// A format of JSON Schema, such as `date-time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<i64>,
    /// Largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<i64>,
    /// Fewest characters of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u64>,
    /// Most characters of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    /// Fewest elements of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u64>,
    /// Most elements of a list, or members of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    /// Earliest time or day, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<String>,
    /// Latest time or day, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<String>,
}
