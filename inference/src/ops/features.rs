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
        let positions = positions.with_context(|| format!("picks a column that is not among the {width}: a radius without neighbours has none, export a model of nearest neighbours"))?;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::ops::tests::{Attributes, all, answers, cells, check, operator, words};

    #[test]
    fn features_stand_side_by_side_each_cut_or_filled_to_its_width() {
        let of = |widths: &[i64]| operator("FeatureVectorizer").ints("inputdimensions", widths);
        let pair = || vec![cells(&[2, 2], &[1f32, 2.0, 3.0, 4.0]), cells(&[2, 1], &[5i64, 6])];
        check(vec![
            ("as wide as they are", of(&[2, 1]), pair(), Ok(&[1.0, 2.0, 5.0, 3.0, 4.0, 6.0])),
            ("one is cut and one filled", of(&[1, 2]), pair(), Ok(&[1.0, 5.0, 0.0, 3.0, 6.0, 0.0])),
            ("one is left out", of(&[0, 1]), pair(), Ok(&[5.0, 6.0])),
            ("one row without a batch", of(&[2]), vec![cells(&[2], &[1f32, 2.0])], Ok(&[1.0, 2.0])),
            ("three widths for two", of(&[1, 1, 1]), pair(), Err("one of inputdimensions for each input")),
            ("no column at all", of(&[0, 0]), pair(), Err("inputdimensions that add up to a row")),
            ("more than any row has", of(&[1 << 20, 1]), pair(), Err("inputdimensions that add up to a row")),
            (
                "more than can be counted",
                of(&[i64::MAX, i64::MAX]),
                pair(),
                Err("inputdimensions that add up to a row"),
            ),
            (
                "rows that differ",
                of(&[1, 1]),
                vec![cells(&[2, 1], &[1f32, 2.0]), cells(&[1, 1], &[1f32])],
                Err("its inputs differ in their number of rows"),
            ),
            ("text", of(&[1]), vec![words(&[1, 1], &["a"])], Err("takes numbers")),
        ]);
    }

    #[test]
    fn columns_are_picked_by_position() {
        let of = || operator("ArrayFeatureExtractor");
        let given = |at: &[i64]| vec![cells(&[2, 3], &[1f32, 2.0, f32::NAN, 4.0, 5.0, -0.0]), cells(&[at.len()], at)];
        check(vec![
            ("in any order", of(), given(&[2, 0]), Ok(&[f32::NAN, 1.0, -0.0, 4.0])),
            ("one of them twice", of(), given(&[1, 1]), Ok(&[2.0, 2.0, 5.0, 5.0])),
            ("beyond the last", of(), given(&[3]), Err("picks a column that is not among the 3")),
            ("before the first", of(), given(&[-1]), Err("picks a column that is not among the 3")),
            (
                "positions of another type",
                of(),
                vec![cells(&[1, 1], &[1f32]), cells(&[1], &[0i32])],
                Err("takes its positions as int64"),
            ),
        ]);
        let picked = answers(of(), &[cells(&[3], &[7i64, 8, 9]), cells(&[2], &[2i64, 1])]).unwrap();
        assert_eq!((picked[0].shape(), all::<i64>(&picked[0])), (&[1, 2][..], vec![9, 8]), "a list is one row");
        let picked = answers(of(), &[words(&[1, 2], &["a", "b"]), cells(&[1], &[1i64])]).unwrap();
        assert_eq!(all::<String>(&picked[0]), ["b"]);
    }

    #[test]
    fn a_map_of_classes_stays_the_tensor_that_it_is() {
        let of = || operator("ZipMap").texts("classlabels_strings", &["good", "bad"]);
        let row = || vec![cells(&[1, 2], &[0.25f32, f32::NAN])];
        check(vec![
            ("texts", of(), row(), Ok(&[0.25, f32::NAN])),
            ("numbers", operator("ZipMap").ints("classlabels_int64s", &[0, 1]), row(), Ok(&[0.25, f32::NAN])),
            (
                "three columns for two labels",
                of(),
                vec![cells(&[1, 3], &[1f32; 3])],
                Err("is made for 2 features; it is given 3"),
            ),
            ("no labels", operator("ZipMap"), row(), Err("classlabels_strings or classlabels_int64s")),
            (
                "labels of both kinds",
                of().ints("classlabels_int64s", &[0, 1]),
                row(),
                Err("needs its labels in either"),
            ),
        ]);
    }
}
