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
