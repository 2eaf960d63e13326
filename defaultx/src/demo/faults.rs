//! PURE. Broken events, one kind for each way in which senders go wrong, with the reason that ingest must give.

use super::applications::Document;
use super::shot::{Shot, envelope_of};
use ingest::refusal::Reason;
use schemas::envelope::header;
use serde_json::{Value, json};

/// A way to break an application.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What ingest must say.
    pub reason: Reason,
    breaks: fn(Shot, Value) -> Shot,
}

/// Every kind, used in turns.
pub const FAULTS: [Fault; 14] = [
    Fault { reason: Reason::NotJson, breaks: |shot, _| body(&shot, |text| text[..text.len() / 2].into()) },
    Fault { reason: Reason::UnknownField, breaks: |shot, data| with(shot, data, "/requested/ammount", json!(1)) },
    Fault { reason: Reason::MissingField, breaks: |shot, data| without(shot, data, "jurisdiction") },
    Fault { reason: Reason::WrongType, breaks: |shot, data| with(shot, data, "/channel", json!(7)) },
    Fault {
        reason: Reason::BadAmount,
        breaks: |shot, data| with(shot, data, "/requested/amount/amount_minor", json!(-100)),
    },
    Fault {
        reason: Reason::UnknownCurrency,
        breaks: |shot, data| with(shot, data, "/requested/amount/currency", json!("ZZZ")),
    },
    Fault { reason: Reason::UnknownProduct, breaks: |shot, data| with(shot, data, "/product", json!("moon_mortgage")) },
    Fault { reason: Reason::TenantMismatch, breaks: |shot, data| with(shot, data, "/tenant", json!("another-bank")) },
    Fault {
        reason: Reason::SchemaRegistryFraming,
        breaks: |shot, _| body(&shot, |text| [b"\0\0\0\0\x07", text].concat()),
    },
    Fault {
        reason: Reason::NotUtf8,
        breaks: |shot, _| body(&shot, |text| [&text[..1], b"\"\xff\":1,", &text[1..]].concat()),
    },
    Fault {
        reason: Reason::DuplicateKey,
        breaks: |shot, _| body(&shot, |text| [b"{\"revision\":1,", &text[1..]].concat()),
    },
    Fault {
        reason: Reason::FutureTime,
        breaks: |shot, data| with(shot, data, "/submitted_at", json!("2199-01-01T00:00:00Z")),
    },
    Fault { reason: Reason::BadEnvelope, breaks: |shot, _| without_id(shot) },
    Fault { reason: Reason::Empty, breaks: |shot, _| body(&shot, |_| Vec::new()) },
];

impl Fault {
    /// A broken event made of a good application, under an id of its own.
    pub fn apply(self, document: &Document, number: usize) -> Shot {
        let mut data: Value = serde_json::from_str(&document.data).unwrap_or_default();
        let application_id = format!("broken-{number}");
        data["application_id"] = application_id.as_str().into();
        let document = Document { application_id, data: data.to_string().into(), ..document.clone() };
        (self.breaks)(Shot::of(&document, &format!("broken-{number}")), data)
    }
}

fn body(shot: &Shot, change: impl Fn(&[u8]) -> Vec<u8>) -> Shot {
    Shot { value: change(&shot.value).into(), ..shot.clone() }
}

fn with(shot: Shot, mut data: Value, pointer: &str, value: Value) -> Shot {
    let (parent, field) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if let Some(parent) = data.pointer_mut(parent) {
        parent[field] = value;
    }
    Shot { value: data.to_string().into_bytes().into(), ..shot }
}

fn without(shot: Shot, mut data: Value, field: &str) -> Shot {
    if let Some(object) = data.as_object_mut() {
        object.remove(field);
    }
    Shot { value: data.to_string().into_bytes().into(), ..shot }
}

fn without_id(mut shot: Shot) -> Shot {
    shot.headers = envelope_of(&shot.application_id, "").to_headers();
    shot.headers.retain(|(name, _)| *name != header::ID);
    shot
}
