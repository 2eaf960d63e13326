//! Reason codes of a manifest: those of the built-in catalogue, and its own. Says every code that is in neither, with the one that was
//! probably meant.

use crate::error::LoadError;
use crate::manifest::{self, Manifest};
use domain::reason;
use expressions::vocabulary::nearest;
use std::sync::Arc;

/// A reason as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonText {
    /// Reason code.
    pub code: Arc<str>,
    /// What the applicant is told.
    pub text: Arc<str>,
    /// Form C-1 code or `other`.
    pub form_c1: Arc<str>,
    /// HMDA reason for denial, 1..=9.
    pub hmda: u8,
}

/// What a code says; none of one that is nowhere.
pub(crate) fn reason_of(code: &str, own: &[ReasonText]) -> Option<ReasonText> {
    let built_in = reason::find(code).map(|found| ReasonText {
        code: found.code.into(),
        text: found.text.into(),
        form_c1: found.code.into(),
        hmda: found.hmda,
    });
    built_in.or_else(|| own.iter().find(|own| *own.code == *code).cloned())
}

/// Every code that a feature names is in the catalogue, or the manifest's own.
///
/// # Errors
/// [`LoadError::Contract`] with all that are not, each with its features.
pub(crate) fn check_codes(manifest: &Manifest, own: &[ReasonText]) -> Result<(), LoadError> {
    let mut unknown: Vec<(&str, Vec<&str>)> = Vec::new();
    for feature in &manifest.feature {
        for code in [&feature.reason_low, &feature.reason_high, &feature.reason_missing] {
            if reason_of(code, own).is_some() {
                continue;
            }
            match unknown.iter_mut().find(|(known, _)| known == code) {
                Some((_, features)) if features.contains(&feature.name.as_str()) => {}
                Some((_, features)) => features.push(&feature.name),
                None => unknown.push((code, vec![&feature.name])),
            }
        }
    }
    let Some((_, features)) = unknown.first() else { return Ok(()) };
    let place = format!("feature {}", features[0]);
    let known = || reason::codes().map(str::to_owned).chain(own.iter().map(|own| own.code.to_string()));
    let told = unknown.iter().map(|(code, features)| {
        let near = nearest(code, known()).map(|near| format!(", did you mean {near}?")).unwrap_or_default();
        format!("reason code {code} is in no catalogue (named by {}{near})", features.join(", "))
    });
    let told = told.collect::<Vec<_>>().join("; ");
    Err(LoadError::contract(
        place,
        format!("{told}; docs/reasons.md has the catalogue, and a [[reason]] table adds one"),
    ))
}

/// The codes of a manifest's own.
///
/// # Errors
/// [`LoadError::Contract`] names the reason.
pub(crate) fn own_reasons(raw: &[manifest::Reason]) -> Result<Vec<ReasonText>, LoadError> {
    let mut own: Vec<ReasonText> = Vec::with_capacity(raw.len());
    for raw in raw {
        let fault = |why: &str| Err(LoadError::contract(format!("reason {}", raw.code), why));
        token(&raw.code).map_err(|why| LoadError::contract(format!("reason {}", raw.code), why))?;
        if reason::find(&raw.code).is_some() {
            return fault("is in the built-in catalogue, which may not be reworded");
        }
        if own.iter().any(|other| *other.code == *raw.code) {
            return fault("is there twice");
        }
        if raw.text.trim().is_empty() {
            return fault("has no text");
        }
        if reason::find(&raw.form_c1).is_none() {
            return fault("form_c1 is no code of Form C-1");
        }
        if !(1..=9).contains(&raw.hmda) {
            return fault("hmda must be 1 to 9");
        }
        own.push(ReasonText {
            code: raw.code.as_str().into(),
            text: raw.text.as_str().into(),
            form_c1: raw.form_c1.as_str().into(),
            hmda: raw.hmda,
        });
    }
    Ok(own)
}

/// Names that appear in events: `[a-z0-9_]{1,64}`.
pub(crate) fn token(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        true => Ok(()),
        false => Err(format!("{name:?} is no name: 1 to 64 of a-z, 0-9 and _")),
    }
}
