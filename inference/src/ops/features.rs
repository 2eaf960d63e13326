//! `FeatureVectorizer`, `ArrayFeatureExtractor` and `ZipMap`: columns put together, picked out, and named.

use super::labels::Labels;
use super::operator::{Built, Fact, Operator, built};
use super::rows::{self, slice, tensor};
use super::{NodeProto, ParsingContext};
use tract_onnx::tract_hir::internal::*;

/// Inputs side by side, each cut or filled with zeros to its width.
#[derive(Debug)]
struct FeatureVectorizer {
    widths: Vec<usize>,
    total: usize,
}

/// More columns than any row of features has.
const MOST_COLUMNS: usize = 1 << 20;

pub(super) fn feature_vectorizer(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let widths: Vec<usize> = node.get_attr_vec("inputdimensions")?;
    let total = widths.iter().try_fold(0usize, |total, width| total.checked_add(*width));
    let total = total.filter(|total| (1..=MOST_COLUMNS).contains(total));
    let total = node.expect_ok_or_else(total, "inputdimensions that add up to a row")?;
    node.expect(widths.len() == node.input.len(), "one of inputdimensions for each input")?;
    built(FeatureVectorizer { widths, total })
}

impl Operator for FeatureVectorizer {
    fn name(&self) -> &'static str {
        "FeatureVectorizer"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let first = inputs.first().context("takes an input or more")?;
        for input in inputs {
            rows::check_numbers(input)?;
            if rows::of_fact(input)?.0 != rows::of_fact(first)?.0 {
                bail!("its inputs differ in their number of rows");
            }
        }
        let shape = tvec!(rows::of_fact(first)?.0, self.total.into());
        Ok(vec![Fact { datum_type: f32::datum_type(), shape }])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let (count, _) = rows::of_shape(inputs[0].shape())?;
        let mut all = vec![0f32; count * self.total];
        let mut start = 0;
        for (input, wanted) in inputs.iter().zip(&self.widths) {
            let (_, width) = rows::of_shape(input.shape())?;
            let kept = width.min(*wanted);
            let values = rows::floats(input)?;
            for (to, from) in all.chunks_mut(self.total).zip(values.chunks(width.max(1))) {
                to[start..start + kept].copy_from_slice(&from[..kept]);
            }
            start += wanted;
        }
        Ok(vec![tensor(&[count, self.total], all)?])
    }
}

/// Columns picked by position.
#[derive(Debug)]
struct ArrayFeatureExtractor;

pub(super) fn array_feature_extractor(_ctx: &ParsingContext, _node: &NodeProto) -> Built {
    built(ArrayFeatureExtractor)
}

impl Operator for ArrayFeatureExtractor {
    fn name(&self) -> &'static str {
        "ArrayFeatureExtractor"
    }

    fn row_axis(&self, rows: &[Option<usize>], inputs: &[Fact]) -> Option<usize> {
        let [values, positions] = inputs else { return None };
        match rows {
            [Some(axis), None] => Some(*axis).filter(|axis| axis + 1 < values.shape.len()),
            // Each row picks a column of the same values: rows lie where columns did.
            [None, Some(axis)] => {
                let alone = positions.shape.iter().enumerate().all(|(at, size)| at == *axis || size.is_one());
                alone.then_some(values.shape.len().max(2) - 1)
            }
            _ => None,
        }
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [values, positions] = inputs else { bail!("takes values and positions") };
        if positions.datum_type != i64::datum_type() {
            bail!("takes its positions as int64; it is given {:?}", positions.datum_type);
        }
        let count: TDim = positions.shape.iter().product();
        let mut shape = values.shape.clone();
        match shape.len() {
            0 => bail!("takes rows of values; it is given one value"),
            1 => shape = tvec!(1.into(), count),
            last => shape[last - 1] = count,
        }
        Ok(vec![Fact { datum_type: values.datum_type, shape }])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let (values, positions) = (&inputs[0], &inputs[1]);
        let width = values.shape().last().copied().unwrap_or(0);
        let position = |p: &i64| usize::try_from(*p).ok().filter(|p| *p < width);
        let positions: Option<Vec<usize>> = slice::<i64>(positions)?.iter().map(position).collect();
        let positions = positions.with_context(|| format!("picks a column that is not among the {width}"))?;
        Ok(vec![match values.datum_type() {
            DatumType::F32 => pick::<f32>(values, &positions, width)?,
            DatumType::F64 => pick::<f64>(values, &positions, width)?,
            DatumType::I64 => pick::<i64>(values, &positions, width)?,
            DatumType::I32 => pick::<i32>(values, &positions, width)?,
            DatumType::Bool => pick::<bool>(values, &positions, width)?,
            DatumType::String => pick::<String>(values, &positions, width)?,
            other => bail!("picks no columns of {other:?}: cast them before"),
        }])
    }
}

fn pick<D: Datum>(values: &Tensor, positions: &[usize], width: usize) -> TractResult<Tensor> {
    let picked: Vec<D> = slice::<D>(values)?
        .chunks(width.max(1))
        .flat_map(|row| positions.iter().map(|position| row[*position].clone()))
        .collect();
    let mut shape = values.shape().to_vec();
    match shape.len() {
        1 => shape = vec![1, positions.len()],
        last => shape[last - 1] = positions.len(),
    }
    tensor(&shape, picked)
}

/// Names the columns of a tensor by the labels of a classifier. The tensor stays a tensor: who runs the graph reads the
/// labels from [`crate::graph::Output`].
#[derive(Debug)]
struct ZipMap {
    labels: Labels,
}

pub(super) fn zip_map(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    built(ZipMap { labels: Labels::of(node, "classlabels_int64s")? })
}

impl Operator for ZipMap {
    fn name(&self) -> &'static str {
        "ZipMap"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        rows::check_width(input, self.labels.len())?;
        Ok(vec![input.clone()])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        Ok(vec![inputs[0].clone().into_tensor()])
    }
}
