//! What replaces operators of tract's in a graph whose types are known. Its sums over an axis begin where the memory is aligned, so
//! the last bit of a row's sum depends on where the row lies; and its greatest and least values pass over what is not a number.
//! Here sums run over the elements in their order, in f64, and are rounded once, and what is not a number stays so.

use super::activations::Activation;
use super::operator::{Fact, Operator, node};
use super::rows::{self, tensor};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::gru_seq::GruSeq;
use tract_onnx::tract_core::ops::logic::IfThenElse;
use tract_onnx::tract_core::ops::nn::{self, Reducer, SoftmaxKind};
use tract_onnx::tract_core::ops::scan::Scan;
use tract_onnx::tract_hir::internal::*;

/// Lets every loop of a graph begin as the graph says whenever it runs: tract's carry their last state into the next call.
fn forget(model: &mut TypedModel) {
    for node in &mut model.nodes {
        if let Some(scan) = node.op_as_mut::<Scan>() {
            scan.reset_every_turn = true;
            forget(&mut scan.body);
        }
        if let Some(branches) = node.op_as_mut::<IfThenElse>() {
            forget(&mut branches.then_body);
            forget(&mut branches.else_body);
        }
        if let Some(sequence) = node.op_as_mut::<GruSeq>() {
            sequence.reset_every_turn = true;
        }
    }
}

/// Replaces them, in loops and branches too.
pub(super) fn replace(model: &mut TypedModel) -> TractResult<()> {
    forget(model);
    replace_sums(model)
}

fn replace_sums(model: &mut TypedModel) -> TractResult<()> {
    for id in 0..model.nodes.len() {
        let is_float = |fact: &TypedFact| [f32::datum_type(), f64::datum_type()].contains(&fact.datum_type);
        let floats = model.node_input_facts(id)?.first().is_some_and(|fact| is_float(fact));
        let found = if floats { instead(&*model.nodes[id].op) } else { None };
        let at = &mut model.nodes[id];
        if let Some(ours) = found {
            at.op = ours;
        } else if let Some(scan) = at.op_as_mut::<Scan>() {
            replace_sums(&mut scan.body)?;
        } else if let Some(branches) = at.op_as_mut::<IfThenElse>() {
            replace_sums(&mut branches.then_body)?;
            replace_sums(&mut branches.else_body)?;
        }
    }
    Ok(())
}

fn instead(op: &dyn TypedOp) -> Option<Box<dyn TypedOp>> {
    if let Some(reduce) = op.downcast_ref::<nn::Reduce>() {
        let fold = match reduce.reducer {
            Reducer::Sum => Fold::Sum,
            Reducer::Prod => Fold::Product,
            Reducer::Max => Fold::Greatest,
            Reducer::Min => Fold::Least,
            Reducer::MeanOfSquares => Fold::MeanOfSquares,
            Reducer::ArgMax(last) => Fold::PlaceOfGreatest { last },
            Reducer::ArgMin(last) => Fold::PlaceOfLeast { last },
            Reducer::All | Reducer::Any => return None,
        };
        return Some(node(Reduce { fold, axes: reduce.axes.clone() }));
    }
    if let Some(softmax) = op.downcast_ref::<nn::Softmax>() {
        let log = softmax.kind == SoftmaxKind::LogSoftmax;
        return Some(node(Softmax { axes: softmax.axes.clone(), log }));
    }
    if let Some(two) = op.downcast_ref::<TypedBinOp>() {
        return match two.0.name() {
            "Div" => Some(node(Pair::Quotient)),
            "Max" => Some(node(Pair::Greatest)),
            "Min" => Some(node(Pair::Least)),
            _ => None,
        };
    }
    let each = op.downcast_ref::<ElementWiseOp>()?;
    Activation::of_tract(&each.0.name()).map(node)
}

/// What becomes of the elements of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    Sum,
    Product,
    Greatest,
    Least,
    MeanOfSquares,
    /// ln Σ eˣ.
    LogSumExp,
    /// The first place, or the last, of what is not a number, else of the greatest.
    PlaceOfGreatest {
        last: bool,
    },
    PlaceOfLeast {
        last: bool,
    },
}

