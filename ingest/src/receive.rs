//! The thought of `receive`, pure: one arrived record becomes a parsed, checked, normalised and stripped application or
//! withdrawal, or a refusal with one word. The topic, the HTTP door and a batch file all come through here.

use crate::attributes::{self, Warnings};
use crate::check;
use crate::data_digest::DataDigest;
use crate::refusal::{Fault, Reason, Refusal, Who};
use crate::rules::{Rules, TenantRule};
use crate::sender::{self, BadSender, HeaderOf, Mode};
use crate::strict::{self, Node, canonical_bytes, from_node};
use crate::strip::{self, Stripped};
use domain::{ApplicationId, ApplicationKey, Channel, Revision};
use schemas::Envelope;
use schemas::application::{self, Application, Withdrawal};
use schemas::envelope::MAX_ATTRIBUTE_BYTES;

/// A record as it arrived.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// How it came.
    pub channel: Channel,
    /// The broker's time of it, or this machine's before Kafka has it: milliseconds since 1970.
    pub at_ms: i64,
    /// Header values by Kafka's names.
    pub header_of: HeaderOf<'a>,
    /// The value.
    pub body: Option<&'a [u8]>,
    /// The tenant that its topic or principal is bound to.
    pub tenant: &'a TenantRule,
}

/// A record that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The sender's envelope.
    pub envelope: Envelope,
    /// Tenant and application id.
    pub key: ApplicationKey,
    /// The tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// What it is.
    pub content: Content,
    /// What its sender should look at in its attributes.
    pub warnings: Option<Box<Warnings>>,
}

/// What a taken record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An application.
    Application {
        /// From 1.
        revision: Revision,
        /// Keyed, of the RFC 8785 form of the sender's `data`.
        digest: DataDigest,
        /// The bodies it became.
        stripped: Stripped,
    },
    /// A withdrawal.
    Withdrawal {
        /// Its normal form.
        body: Vec<u8>,
    },
}

/// Takes or refuses one record.
///
/// # Errors
/// A [`Refusal`] with the word of the first fault and every pointer that is known.
pub fn receive(rules: &Rules, arrival: &Arrival<'_>) -> Result<Received, Box<Refusal>> {
    let refused = |trouble, event: Option<&Node<'_>>| Box::new(refusal(arrival, trouble, event));
    let bytes = bounded(arrival.body, rules).map_err(|fault| refused(fault.into(), None))?;
    // Read once: the same tree says whom to answer when the record is refused.
    match parsed(bytes, arrival, rules) {
        Ok(mut event) => take(rules, arrival, &mut event).map_err(|trouble| refused(trouble, Some(&event))),
        Err(trouble) => Err(refused(trouble, None)),
    }
}

/// What stopped a record.
enum Trouble {
    Sender(BadSender),
    Faults(Vec<Fault>),
}

impl From<BadSender> for Trouble {
    fn from(bad: BadSender) -> Self {
        Self::Sender(bad)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Faults(vec![fault])
    }
}

fn take(rules: &Rules, arrival: &Arrival<'_>, event: &mut Node<'_>) -> Result<Received, Trouble> {
    let (envelope, data) = opened(event, arrival)?;
    match envelope.event_type.as_str() {
        application::SUBMITTED => take_application(envelope, data, arrival, rules),
        application::WITHDRAWN => take_withdrawal(envelope, data, arrival, rules),
        _ => Err(BadSender { reason: Reason::UnknownEventType, attribute: Some("type") }.into()),
    }
}

fn bounded<'a>(body: Option<&'a [u8]>, rules: &Rules) -> Result<&'a [u8], Fault> {
    let whole = |reason| Fault::new(reason, String::new());
    match body {
        None | Some([]) => Err(whole(Reason::Empty)),
        Some(bytes) if bytes.len() > rules.max_body_bytes => Err(whole(Reason::BodyTooLarge)),
        Some([0, ..]) => Err(whole(Reason::SchemaRegistryFraming)),
        Some(bytes) => Ok(bytes),
    }
}

/// The value as a tree. A wrong envelope is told before a wrong body.
fn parsed<'a>(bytes: &'a [u8], arrival: &Arrival<'_>, rules: &Rules) -> Result<Node<'a>, Trouble> {
    // A structured event is one level around `data`.
    let is_structured = is_structured(arrival);
    match strict::parse(bytes, rules.max_depth + usize::from(is_structured)) {
        Ok(event) => Ok(event),
        Err(fault) if is_structured => Err(within_data(fault).into()),
        Err(fault) => {
            sender::mode(arrival.header_of)?;
            sender::binary_envelope(arrival.header_of)?;
            Err(fault.into())
        }
    }
}

fn is_structured(arrival: &Arrival<'_>) -> bool {
    sender::mode(arrival.header_of) == Ok(Mode::Structured)
}

/// The sender's envelope, and `data`.
fn opened<'e, 'a>(event: &'e mut Node<'a>, arrival: &Arrival<'_>) -> Result<(Envelope, &'e mut Node<'a>), Trouble> {
    match sender::mode(arrival.header_of)? {
        Mode::Binary => Ok((sender::binary_envelope(arrival.header_of)?, event)),
        Mode::Structured => {
            let not_an_object = BadSender { reason: Reason::BadEnvelope, attribute: None };
            Ok(sender::structured_envelope(event.as_map_mut().ok_or(not_an_object)?)?)
        }
    }
}

