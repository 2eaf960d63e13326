//! `credit.gaps.v1`: that somebody takes it as it is that a worker cannot read on where it left off. The log keeps it, so that a
//! hole in the stream is never one without a name.

use serde::{Deserialize, Serialize};

/// `ce_type` of the record.
pub const ACCEPTED: &str = "gap.accepted.v1";

/// The body of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapAccepted {
    /// Consumer group, with the deployment's prefix.
    pub group: String,
    /// Topic, with the deployment's prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// `no_offset`, `expired`, `beyond_end`, `recreated`, `state_lost`, `offset_behind` or `unreadable`.
    pub kind: String,
    /// The committed offset; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// The offset at which the group goes on.
    pub to: i64,
    /// The topic's id, base64, where the broker tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
    /// Who accepted it.
    pub accepted_by: String,
    /// RFC 3339.
    pub accepted_at: String,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
