//! Every operator that runs here, with the attributes that its code reads and honours: names, the opsets that have them, and the
//! values that are answered right where not all are. What does not stand here is refused ([`super::taken`]), so that nothing in a
//! file is passed over without a word.
//!
//! Attributes that change no answer stand here too: hit rates of trees, seeds and momenta of training, the order of places that are
//! not given. The tables are [`standard`] and [`ml`].

mod attribute;
mod ml;
mod standard;

pub(crate) use self::attribute::NEWEST;
pub(super) use self::attribute::{Attribute, Only};

use self::ml::ML;
use self::standard::STANDARD;
use super::domains;

/// Operators that meant something else before opset 7: they said otherwise which dimensions to repeat, whether they train, and what
/// is an attribute.
pub(super) const CHANGED: [&str; 26] = [
    "Add",
    "And",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Concat",
    "Div",
    "Dropout",
    "Equal",
    "GRU",
    "Gemm",
    "Greater",
    "LSTM",
    "Less",
    "Mul",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "RNN",
    "Reshape",
    "Selu",
    "Split",
    "Sub",
    "Tile",
    "Xor",
];

/// The attributes of an operator of a domain; nothing of one that does not run here.
pub(super) fn attributes(domain: &str, operator: &str) -> Option<&'static [Attribute]> {
    let operators = if domain == domains::ML { ML } else { STANDARD };
    operators.iter().find(|(name, _)| *name == operator).map(|(_, attributes)| *attributes)
}
