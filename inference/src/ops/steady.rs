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
mod tests {
    use super::*;

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
}
