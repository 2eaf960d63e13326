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
