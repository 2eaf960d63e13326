//! What the functions of one number and of two mean, and how a loop is written for each of them.

use super::math;
use super::steps::{Function, Join};

/// Zero below zero; what is not a number stays so.
#[inline(always)]
pub(super) fn relu(x: f32) -> f32 {
    if 0.0 > x { 0.0 } else { x }
}

impl Function {
    /// Its meaning.
    #[inline(always)]
    pub fn of(self, x: f32) -> f32 {
        match self {
            Self::Copy => x,
            Self::Abs => x.abs(),
            Self::Neg => -x,
            Self::Sign => math::sign(x),
            Self::Exp => math::exp(x),
            Self::Log => math::ln(x),
            Self::Sqrt => x.sqrt(),
            Self::Relu => relu(x),
            Self::Sigmoid => math::sigmoid(x),
            Self::Tanh => math::tanh(x),
            Self::Erf => math::erf(x),
            Self::Gelu => math::gelu(x),
            Self::Leaky(slope) => {
                if x < 0.0 {
                    slope * x
                } else {
                    x
                }
            }
            Self::Clip(low, high) => {
                let x = if x < low { low } else { x };
                if x > high { high } else { x }
            }
            Self::SoftLog(one) => math::sign(x) * math::ln(x.abs() + one),
            Self::Whole(past) => {
                if x >= -past && x < past {
                    x.trunc()
                } else {
                    -past
                }
            }
        }
    }
}

impl Join {
    /// Its meaning.
    #[inline(always)]
    pub fn of(self, a: f32, b: f32) -> f32 {
        let truth = |yes: bool| if yes { 1.0 } else { 0.0 };
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Equal => truth(a == b),
            Self::Greater => truth(a > b),
            Self::GreaterOrEqual => truth(a >= b),
            Self::Less => truth(a < b),
            Self::LessOrEqual => truth(a <= b),
        }
    }
}

/// Does something with a function that is known where it is compiled, so that its loop asks for none.
macro_rules! with_function {
    ($function:expr, $known:ident => $work:expr) => {
        with_function!(@ $function, $known, $work,
            Copy, Abs, Neg, Sign, Exp, Log, Sqrt, Relu, Sigmoid, Tanh, Erf, Gelu; Leaky(a), Clip(a, b), SoftLog(a), Whole(a))
    };
    (@ $function:expr, $known:ident, $work:expr, $($plain:ident),*; $($with:ident($($part:ident),*)),*) => {
        match $function {
            $(Function::$plain => { let $known = Function::$plain; $work })*
            $(Function::$with($($part),*) => { let $known = Function::$with($($part),*); $work })*
        }
    };
}
pub(super) use with_function;

/// The same with a join.
macro_rules! with_join {
    ($join:expr, $known:ident => $work:expr) => {
        with_join!(@ $join, $known, $work, Add, Sub, Mul, Div, Equal, Greater, GreaterOrEqual, Less, LessOrEqual)
    };
    (@ $join:expr, $known:ident, $work:expr, $($plain:ident),*) => {
        match $join {
            $(Join::$plain => { let $known = Join::$plain; $work })*
        }
    };
}
pub(super) use with_join;

#[cfg(test)]
mod tests {
    use super::*;
    use Function::{Abs, Clip, Copy, Exp, Gelu, Leaky, Log, Neg, Relu, Sigmoid, Sign, SoftLog, Sqrt, Tanh, Whole};

    const NAN: f32 = f32::NAN;
    const INF: f32 = f32::INFINITY;

    #[test]
    fn functions_of_one_number_at_their_edges() {
        for (function, numbers, expected) in [
            (Copy, &[-0.0, NAN, INF][..], &[-0.0, NAN, INF][..]),
            (Abs, &[-0.0, -INF, NAN, -1e-45], &[0.0, INF, NAN, 1e-45]),
            (Neg, &[0.0, -INF, NAN], &[-0.0, INF, NAN]),
            (Sign, &[-0.0, 0.0, -1e-45, INF, NAN], &[-0.0, 0.0, -1.0, 1.0, NAN]),
            (Sqrt, &[-0.0, 4.0, -1e-45, INF], &[-0.0, 2.0, NAN, INF]),
            (Exp, &[0.0, -INF, INF, -200.0, 200.0, NAN], &[1.0, 0.0, INF, 0.0, INF, NAN]),
            (Log, &[1.0, 0.0, -0.0, -1.0, INF, NAN], &[0.0, -INF, -INF, NAN, INF, NAN]),
            (Relu, &[-1.0, -0.0, 0.0, INF, NAN], &[0.0, -0.0, 0.0, INF, NAN]),
            (Sigmoid, &[0.0, -INF, INF, NAN], &[0.5, 0.0, 1.0, NAN]),
            (Tanh, &[0.0, -INF, INF, NAN], &[0.0, -1.0, 1.0, NAN]),
            (Gelu, &[0.0, 100.0, -100.0, NAN], &[0.0, 100.0, -0.0, NAN]),
            (Leaky(0.5), &[-2.0, -0.0, 3.0, -INF, NAN], &[-1.0, -0.0, 3.0, -INF, NAN]),
            (Leaky(0.0), &[-2.0, -INF], &[-0.0, NAN]),
            (Clip(-1.0, 2.0), &[-5.0, 0.5, 2.0, 5.0, INF, NAN], &[-1.0, 0.5, 2.0, 2.0, 2.0, NAN]),
            // As the standard has it, the upper bound counts where the two cross.
            (Clip(2.0, -1.0), &[-5.0, 0.0, 5.0], &[-1.0, -1.0, -1.0]),
            (Clip(-INF, INF), &[-INF, INF], &[-INF, INF]),
            (SoftLog(1.0), &[0.0, -0.0, INF, -INF, NAN], &[0.0, -0.0, INF, -INF, NAN]),
            (Whole(8.0), &[1.9, -1.9, 0.9, 8.0, -8.0, -8.5, INF, NAN], &[1.0, -1.0, 0.0, -8.0, -8.0, -8.0, -8.0, -8.0]),
        ] {
            for (x, expected) in numbers.iter().zip(expected) {
                let found = function.of(*x);
                let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
                assert!(same, "{function:?} of {x} is {found}, not {expected}");
            }
        }
    }

    #[test]
    fn functions_of_two_numbers_at_their_edges() {
        use Join::{Add, Div, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Mul, Sub};
        for (join, [small, same, large, zeros, missing]) in [
            (Equal, [0.0, 1.0, 0.0, 1.0, 0.0]),
            (Greater, [0.0, 0.0, 1.0, 0.0, 0.0]),
            (GreaterOrEqual, [0.0, 1.0, 1.0, 1.0, 0.0]),
            (Less, [1.0, 0.0, 0.0, 0.0, 0.0]),
            (LessOrEqual, [1.0, 1.0, 0.0, 1.0, 0.0]),
        ] {
            for (a, b, expected) in [
                (1.0, 2.0, small),
                (2.0, 2.0, same),
                (INF, 2.0, large),
                (-0.0, 0.0, zeros),
                (NAN, NAN, missing),
                (NAN, 1.0, missing),
            ] {
                assert_eq!(join.of(a, b), expected, "{a} {join:?} {b}");
            }
        }
        for (join, a, b, expected) in [
            (Add, INF, -INF, NAN),
            (Sub, INF, INF, NAN),
            (Mul, 0.0, INF, NAN),
            (Div, 0.0, 0.0, NAN),
            (Div, -1.0, 0.0, -INF),
            (Div, 1e-40, 1e-40, 1.0),
        ] {
            let found = join.of(a, b);
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{a} {join:?} {b} is {found}");
        }
    }
}
