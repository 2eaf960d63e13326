//! The thought of `receive`, pure: one arrived record becomes a parsed, checked, normalised and stripped application or
//! withdrawal, or a refusal with one word. The topic, the HTTP door and a batch file all come through here.

use crate::attributes::{self, Warnings};
use crate::check;
use crate::data_digest::DataDigest;
use crate::headers::HeaderOf;
use crate::refusal::{Fault, Reason, Refusal, Who};
use crate::rules::{Rules, TenantRule};
use crate::sender::{self, Mode};
use crate::shape;
use crate::strict::{self, Node, Object, canonical_bytes, from_node};
use crate::strip::{self, Stripped};
use domain::{ApplicationId, ApplicationKey, Channel, Revision};
use schemas::Envelope;
use schemas::application::{self, Application, Withdrawal};
use schemas::envelope::header;

/// A record as it arrived.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// How it came.
    pub channel: Channel,
    /// The broker's time of it, or this machine's before Kafka has it: milliseconds since 1970.
    pub at_ms: i64,
    /// Headers by Kafka's names.
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
        /// Keyed, of the sender's `data`.
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
/// A [`Refusal`] with every fault that is known, the word of the first before all.
pub fn receive(rules: &Rules, arrival: &Arrival<'_>) -> Result<Received, Box<Refusal>> {
    let mode = sender::mode(arrival.header_of);
    let is_structured = mode == Ok(Mode::Structured);
    let refused = |faults, event: Option<&Node<'_>>| Box::new(refusal(rules, arrival, &mode, faults, event));
    let bytes = bounded(arrival, rules).map_err(|fault| refused(vec![fault], None))?;
    // Read once: the same tree says whom to answer when the record is refused.
    let event = match strict::parse(bytes, rules.max_depth + usize::from(is_structured)) {
        Ok(event) => event,
        Err(fault) => return Err(refused(unread(fault, &mode, arrival), None)),
    };
    let envelope = match &mode {
        Ok(Mode::Binary) => sender::binary_envelope(arrival.header_of),
        Ok(Mode::Structured) => sender::structured_envelope(&event),
        Err(fault) => Err(vec![fault.clone()]),
    };
    // A body in Base64: the tree goes on into its bytes, and ends before them.
    let decoded = if is_structured { sender::decoded(&event) } else { Ok(None) };
    let mut event = event;
    let envelope = match (envelope, unpack(&decoded, &mut event, rules)) {
        (Ok(envelope), Ok(())) => envelope,
        (Ok(_), Err(fault)) => return Err(refused(vec![fault], Some(&event))),
        (Err(mut faults), unpacked) => {
            // Bytes that are called no JSON need not be any.
            faults.extend(unpacked.err().filter(|fault| fault.attribute.is_some()));
            return Err(refused(faults, Some(&event)));
        }
    };
    let data =
        if is_structured { event.as_map_mut().and_then(|event| event.get_mut("data")) } else { Some(&mut event) };
    let data = data.expect("an envelope is sound only with its data");
    take(rules, arrival, envelope, data).map_err(|faults| refused(faults, Some(&event)))
}

/// Puts a body that came in Base64 where it would stand as JSON.
fn unpack<'d>(decoded: &'d Result<Option<Vec<u8>>, Fault>, event: &mut Node<'d>, rules: &Rules) -> Result<(), Fault> {
    if let Some(bytes) = decoded.as_ref().map_err(Clone::clone)?
        && let Some(event) = event.as_map_mut()
    {
        event.insert("data", strict::parse(bytes, rules.max_depth)?);
    }
    Ok(())
}

fn take(rules: &Rules, arrival: &Arrival<'_>, envelope: Envelope, data: &mut Node<'_>) -> Result<Received, Vec<Fault>> {
    match envelope.event_type.as_str() {
        application::SUBMITTED => take_application(envelope, data, arrival, rules),
        application::WITHDRAWN => take_withdrawal(envelope, data, arrival, rules),
        _ => Err(vec![sender::unknown_type()]),
    }
}

/// The bytes of the event, without what a schema registry puts before them where that is taken.
fn bounded<'a>(arrival: &Arrival<'a>, rules: &Rules) -> Result<&'a [u8], Fault> {
    let whole = |reason| Fault::new(reason, String::new());
    match arrival.body {
        None | Some([]) => Err(whole(Reason::Empty)),
        Some(bytes) if bytes.len() > rules.max_body_bytes => {
            let most = u64::try_from(rules.max_body_bytes).unwrap_or(u64::MAX);
            Err(whole(Reason::BodyTooLarge).because(format!("at most {most} bytes are taken")))
        }
        Some([0, _, _, _, _, json @ ..]) if rules.accept_framing && is_json(json) => Ok(json),
        Some([0, ..]) => Err(whole(Reason::SchemaRegistryFraming)),
        Some(bytes) => Ok(bytes),
    }
}

