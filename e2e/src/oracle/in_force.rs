//! PURE. The version in force is a function of position: what each thing was handled under, held against the activation records
//! that stand before it in its partition.

use super::{Fault, Findings};
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

/// Versions by position in one topic, and what was used.
pub struct InForce<K> {
    name: &'static str,
    default: String,
    by_partition: HashMap<i32, String>,
    expected: HashMap<K, String>,
    used: Vec<(K, String)>,
}

impl<K: Eq + Hash + Debug> InForce<K> {
    /// `default` is in force where nothing was activated yet.
    pub fn new(name: &'static str, default: &str) -> Self {
        Self {
            name,
            default: default.to_owned(),
            by_partition: HashMap::new(),
            expected: HashMap::new(),
            used: Vec::new(),
        }
    }

    /// An activation record stands here. Records of a partition are told in their order.
    pub fn activated(&mut self, partition: i32, digest: &str) {
        self.by_partition.insert(partition, digest.to_owned());
    }

    /// A thing stands here.
    pub fn stands(&mut self, partition: i32, key: K) {
        let digest = self.by_partition.get(&partition).unwrap_or(&self.default);
        self.expected.insert(key, digest.clone());
    }

    /// A thing was handled under this version.
    pub fn used(&mut self, key: K, digest: &str) {
        self.used.push((key, digest.to_owned()));
    }

    /// How many versions were used.
    pub fn uses(&self) -> usize {
        let mut digests: Vec<&str> = self.used.iter().map(|(_, digest)| digest.as_str()).collect();
        digests.sort_unstable();
        digests.dedup();
        digests.len()
    }

    /// Holds what was used against what was in force.
    pub fn judge(&self, findings: &mut Findings) {
        for (key, used) in &self.used {
            match self.expected.get(key) {
                Some(expected) if expected == used => {}
                Some(expected) => findings.take(Fault::Wrong, || {
                    format!("{} of {key:?}: {used} was used where {expected} is in force", self.name)
                }),
                None => findings.take(Fault::Wrong, || format!("{} of {key:?}: it stands nowhere", self.name)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Partition 0 switches behind 1, partition 1 does not.
    fn judged(uses: &[(u32, &str)]) -> [u64; 4] {
        let mut policy = InForce::new("policy", "old");
        policy.stands(0, 1);
        policy.activated(0, "new");
        policy.stands(0, 2);
        policy.stands(1, 3);
        uses.iter().for_each(|(key, digest)| policy.used(*key, digest));
        let mut findings = Findings::default();
        policy.judge(&mut findings);
        findings.counts()
    }

    #[test]
    fn the_wrong_side_of_an_activation_is_found() {
        assert_eq!(judged(&[(1, "old"), (2, "new"), (3, "old")]), [0, 0, 0, 0]);
        assert_eq!(judged(&[(1, "new"), (2, "new"), (3, "old")]), [0, 0, 0, 1], "decided again under the newest");
        assert_eq!(judged(&[(1, "old"), (2, "old"), (3, "old")]), [0, 0, 0, 1], "the activation was overlooked");
        assert_eq!(judged(&[(1, "old"), (2, "new"), (3, "new")]), [0, 0, 0, 1], "another partition's activation");
        assert_eq!(judged(&[(1, "new"), (2, "old"), (3, "old")]), [0, 0, 0, 2], "two that would cancel in a sum");
        assert_eq!(judged(&[(9, "old")]), [0, 0, 0, 1], "nothing stands there");
    }
}
