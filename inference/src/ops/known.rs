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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{onnx, register};
    use std::collections::BTreeSet;

    #[test]
    fn operators_and_attributes_stand_once() {
        fn stand_once(mut names: impl Iterator<Item = &'static str>) -> bool {
            let mut seen = BTreeSet::new();
            names.all(|name| seen.insert(name))
        }
        for operators in [STANDARD, ML] {
            assert!(stand_once(operators.iter().map(|(name, _)| *name)));
            for (operator, attributes) in operators {
                assert!(stand_once(attributes.iter().map(|known| known.name)), "{operator}");
                let spans = attributes.iter().all(|known| known.since <= known.until && known.until <= NEWEST);
                assert!(spans, "{operator}: opsets from the first to the last");
            }
        }
        assert!(CHANGED.iter().all(|name| attributes("", name).is_some()));
    }

    /// What runs is known, and what is known runs.
    #[test]
    fn the_tables_are_those_of_the_registers() {
        let names = |operators: &[(&'static str, &'static [Attribute])]| -> BTreeSet<&'static str> {
            operators.iter().map(|(name, _)| *name).collect()
        };
        let ours: BTreeSet<&str> = register::ML.iter().map(|(name, _)| *name).collect();
        assert_eq!(ours, names(ML));
        let onnx = onnx();
        let absent: Vec<_> =
            names(STANDARD).into_iter().filter(|name| !onnx.op_register.0.contains_key(*name)).collect();
        assert!(absent.is_empty(), "{absent:?}");
    }

    #[test]
    fn an_operator_is_of_its_domain_alone() {
        for (domain, operator, count) in [
            ("", "Cast", Some(3)),
            ("ai.onnx", "Relu", Some(0)),
            ("ai.onnx.ml", "Scaler", Some(2)),
            ("", "Scaler", None),
            ("ai.onnx.ml", "Relu", None),
            ("", "relu", None),
            ("", "TfIdfVectorizer", None),
        ] {
            assert_eq!(attributes(domain, operator).map(<[Attribute]>::len), count, "{domain} {operator}");
        }
    }
}
