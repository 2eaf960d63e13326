//! Deterministic event ids: a retry, a replay or a rollout gives the same id, so readers may deduplicate on it.

use uuid::Uuid;

/// The namespace of every id, drawn once.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0c_3d1e_9f5b_5c2e_8a47_2d1b_70e4_95a3);

/// UUIDv5 (RFC 9562) of (type, tenant, application id, revision, ordinal), joined by U+001F which no identifier holds.
///
/// `ordinal` is the decision number, or the model's role and name.
pub fn event_id(event_type: &str, tenant: &str, application_id: &str, revision: u32, ordinal: &str) -> Uuid {
    let name = format!("{event_type}\u{1f}{tenant}\u{1f}{application_id}\u{1f}{revision}\u{1f}{ordinal}");
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// The id of an event that a record without an id of its own caused: of its type and coordinates.
pub fn coordinates_id(event_type: &str, topic: &str, partition: i32, offset: i64) -> Uuid {
    let name = format!("{event_type}\u{1f}{topic}\u{1f}{partition}\u{1f}{offset}");
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_every_part_and_nothing_else() {
        let id = event_id("decision.made.v1", "bank", "L-1", 1, "1");
        assert_eq!(id, event_id("decision.made.v1", "bank", "L-1", 1, "1"));
        for other in [
            event_id("score.computed.v1", "bank", "L-1", 1, "1"),
            event_id("decision.made.v1", "bank2", "L-1", 1, "1"),
            event_id("decision.made.v1", "bank", "L-2", 1, "1"),
            event_id("decision.made.v1", "bank", "L-1", 2, "1"),
            event_id("decision.made.v1", "bank", "L-1", 1, "2"),
        ] {
            assert_ne!(id, other);
        }
        assert_eq!(id.get_version_num(), 5);
    }
}
