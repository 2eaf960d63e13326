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
