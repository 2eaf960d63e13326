//! The outputs of a graph: which of them are asked for, along which axis their rows lie, and what their columns are called.

use super::rows::RowAxis;
use super::table::Values;
use crate::error::{GraphError, refused};
use crate::ops::{Labels, NodeProto};
use std::collections::HashMap;
use tract_onnx::pb::GraphProto;
use tract_onnx::prelude::*;

/// What is known of an output before it is reckoned.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub name: String,
    pub columns: Vec<String>,
    /// Its place among the outputs that the engine gives.
    pub slot: usize,
    /// Along which axis its rows lie.
    axis: usize,
}

impl Head {
    /// Of rows of numbered columns.
    pub fn plain(name: &str, slot: usize, width: usize) -> Self {
        Self { name: name.to_owned(), columns: numbered(name, width), slot, axis: 0 }
    }

    /// The cells of its first rows.
    pub fn cells(&self, answer: &Tensor, rows: usize) -> TractResult<Values> {
        let count = rows * self.columns.len();
        if self.axis == 0 {
            return Values::of_tensor(answer, count);
        }
        Values::of_tensor(&answer.clone().move_axis(self.axis, 0)?, count)
    }
}

/// Names of the outputs that are asked for; all without a list.
pub(super) fn wanted(graph: &GraphProto, outputs: Option<&[&str]>) -> Result<Vec<String>, GraphError> {
    let known: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    let Some(outputs) = outputs else { return Ok(known.into_iter().map(str::to_owned).collect()) };
    match outputs.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(refused(&format!("has no output {name}; it has {}", known.join(", ")))),
        None => Ok(outputs.iter().map(|name| (*name).to_owned()).collect()),
    }
}

/// The row axes of a graph that is run row by row: the one that grows with the number of rows, or the first where that cannot be
/// tried and it has the size of `block`.
pub(super) fn axes_by_shape(
    model: &TypedModel,
    more: Option<&TypedModel>,
    block: usize,
) -> Result<TVec<RowAxis>, GraphError> {
    let shape = |model: &TypedModel, at: usize| -> Result<TVec<usize>, GraphError> {
        let fact = model.output_fact(at).map_err(|error| refused(&format!("{error:#}")))?;
        let shape = fact.shape.as_concrete().map(TVec::from);
        shape.ok_or_else(|| refused("the shape of an output is known only when it is run"))
    };
    let axis = |at: usize| {
        let one = shape(model, at)?;
        let grown = more.map(|more| shape(more, at)).transpose()?.filter(|two| two.len() == one.len());
        let grows = grown.map(|two| (0..one.len()).filter(|axis| one[*axis] != two[*axis]).collect::<Vec<_>>());
        Ok(match grows.as_deref() {
            Some([axis]) => Some(*axis),
            // The same for all rows, or else made of all rows together.
            Some([]) if is_constant(model, at) => None,
            None if one.first() == Some(&block) => Some(0),
            _ => {
                return Err(refused(
                    "one of its outputs has not one row for each row: export it with one row of columns for each",
                ));
            }
        })
    };
    (0..model.outputs.len()).map(axis).collect()
}

fn is_constant(model: &TypedModel, output: usize) -> bool {
    model.output_fact(output).is_ok_and(|fact| fact.konst.is_some())
}

/// Checks that outputs have one row for each row, and names their columns. What is the same for all rows is left out.
pub(super) fn heads(
    graph: &GraphProto,
    model: &TypedModel,
    wanted: &[String],
    axes: &[RowAxis],
    block: usize,
) -> Result<Vec<Head>, GraphError> {
    let outputs = graph.node.iter().flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)));
    let makers: Makers<'_> = outputs.collect();
    let mut heads = Vec::new();
    for (slot, (name, axis)) in wanted.iter().zip(axes).enumerate() {
        if let Some(axis) = axis {
            heads.push(head(&makers, model, slot, name, *axis, block)?);
        }
    }
    match heads.is_empty() {
        true => {
            Err(refused("none of its outputs has one row for each row: export it with a first dimension of any size"))
        }
        false => Ok(heads),
    }
}