impl Fold {
    fn of(self, elements: &[f64]) -> f64 {
        match self {
            Self::Sum => elements.iter().sum(),
            Self::Product => elements.iter().product(),
            Self::Greatest => elements.iter().fold(f64::NEG_INFINITY, |most, x| greater(most, *x)),
            Self::Least => elements.iter().fold(f64::INFINITY, |least, x| -greater(-least, -x)),
            Self::MeanOfSquares => elements.iter().map(|x| x * x).sum::<f64>() / elements.len() as f64,
            Self::LogSumExp => log_sum_exp(elements),
            Self::PlaceOfGreatest { last } => place(elements.iter().copied(), last) as f64,
            Self::PlaceOfLeast { last } => place(elements.iter().map(|x| -x), last) as f64,
        }
    }

    fn is_place(self) -> bool {
        matches!(self, Self::PlaceOfGreatest { .. } | Self::PlaceOfLeast { .. })
    }
}

/// The greater of two, and what is not a number before both.
fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a > b {
        a
    } else {
        b
    }
}

fn log_sum_exp(elements: &[f64]) -> f64 {
    let most = Fold::Greatest.of(elements);
    if !most.is_finite() {
        return most; // of nothing or of −∞ alone −∞; +∞ and NaN win
    }
    most + libm::log(elements.iter().map(|x| libm::exp(x - most)).sum::<f64>())
}

fn place(elements: impl Iterator<Item = f64>, last: bool) -> usize {
    let (mut best, mut at) = (f64::NEG_INFINITY, 0);
    for (place, x) in elements.enumerate() {
        let beats = match (x.is_nan(), best.is_nan()) {
            (true, false) => true,
            (true, true) => last,
            (false, true) => false,
            (false, false) => x > best || (last && x == best),
        };
        if beats || place == 0 {
            (best, at) = (x, place);
        }
    }
    at
}

/// Folds axes to one element each; they stay as dimensions of size one.
#[derive(Debug)]
pub(super) struct Reduce {
    pub fold: Fold,
    pub axes: TVec<usize>,
}

impl Operator for Reduce {
    fn name(&self) -> &'static str {
        "Reduce"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        check_axes(&self.axes, input.shape.len())?;
        let mut shape = input.shape.clone();
        self.axes.iter().for_each(|axis| shape[*axis] = 1.into());
        let datum_type = if self.fold.is_place() { i64::datum_type() } else { input.datum_type };
        Ok(vec![Fact { datum_type, shape }])
    }

    fn row_axis(&self, rows: &[Option<usize>], _inputs: &[Fact]) -> Option<usize> {
        rows.first().copied().flatten().filter(|axis| !self.axes.contains(axis))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        check_axes(&self.axes, inputs[0].rank())?;
        let mut shape: TVec<usize> = inputs[0].shape().into();
        self.axes.iter().for_each(|axis| shape[*axis] = 1);
        let count: usize = shape.iter().product();
        let groups = Groups::of(&inputs[0], &self.axes)?;
        let folded: Vec<f64> = groups.each().map(|group| self.fold.of(group)).collect();
        // Of no elements there are still as many answers as the other axes have places.
        let folded = if groups.width == 0 { vec![self.fold.of(&[]); count] } else { folded };
        let folded = tensor(&shape, folded)?;
        Ok(vec![match self.fold.is_place() {
            true => folded.cast_to::<i64>()?.into_owned(),
            false => folded.cast_to_dt(inputs[0].datum_type())?.into_owned(),
        }])
    }
}

/// A malformed graph may name an axis that its value has not.
fn check_axes(axes: &[usize], rank: usize) -> TractResult<()> {
    ensure!(axes.iter().all(|axis| *axis < rank), "has no axes {axes:?} of {rank}");
    Ok(())
}

/// The elements of some axes together, for each place of the others.
struct Groups {
    cells: Vec<f64>,
    width: usize,
    /// The others first, then those that are together.
    order: TVec<usize>,
    shape: TVec<usize>,
}

