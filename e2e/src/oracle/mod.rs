//! What must be true after a run, as pure judges: they are fed what plain readers saw, record by record, and say what does not
//! fit. Every judge holds things by what names them, never by a sum: one lost and one doubled do not cancel.
//!
//! [`chain`] (a thing passes each stage once), [`replies`] (one answer for each published record), [`in_force`] (the version
//! that decided is the one in force at that position), [`tables`] (state, its changelog and its input agree), [`log`] (the audit
//! log holds every record, and nothing else).

pub mod chain;
pub mod in_force;
pub mod log;
pub mod replies;
pub mod tables;

use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Faults of each kind that are told in words; all are counted.
const TOLD: usize = 8;

/// Where a record stands. Topics without prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Topic, shared by all its records.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl Place {
    /// A place.
    pub fn new(topic: &Arc<str>, partition: i32, offset: i64) -> Self {
        Self { topic: topic.clone(), partition, offset }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// Keys in their order, so that what is told is the same in every run.
fn sorted<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<K> {
    let mut keys: Vec<K> = keys.collect();
    keys.sort();
    keys
}

/// How something does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Accepted, and then not there.
    Lost,
    /// There more than once.
    Doubled,
    /// A record that nothing came of: no reply, no entry.
    Skipped,
    /// There, and not what it should be, or not to be there at all.
    Wrong,
}

/// What the judges found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Things that were accepted and are not there.
    pub lost: u64,
    /// Things that are there more than once.
    pub doubled: u64,
    /// Records that nothing came of.
    pub skipped: u64,
    /// Things that are not what they should be.
    pub wrong: u64,
    /// The first of each kind, in words.
    pub told: Vec<String>,
}

impl Findings {
    /// Takes a fault in.
    pub fn take(&mut self, fault: Fault, what: impl FnOnce() -> String) {
        let (count, word) = match fault {
            Fault::Lost => (&mut self.lost, "lost"),
            Fault::Doubled => (&mut self.doubled, "doubled"),
            Fault::Skipped => (&mut self.skipped, "skipped"),
            Fault::Wrong => (&mut self.wrong, "wrong"),
        };
        *count += 1;
        if *count <= TOLD as u64 {
            self.told.push(format!("{word}: {}", what()));
        }
    }

    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.lost + self.doubled + self.skipped + self.wrong == 0
    }

    /// The four counts, in the order lost, doubled, skipped, wrong.
    pub fn counts(&self) -> [u64; 4] {
        [self.lost, self.doubled, self.skipped, self.wrong]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_counted_and_the_first_of_each_kind_are_told() {
        let mut findings = Findings::default();
        assert!(findings.is_clean());
        for number in 0..100 {
            findings.take(Fault::Lost, || format!("number {number}"));
        }
        findings.take(Fault::Skipped, || "one".to_owned());
        assert_eq!(findings.counts(), [100, 0, 1, 0]);
        assert_eq!(findings.told.len(), TOLD + 1);
        assert!(!findings.is_clean());
    }
}
