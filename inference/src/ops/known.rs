//! Every operator that runs here, with the attributes that its code reads and honours: names, the opsets that have them, and the
//! values that are answered right where not all are. What does not stand here is refused ([`super::taken`]), so that nothing in a
//! file is passed over without a word.
//!
//! Attributes that change no answer stand here too: hit rates of trees, seeds and momenta of training, the order of places that are
//! not given. The tables are [`standard`] and [`ml`].

mod ml;
mod standard;

use self::ml::ML;
use self::standard::STANDARD;

/// An attribute of an operator.
pub(super) struct Attribute {
    pub(super) name: &'static str,
    /// The first opset that has it.
    pub(super) since: i64,
    /// The last one.
    pub(super) until: i64,
    pub(super) only: Only,
}

/// Which values are answered as the standard says.
pub(super) enum Only {
    All,
    Whole(&'static [i64]),
    Texts(&'static [&'static str]),
    /// None, with what to do instead.
    None(&'static str),
}

const fn any(name: &'static str) -> Attribute {
    Attribute { name, since: 0, until: NEWEST, only: Only::All }
}

const fn whole(name: &'static str, values: &'static [i64]) -> Attribute {
    Attribute { only: Only::Whole(values), ..any(name) }
}

const fn flag(name: &'static str) -> Attribute {
    whole(name, &[0, 1])
}

const fn texts(name: &'static str, values: &'static [&'static str]) -> Attribute {
    Attribute { only: Only::Texts(values), ..any(name) }
}

const fn none(name: &'static str, instead: &'static str) -> Attribute {
    Attribute { only: Only::None(instead), ..any(name) }
}

impl Attribute {
    const fn since(self, since: i64) -> Self {
        Self { since, ..self }
    }

    const fn until(self, until: i64) -> Self {
        Self { until, ..self }
    }
}

/// The newest opset whose operators stand here.
pub(crate) const NEWEST: i64 = 28;

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

type Operators = &'static [(&'static str, &'static [Attribute])];

/// The attributes of an operator of a domain; nothing of one that does not run here.
pub(super) fn attributes(domain: &str, operator: &str) -> Option<&'static [Attribute]> {
    let operators = if domain == super::check::ML { ML } else { STANDARD };
    operators.iter().find(|(name, _)| *name == operator).map(|(_, attributes)| *attributes)
}
