//! Whether the rows of a block meet anywhere in a graph. The axis along which they lie is followed from the inputs through every
//! operator; where one adds rows up, picks among them, or is not known to keep them apart, the graph is run row by row.

use crate::ops;
use tract_onnx::tract_core::ops::array::{DynSlice, Topk};
use tract_onnx::tract_core::ops::gru_seq::GruSeq;
use tract_onnx::tract_core::ops::logic::IfThenElse;
use tract_onnx::tract_core::ops::nn::{RmsNorm, Softmax};
use tract_onnx::tract_core::ops::scan::{InputMapping, Scan};
use tract_onnx::tract_hir::internal::*;

/// The axis along which a value's rows lie; none of a value that is the same for all rows.
pub(super) type RowAxis = Option<usize>;

/// The row axis of each output of a graph, whose inputs have theirs first.
///
/// # Errors
/// The name of the first node at which rows meet.
pub(super) fn of_outputs(model: &TypedModel) -> TractResult<TVec<RowAxis>> {
    of_body(model, &tvec![Some(0); model.inputs.len()])
}

fn of_body(model: &TypedModel, inputs: &[RowAxis]) -> TractResult<TVec<RowAxis>> {
    let mut known: Vec<TVec<RowAxis>> = vec![tvec!(); model.nodes.len()];
    for id in model.eval_order()? {
        let node = model.node(id);
        known[id] = match model.inputs.iter().position(|outlet| outlet.node == id) {
            Some(input) => tvec!(inputs[input]),
            None => {
                let given: TVec<RowAxis> = node.inputs.iter().map(|outlet| known[outlet.node][outlet.slot]).collect();
                of_node(model, node, &given).with_context(|| format!("{} ({})", node.name, node.op.name()))?
            }
        };
    }
    Ok(model.outputs.iter().map(|outlet| known[outlet.node][outlet.slot]).collect())
}

fn of_node(model: &TypedModel, node: &TypedNode, given: &[RowAxis]) -> TractResult<TVec<RowAxis>> {
    let outputs = node.outputs.len();
    let Some((first, axis)) = given.iter().enumerate().find_map(|(slot, axis)| Some((slot, (*axis)?))) else {
        return Ok(tvec![None; outputs]);
    };
    if let Some(own) = ops::of_node(&*node.op) {
        let facts: Vec<ops::Fact> = model.node_input_facts(node.id)?.into_iter().map(ops::Fact::of).collect();
        let axis = own.row_axis(given, &facts).context("takes the rows together")?;
        return Ok(tvec![Some(axis); outputs]);
    }
    if let Some(scan) = node.op_as::<Scan>() {
        return of_scan(model, node, scan, given);
    }
    if node.op_is::<GruSeq>() {
        // Everything of it has the rows first, and only its initial state can be the same for all.
        let first = given.iter().all(|axis| axis.is_none_or(|axis| axis == 0)) && given[0] == Some(0);
        ensure!(first && are_alike(model, node, given)?, "takes the rows together");
        return Ok(tvec![Some(0); outputs]);
    }
    if let Some(top) = node.op_as::<Topk>() {
        ensure!(first == 0 && top.axis != axis, "picks among the rows");
        return Ok(tvec![Some(axis); outputs]);
    }
    let across = node.op_as::<Softmax>().is_some_and(|op| op.axes.contains(&axis))
        || node.op_as::<RmsNorm>().is_some_and(|op| op.axis == axis)
        || node.op_as::<DynSlice>().is_some_and(|op| op.axis == axis);
    ensure!(!across, "takes the rows together");

    let facts = model.node_input_facts(node.id)?;
    let gives = model.node_output_facts(node.id)?;
    let mapping = node.op.axes_mapping(&facts, &gives)?;
    let followed = mapping.axis((InOut::In(first), axis))?;
    for (slot, at) in given.iter().enumerate() {
        match at {
            Some(at) => ensure!(*followed.inputs[slot] == [*at], "sets rows beside other rows"),
            None => {
                for at in &followed.inputs[slot] {
                    ensure!(is_alike(facts[slot], *at), "treats rows by their place");
                }
            }
        }
    }
    let placed = |slot: usize| match *followed.outputs[slot] {
        [at] => Ok(Some(at)),
        _ => bail!("takes the rows together"),
    };
    (0..outputs).map(placed).collect()
}

/// Along the rows' axis, whether every input that is the same for all rows does not tell them apart.
fn are_alike(model: &TypedModel, node: &TypedNode, given: &[RowAxis]) -> TractResult<bool> {
    let facts = model.node_input_facts(node.id)?;
    // The first inputs are weights, the last is the initial state, one for each row.
    let initial = facts.len() - 1;
    Ok(given[initial].is_some() || is_alike(facts[initial], 0))
}

/// Whether a value is the same at every place of an axis.
fn is_alike(fact: &TypedFact, axis: usize) -> bool {
    if fact.shape[axis].is_one() || fact.uniform.is_some() {
        return true;
    }
    let Some(value) = &fact.konst else { return false };
    let length = value.shape()[axis];
    let Ok(first) = value.slice(axis, 0, 1.min(length)) else { return false };
    (1..length).all(|at| value.slice(axis, at, at + 1).is_ok_and(|other| other == first))
}

/// A loop over another axis than the rows' keeps them apart if its body does.
fn of_scan(model: &TypedModel, node: &TypedNode, scan: &Scan, given: &[RowAxis]) -> TractResult<TVec<RowAxis>> {
    let facts = model.node_input_facts(node.id)?;
    let mut inner: TVec<RowAxis> = given.into();
    for (mapping, axis) in scan.input_mapping.iter().zip(given) {
        if let (InputMapping::Scan(info), Some(axis)) = (mapping, axis) {
            ensure!(info.axis != *axis, "goes over the rows one by one");
        }
    }
    let states: Vec<usize> = (0..inner.len()).filter(|slot| scan.input_mapping[*slot].is_state()).collect();
    // A state that starts alike for all rows is a row's own after the first turn.
    let outer = loop {
        let found = of_body(&scan.body, &inner)?;
        let next = scan.output_mapping.iter().zip(&found).filter(|(mapping, _)| mapping.state).map(|(_, axis)| *axis);
        let mut has_changed = false;
        for (slot, next) in states.iter().zip(next) {
            match (inner[*slot], next) {
                (before, after) if before == after => {}
                (None, Some(axis)) if is_alike(facts[*slot], axis) => {
                    inner[*slot] = Some(axis);
                    has_changed = true;
                }
                // A row's own state that the body replaces by one that is the same for all.
                (Some(_), None) => {}
                _ => bail!("its state takes the rows together"),
            }
        }
        if !has_changed {
            break found;
        }
    };
    let mut outputs: TVec<RowAxis> = tvec![None; node.outputs.len()];
    for (mapping, axis) in scan.output_mapping.iter().zip(&outer) {
        if let Some((slot, info)) = mapping.scan {
            ensure!(axis.is_none_or(|axis| axis != info.axis), "goes over the rows one by one");
            outputs[slot] = *axis;
        }
        if let Some(slot) = mapping.last_value_slot {
            outputs[slot] = *axis;
        }
    }
    Ok(outputs)
}

/// Lets every loop of a graph begin as the graph says whenever it runs: tract's carry their last state into the next call.
pub(super) fn forget(model: &mut TypedModel) {
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
