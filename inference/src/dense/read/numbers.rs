//! Functions of single cells.

use super::value::{Array, Kind, Value};
use super::{Function, Join, Operand, Reader, only, text};
use crate::dense::steps::Step;
use crate::ops::NodeProto;
use std::f32::consts::FRAC_2_PI;

/// The factor of the cube in the approximation of GELU by a tanh (Hendrycks and Gimpel, 2016).
const GELU_CUBE: f32 = 0.044_715;

impl Reader {
    pub(super) fn map(&mut self, node: &NodeProto, function: Function) -> Option<Value> {
        let from = self.numbers(only(node)?)?;
        let cells = from.cells.iter().map(|cell| self.mapped(function, *cell)).collect::<Option<_>>()?;
        Some(Value::numbers(Array { cells, ..from }))
    }

    pub(super) fn clip(&mut self, node: &NodeProto) -> Option<Value> {
        let [input, bounds @ ..] = node.input.as_slice() else { return None };
        let bound = |at: usize, none: f32| match bounds.get(at).filter(|name| !name.is_empty()) {
            Some(name) => self.constant(name).filter(|bound| bound.shape.dims.is_empty())?.cells.first().copied(),
            None => Some(none),
        };
        let (low, high) = (bound(0, f32::NEG_INFINITY)?, bound(1, f32::INFINITY)?);
        let alone = NodeProto { input: vec![input.clone()], ..NodeProto::default() };
        self.map(&alone, Function::Clip(low, high))
    }

    /// Below zero, times a slope of the file.
    pub(super) fn sloped(&mut self, node: &NodeProto) -> Option<Value> {
        let [value, slope] = node.input.as_slice() else { return None };
        self.constant(slope)?;
        let [value, slope] = self.met(&self.numbers(value)?, &self.numbers(slope)?)?;
        let mut cells = Vec::with_capacity(value.cells.len());
        for (cell, slope) in value.cells.iter().zip(&slope.cells) {
            let Operand::Number(slope) = slope else { return None };
            cells.push(self.mapped(Function::Leaky(*slope), *cell)?);
        }
        Some(Value::numbers(Array { cells, ..value }))
    }

    pub(super) fn gelu(&mut self, node: &NodeProto) -> Option<Value> {
        match text(node, "approximate", "none")? {
            "none" => self.map(node, Function::Gelu),
            "tanh" => {
                let from = self.numbers(only(node)?)?;
                let mut cells = Vec::with_capacity(from.cells.len());
                for x in &from.cells {
                    let number = Operand::Number;
                    let square = self.joined(Join::Mul, *x, *x)?;
                    let scaled = self.joined(Join::Mul, square, number(GELU_CUBE))?;
                    let factor = self.joined(Join::Add, scaled, number(1.0))?;
                    let inner = self.joined(Join::Mul, factor, *x)?;
                    let inner = self.joined(Join::Mul, inner, number(FRAC_2_PI.sqrt()))?;
                    let tanh = self.mapped(Function::Tanh, inner)?;
                    let share = self.joined(Join::Add, tanh, number(1.0))?;
                    let half = self.joined(Join::Mul, *x, number(0.5))?;
                    cells.push(self.joined(Join::Mul, half, share)?);
                }
                Some(Value::numbers(Array { cells, ..from }))
            }
            _ => None,
        }
    }

    /// Squares; other powers are left to the graph engine.
    pub(super) fn power(&mut self, node: &NodeProto) -> Option<Value> {
        let [value, exponent] = node.input.as_slice() else { return None };
        let exponent = self.constant(exponent).filter(|exponent| exponent.shape.dims.len() <= 1)?;
        if exponent.cells != [2.0] {
            return None;
        }
        let from = self.numbers(value)?;
        let cells = from.cells.iter().map(|cell| self.joined(Join::Mul, *cell, *cell)).collect::<Option<_>>()?;
        Some(Value::numbers(Array { cells, ..from }))
    }

    pub(super) fn join(&mut self, node: &NodeProto, join: Join) -> Option<Value> {
        let [left, right] = node.input.as_slice() else { return None };
        if let (Value::Whole(left), Value::Whole(right)) = (self.values.get(left)?, self.values.get(right)?) {
            return super::codes::of_sizes(join, left, right);
        }
        if join == Join::Add
            && let Some(moved) = self.moved(left, right).or_else(|| self.moved(right, left))
        {
            return Some(moved);
        }
        let array = self.joined_arrays(join, &self.numbers(left)?, &self.numbers(right)?)?;
        Some(Value::numbers(array))
    }

