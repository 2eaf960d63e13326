//! f32 and f64 as the arithmetic of an ensemble, and as unsigned keys.
//!
//! The key of a number keeps its order: −∞ is small, +∞ large, −0 and +0 are one, and every NaN is the very last key.

use std::fmt::Debug;
use std::hash::Hash;
use std::ops::{Add, Div};

/// f32 or f64: the arithmetic of an ensemble.
pub trait Number:
    Copy + PartialOrd + Default + std::fmt::Debug + Add<Output = Self> + Div<Output = Self> + 'static
{
    /// Orders the numbers.
    type Key: Key;
    /// Exact; all NaN are one, and so are both zeros.
    fn key(self) -> Self::Key;
    /// Nearest.
    fn of(value: f64) -> Self;
    /// Exact.
    fn wide(self) -> f64;
}

impl Number for f32 {
    type Key = u32;
    fn key(self) -> u32 {
        // −0 + 0 = +0. Negative numbers are turned round, positive ones put above them.
        let bits = (self + 0.0).to_bits();
        let turned = bits ^ (((bits as i32) >> 31) as u32 | (1 << 31));
        if self.is_nan() { u32::MAX } else { turned }
    }
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Number for f64 {
    type Key = u64;
    fn key(self) -> u64 {
        // −0 + 0 = +0. Negative numbers are turned round, positive ones put above them.
        let bits = (self + 0.0).to_bits();
        let turned = bits ^ (((bits as i64) >> 63) as u64 | (1 << 63));
        if self.is_nan() { u64::MAX } else { turned }
    }
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}

/// An unsigned integer that orders numbers.
pub trait Key: Copy + Ord + Hash + Debug + Default + 'static {
    /// The one before on the ring.
    fn previous(self) -> Self;
    /// Of every NaN.
    const MISSING: Self;
    /// All keys but one.
    const MOST: Self;
    /// The next on the ring.
    fn next(self) -> Self;
    /// So many on.
    fn plus(self, count: Self) -> Self;
    /// How far `self` lies behind `from` on the ring.
    fn after(self, from: Self) -> Self;
}

macro_rules! key {
    ($key:ty) => {
        impl Key for $key {
            const MISSING: Self = Self::MAX;
            const MOST: Self = Self::MAX;
            fn previous(self) -> Self {
                self.wrapping_sub(1)
            }
            fn plus(self, count: Self) -> Self {
                self.wrapping_add(count)
            }
            fn next(self) -> Self {
                self.wrapping_add(1)
            }
            fn after(self, from: Self) -> Self {
                self.wrapping_sub(from)
            }
        }
    };
}
key!(u32);
key!(u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Number>(ordered: &[f64]) {
        let keys: Vec<T::Key> = ordered.iter().map(|value| T::of(*value).key()).collect();
        for (at, pair) in keys.windows(2).enumerate() {
            assert!(pair[0] < pair[1], "{} and {}", ordered[at], ordered[at + 1]);
        }
        assert_eq!(T::of(-0.0).key(), T::of(0.0).key(), "both zeros are one");
        assert!([f64::NAN, -f64::NAN].iter().all(|missing| T::of(*missing).key() == T::Key::MISSING));
        assert!(keys.iter().all(|key| *key < T::Key::MISSING), "what is missing is after all numbers");
        for (from, key) in keys.iter().flat_map(|from| keys.iter().map(move |key| (*from, *key))) {
            assert_eq!(from.plus(key.after(from)), key, "as far on as it lies behind");
        }
    }

    #[test]
    fn keys_are_in_the_order_of_numbers_and_what_is_missing_is_last() {
        let (inf, tiny) = (f64::INFINITY, 1e-45);
        check::<f32>(&[-inf, -3e38, -1.0, -tiny, 0.0, tiny, 1e-40, 1.0, f64::from(1f32.next_up()), 3e38, inf]);
        check::<f64>(&[-inf, -1e308, -1f64.next_up(), -1.0, -5e-324, 0.0, 5e-324, 1.0, 1f64.next_up(), 1e308, inf]);
        // A f64 bit pattern that a careless conversion of a signalling NaN may give.
        assert_eq!(f64::from_bits(0x7FF0_0000_0000_0001).key(), u64::MAX);
        assert_eq!(f32::from_bits(0xFF80_0001).key(), u32::MAX);
    }

    #[test]
    fn neighbours_have_neighbouring_keys() {
        for value in [-2.5f32, -3e-45, 3e-45, 1.0, f32::MAX] {
            assert_eq!(value.next_up().key(), value.key().next(), "{value}");
            assert_eq!(value.next_down().key(), value.key().previous(), "{value}");
        }
        // One key is the ring's way round: distances behind the last start anew.
        assert_eq!((u32::MAX.next(), 0u32.previous(), 1u32.after(u32::MAX), 5u64.plus(u64::MAX)), (0, u32::MAX, 2, 4));
    }
}