fn head(
    makers: &Makers<'_>,
    model: &TypedModel,
    slot: usize,
    name: &str,
    axis: usize,
    block: usize,
) -> Result<Head, GraphError> {
    let fact = model.output_fact(slot).map_err(|error| refused(&format!("{error:#}")))?;
    let shape = fact.shape.as_concrete().unwrap_or(&[]);
    if shape.get(axis) != Some(&block) {
        return Err(refused(&format!(
            "its output {name} does not have one row for each row: export it with one row of columns for each"
        )));
    }
    if Values::empty(fact.datum_type).is_none() {
        return Err(refused(&format!("its output {name} is of a type that no table has: cast it")));
    }
    let width: usize = shape.iter().enumerate().filter(|(at, _)| *at != axis).map(|(_, size)| size).product();
    let labels = labels_of(makers, name).filter(|labels| labels.len() == width);
    let columns = match labels {
        Some(labels) => labels.texts().iter().map(|label| format!("{name}_{label}")).collect(),
        None => numbered(name, width),
    };
    Ok(Head { name: name.to_owned(), columns, slot, axis })
}

fn numbered(name: &str, width: usize) -> Vec<String> {
    match width {
        1 => vec![name.to_owned()],
        _ => (0..width).map(|column| format!("{name}_{column}")).collect(),
    }
}

/// The node that gives each value.
type Makers<'g> = HashMap<&'g str, &'g NodeProto>;

/// The labels of the classifier whose scores an output is, followed through what keeps its columns.
fn labels_of(makers: &Makers<'_>, output: &str) -> Option<Labels> {
    let mut name = output;
    for _ in 0..=makers.len() {
        let node = *makers.get(name)?;
        match node.op_type.as_str() {
            "ZipMap" | "TreeEnsembleClassifier" => return Labels::of(node, "classlabels_int64s").ok(),
            "LinearClassifier" | "SVMClassifier" => return Labels::of(node, "classlabels_ints").ok(),
            "Identity" | "Cast" | "Normalizer" | "Softmax" | "Sigmoid" => name = node.input.first()?,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::examples::node;
    use crate::ops::tests::{Attributes, cells};

    #[test]
    fn labels_are_followed_through_what_keeps_the_columns() {
        let classifier = |operator: &str, attribute: &str| node(operator, &["x"], "s").ints(attribute, &[3, 5]);
        let through = |operator: &str| node(operator, &["s"], "y");
        let linear = || classifier("LinearClassifier", "classlabels_ints");
        let labels = Some(Labels::Ints(vec![3, 5]));
        for (name, nodes, expected) in [
            ("a map of classes", vec![classifier("ZipMap", "classlabels_int64s"), through("Identity")], labels.clone()),
            (
                "trees",
                vec![classifier("TreeEnsembleClassifier", "classlabels_int64s"), through("Cast")],
                labels.clone(),
            ),
            ("vectors", vec![classifier("SVMClassifier", "classlabels_ints"), through("Normalizer")], labels.clone()),
            ("two steps", vec![linear(), node("Softmax", &["s"], "t"), node("Sigmoid", &["t"], "y")], labels.clone()),
            ("what mixes columns", vec![linear(), through("MatMul")], None),
            (
                "another's attribute",
                vec![classifier("LinearClassifier", "classlabels_int64s"), through("Identity")],
                None,
            ),
            ("what nobody gives", vec![linear()], None),
            ("a ring", vec![node("Identity", &["y"], "s"), through("Identity")], None),
        ] {
            let makers: Makers<'_> = nodes.iter().map(|node| (node.output[0].as_str(), node)).collect();
            assert_eq!(labels_of(&makers, "y"), expected, "{name}");
        }
    }

    #[test]
    fn cells_are_laid_down_row_by_row_wherever_the_rows_lie() {
        let head = |axis: usize| Head { axis, ..Head::plain("y", 0, 2) };
        assert_eq!(head(0).columns, ["y_0", "y_1"]);
        assert_eq!((Head::plain("y", 0, 1).columns, Head::plain("y", 0, 0).columns), (vec!["y".to_owned()], vec![]));
        let answer = cells(&[2, 3], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let by_columns = head(1).cells(&answer, 2).unwrap();
        assert_eq!(by_columns, Values::F32(vec![1.0, 4.0, 2.0, 5.0]), "the rows of a block that count");
        let answer = cells(&[3, 2], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(head(0).cells(&answer, 2).unwrap(), Values::F32(vec![1.0, 2.0, 3.0, 4.0]));
    }
}