/// Pointers are into `data`; a fault beside it is a fault of the envelope, which has none.
fn within_data(fault: Fault) -> Fault {
    let pointer = fault.pointer.strip_prefix("/data").unwrap_or_default().to_owned();
    Fault { pointer, ..fault }
}

fn take_application(
    envelope: Envelope,
    data: &mut Node<'_>,
    arrival: &Arrival<'_>,
    rules: &Rules,
) -> Result<Received, Trouble> {
    let app: Application = from_node(data).map_err(|first| with_schema(first, rules, &envelope.event_type, data))?;
    let mut faults = check::application(&app, arrival.tenant.tenant(), rules, arrival.at_ms);
    check_subject(&envelope, &app.application_id, &mut faults);
    let (refused, warnings) = attributes::look(rules, arrival.tenant.tenant().as_str(), &app.product, data);
    faults.extend(refused);
    let (Ok(application_id), Ok(revision), true) =
        (ApplicationId::new(&app.application_id), Revision::new(app.revision), faults.is_empty())
    else {
        return Err(Trouble::Faults(faults));
    };
    let digest = arrival.tenant.digests().of_body(&canonical_bytes(data));
    let stripped = strip::strip(
        std::mem::replace(data, Node::Null),
        &app,
        &digest.kept,
        arrival.tenant,
        rules.personal.as_deref(),
    );
    Ok(Received {
        envelope,
        key: ApplicationKey::new(arrival.tenant.tenant(), &application_id),
        tenant: app.tenant,
        application_id: app.application_id,
        content: Content::Application { revision, digest, stripped },
        warnings,
    })
}

fn take_withdrawal(
    envelope: Envelope,
    data: &mut Node<'_>,
    arrival: &Arrival<'_>,
    rules: &Rules,
) -> Result<Received, Trouble> {
    let body: Withdrawal = from_node(data).map_err(|first| with_schema(first, rules, &envelope.event_type, data))?;
    let mut faults = check::withdrawal(&body, arrival.tenant.tenant(), rules, arrival.at_ms);
    check_subject(&envelope, &body.application_id, &mut faults);
    let (Ok(application_id), true) = (ApplicationId::new(&body.application_id), faults.is_empty()) else {
        return Err(Trouble::Faults(faults));
    };
    Ok(Received {
        envelope,
        key: ApplicationKey::new(arrival.tenant.tenant(), &application_id),
        tenant: body.tenant,
        application_id: body.application_id,
        content: Content::Withdrawal { body: canonical_bytes(data) },
        warnings: None,
    })
}

fn check_subject(envelope: &Envelope, application_id: &str, faults: &mut Vec<Fault>) {
    if envelope.subject.as_deref().is_some_and(|subject| subject != application_id) {
        faults.push(Fault::new(Reason::SubjectMismatch, "/application_id".into()));
    }
}

/// The first fault of the shape, and after it where else the published schema objects: the typed reading stops at one.
fn with_schema(first: Fault, rules: &Rules, event_type: &str, data: &Node<'_>) -> Trouble {
    let others = rules.published.pointers(event_type, data).into_iter();
    let others = others.map(|pointer| Fault::new(Reason::BadValue, pointer));
    Trouble::Faults(std::iter::once(first).chain(others).collect())
}

fn refusal(arrival: &Arrival<'_>, trouble: Trouble, event: Option<&Node<'_>>) -> Refusal {
    let who = who(arrival, event);
    match trouble {
        Trouble::Sender(bad) => {
            Refusal { reason: bad.reason, pointers: Vec::new(), attributes: Vec::from_iter(bad.attribute), who }
        }
        Trouble::Faults(faults) => {
            let reason = faults.first().map_or(Reason::BadValue, |fault| fault.reason);
            let mut pointers: Vec<String> = Vec::new();
            for fault in &faults {
                if !fault.pointer.is_empty() && !pointers.contains(&fault.pointer) {
                    pointers.push(fault.pointer.clone());
                }
            }
            let mismatch = faults.iter().any(|fault| fault.reason == Reason::SubjectMismatch);
            Refusal { reason, pointers, attributes: Vec::from_iter(mismatch.then_some("subject")), who }
        }
    }
}

/// What can be known of a refused record, asked of its tree, where there is one, without any demand. The tenant is the bound
/// one, never the body's.
fn who(arrival: &Arrival<'_>, event: Option<&Node<'_>>) -> Who {
    let event = event.and_then(Node::as_map);
    let is_structured = is_structured(arrival);
    let data = if is_structured { event.and_then(|event| event.get("data")?.as_map()) } else { event };
    let attribute = |name: &str, header: &str| -> Option<String> {
        let text = if is_structured {
            event?.get(name)?.as_text()?
        } else {
            std::str::from_utf8((arrival.header_of)(header)?).ok()?
        };
        let sound = (1..=MAX_ATTRIBUTE_BYTES).contains(&text.len()) && !text.contains(char::is_control);
        sound.then(|| text.to_owned())
    };
    let number = data.and_then(|data| data.get("revision")).map(|node| if let Node::Int(n) = node { *n } else { 0 });
    let application_id = data.and_then(|data| data.get("application_id")?.as_text());
    Who {
        tenant: arrival.tenant.tenant().as_str().to_owned(),
        application_id: application_id.filter(|id| ApplicationId::new(id).is_ok()).map(str::to_owned),
        revision: number.and_then(|number| Revision::new(number).ok()).map(Revision::get),
        event_id: attribute("id", "ce_id"),
        correlation_id: attribute("correlationid", "ce_correlationid"),
        traceparent: attribute("traceparent", "traceparent").filter(|text| sender::is_traceparent(text)),
    }
}
