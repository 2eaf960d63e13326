//! Which version is in force in a partition from here on. Set by activation records alone, so that it is a function of position;
//! remembered with its document, so that a later owner of the partition needs nothing else.

use crate::kind::Kind;
use crate::label::Label;
use schemas::control::Document;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is remembered: the key of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The policy in force.
    Policy,
    /// The route in force.
    Route,
    /// The version in force of the package of that name.
    Model(String),
    /// The digest with which a version was first activated in this partition.
    Version(Kind, Label),
}

/// A version: the value of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// `name@version`; of a package the version alone, whose name stands in the key.
    pub version: String,
    /// SHA-256 of the document or of the package's manifest, hexadecimal, as the activation wrote it.
    pub digest: String,
    /// What its activation carried.
    pub carried: Carried,
}

/// What an activation carries; nothing where it is a model's or of a version before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
    /// Of a route: the packages that it names, `name@version`, with their digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<BTreeMap<String, String>>,
    /// Who asked for it; none of entries of before.
    #[serde(default, rename = "by", skip_serializing_if = "Option::is_none")]
    pub activated_by: Option<String>,
    /// RFC 3339; none of entries of before.
    #[serde(default, rename = "at", skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<String>,
}
