//! Functions of one number, written so that a compiler can do many at once: no branch, no call, no table. Reckoned in f64
//! and rounded once to f32, so each is within half a unit in the last place and a hair, and has the same bits wherever
//! fused multiply-adds are exact. What is not a number stays so.

use std::f64::consts::{LN_2, LOG2_E, SQRT_2};

/// Adding this to a number of moderate size leaves the nearest whole number in its lowest bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// 2^52, and its bits: a whole number below it can be laid into its mantissa.
const TWO_52: f64 = 4_503_599_627_370_496.0;
const MANTISSA: u64 = (1 << 52) - 1;
const BIAS: u64 = 1023;
/// 1/n! from n = 10 down: the rest of the series is below 3e-13 where it is used, up to ln 2 / 2.
const EXP: [f64; 11] = [
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];
/// 1/(2n + 1) from n = 7 down: the rest is below 4e-14 where it is used, up to the square of (√2 − 1)/(√2 + 1).
const ARTANH: [f64; 8] = [1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
/// erf(x)/x over (x² − 8)/8, the polynomial of degree 20 through the Chebyshev nodes up to |x| = 4: it is 2e-11 off at most.
const ERF: [f64; 21] = [
    1.325554694631e-5,
    -3.671405102068e-5,
    3.107428801741e-5,
    -7.231709241751e-5,
    0.000_299_181_148_648_1,
    -0.000_673_086_022_629_8,
    0.001_272_324_106_594,
    -0.002_530_357_144_025,
    0.004_864_627_495_124,
    -0.008_630_037_313_779,
    0.014_345_737_085_09,
    -0.022_466_183_619_52,
    0.033_061_469_113_29,
    -0.045_766_481_895_83,
    0.059_886_799_552_87,
    -0.074_727_726_079_82,
    0.090_209_000_915_46,
    -0.107_710_449_039_3,
    0.131_675_116_723_7,
    -0.176_576_233_212_1,
    0.353_530_995_644_1,
];
/// From here on the error function is 1 in single precision.
const ERF_RANGE: f64 = 4.0;
/// Beyond these, a power of e rounds to zero or to infinity in single precision.
const EXP_RANGE: (f64, f64) = (-110.0, 110.0);
/// Where tanh is its own argument but for a third of its cube.
const TANH_SMALL: f64 = 1.0 / 1024.0;

/// The power of e.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    exp_wide(f64::from(x)) as f32
}

/// 1 / (1 + e^−x).
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    (1.0 / (1.0 + exp_wide(-f64::from(x)))) as f32
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let x = f64::from(x);
    let power = exp_wide(2.0 * x);
    let large = (power - 1.0) / (power + 1.0);
    let small = (-x * x * x).mul_add(1.0 / 3.0, x);
    (if x.abs() < TANH_SMALL { small } else { large }) as f32
}

/// The error function.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    erf_wide(f64::from(x)) as f32
}

/// x · Φ(x), with Φ the standard normal distribution; 5e-8 off at most where it is tiny.
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * x * (1.0 + erf_wide(x / SQRT_2))) as f32
}

/// The natural logarithm: −∞ of zero, not a number below.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    let wide = f64::from(x);
    let root_half = (SQRT_2 / 2.0).to_bits();
    // The exponent that leaves a mantissa between √½ and √2, as the machine biases it.
    let shifted = wide.to_bits().wrapping_add((BIAS << 52) - root_half);
    let exponent = f64::from_bits((shifted >> 52) | TWO_52.to_bits()) - (TWO_52 + BIAS as f64);
    let mantissa = f64::from_bits((shifted & MANTISSA) + root_half);
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let series = horner(&ARTANH, square);
    let found = exponent.mul_add(LN_2, 2.0 * ratio * series) as f32;
    let edge = if x == 0.0 { f32::NEG_INFINITY } else { f32::NAN };
    let past = if x > 0.0 { x } else { edge };
    if x > 0.0 && x < f32::INFINITY { found } else { past }
}

/// −1, 0 or 1.
#[inline(always)]
pub(super) fn sign(x: f32) -> f32 {
    let up = if x > 0.0 { 1.0 } else { x };
    if x < 0.0 { -1.0 } else { up }
}

#[inline(always)]
fn erf_wide(x: f64) -> f64 {
    let past = if x > 0.0 { 1.0 } else { -1.0 };
    let near = x * horner(&ERF, (x * x - 8.0) / 8.0);
    if x.abs() >= ERF_RANGE { past } else { near }
}

#[inline(always)]
fn exp_wide(x: f64) -> f64 {
    let x = if x < EXP_RANGE.0 { EXP_RANGE.0 } else { x };
    let x = if x > EXP_RANGE.1 { EXP_RANGE.1 } else { x };
    let rounded = x.mul_add(LOG2_E, ROUNDER);
    let rest = (ROUNDER - rounded).mul_add(LN_2, x);
    // The lowest bits of `rounded` are the power of two; the others leave at the top.
    let two = f64::from_bits((rounded.to_bits() << 52).wrapping_add(BIAS << 52));
    two * horner(&EXP, rest)
}

#[inline(always)]
fn horner<const N: usize>(series: &[f64; N], x: f64) -> f64 {
    let mut sum = series[0];
    for coefficient in &series[1..] {
        sum = sum.mul_add(x, *coefficient);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every function against the reference over all magnitudes: at most one unit in the last place.
    fn check(ours: fn(f32) -> f32, theirs: fn(f64) -> f64) {
        let at_and_around = (0..=u32::MAX).step_by(10_007).map(f32::from_bits);
        let edges = [0.0, -0.0, 1.0, -1.0, f32::MIN_POSITIVE, 1e-45, -1e-45, f32::MAX, f32::MIN];
        for x in at_and_around.chain(edges).chain([f32::INFINITY, f32::NEG_INFINITY, f32::NAN]) {
            let (own, other) = (ours(x), theirs(f64::from(x)) as f32);
            let apart = i64::from(own.to_bits()).abs_diff(i64::from(other.to_bits()));
            assert!(own == other || apart <= 1 || own.is_nan() && other.is_nan(), "f({x:e}) = {own:e}, not {other:e}");
        }
    }

    #[test]
    fn functions_are_those_of_the_library() {
        check(exp, libm::exp);
        check(ln, libm::log);
        check(tanh, libm::tanh);
        check(erf, libm::erf);
        check(sigmoid, |x| 1.0 / (1.0 + libm::exp(-x)));
        check(sign, |x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        });
    }

    #[test]
    fn gelu_is_that_of_the_library() {
        for x in (-12_000..12_000).map(|at| at as f32 / 1000.0).chain([1e30, f32::NAN, f32::INFINITY]) {
            let wide = f64::from(x);
            let (own, other) = (gelu(x), (0.5 * wide * (1.0 + libm::erf(wide / SQRT_2))) as f32);
            let near = (own - other).abs() <= 5e-8 + 6e-8 * other.abs();
            assert!(near || own == other || own.is_nan() && other.is_nan(), "gelu({x}) = {own}, not {other}");
        }
    }
}
