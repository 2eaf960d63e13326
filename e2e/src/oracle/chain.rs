//! PURE. Things that pass a row of stages, each stage once: an accepted application its topic, its score, its decision, its row.

use super::{Fault, Findings, sorted};
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;

/// What was seen at each stage.
pub struct Chain<K> {
    name: &'static str,
    stages: Vec<(&'static str, HashMap<K, u32>)>,
    /// By stage: what ends before it, and rightly so.
    exempt: HashMap<usize, HashSet<K>>,
}

impl<K: Eq + Hash + Ord + Clone + Debug> Chain<K> {
    /// A chain of these stages.
    pub fn new(name: &'static str, stages: &[&'static str]) -> Self {
        let stages = stages.iter().map(|stage| (*stage, HashMap::new())).collect();
        Self { name, stages, exempt: HashMap::new() }
    }

    /// A thing was seen at a stage.
    pub fn seen(&mut self, stage: usize, key: K) {
        *self.stages[stage].1.entry(key).or_default() += 1;
    }

    /// A thing ends before this stage, and rightly so.
    pub(crate) fn ends_before(&mut self, stage: usize, key: K) {
        self.exempt.entry(stage).or_default().insert(key);
    }

    /// How many different things were seen at a stage.
    pub fn distinct(&self, stage: usize) -> usize {
        self.stages[stage].1.len()
    }

    /// Whether a thing was seen at a stage.
    pub fn has(&self, stage: usize, key: &K) -> bool {
        self.stages[stage].1.contains_key(key)
    }

    /// What was seen at a stage.
    pub fn keys(&self, stage: usize) -> impl Iterator<Item = &K> {
        self.stages[stage].1.keys()
    }

    /// Whether everything seen at the first stage has reached this one.
    pub(crate) fn has_reached(&self, stage: usize) -> bool {
        self.stages[0].1.keys().all(|key| self.stages[stage].1.contains_key(key) || self.is_exempt(stage, key))
    }

    /// Holds every stage against the one before.
    pub fn judge(&self, findings: &mut Findings) {
        for (at, (stage, seen)) in self.stages.iter().enumerate() {
            for (key, count) in sorted(seen.iter().filter(|(_, count)| **count > 1)) {
                findings.take(Fault::Doubled, || format!("{} {key:?}: {count} times in {stage}", self.name));
            }
            let Some((before, earlier)) = at.checked_sub(1).map(|before| &self.stages[before]) else { continue };
            let is_lost = |key: &&K| !seen.contains_key(*key) && !self.is_exempt(at, key);
            for key in sorted(earlier.keys().filter(is_lost)) {
                findings.take(Fault::Lost, || format!("{} {key:?}: in {before}, not in {stage}", self.name));
            }
            for key in sorted(seen.keys().filter(|key| !earlier.contains_key(*key))) {
                findings.take(Fault::Wrong, || format!("{} {key:?}: in {stage}, not in {before}", self.name));
            }
        }
    }

    fn is_exempt(&self, stage: usize, key: &K) -> bool {
        (1..=stage).any(|at| self.exempt.get(&at).is_some_and(|keys| keys.contains(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten things at three stages, then changed by `doctor`.
    fn judged(doctor: impl FnOnce(&mut Chain<u32>)) -> [u64; 4] {
        let mut chain = Chain::new("thing", &["accepted", "scored", "decided"]);
        for stage in 0..3 {
            (0..10).for_each(|key| chain.seen(stage, key));
        }
        doctor(&mut chain);
        let mut findings = Findings::default();
        chain.judge(&mut findings);
        findings.counts()
    }

    #[test]
    fn each_fault_is_found_and_none_cancels_another() {
        let gone = |chain: &mut Chain<u32>, stage: usize, key| chain.stages[stage].1.remove(&key).is_some();
        assert_eq!(judged(|_| {}), [0, 0, 0, 0]);
        assert_eq!(judged(|chain| assert!(gone(chain, 2, 3))), [1, 0, 0, 0], "never decided");
        assert_eq!(judged(|chain| chain.seen(2, 4)), [0, 1, 0, 0], "decided twice");
        let sums_agree = |chain: &mut Chain<u32>| {
            assert!(gone(chain, 2, 3));
            chain.seen(2, 4);
        };
        assert_eq!(judged(sums_agree), [1, 1, 0, 0], "one lost and one doubled");
        let replaced = |chain: &mut Chain<u32>| {
            assert!(gone(chain, 2, 3));
            chain.seen(2, 11);
        };
        assert_eq!(judged(replaced), [1, 0, 0, 1], "decided on what nobody asked for");
        assert_eq!(judged(|chain| assert!(gone(chain, 1, 3))), [1, 0, 0, 1], "decided without a score");
    }

    #[test]
    fn what_ends_early_is_not_lost_but_anything_else_is() {
        let scored_only = |chain: &mut Chain<u32>| {
            chain.ends_before(2, 20);
            chain.seen(0, 20);
            chain.seen(1, 20);
        };
        assert_eq!(judged(scored_only), [0, 0, 0, 0]);
        let mut chain = Chain::new("thing", &["accepted", "decided"]);
        chain.seen(0, 1);
        assert!(!chain.has_reached(1));
        chain.seen(1, 1);
        assert!(chain.has_reached(1));
    }
}
