//! Every question of a branch as an interval of keys on a ring.
//!
//! On the ring the last key is followed by the first, so a missing value lies between +∞ and −∞, and "less than 3 or missing" is
//! one interval as is "greater than 3 or missing" or "not 3". One subtraction and one comparison answer all of them, exactly.

use super::ensemble::{Compare, Test};
use super::number::{Key, Number};

/// `length` keys from `from` on, around the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Interval<K> {
    pub from: K,
    pub length: K,
}

impl<K: Key> Interval<K> {
    /// No key.
    pub fn none() -> Self {
        Self { from: K::default(), length: K::default() }
    }

    /// Every key that a number can have: the one left out, next to the last, is none.
    pub fn all() -> Self {
        Self { from: K::MISSING, length: K::MOST }
    }

    fn between(from: K, until: K) -> Self {
        Self { from, length: until.after(from) }
    }

    pub fn holds(self, key: K) -> bool {
        key.after(self.from) < self.length
    }
}

/// The interval on which a branch says yes, where that is one whatever it is compared with: no set, no equality.
pub(super) fn interval<T: Number>(test: &Test, missing_tracks_true: bool) -> Option<Interval<T::Key>> {
    match test {
        Test::Threshold(Compare::Eq, _) | Test::Member(_) => None,
        Test::Threshold(compare, threshold) => Some(half::<T>(*compare, threshold.0, missing_tracks_true)),
    }
}

/// The intervals on which a branch says yes: one, but for sets and for equality that takes missing values too. Never empty.
pub(super) fn intervals<T: Number>(test: &Test, missing_tracks_true: bool) -> Vec<Interval<T::Key>> {
    let point = |value: f64| Interval::between(T::of(value).key(), T::of(value).key().next());
    let missing = Interval::between(T::Key::MISSING, T::Key::default());
    if let Some(interval) = interval::<T>(test, missing_tracks_true) {
        return vec![interval];
    }
    let mut found: Vec<_> = match test {
        Test::Threshold(_, threshold) => vec![point(threshold.0)],
        Test::Member(set) => set.iter().map(|member| point(member.0)).collect(),
    };
    if missing_tracks_true {
        found.push(missing);
    }
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        found.push(Interval::none());
    }
    found
}

/// One side of a threshold, with the missing values or without.
fn half<T: Number>(compare: Compare, threshold: f64, missing_tracks_true: bool) -> Interval<T::Key> {
    let key = T::of(threshold).key();
    let first = if missing_tracks_true { T::Key::MISSING } else { T::Key::default() };
    let past = if missing_tracks_true { T::Key::default() } else { T::Key::MISSING };
    match compare {
        Compare::Lt => Interval::between(first, key),
        Compare::Leq => Interval::between(first, key.next()),
        Compare::Gt => Interval::between(key.next(), past),
        Compare::Gte => Interval::between(key, past),
        Compare::Eq => Interval::between(key, key.next()),
        Compare::Neq => Interval { from: key.next(), length: T::Key::MOST },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::Real;

    const VALUES: [f64; 11] =
        [f64::NEG_INFINITY, -1e30, -1.0, -1e-40, -0.0, 0.0, 1e-40, 1.0, 1.0000001192092896, f64::INFINITY, f64::NAN];

    fn check<T: Number>(test: &Test) {
        for missing in [false, true] {
            let intervals = intervals::<T>(test, missing);
            for value in VALUES {
                let found = intervals.iter().any(|interval| interval.holds(T::of(value).key()));
                let expected = test.holds(missing, T::of(value).wide());
                assert_eq!(found, expected, "{value} in {test:?}, missing {missing}: {intervals:?}");
                assert!(Interval::all().holds(T::of(value).key()) && !Interval::none().holds(T::of(value).key()));
            }
        }
    }

    #[test]
    fn intervals_say_what_the_tests_say() {
        use Compare::{Eq, Gt, Gte, Leq, Lt, Neq};
        for threshold in VALUES.into_iter().filter(|value| !value.is_nan()) {
            for compare in [Leq, Lt, Gte, Gt, Eq, Neq] {
                let single = Test::Threshold(compare, Real::from(threshold as f32));
                check::<f32>(&single);
                check::<f64>(&single);
                check::<f64>(&Test::Threshold(compare, Real(threshold)));
            }
        }
        for set in [&[][..], &[1.0], &[-0.0, 0.0, f64::INFINITY, 1.0]] {
            let test = Test::Member(set.iter().map(|member| Real(*member)).collect());
            check::<f32>(&test);
            check::<f64>(&test);
        }
    }
}
