//! What a session remembers of what stands in its way.

use crate::stream::offset::Offset;
use std::collections::BTreeMap;
use std::time::Instant;

/// What keeps the consumer from reading.
pub(super) struct Complaint {
    pub(super) text: String,
    pub(super) heard: Instant,
}

/// Where a worker stands, in one partition or several, of which now one and now another comes first; since when, and when it last
/// heard of what was passed by.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) places: BTreeMap<(String, i32), Offset>,
    pub(super) since: Instant,
    pub(super) heard: Option<Instant>,
}