impl Groups {
    fn of(input: &Tensor, axes: &[usize]) -> TractResult<Self> {
        check_axes(axes, input.rank())?;
        let others = (0..input.rank()).filter(|axis| !axes.contains(axis));
        let order: TVec<usize> = others.chain(axes.iter().copied()).collect();
        let width = axes.iter().map(|axis| input.shape()[*axis]).product();
        let is_in_order = order.windows(2).all(|pair| pair[0] < pair[1]);
        let turned = if is_in_order { None } else { Some(input.clone().permute_axes(&order)?) };
        let turned = turned.as_ref().unwrap_or(input);
        Ok(Self { cells: rows::doubles(turned)?.into_owned(), width, order, shape: turned.shape().into() })
    }

    fn each(&self) -> impl Iterator<Item = &[f64]> {
        self.cells.chunks(self.width.max(1))
    }

    /// Back to where the elements were.
    fn into_tensor(self, cells: Vec<f64>) -> TractResult<Tensor> {
        let mut back: TVec<usize> = tvec![0; self.order.len()];
        self.order.iter().enumerate().for_each(|(at, axis)| back[*axis] = at);
        let turned = tensor(&self.shape, cells)?;
        let is_in_order = self.order.windows(2).all(|pair| pair[0] < pair[1]);
        if is_in_order { Ok(turned) } else { turned.permute_axes(&back) }
    }
}

/// eˣ / Σ eˣ, or its logarithm.
#[derive(Debug)]
pub(super) struct Softmax {
    pub axes: TVec<usize>,
    pub log: bool,
}

impl Operator for Softmax {
    fn name(&self) -> &'static str {
        "Softmax"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        Ok(vec![input.clone()])
    }

    fn row_axis(&self, rows: &[Option<usize>], _inputs: &[Fact]) -> Option<usize> {
        rows.first().copied().flatten().filter(|axis| !self.axes.contains(axis))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let groups = Groups::of(&inputs[0], &self.axes)?;
        let mut cells = Vec::with_capacity(groups.cells.len());
        for group in groups.each() {
            let most = Fold::Greatest.of(group);
            let risen: Vec<f64> = group.iter().map(|x| libm::exp(x - most)).collect();
            let sum: f64 = risen.iter().sum();
            match self.log {
                true => cells.extend(group.iter().map(|x| x - most - libm::log(sum))),
                false => cells.extend(risen.iter().map(|x| x / sum)),
            }
        }
        Ok(vec![groups.into_tensor(cells)?.cast_to_dt(inputs[0].datum_type())?.into_owned()])
    }
}

/// What becomes of two.
#[derive(Debug, Clone, Copy)]
enum Pair {
    /// What is not a number comes before both.
    Greatest,
    Least,
    /// tract multiplies with the reciprocal, which is infinite where the divisor is subnormal.
    Quotient,
}

impl Pair {
    fn all<T: Datum + Copy + PartialOrd + std::ops::Div<Output = T>>(
        self,
        a: &Tensor,
        b: &Tensor,
        shape: &[usize],
    ) -> TractResult<Tensor> {
        // What is no number cannot be compared, not even with itself.
        let is_number = |x: &T| x.partial_cmp(x).is_some();
        let extreme = |takes_b: bool, a: T, b: T| if is_number(&a) && (takes_b || !is_number(&b)) { b } else { a };
        let of = |a: T, b: T| match self {
            Self::Greatest => extreme(b > a, a, b),
            Self::Least => extreme(b < a, a, b),
            Self::Quotient => a / b,
        };
        let (left, right) = (rows::slice::<T>(a)?, rows::slice::<T>(b)?);
        let cells: Vec<T> = match (left, right) {
            (left, [right]) => left.iter().map(|left| of(*left, *right)).collect(),
            ([left], right) => right.iter().map(|right| of(*left, *right)).collect(),
            (left, right) if a.shape() == b.shape() => left.iter().zip(right).map(|(a, b)| of(*a, *b)).collect(),
            _ => {
                let (a, b) = (a.to_plain_array_view::<T>()?, b.to_plain_array_view::<T>()?);
                let (a, b) = (a.broadcast(shape), b.broadcast(shape));
                let (a, b) = (a.context("does not fit the other input")?, b.context("does not fit the other input")?);
                a.iter().zip(&b).map(|(a, b)| of(*a, *b)).collect()
            }
        };
        tensor(shape, cells)
    }
}

