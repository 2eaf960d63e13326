//! Answers where an event cannot be read: as much of it as can be made out, and at least whose it is. Guesses nothing; an
//! application that cannot be told from the record is not ours.

use crate::decide;
use domain::ApplicationKey;
use policy::Compiled;
use schemas::decision::Decision;
use schemas::risk::ApplicationRef;
use serde_json::Value;

/// What a record says of itself outside its body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outside<'a> {
    /// The record key.
    pub key: Option<&'a [u8]>,
    /// The header with the revision.
    pub revision: Option<&'a str>,
}

/// What could be made of a body that is no score event.
pub enum Salvaged {
    /// It asked for no decision.
    ScoreOnly,
    /// A referral.
    Referral(Box<Decision>),
    /// Nothing says which application it is about.
    Unidentified,
}

/// Reads what can be read.
pub fn salvage(payload: Option<&[u8]>, outside: Outside<'_>, policy: &Compiled, decided_at: &str) -> Salvaged {
    let body: Value = payload.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or(Value::Null);
    let Some(application) = application_of(&body, outside) else { return Salvaged::Unidentified };
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if text("intent") == Some("score_only") {
        return Salvaged::ScoreOnly;
    }
    let mut decision = decide::unreadable(application, policy, decided_at);
    for (name, place) in
        [("product", &mut decision.product), ("intent", &mut decision.intent), ("channel", &mut decision.channel)]
    {
        if let Some(word) = text(name).filter(|word| is_token(word)) {
            *place = word.to_owned();
        }
    }
    if let Some(code) = text("jurisdiction").filter(|code| is_jurisdiction(code)) {
        decision.jurisdiction = code.to_owned();
    }
    decision.requested = part(&body, "requested");
    decision.subjects = part(&body, "subjects").unwrap_or_default();
    decision.times = part(&body, "times");
    Salvaged::Referral(Box::new(decision))
}

/// Key and header are the deployment's own and come first; the body only where they are absent.
pub fn application_of(body: &Value, outside: Outside<'_>) -> Option<ApplicationRef> {
    let inside = body.get("application").unwrap_or(&Value::Null);
    let (tenant, application_id) = match identity(outside.key) {
        Some(found) => found,
        None => (inside.get("tenant")?.as_str()?, inside.get("application_id")?.as_str()?),
    };
    let listed = || inside.get("revision").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let stamped = outside.revision.and_then(|text| text.parse().ok());
    let revision = stamped.or_else(listed).filter(|number| *number >= 1)?;
    Some(ApplicationRef { tenant: tenant.to_owned(), application_id: application_id.to_owned(), revision })
}

/// Whether a body speaks of the application that its record is about; where the record does not say, it does.
pub fn is_about(application: &ApplicationRef, outside: Outside<'_>) -> bool {
    let same = |(tenant, id)| application.tenant == tenant && application.application_id == id;
    let revised =
        outside.revision.and_then(|text| text.parse().ok()).is_none_or(|number: u32| application.revision == number);
    identity(outside.key).is_none_or(same) && revised
}

/// Tenant and application id of a record key.
pub fn identity(key: Option<&[u8]>) -> Option<(&str, &str)> {
    ApplicationKey::split(std::str::from_utf8(key?).ok()?)
}

/// As the contract writes words.
fn is_token(word: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=64).contains(&word.len()) && word.bytes().all(allowed)
}

/// As ISO 3166-2 writes subdivisions.
fn is_jurisdiction(code: &str) -> bool {
    let Some((country, part)) = code.split_once('-') else { return false };
    let part_fits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) && part_fits
}

fn part<T: serde::de::DeserializeOwned>(body: &Value, name: &str) -> Option<T> {
    serde_json::from_value(body.get(name)?.clone()).ok()
}
