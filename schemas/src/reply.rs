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
    /// A stable word, such as `schema_violation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// JSON pointers (RFC 6901) into `data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<String>,
    /// Names of CloudEvents attributes that are missing or wrong, such as `id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
}
