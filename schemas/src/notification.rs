//! What notifier sends out, and the receipt that it writes back.

use crate::Word;
use domain::{DeliveryStatus, Outcome};
use serde::{Deserialize, Serialize};

/// `ce_type` of a receipt.
pub const DELIVERED: &str = "notification.delivered.v1";

/// The thin body of a webhook: ids and the outcome, nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Event type, such as `decision.made.v1`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Id of the event that is told of.
    pub event_id: String,
    /// RFC 3339.
    pub timestamp: String,
    /// What is told.
    pub data: WebhookData,
}

/// Ids and the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookData {
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: u32,
    /// From 1.
    pub decision_number: u32,
    /// What becomes of the application.
    pub outcome: Word<Outcome>,
}

/// The receipt of a delivery that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Id of the delivery, sent as `webhook-id`.
    pub delivery_id: String,
    /// Subscription.
    pub subscription: String,
    /// Event that was told of.
    pub event_id: String,
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: u32,
    /// How it ended.
    pub status: Word<DeliveryStatus>,
    /// Attempts made.
    pub attempts: u32,
    /// HTTP status of the last attempt, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// RFC 3339.
    pub at: String,
}
