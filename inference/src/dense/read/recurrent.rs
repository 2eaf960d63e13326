//! Loops over a fixed number of months, written out turn by turn: GRU and LSTM as ONNX defines them, with their usual functions.
//! Unusual ones, and loops that go backward alone, are gone when a graph is prepared (`prepare/loops.rs`).

use super::shapes::Shape;
use super::value::{Array, Kind, Value};
use super::{Function, Join, Operand, Reader, text, whole};
use crate::ops::NodeProto;
use std::sync::Arc;

/// The weights of one direction.
struct Cell {
    /// From a turn's inputs, input by input, to all gates.
    inward: Arc<Vec<f32>>,
    /// From the state before, to all gates; a GRU that resets before its weights has its last gate apart.
    around: Vec<Arc<Vec<f32>>>,
    inward_bias: Vec<f32>,
    around_bias: Vec<f32>,
    units: usize,
}

/// What goes from turn to turn: the state, and the memory of an LSTM.
struct Turn {
    state: Vec<Operand>,
    memory: Vec<Operand>,
}

impl Reader {
    /// All turns' states [T, directions, N, units], and the last ones [directions, N, units].
    pub(super) fn recurrent(&mut self, node: &NodeProto) -> Option<Vec<Value>> {
        let input = |at: usize| node.input.get(at).filter(|name| !name.is_empty());
        let lstm = node.op_type == "LSTM";
        let (gates, late) = if lstm { (4usize, true) } else { (3, whole(node, "linear_before_reset", 0) != 0) };
        if whole(node, "layout", 0) != 0 || input(4).is_some() || input(7).is_some() {
            return None;
        }
        let directions: &[bool] = match text(node, "direction", "forward")? {
            "forward" => &[false],
            "bidirectional" => &[false, true],
            _ => return None,
        };
        let months = self.numbers(input(0)?)?;
        let [turns, 1, width] = *months.shape.dims.as_slice() else { return None };
        if months.shape.rows != Some(1) || months.shape.is_merged() {
            return None;
        }
        let units = usize::try_from(whole(node, "hidden_size", 0)).ok().filter(|units| *units > 0)?;
        let of = |name: &String, dims: &[usize]| {
            let found = self.constant(name).filter(|found| found.shape.dims == dims)?;
            Some(found.cells.clone())
        };
        let all = gates.checked_mul(units)?;
        let inward = of(input(1)?, &[directions.len(), all, width])?;
        let around = of(input(2)?, &[directions.len(), all, units])?;
        let bias = match input(3) {
            Some(bias) => of(bias, &[directions.len(), 2 * all])?,
            None => vec![0.0; directions.len() * 2 * all],
        };
        let starts = [5, 6].map(|at| match input(at) {
            Some(name) => {
                let array = self.numbers(name)?;
                let fits = array.shape.rows == Some(1) && array.shape.dims == [directions.len(), 1, units];
                fits.then_some(array.cells)
            }
            None => Some(vec![Operand::Number(0.0); directions.len() * units]),
        });
        let [states, memories] = starts;
        let (states, memories) = (states?, memories?);
        let mut made = vec![Vec::new(); turns * directions.len()];
        let [mut last_states, mut last_memories] = [vec![], vec![]];
        for (number, back) in directions.iter().enumerate() {
            let part = |of: &[f32]| of[number * of.len() / directions.len()..][..of.len() / directions.len()].to_vec();
            let (own_bias, own_around) = (part(&bias), part(&around));
            let (inward_bias, around_bias) = own_bias.split_at(all);
            let cuts: &[usize] = if late { &[all] } else { &[2 * units, units] };
            let mut first = 0;
            let mut apart = Vec::new();
            for count in cuts {
                apart.push(Arc::new(turned(&own_around[first * units..][..count * units], *count, units)));
                first += count;
            }
            let cell = Cell {
                inward: Arc::new(turned(&part(&inward), all, width)),
                around: apart,
                inward_bias: inward_bias.to_vec(),
                around_bias: around_bias.to_vec(),
                units,
            };
            let own = |of: &[Operand]| of[number * units..][..units].to_vec();
            let mut turn = Turn { state: own(&states), memory: own(&memories) };
            for at in 0..turns {
                let month = if *back { turns - 1 - at } else { at };
                let inputs =
                    self.summed(&months.cells[month * width..][..width], &cell.inward, cell.inward_bias.clone())?;
                turn = if lstm { self.lstm(&cell, &inputs, turn)? } else { self.gru(&cell, &inputs, turn, late)? };
                made[month * directions.len() + number].clone_from(&turn.state);
            }
            last_states.extend(turn.state);
            last_memories.extend(turn.memory);
        }
        let shape = |dims: &[usize], rows: usize| Shape { rows: Some(rows), ..Shape::plain(dims) };
        let value = |shape: Shape, cells: Vec<Operand>| Some(Value::Cells(Kind::Numbers, Array::new(shape, cells)?));
        let last = shape(&[directions.len(), 1, units], 1);
        let all = value(shape(&[turns, directions.len(), 1, units], 2), made.concat())?;
        let mut values = vec![all, value(last.clone(), last_states)?];
        if lstm {
            values.push(value(last, last_memories)?);
        }
        Some(values)
    }

