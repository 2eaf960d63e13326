//! Keyed state of one partition each: a committed table, the overlay of the batch whose commit is under way, the overlay of
//! the batch being handled, and a scratch overlay for the block in hand. Only a commit folds an overlay into the table.

use hashbrown::HashMap;
use std::hash::Hash;

/// A state key or value with its bytes on the changelog.
pub trait Stored: Clone + Send + 'static {
    /// The bytes of the changelog record.
    fn encode(&self) -> Vec<u8>;
    /// Reads them back; `None` when they are not of this form.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// For handlers without state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoState;

impl Stored for NoState {
    fn encode(&self) -> Vec<u8> {
        Vec::new()
    }
    fn decode(_: &[u8]) -> Option<Self> {
        Some(Self)
    }
}

/// Changes not yet folded in; `None` removes.
pub(crate) type Overlay<K, V> = HashMap<(i32, K), Option<V>>;
/// Committed tables by partition.
pub(crate) type Tables<K, V> = HashMap<i32, HashMap<K, V>>;

/// State as a handler sees it.
pub struct View<'a, K, V> {
    pub(crate) tables: &'a Tables<K, V>,
    /// Older overlays, newest last.
    pub(crate) below: [Option<&'a Overlay<K, V>>; 2],
    pub(crate) scratch: Overlay<K, V>,
}

impl<'a, K: Stored + Eq + Hash, V: Stored> View<'a, K, V> {
    pub(crate) fn new(tables: &'a Tables<K, V>, below: [Option<&'a Overlay<K, V>>; 2]) -> Self {
        Self { tables, below, scratch: Overlay::new() }
    }

    /// The value of `key` in `partition`, as of the record in hand.
    pub fn get(&self, partition: i32, key: &K) -> Option<V> {
        let place = (partition, key.clone());
        if let Some(change) = self.scratch.get(&place) {
            return change.clone();
        }
        for overlay in self.below.iter().rev().flatten() {
            if let Some(change) = overlay.get(&place) {
                return change.clone();
            }
        }
        self.tables.get(&partition)?.get(key).cloned()
    }

    /// Sets a value.
    pub fn put(&mut self, partition: i32, key: K, value: V) {
        self.scratch.insert((partition, key), Some(value));
    }

    /// Forgets a key.
    pub fn remove(&mut self, partition: i32, key: K) {
        self.scratch.insert((partition, key), None);
    }
}

/// Folds a committed overlay into the tables. Changes of partitions that are no longer held are dropped with them.
pub(crate) fn fold<K: Eq + Hash, V>(tables: &mut Tables<K, V>, overlay: Overlay<K, V>) {
    for ((partition, key), change) in overlay {
        if let Some(table) = tables.get_mut(&partition) {
            match change {
                Some(value) => {
                    table.insert(key, value);
                }
                None => {
                    table.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Stored for u32 {
        fn encode(&self) -> Vec<u8> {
            self.to_be_bytes().to_vec()
        }
        fn decode(bytes: &[u8]) -> Option<Self> {
            bytes.try_into().ok().map(Self::from_be_bytes)
        }
    }

    #[test]
    fn newer_layers_hide_older_ones() {
        let mut tables: Tables<u32, u32> = Tables::new();
        tables.entry(0).or_default().extend([(1, 10), (2, 20), (3, 30), (4, 40)]);
        let committing: Overlay<u32, u32> = [((0, 2), Some(21)), ((0, 3), None)].into_iter().collect();
        let batch: Overlay<u32, u32> = [((0, 3), Some(31))].into_iter().collect();
        let mut view = View::new(&tables, [Some(&committing), Some(&batch)]);
        view.remove(0, 4);
        view.put(1, 1, 11);
        let seen: Vec<_> = (1..=4).map(|key| view.get(0, &key)).collect();
        assert_eq!(seen, [Some(10), Some(21), Some(31), None]);
        assert_eq!((view.get(1, &1), view.get(1, &2)), (Some(11), None));
    }

    #[test]
    fn folding_forgets_partitions_that_left() {
        let mut tables: Tables<u32, u32> = Tables::new();
        tables.insert(0, HashMap::new());
        fold(&mut tables, [((0, 1), Some(1)), ((7, 1), Some(1))].into_iter().collect());
        assert_eq!(tables[&0].len(), 1);
        assert!(!tables.contains_key(&7));
    }
}
