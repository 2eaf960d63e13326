//! The labels of a classifier: whole numbers or text.

use super::NodeProto;
use super::rows::tensor;
use tract_onnx::tract_hir::internal::*;

/// Labels in the order of the classes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Labels {
    /// `classlabels_ints` or `classlabels_int64s`.
    Ints(Vec<i64>),
    /// `classlabels_strings`.
    Texts(Vec<String>),
}

impl Labels {
    /// Reads `classlabels_strings`, else the attribute of whole numbers.
    pub(crate) fn of(node: &NodeProto, ints: &str) -> TractResult<Self> {
        let texts: Vec<String> = node.get_attr_opt_vec("classlabels_strings")?.unwrap_or_default();
        let ints_found: Vec<i64> = node.get_attr_opt_vec(ints)?.unwrap_or_default();
        match (texts.is_empty(), ints_found.is_empty()) {
            (false, true) => Ok(Self::Texts(texts)),
            (true, false) => Ok(Self::Ints(ints_found)),
            _ => node.bail(&format!("needs its labels in either classlabels_strings or {ints}")),
        }
    }

    /// Number of classes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ints(labels) => labels.len(),
            Self::Texts(labels) => labels.len(),
        }
    }

    /// Type of the label output.
    pub(crate) fn datum_type(&self) -> DatumType {
        match self {
            Self::Ints(_) => i64::datum_type(),
            Self::Texts(_) => String::datum_type(),
        }
    }

    /// As text, for headings.
    pub(crate) fn texts(&self) -> Vec<String> {
        match self {
            Self::Ints(labels) => labels.iter().map(i64::to_string).collect(),
            Self::Texts(labels) => labels.clone(),
        }
    }

    /// The label output of rows whose classes are given by position.
    pub(crate) fn pick(&self, classes: &[usize]) -> TractResult<Tensor> {
        fn taken<D: Datum>(labels: &[D], classes: &[usize]) -> TractResult<Tensor> {
            let label = |class: &usize| labels.get(*class).cloned().context("has no label for a class");
            tensor(&[classes.len()], classes.iter().map(label).collect::<TractResult<Vec<D>>>()?)
        }
        match self {
            Self::Ints(labels) => taken(labels, classes),
            Self::Texts(labels) => taken(labels, classes),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ops::tests::{Attributes, all, operator};

    #[test]
    fn labels_are_of_one_kind() {
        let node = || operator("ZipMap");
        let ints = Labels::of(&node().ints("classlabels_int64s", &[7, -1]), "classlabels_int64s").unwrap();
        let texts = Labels::of(&node().texts("classlabels_strings", &["good", ""]), "classlabels_int64s").unwrap();
        assert_eq!(
            (ints.len(), ints.datum_type(), ints.texts()),
            (2, i64::datum_type(), vec!["7".into(), "-1".into()])
        );
        assert_eq!((texts.len(), texts.datum_type()), (2, String::datum_type()));
        for wrong in [
            node(),
            node().ints("classlabels_int64s", &[]),
            node().ints("classlabels_int64s", &[1]).texts("classlabels_strings", &["a"]),
            node().ints("classlabels_ints", &[1]),
        ] {
            let why = Labels::of(&wrong, "classlabels_int64s").unwrap_err().to_string();
            assert!(why.contains("needs its labels in either classlabels_strings or classlabels_int64s"), "{why}");
        }
    }

    #[test]
    fn a_class_without_a_label_is_an_error() {
        let labels = Labels::Texts(vec!["a".into(), "b".into()]);
        assert_eq!(all::<String>(&labels.pick(&[1, 0, 1]).unwrap()), ["b", "a", "b"]);
        assert_eq!(labels.pick(&[]).unwrap().shape(), [0]);
        assert!(labels.pick(&[2]).is_err_and(|why| why.to_string().contains("no label for a class")));
        assert_eq!(all::<i64>(&Labels::Ints(vec![5]).pick(&[0]).unwrap()), [5]);
    }
}
