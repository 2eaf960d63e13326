//! Which wire struct mirrors which event type, and what a body looks like after it went through.

use schemas::access::Access;
use schemas::application::{Application, Withdrawal};
use schemas::control::{Activation, ActivationPassed};
use schemas::decision::Decision;
use schemas::gap::GapAccepted;
use schemas::instance::Announcement;
use schemas::intake::{Identities, Protecteds, Received};
use schemas::notification::{Receipt, Webhook};
use schemas::reply::Reply;
use schemas::risk::RiskEvent;
use schemas::token::Revoked;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads `text` as the struct of `event_type` and writes it again; the error is serde's.
pub fn round_trip(event_type: &str, text: &str) -> Result<Value, String> {
    let through: fn(&str) -> Result<Value, String> = match event_type {
        "application.submitted.v1" => through::<Application>,
        "application.withdrawn.v1" => through::<Withdrawal>,
        "application.replied.v1" => through::<Reply>,
        "application.received.v1" | "application.accepted.v1" => through::<Received>,
        "identity.received.v1" => through::<Identities>,
        "protected.received.v1" => through::<Protecteds>,
        "access.recorded.v1" => through::<Access>,
        "token.revoked.v1" => through::<Revoked>,
        "gap.accepted.v1" => through::<GapAccepted>,
        "control.activated.v1" => through::<Activation>,
        "instance.announced.v1" => through::<Announcement>,
        "activation.passed.v1" => through::<ActivationPassed>,
        "score.computed.v1" | "score.shadow_computed.v1" => through::<RiskEvent>,
        "decision.made.v1" => through::<Decision>,
        "notification.delivered.v1" => through::<Receipt>,
        "webhook.v1" => through::<Webhook>,
        other => panic!("{other} has no struct: name it here"),
    };
    through(text)
}

fn through<T: Serialize + DeserializeOwned>(text: &str) -> Result<Value, String> {
    let body: T = serde_json::from_str(text).map_err(|error| error.to_string())?;
    serde_json::to_value(body).map_err(|error| error.to_string())
}
