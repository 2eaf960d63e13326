//! PURE. The events of an application as its detail shows them: scores, decisions, withdrawals, deliveries and answers.

use crate::application_detail_parts::{DecisionParts, ReplyParts, ScoreParts};
use crate::applications::{DecisionSummary, ScoreSummary};
use crate::log::AuditPosition;
use serde::Serialize;
use utoipa::ToSchema;

/// A score event.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct ScoreDetail {
    /// Event id.
    pub event_id: String,
    /// Of a shadow: it decided nothing.
    pub shadow: bool,
    /// In brief.
    #[serde(flatten)]
    pub summary: ScoreSummary,
    /// Why it is unscorable.
    pub unscorable: Vec<String>,
    /// `champion`, `challenger` or `shadow`.
    pub model_role: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    pub scored_at: String,
    /// From the event itself.
    #[serde(flatten)]
    pub parts: ScoreParts,
    /// Where it stands in the log.
    pub audit: Option<AuditPosition>,
}

/// A decision.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct DecisionDetail {
    /// Event id.
    pub event_id: String,
    /// In brief.
    #[serde(flatten)]
    pub summary: DecisionSummary,
    /// SHA-256 of the policy document.
    pub policy_digest: String,
    /// From the event itself.
    #[serde(flatten)]
    pub parts: DecisionParts,
    /// Where it stands in the log.
    pub audit: Option<AuditPosition>,
}

/// The applicant's end of it.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct Withdrawal {
    /// By the sender's clock.
    #[schema(format = DateTime)]
    pub withdrawn_at: Option<String>,
    /// By the broker's.
    #[schema(format = DateTime)]
    pub accepted_at: String,
    /// Where it stands in the log.
    pub audit: Option<AuditPosition>,
}

/// A webhook to one subscription.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct Delivery {
    /// Sent as `webhook-id`.
    pub delivery_id: String,
    /// Subscription.
    pub subscription: String,
    /// Event that it tells of.
    pub event_id: String,
    /// `pending`, `delivered`, `failed` or `disabled`.
    pub status: String,
    /// Attempts that ended.
    pub attempts: i32,
    /// Status of the last answer.
    pub http_status: Option<i32>,
    /// When the next attempt is due, while pending.
    #[schema(format = DateTime)]
    pub next_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// Where its receipt stands in the log.
    pub audit: Option<AuditPosition>,
}

/// The answer to one record of the sender.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct ReplyDetail {
    /// `accepted`, `duplicate`, `superseded`, `conflict` or `rejected`.
    pub status: String,
    /// Revision that the record was about.
    pub revision: Option<i32>,
    /// What was wrong, as a word.
    pub problem: Option<String>,
    /// Topic of the record, or `http` or `batch`.
    pub origin_topic: String,
    /// Its partition.
    pub origin_partition: i32,
    /// Its offset.
    pub origin_offset: i64,
    /// When it was answered.
    #[schema(format = DateTime)]
    pub replied_at: String,
    /// From the event itself.
    #[serde(flatten)]
    pub parts: ReplyParts,
    /// Where the answer stands in the log.
    pub audit: Option<AuditPosition>,
}