    pub(super) fn compared(&mut self, node: &NodeProto, join: Join) -> Option<Value> {
        let [left, right] = node.input.as_slice() else { return None };
        let sides = match (self.numbers(left), self.numbers(right)) {
            (Some(left), Some(right)) => [left, right],
            // A large code is rounded, which a small constant does not see, and another code would.
            _ if [left, right].iter().any(|name| matches!(self.values.get(*name), Some(Value::Whole(_)))) => {
                [self.codes(left)?, self.codes(right)?]
            }
            _ => return None,
        };
        let array = self.joined_arrays(join, &sides[0], &sides[1])?;
        array.shape.rows?;
        Some(Value::Cells(Kind::Truths, array))
    }

    /// Whether both are so.
    pub(super) fn both(&mut self, node: &NodeProto) -> Option<Value> {
        let [left, right] = node.input.as_slice() else { return None };
        let array = self.joined_arrays(Join::Mul, &self.truths(left)?, &self.truths(right)?)?;
        Some(Value::Cells(Kind::Truths, array))
    }

    pub(super) fn not(&mut self, node: &NodeProto) -> Option<Value> {
        let from = self.truths(only(node)?)?;
        self.denied(from)
    }

    pub(super) fn is_missing(&mut self, node: &NodeProto) -> Option<Value> {
        let from = self.numbers(only(node)?)?;
        let cells = from.cells.iter().map(|cell| self.joined(Join::Equal, *cell, *cell)).collect::<Option<_>>()?;
        self.denied(Array { cells, ..from })
    }

    fn denied(&mut self, from: Array<Operand>) -> Option<Value> {
        let one = Operand::Number(1.0);
        let cells = from.cells.iter().map(|cell| self.joined(Join::Sub, one, *cell)).collect::<Option<_>>()?;
        Some(Value::Cells(Kind::Truths, Array { cells, ..from }))
    }

    pub(super) fn chosen(&mut self, node: &NodeProto) -> Option<Value> {
        let [test, yes, no] = node.input.as_slice() else { return None };
        let (test, yes, no) = (self.truths(test)?, self.numbers(yes)?, self.numbers(no)?);
        let shape = test.shape.common(&yes.shape)?.common(&no.shape)?;
        let [test, yes, no] = [test, yes, no].map(|side| side.shape.spread(&shape).map(|how| side.arranged(how)));
        let mut cells = Vec::with_capacity(shape.count()?);
        for ((test, yes), no) in test?.cells.iter().zip(yes?.cells).zip(no?.cells) {
            cells.push(match test {
                Operand::Number(test) => {
                    if *test != 0.0 {
                        yes
                    } else {
                        no
                    }
                }
                Operand::Column(test) => {
                    let to = self.columns(1)?;
                    self.steps.push(Step::Choose { test: *test, yes, no, to });
                    Operand::Column(to)
                }
            });
        }
        Some(Value::numbers(Array { shape, cells }))
    }

    pub(super) fn truths(&self, name: &str) -> Option<Array<Operand>> {
        match self.values.get(name)? {
            Value::Cells(Kind::Truths, array) => Some(array.clone()),
            _ => None,
        }
    }

    /// Both in the shape that they meet in.
    fn met(&self, left: &Array<Operand>, right: &Array<Operand>) -> Option<[Array<Operand>; 2]> {
        let shape = left.shape.common(&right.shape)?;
        Some([left.arranged(left.shape.spread(&shape)?), right.arranged(right.shape.spread(&shape)?)])
    }

    pub(super) fn joined_arrays(
        &mut self,
        join: Join,
        left: &Array<Operand>,
        right: &Array<Operand>,
    ) -> Option<Array<Operand>> {
        let [left, right] = self.met(left, right)?;
        let pairs = left.cells.iter().zip(&right.cells);
        let cells = pairs.map(|(left, right)| self.joined(join, *left, *right)).collect::<Option<_>>()?;
        Some(Array { shape: left.shape, cells })
    }
}
