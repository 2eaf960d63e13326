//! PURE. A changelog's table against the table that its input makes: what a restore gives must be what was handled, key by key
//! and partition by partition.

use super::{Fault, Findings, sorted};
use std::collections::HashMap;

/// A key with the partition that it lives in.
pub type Key = (i32, Vec<u8>);

/// A table as its changelog has it, and as it should be.
pub struct Table {
    name: &'static str,
    restored: HashMap<Key, Vec<u8>>,
    expected: HashMap<Key, Vec<u8>>,
    /// Whether two values say the same; a later version may add to what a value holds.
    same: fn(&[u8], &[u8]) -> bool,
}

impl Table {
    /// Two tables of that name. `same(expected, restored)` tells whether a value is the one that it should be.
    pub fn new(name: &'static str, same: fn(&[u8], &[u8]) -> bool) -> Self {
        Self { name, restored: HashMap::new(), expected: HashMap::new(), same }
    }

    /// A committed record of the changelog, in order; no value takes the key away.
    pub fn restore(&mut self, partition: i32, key: &[u8], value: Option<&[u8]>) {
        change(&mut self.restored, partition, key, value);
    }

    /// What the input says about a key, in order.
    pub fn expect(&mut self, partition: i32, key: &[u8], value: Option<&[u8]>) {
        change(&mut self.expected, partition, key, value);
    }

    /// Entries of the changelog's table.
    pub fn entries(&self) -> usize {
        self.restored.len()
    }

    /// Holds one table against the other.
    pub fn judge(&self, findings: &mut Findings) {
        let name = self.name;
        for ((partition, key), value) in sorted(self.expected.iter()) {
            match self.restored.get(&(*partition, key.clone())) {
                Some(found) if (self.same)(value, found) => {}
                Some(found) => findings.take(Fault::Wrong, || {
                    format!("{name}/{partition} {}: {} where {} is due", shown(key), shown(found), shown(value))
                }),
                None => {
                    findings.take(Fault::Lost, || format!("{name}/{partition} {}: not in the changelog", shown(key)));
                }
            }
        }
        for (partition, key) in sorted(self.restored.keys().filter(|key| !self.expected.contains_key(*key))) {
            findings.take(Fault::Wrong, || format!("{name}/{partition} {}: nothing put it there", shown(key)));
        }
    }
}

fn change(table: &mut HashMap<Key, Vec<u8>>, partition: i32, key: &[u8], value: Option<&[u8]>) {
    let place = (partition, key.to_vec());
    match value {
        Some(value) => drop(table.insert(place, value.to_vec())),
        None => drop(table.remove(&place)),
    }
}

/// Text as it is, anything else in hexadecimal.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(doctor: impl FnOnce(&mut Table)) -> [u64; 4] {
        let mut table = Table::new("admit-state", |expected, found| expected == found);
        for key in 0..10u8 {
            table.restore(0, &[key], Some(&[key]));
            table.expect(0, &[key], Some(&[key]));
        }
        table.restore(0, &[9], None);
        table.expect(0, &[9], None);
        doctor(&mut table);
        let mut findings = Findings::default();
        table.judge(&mut findings);
        findings.counts()
    }

    #[test]
    fn what_a_changelog_lacks_has_too_much_or_tells_otherwise_is_found() {
        assert_eq!(judged(|_| {}), [0, 0, 0, 0]);
        assert_eq!(judged(|table| table.restore(0, &[3], None)), [1, 0, 0, 0]);
        assert_eq!(judged(|table| table.restore(0, &[3], Some(b"x"))), [0, 0, 0, 1]);
        assert_eq!(judged(|table| table.restore(0, &[77], Some(b"x"))), [0, 0, 0, 1]);
        assert_eq!(judged(|table| table.restore(0, &[9], Some(&[9]))), [0, 0, 0, 1], "a tombstone that is not there");
        let elsewhere = |table: &mut Table| {
            table.restore(0, &[3], None);
            table.restore(1, &[3], Some(&[3]));
        };
        assert_eq!(judged(elsewhere), [1, 0, 0, 1], "in another partition");
    }
}