impl Operator for Pair {
    fn name(&self) -> &'static str {
        match self {
            Self::Greatest => "Max",
            Self::Least => "Min",
            Self::Quotient => "Div",
        }
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [a, b] = inputs else { bail!("takes two inputs") };
        let shape = tract_core::broadcast::multi_broadcast(&[&a.shape, &b.shape])?;
        Ok(vec![Fact { datum_type: a.datum_type, shape }])
    }

    fn row_axis(&self, rows: &[Option<usize>], inputs: &[Fact]) -> Option<usize> {
        let axis = rows.iter().flatten().next().copied()?;
        let apart = rows.iter().zip(inputs).all(|(own, fact)| match own {
            Some(own) => *own == axis,
            None => fact.shape.get(axis).is_none_or(|size| size.is_one()),
        });
        let same_rank = inputs.windows(2).all(|pair| pair[0].shape.len() == pair[1].shape.len());
        (apart && same_rank).then_some(axis)
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let shape = tract_core::broadcast::multi_broadcast(&[a.shape(), b.shape()])?;
        Ok(vec![match a.datum_type() {
            DatumType::F64 => self.all::<f64>(a, b, &shape)?,
            _ => self.all::<f32>(a, b, &shape)?,
        }])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ops::tests::{all, cells};

    const NAN: f64 = f64::NAN;
    const INF: f64 = f64::INFINITY;

    #[test]
    fn an_axis_that_is_not_there_is_refused() -> TractResult<()> {
        let value = Tensor::zero::<f32>(&[2, 3])?.into_tvalue();
        let softmax = Softmax { axes: tvec!(3), log: false };
        let reduce = Reduce { fold: Fold::Sum, axes: tvec!(2) };
        for why in [softmax.run(std::slice::from_ref(&value)), reduce.run(std::slice::from_ref(&value))] {
            assert!(why.is_err_and(|why| why.to_string().contains("has no axes")));
        }
        Ok(())
    }

    #[test]
    fn folds_say_what_becomes_of_what_is_no_number_of_ties_and_of_nothing() {
        let (greatest, last) = (Fold::PlaceOfGreatest { last: false }, Fold::PlaceOfGreatest { last: true });
        let (least, last_least) = (Fold::PlaceOfLeast { last: false }, Fold::PlaceOfLeast { last: true });
        let rows: [(Fold, &[f64], f64); 26] = [
            (Fold::Sum, &[], 0.0),
            (Fold::Sum, &[1e16, 1.0, -1e16], 0.0),
            (Fold::Sum, &[INF, -INF], NAN),
            (Fold::Product, &[], 1.0),
            (Fold::Product, &[0.0, INF], NAN),
            (Fold::Greatest, &[], -INF),
            (Fold::Greatest, &[-INF, -2.0], -2.0),
            (Fold::Greatest, &[1.0, NAN, 3.0], NAN),
            (Fold::Least, &[], INF),
            (Fold::Least, &[3.0, -2.0, INF], -2.0),
            (Fold::Least, &[NAN, 1.0], NAN),
            (Fold::MeanOfSquares, &[3.0, -4.0], 12.5),
            (Fold::MeanOfSquares, &[], NAN),
            (Fold::LogSumExp, &[], -INF),
            (Fold::LogSumExp, &[-1000.0], -1000.0),
            (greatest, &[1.0, 3.0, 3.0], 1.0),
            (last, &[1.0, 3.0, 3.0], 2.0),
            (greatest, &[-INF, -INF], 0.0),
            (last, &[-INF, -INF], 1.0),
            (greatest, &[5.0, NAN, NAN, 9.0], 1.0),
            (last, &[5.0, NAN, NAN, 9.0], 2.0),
            (greatest, &[], 0.0),
            (least, &[2.0, -0.0, 0.0], 1.0),
            (last_least, &[2.0, -0.0, 0.0], 2.0),
            (least, &[INF, NAN], 1.0),
            (least, &[INF, INF], 0.0),
        ];
        for (fold, elements, expected) in rows {
            let found = fold.of(elements);
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{fold:?} of {elements:?} is {found}");
        }
    }

    /// Every set of axes of a small block, cell by cell: a place's group is all cells that agree with it on the other axes.
    #[test]
    fn axes_are_folded_and_the_others_stay_where_they_are() {
        let shape = [2usize, 3, 1, 4];
        let numbers: Vec<f32> = (0..24).map(|at| (at * 7 % 24) as f32 / 4.0 - 2.0).collect();
        let input = cells(&shape, &numbers).into_tvalue();
        let index = |at: usize| [at / 12, at / 4 % 3, 0, at % 4];
        for set in 0..16usize {
            let axes: TVec<usize> = (0..4).rev().filter(|axis| set >> axis & 1 == 1).collect();
            let group = |at: usize| {
                let alike =
                    |other: &usize| (0..4).all(|axis| axes.contains(&axis) || index(*other)[axis] == index(at)[axis]);
                (0..24).filter(alike).map(|other| f64::from(numbers[other])).collect::<Vec<_>>()
            };
            let firsts: Vec<usize> = (0..24).filter(|at| axes.iter().all(|axis| index(*at)[*axis] == 0)).collect();
            for fold in [Fold::Sum, Fold::Greatest, Fold::Least, Fold::Product] {
                let found = Reduce { fold, axes: axes.clone() }.run(std::slice::from_ref(&input)).unwrap();
                let expected: Vec<f32> = firsts.iter().map(|at| fold.of(&group(*at)) as f32).collect();
                // The order of a product's or a sum's terms shows in its last bit.
                let near = all::<f32>(&found[0]).iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs());
                assert!(near && found[0].len() == expected.len(), "{fold:?} of {axes:?}: {found:?}, not {expected:?}");
            }
            let found = Softmax { axes: axes.clone(), log: false }.run(std::slice::from_ref(&input)).unwrap();
            for (at, found) in all::<f32>(&found[0]).iter().enumerate() {
                let sum: f64 = group(at).iter().map(|x| x.exp()).sum();
                let expected = (f64::from(numbers[at]).exp() / sum) as f32;
                assert!((found - expected).abs() < 1e-6, "softmax over {axes:?}, {at}: {found}, not {expected}");
            }
        }
        let nothing = cells::<f32>(&[2, 0], &[]).into_tvalue();
        let found = Reduce { fold: Fold::Sum, axes: tvec!(1) }.run(std::slice::from_ref(&nothing)).unwrap();
        assert_eq!((found[0].shape(), all::<f32>(&found[0])), (&[2, 1][..], vec![0.0, 0.0]));
    }

    #[test]
    fn of_two_the_one_that_is_no_number_wins_and_one_is_repeated_to_the_other() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let rows: [(Pair, &[usize], &[f32], &[usize], &[f32], &[f32]); 7] = [
            (Pair::Greatest, &[3], &[1.0, nan, 3.0], &[3], &[2.0, 2.0, nan], &[2.0, nan, nan]),
            (Pair::Least, &[3], &[1.0, nan, -inf], &[3], &[2.0, 2.0, nan], &[1.0, nan, nan]),
            (Pair::Greatest, &[2], &[1.0, -1.0], &[1], &[0.0], &[1.0, 0.0]),
            (Pair::Least, &[1], &[0.0], &[2], &[1.0, -1.0], &[0.0, -1.0]),
            (Pair::Greatest, &[2, 1], &[1.0, 4.0], &[1, 2], &[2.0, 3.0], &[2.0, 3.0, 4.0, 4.0]),
            // By the reciprocal, which is infinite, this were infinite.
            (Pair::Quotient, &[1], &[1e-40], &[1], &[1e-40], &[1.0]),
            (Pair::Quotient, &[3], &[1.0, -1.0, 0.0], &[1], &[0.0], &[inf, -inf, nan]),
        ];
        for (pair, left, a, right, b, expected) in rows {
            let found = pair.run(&[cells(left, a).into_tvalue(), cells(right, b).into_tvalue()]).unwrap();
            let bits = crate::ops::tests::bits;
            assert_eq!(bits(&all(&found[0])), bits(expected), "{pair:?} {a:?} {b:?}: {found:?}");
        }
        let wrong = Pair::Greatest.run(&[cells(&[2], &[0f32; 2]).into_tvalue(), cells(&[3], &[0f32; 3]).into_tvalue()]);
        assert!(wrong.is_err(), "shapes that do not meet");
    }
}
