//! PURE. The audit log against the topics, record by record: every record of an audited topic has exactly one entry with its
//! coordinates and the leaf of its bytes, and the log has no other.

use super::{Fault, Findings, Place, sorted};
use std::collections::HashMap;

/// Hash of an entry.
pub type Leaf = [u8; 32];

/// Records with the leaf that they should have, and entries with the leaf that they have.
#[derive(Default)]
pub struct Log {
    records: HashMap<Place, Leaf>,
    entries: HashMap<Place, Vec<Leaf>>,
}

impl Log {
    /// A committed record of an audited topic.
    pub fn record(&mut self, place: Place, leaf: Leaf) {
        self.records.insert(place, leaf);
    }

    /// An entry of the log.
    pub fn entry(&mut self, place: Place, leaf: Leaf) {
        self.entries.entry(place).or_default().push(leaf);
    }

    /// Records of audited topics.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// Holds the log against the topics.
    pub fn judge(&self, findings: &mut Findings) {
        for (place, leaf) in sorted(self.records.iter()) {
            match self.entries.get(place).map(Vec::as_slice) {
                None => findings.take(Fault::Skipped, || format!("{place}: no entry in the log")),
                Some([one]) if one == leaf => {}
                Some([_]) => findings.take(Fault::Wrong, || format!("{place}: its entry is not of these bytes")),
                Some(many) => findings.take(Fault::Doubled, || format!("{place}: {} entries", many.len())),
            }
        }
        for place in sorted(self.entries.keys().filter(|place| !self.records.contains_key(*place))) {
            findings.take(Fault::Wrong, || format!("{place}: an entry of a record that is not there"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn place(offset: i64) -> Place {
        let topic: Arc<str> = "credit.risk.v1".into();
        Place::new(&topic, 1, offset)
    }

    fn judged(doctor: impl FnOnce(&mut Log)) -> [u64; 4] {
        let mut log = Log::default();
        for offset in 0..10 {
            log.record(place(offset), [offset as u8; 32]);
            log.entry(place(offset), [offset as u8; 32]);
        }
        doctor(&mut log);
        let mut findings = Findings::default();
        log.judge(&mut findings);
        findings.counts()
    }

    #[test]
    fn a_hole_a_second_entry_other_bytes_and_a_stray_are_found() {
        assert_eq!(judged(|_| {}), [0, 0, 0, 0]);
        assert_eq!(judged(|log| drop(log.entries.remove(&place(3)))), [0, 0, 1, 0]);
        assert_eq!(judged(|log| log.entry(place(3), [3; 32])), [0, 1, 0, 0]);
        assert_eq!(judged(|log| log.record(place(3), [0; 32])), [0, 0, 0, 1]);
        assert_eq!(judged(|log| log.entry(place(10), [0; 32])), [0, 0, 0, 1]);
        let counts_agree = |log: &mut Log| {
            log.entries.remove(&place(3));
            log.entry(place(4), [4; 32]);
        };
        assert_eq!(judged(counts_agree), [0, 1, 1, 0], "one left out and one twice");
        assert_eq!(judged(|log| log.record(place(10), [0; 32])), [0, 0, 1, 0], "not up to the end");
    }
}
