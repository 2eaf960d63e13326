//! PURE. Which subscriptions hear of a decision, under which id, with which body.

use crate::config::Subscription;
use runtime::auth::EVERY_TENANT;
use runtime::pg::rows::holds;
use schemas::envelope::Envelope;
use schemas::event_id::event_id;
use schemas::notification::{Webhook, WebhookData};
use serde::Deserialize;
use uuid::Uuid;

/// The longest id of a row, bytes: what the indexes of the queue take, and more than any contract allows.
const LONGEST_ID: usize = 512;

/// What of a decision is read; the rest is not this worker's business.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Told {
    application: Application,
    decision_number: u32,
    outcome: String,
    product: String,
    decided_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Application {
    tenant: String,
    application_id: String,
    revision: u32,
}

/// A row to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Of event id and subscription: the same whenever the event is read again.
    pub id: Uuid,
    /// Whom it is for.
    pub subscription: String,
    /// What is told of.
    pub event_type: String,
    /// Its id.
    pub event_id: String,
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: i32,
    /// Echoed on.
    pub correlation_id: Option<String>,
    /// Carried on.
    pub traceparent: Option<String>,
    /// The thin body, as it will be sent at every attempt.
    pub body: String,
}

/// The deliveries of one decision.
///
/// # Errors
/// When the body of the decision is not one, or says who it is about in a way that no row holds.
pub fn select(
    subscriptions: &[Subscription],
    envelope: &Envelope,
    payload: &[u8],
) -> Result<Vec<Delivery>, serde_json::Error> {
    let told: Told = serde_json::from_slice(payload)?;
    let Application { tenant, application_id, revision } = &told.application;
    let texts = [tenant, application_id, &envelope.id, &envelope.event_type];
    if !(1..=i32::MAX as u32).contains(revision) || !texts.iter().all(|text| holds(text, LONGEST_ID)) {
        return Err(serde::de::Error::custom("an id or a revision that no row holds"));
    }
    let wanting = subscriptions.iter().filter(|subscription| wants(subscription, &envelope.event_type, &told));
    wanting.map(|subscription| delivery(subscription, envelope, &told)).collect()
}

fn wants(subscription: &Subscription, event_type: &str, told: &Told) -> bool {
    let takes = |list: &[String], word: &str| list.is_empty() || list.iter().any(|wanted| wanted == word);
    // Other filters narrow what a receiver hears; this one says whose it may hear at all.
    let may_hear = |own: &str| subscription.tenants.iter().any(|tenant| tenant == EVERY_TENANT || tenant == own);
    subscription.enabled
        && subscription.event_types.iter().any(|wanted| wanted == event_type)
        && may_hear(&told.application.tenant)
        && takes(&subscription.products, &told.product)
        && takes(&subscription.outcomes, &told.outcome)
}

fn delivery(subscription: &Subscription, envelope: &Envelope, told: &Told) -> Result<Delivery, serde_json::Error> {
    let Application { tenant, application_id, revision } = &told.application;
    let ordinal = format!("{}\u{1f}{}", envelope.id, subscription.id);
    let body = Webhook {
        event_type: envelope.event_type.clone(),
        event_id: envelope.id.clone(),
        timestamp: told.decided_at.clone(),
        data: WebhookData {
            tenant: tenant.clone(),
            application_id: application_id.clone(),
            revision: *revision,
            decision_number: told.decision_number,
            outcome: told.outcome.clone(),
        },
    };
    Ok(Delivery {
        id: event_id("delivery", tenant, application_id, *revision, &ordinal),
        subscription: subscription.id.clone(),
        event_type: envelope.event_type.clone(),
        event_id: envelope.id.clone(),
        tenant: tenant.clone(),
        application_id: application_id.clone(),
        revision: i32::try_from(*revision).unwrap_or(i32::MAX),
        correlation_id: held(&envelope.correlation_id),
        traceparent: held(&envelope.traceparent),
        body: serde_json::to_string(&body)?,
    })
}

/// What is only echoed is left out where no row holds it: a decision is told without it.
fn held(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| holds(text, LONGEST_ID))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use schemas::catalogue;

    fn subscription(change: impl FnOnce(&mut Subscription)) -> Subscription {
        let text = r#"{"id":"los","url":"https://a.example/","secrets":["whsec_AAAA"],"tenants":["demo"]}"#;
        let mut subscription: Subscription = serde_json::from_str(text).unwrap();
        change(&mut subscription);
        subscription
    }

    fn envelope(event_type: &str) -> Envelope {
        Envelope { id: "e-1".to_owned(), event_type: event_type.to_owned(), ..Envelope::default() }
    }

    fn decline() -> &'static [u8] {
        let examples = catalogue::find("decision.made.v1").unwrap().examples;
        examples.iter().find(|example| example.name == "good-decline").unwrap().text.as_bytes()
    }

    #[test]
    fn a_subscription_hears_of_its_tenants_and_other_filters_narrow_that() {
        type Change = fn(&mut Subscription);
        let cases: [(&str, Change, usize); 11] = [
            ("all of its tenant's", |_| {}, 1),
            ("off", |s| s.enabled = false, 0),
            ("no tenant", |s| s.tenants.clear(), 0),
            ("every tenant", |s| s.tenants = vec!["*".into()], 1),
            ("every tenant, and one by name", |s| s.tenants = vec!["bank".into(), "*".into()], 1),
            ("tenant", |s| s.tenants = vec!["demo".into()], 1),
            ("other tenant", |s| s.tenants = vec!["bank".into()], 0),
            ("product", |s| s.products = vec!["x".into(), "credit_card".into()], 1),
            ("outcome", |s| s.outcomes = vec!["decline".into()], 1),
            ("other outcome", |s| s.outcomes = vec!["approve".into(), "refer".into()], 0),
            ("no event", |s| s.event_types.clear(), 0),
        ];
        for (name, change, wanted) in cases {
            let found = select(&[subscription(change)], &envelope("decision.made.v1"), decline()).unwrap();
            assert_eq!(found.len(), wanted, "{name}");
        }
        assert!(select(&[subscription(|_| {})], &envelope("other.v1"), decline()).unwrap().is_empty());
        assert!(select(&[], &envelope("decision.made.v1"), b"{}").is_err());
    }

    #[test]
    fn the_id_is_of_event_and_subscription_and_the_body_is_thin() {
        let both = [subscription(|_| {}), subscription(|s| s.id = "crm".into())];
        let once = select(&both, &envelope("decision.made.v1"), decline()).unwrap();
        assert_eq!(once, select(&both, &envelope("decision.made.v1"), decline()).unwrap());
        assert_ne!(once[0].id, once[1].id);
        let other = Envelope { id: "e-2".to_owned(), ..envelope("decision.made.v1") };
        assert_ne!(once[0].id, select(&both, &other, decline()).unwrap()[0].id);
        let schema = catalogue::validator("webhook.v1").unwrap();
        let body: serde_json::Value = serde_json::from_str(&once[0].body).unwrap();
        assert!(schema.is_valid(&body), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 4);
        assert_eq!(body["data"].as_object().unwrap().len(), 5);
    }
}