/// Whether bytes begin as a JSON document does. Avro and Protobuf have the same framing, and begin otherwise but by chance.
fn is_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// The faults of a record whose value is no document. A wrong envelope is told before a wrong body.
fn unread(fault: Fault, mode: &Result<Mode, Fault>, arrival: &Arrival<'_>) -> Vec<Fault> {
    let mut faults = match mode {
        Err(fault) => return vec![fault.clone()],
        Ok(Mode::Structured) => return vec![within_data(fault)],
        Ok(Mode::Binary) => sender::binary_envelope(arrival.header_of).err().unwrap_or_default(),
    };
    faults.push(fault);
    faults
}

/// Pointers are into `data`; a fault beside it is a fault of the envelope, which has none.
fn within_data(fault: Fault) -> Fault {
    let below = fault.pointer.strip_prefix("/data").filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let pointer = below.unwrap_or_default().to_owned();
    Fault { pointer, ..fault }
}

fn take_application(
    envelope: Envelope,
    data: &mut Node<'_>,
    arrival: &Arrival<'_>,
    rules: &Rules,
) -> Result<Received, Vec<Fault>> {
    let checked = |app: &Application| {
        let mut faults = check::application(app, arrival.tenant.tenant(), rules, arrival.at_ms);
        check_subject(&envelope, &app.application_id, &mut faults);
        faults
    };
    let Ok(app) = from_node::<Application>(data) else {
        return Err(shape::faults(data, &envelope.event_type, &rules.published, checked));
    };
    let mut faults = checked(&app);
    let (refused, warnings) = attributes::look(rules, arrival.tenant.tenant().as_str(), &app.product, data);
    faults.extend(refused);
    let (Ok(application_id), Ok(revision), true) =
        (ApplicationId::new(&app.application_id), Revision::new(app.revision), faults.is_empty())
    else {
        return Err(faults);
    };
    let digest = arrival.tenant.digests().of_application(data);
    let stripped = strip::strip(
        std::mem::replace(data, Node::Null),
        &app,
        &digest.sent.kept,
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
) -> Result<Received, Vec<Fault>> {
    let checked = |body: &Withdrawal| {
        let mut faults = check::withdrawal(body, arrival.tenant.tenant(), rules, arrival.at_ms);
        check_subject(&envelope, &body.application_id, &mut faults);
        faults
    };
    let Ok(body) = from_node::<Withdrawal>(data) else {
        return Err(shape::faults(data, &envelope.event_type, &rules.published, checked));
    };
    let faults = checked(&body);
    let (Ok(application_id), true) = (ApplicationId::new(&body.application_id), faults.is_empty()) else {
        return Err(faults);
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
        let mismatch = Fault::new(Reason::SubjectMismatch, "/application_id".into());
        faults.push(Fault { attribute: Some("subject"), ..mismatch });
    }
}

/// The refusal, with what the contract takes where the record is wrong.
fn refusal(
    rules: &Rules,
    arrival: &Arrival<'_>,
    mode: &Result<Mode, Fault>,
    mut faults: Vec<Fault>,
    event: Option<&Node<'_>>,
) -> Refusal {
    // A row of a file has no content type that could have said so.
    let is_unlabelled =
        *mode == Ok(Mode::Binary) && arrival.channel != Channel::Batch && event.is_some_and(sender::is_unlabelled);
    if is_unlabelled {
        faults = vec![sender::unlabelled()];
    }
    let object = event.and_then(Node::as_map);
    let is_whole = is_unlabelled || *mode == Ok(Mode::Structured);
    let attribute = |name| sender::attribute_of(arrival.header_of, object.filter(|_| is_whole), name);
    let data = if is_whole { object.and_then(|event| event.get("data")?.as_map()) } else { object };
    let event_type = attribute(header::TYPE).unwrap_or_default();
    for fault in &mut faults {
        rules.published.stop_at_unknown(&mut fault.pointer, &event_type);
        rules.published.explain(fault, &event_type);
    }
    Refusal::of(faults, who(arrival, data, attribute))
}

/// What can be known of a refused record, asked of its tree, where there is one, without any demand. The tenant is the bound
/// one, never the body's.
fn who(arrival: &Arrival<'_>, data: Option<&Object<'_>>, attribute: impl Fn(&'static str) -> Option<String>) -> Who {
    let number = data.and_then(|data| data.get("revision")).map(|node| if let Node::Int(n) = node { *n } else { 0 });
    let application_id = data.and_then(|data| data.get("application_id")?.as_text());
    Who {
        tenant: arrival.tenant.tenant().as_str().to_owned(),
        application_id: application_id.filter(|id| ApplicationId::new(id).is_ok()).map(str::to_owned),
        revision: number.and_then(|number| Revision::new(number).ok()).map(Revision::get),
        event_id: attribute(header::ID),
        correlation_id: attribute(header::CORRELATION),
        traceparent: attribute(header::TRACEPARENT),
    }
}
