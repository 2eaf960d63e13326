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
