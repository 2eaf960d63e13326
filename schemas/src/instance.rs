//! `credit.instances.v1`: what each instance of the scorer holds, said again and again, so that nothing is put in force that one of
//! them lacks.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `ce_type` of the record.
pub const ANNOUNCED: &str = "instance.announced.v1";
/// Milliseconds after which an instance that has said nothing does not run: three times what lies between two announcements.
pub const LIVES_MS: i64 = 30_000;

/// The body of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The worker.
    #[serde(rename = "room")]
    pub worker: String,
    /// Id of the instance.
    pub instance: String,
    /// Packages that it holds and that have proven themselves, `name@version`, each with the SHA-256 of its manifest.
    pub packages: BTreeMap<String, String>,
    /// RFC 3339. Whether it runs is told by the broker's time of the record.
    pub announced_at: String,
}