    /// Gates in the order update z, reset r, hidden h.
    fn gru(&mut self, cell: &Cell, inputs: &[Operand], before: Turn, late: bool) -> Option<Turn> {
        let units = cell.units;
        let (gate_bias, last_bias) = cell.around_bias.split_at(if late { 3 * units } else { 2 * units });
        let around = self.around(&before.state, &cell.around[0], gate_bias)?;
        let sums = self.pairs(Join::Add, &inputs[..2 * units], &around[..2 * units])?;
        let gates = self.each(Function::Sigmoid, &sums)?;
        let (update, reset) = gates.split_at(units);
        let hidden = if late {
            self.pairs(Join::Mul, reset, &around[2 * units..])?
        } else {
            let kept = self.pairs(Join::Mul, reset, &before.state)?;
            self.around(&kept, &cell.around[1], last_bias)?
        };
        let sums = self.pairs(Join::Add, &inputs[2 * units..], &hidden)?;
        let hidden = self.each(Function::Tanh, &sums)?;
        // (1 − z) · h + z · before, as h + z · (before − h)
        let apart = self.pairs(Join::Sub, &before.state, &hidden)?;
        let moved = self.pairs(Join::Mul, update, &apart)?;
        Some(Turn { state: self.pairs(Join::Add, &hidden, &moved)?, memory: vec![] })
    }

    /// Gates in the order input i, output o, forget f, cell c.
    fn lstm(&mut self, cell: &Cell, inputs: &[Operand], before: Turn) -> Option<Turn> {
        let units = cell.units;
        let around = self.around(&before.state, &cell.around[0], &cell.around_bias)?;
        let sums = self.pairs(Join::Add, inputs, &around)?;
        let gates = self.each(Function::Sigmoid, &sums[..3 * units])?;
        let fresh = self.each(Function::Tanh, &sums[3 * units..])?;
        let kept = self.pairs(Join::Mul, &gates[2 * units..], &before.memory)?;
        let taken = self.pairs(Join::Mul, &gates[..units], &fresh)?;
        let memory = self.pairs(Join::Add, &kept, &taken)?;
        let shown = self.each(Function::Tanh, &memory)?;
        Some(Turn { state: self.pairs(Join::Mul, &gates[units..2 * units], &shown)?, memory })
    }

    /// The state's part of all gates; of a state of zeros, the bias alone.
    fn around(&mut self, state: &[Operand], weights: &Arc<Vec<f32>>, bias: &[f32]) -> Option<Vec<Operand>> {
        if state.iter().all(|cell| *cell == Operand::Number(0.0)) {
            return Some(bias.iter().copied().map(Operand::Number).collect());
        }
        self.summed(state, weights, bias.to_vec())
    }

    fn pairs(&mut self, join: Join, left: &[Operand], right: &[Operand]) -> Option<Vec<Operand>> {
        left.iter().zip(right).map(|(left, right)| self.joined(join, *left, *right)).collect()
    }

    fn each(&mut self, function: Function, cells: &[Operand]) -> Option<Vec<Operand>> {
        cells.iter().map(|cell| self.mapped(function, *cell)).collect()
    }
}

/// Weights output by output, as ONNX has them, input by input.
fn turned(weights: &[f32], outputs: usize, inputs: usize) -> Vec<f32> {
    (0..inputs).flat_map(|input| (0..outputs).map(move |output| weights[output * inputs + input])).collect()
}
