//! Thresholds of trees that an exporter rounded to the nearest number of single precision. A library that compares in double
//! precision sends a value that lies on such a threshold the other way; the next number below sends it back. Nothing is
//! changed unless the library's own answers say so.

use inference::graph::Graph;
use inference::onnx::tensor_proto::DataType;
use inference::onnx::{AttributeProto, ModelProto};
use inference::trees::{Compare, Draft, Ensemble, Node, Real, Test};
use inference::{ops, tap};
use std::collections::BTreeSet;

/// Two answers are the same within this.
const NEAR: f64 = 1e-6;

/// Thresholds that are tried one by one, at most.
const TRIES: usize = 64;

/// A repaired graph.
pub struct Repaired {
    /// The graph as it is now.
    pub bytes: Vec<u8>,
    /// What was done, for people.
    pub said: String,
}

/// A feature and the bits of a threshold of it.
type Place = (u32, u32);

/// Repairs a graph, where that makes more of the library's answers right; `probability` is that of a raw sum.
pub fn repaired(bytes: &[u8], rows: &[Vec<f32>], native: &[f64], probability: &dyn Fn(f64) -> f64) -> Option<Repaired> {
    let ensemble = Graph::load(bytes, rows.first().map(Vec::len)).ok()?.trees().ok()?;
    let met = met(ensemble.get(), rows);
    let errors = |ensemble: &Ensemble| -> Vec<f64> {
        let error = |(row, native): (&Vec<f32>, &f64)| (probability(answer(ensemble, row)) - native).abs();
        rows.iter().zip(native).map(error).collect()
    };
    let before = errors(&ensemble);
    let lowered = errors(&lowered(ensemble.clone(), &met)?);
    let mut chosen = chosen(rows, &met, &before, &lowered);
    let mut after = errors(&self::lowered(ensemble.clone(), &chosen)?);
    // What votes could not tell apart is tried one by one.
    for place in doubtful(rows, &met, &after) {
        let mut other = chosen.clone();
        if !other.remove(&place) {
            other.insert(place);
        }
        let errors = errors(&self::lowered(ensemble.clone(), &other)?);
        if worth(&errors) > worth(&after) {
            (chosen, after) = (other, errors);
        }
    }
    if right(&after) <= right(&before) {
        return None;
    }
    let bytes = rewritten(ops::read(bytes, None).ok()?, &chosen)?;
    let said = format!(
        "{} thresholds, rounded to the nearest number of single precision by the exporter, are the next number below: {} of \
         {} rows are answered as the library does, {} before",
        chosen.len(),
        right(&after),
        rows.len(),
        right(&before)
    );
    Some(Repaired { bytes, said })
}

/// Answers that are right.
fn right(errors: &[f64]) -> usize {
    errors.iter().filter(|error| **error <= NEAR).count()
}

/// More right answers are worth more; of as many, the smaller errors.
fn worth(errors: &[f64]) -> (usize, i64) {
    (right(errors), -(errors.iter().sum::<f64>() / NEAR) as i64)
}

/// Thresholds on which rows lie that are still answered otherwise.
fn doubtful(rows: &[Vec<f32>], met: &BTreeSet<Place>, errors: &[f64]) -> Vec<Place> {
    let wrong: Vec<&Vec<f32>> =
        rows.iter().zip(errors).filter(|(_, error)| **error > NEAR).map(|(row, _)| row).collect();
    met.iter().filter(|place| wrong.iter().any(|row| lies(row, place))).take(TRIES).copied().collect()
}

fn lies(row: &[f32], (feature, bits): &Place) -> bool {
    (row[*feature as usize] + 0.0).to_bits() == *bits
}

/// Thresholds on which a row lies.
fn met(draft: &Draft, rows: &[Vec<f32>]) -> BTreeSet<Place> {
    let values: Vec<BTreeSet<u32>> =
        (0..draft.width).map(|at| rows.iter().map(|row| (row[at] + 0.0).to_bits()).collect()).collect();
    let places = draft.trees.iter().flat_map(|tree| &tree.nodes).filter_map(place_of);
    places.filter(|(feature, bits)| values[*feature as usize].contains(bits)).collect()
}

/// Of a node that small values and the threshold itself pass.
fn place_of(node: &Node) -> Option<Place> {
    match node {
        Node::Branch { feature, test: Test::Threshold(Compare::Leq, Real(threshold)), .. } => {
            Some((*feature, (*threshold as f32 + 0.0).to_bits()))
        }
        _ => None,
    }
}

fn lowered(ensemble: Ensemble, places: &BTreeSet<Place>) -> Option<Ensemble> {
    let mut draft = ensemble.into_draft();
    for node in draft.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
        let is_chosen = place_of(node).is_some_and(|place| places.contains(&place));
        if let (true, Node::Branch { test: Test::Threshold(_, threshold), .. }) = (is_chosen, node) {
            *threshold = (threshold.0 as f32).next_down().into();
        }
    }
    draft.check().ok()
}

/// Those on which more rows are nearer to the library once all are lowered. A row on one alone counts before rows on several.
fn chosen(rows: &[Vec<f32>], met: &BTreeSet<Place>, before: &[f64], lowered: &[f64]) -> BTreeSet<Place> {
    let mut on: Vec<(Place, Vec<(usize, usize)>)> = met.iter().map(|place| (*place, vec![])).collect();
    for (number, row) in rows.iter().enumerate() {
        let count = met.iter().filter(|place| lies(row, place)).count();
        on.iter_mut().filter(|(place, _)| lies(row, place)).for_each(|(_, rows)| rows.push((count, number)));
    }
    let is_better = |rows: &[(usize, usize)]| {
        let least = rows.iter().map(|(count, _)| *count).min().unwrap_or_default();
        let alone = rows.iter().filter(|(count, _)| *count == least);
        alone.map(|(_, row)| before[*row] - lowered[*row]).sum::<f64>() > NEAR
    };
    on.into_iter().filter(|(_, rows)| is_better(rows)).map(|(place, _)| place).collect()
}

fn answer(ensemble: &Ensemble, row: &[f32]) -> f64 {
    let mut answer = [0f32];
    ensemble.answer(row, &mut answer);
    f64::from(answer[0])
}

/// The graph with those thresholds lowered; nothing where they stand in no list that is known.
fn rewritten(mut proto: ModelProto, places: &BTreeSet<Place>) -> Option<Vec<u8>> {
    let mut changed = 0;
    for node in &mut proto.graph.as_mut()?.node {
        let list = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
        let (Some(features), Some(modes)) = (list("nodes_featureids"), list("nodes_modes")) else { continue };
        let (features, at_most) = (features.ints.clone(), at_most(modes));
        let mut lower = |values: &mut [f32]| -> Option<()> {
            for ((value, feature), at_most) in values.iter_mut().zip(&features).zip(&at_most) {
                let place = (u32::try_from(*feature).ok()?, (*value + 0.0).to_bits());
                if *at_most && places.contains(&place) {
                    *value = value.next_down();
                    changed += 1;
                }
            }
            Some(())
        };
        for attribute in &mut node.attribute {
            match (attribute.name.as_str(), &mut attribute.t) {
                ("nodes_values", _) => lower(&mut attribute.floats)?,
                ("nodes_splits", Some(splits)) if splits.data_type == DataType::Float as i32 => {
                    let mut values = ops::floats(splits)?;
                    lower(&mut values)?;
                    splits.raw_data.clear();
                    splits.float_data = values;
                }
                _ => {}
            }
        }
    }
    (changed > 0).then(|| tap::bytes(&proto))
}

/// By node, whether small values and the threshold itself pass: in words, or of opset 5 in numbers.
fn at_most(modes: &AttributeProto) -> Vec<bool> {
    let is_zero = |mode: i32| mode == 0;
    match &modes.t {
        None => modes.strings.iter().map(|mode| mode == b"BRANCH_LEQ").collect(),
        Some(modes) if modes.raw_data.is_empty() => modes.int32_data.iter().copied().map(is_zero).collect(),
        Some(modes) => modes.raw_data.iter().map(|mode| is_zero(i32::from(*mode))).collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use inference::onnx::attribute_proto::AttributeType;
    use inference::onnx::tensor_proto::DataLocation;
    use inference::onnx::tensor_shape_proto::{Dimension, dimension};
    use inference::onnx::{
        GraphProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
    };

    fn tensor(kind: DataType, dims: usize, raw: Vec<u8>, floats: Vec<f32>) -> TensorProto {
        TensorProto {
            dims: vec![dims as i64],
            data_type: kind as i32,
            raw_data: raw,
            float_data: floats,
            data_location: Some(DataLocation::Default as i32),
            ..TensorProto::default()
        }
    }

    /// One tree of opset 5: 0.25 up to the threshold, 0.75 above it.
    fn graph(threshold: f32, is_raw: bool) -> Vec<u8> {
        let numbers = |values: &[f32]| match is_raw {
            true => {
                let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                tensor(DataType::Float, values.len(), raw, vec![])
            }
            false => tensor(DataType::Float, values.len(), vec![], values.to_vec()),
        };
        let of_tensor = |name: &str, tensor: TensorProto| AttributeProto {
            name: name.into(),
            r#type: AttributeType::Tensor as i32,
            t: Some(tensor),
            ..AttributeProto::default()
        };
        let of_ints = |name: &str, ints: &[i64]| AttributeProto {
            name: name.into(),
            r#type: AttributeType::Ints as i32,
            ints: ints.to_vec(),
            ..AttributeProto::default()
        };
        let targets = AttributeProto {
            name: "n_targets".into(),
            r#type: AttributeType::Int as i32,
            i: 1,
            ..AttributeProto::default()
        };
        let node = NodeProto {
            op_type: "TreeEnsemble".into(),
            domain: "ai.onnx.ml".into(),
            input: vec!["x".into()],
            output: vec!["y".into()],
            attribute: vec![
                of_tensor("nodes_splits", numbers(&[threshold])),
                of_tensor("nodes_modes", tensor(DataType::Uint8, 1, vec![0], vec![])),
                of_tensor("leaf_weights", numbers(&[0.25, 0.75])),
                of_ints("nodes_featureids", &[0]),
                of_ints("nodes_truenodeids", &[0]),
                of_ints("nodes_trueleafs", &[1]),
                of_ints("nodes_falsenodeids", &[1]),
                of_ints("nodes_falseleafs", &[1]),
                of_ints("tree_roots", &[0]),
                of_ints("leaf_targetids", &[0, 0]),
                targets,
            ],
            ..NodeProto::default()
        };
        let dimension = |value| Dimension { value: Some(value), ..Dimension::default() };
        let value = |name: &str| {
            let dims =
                vec![dimension(dimension::Value::DimParam("N".into())), dimension(dimension::Value::DimValue(1))];
            let kind =
                type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(TensorShapeProto { dim: dims }) };
            let kind = TypeProto { value: Some(type_proto::Value::TensorType(kind)), ..TypeProto::default() };
            ValueInfoProto { name: name.into(), r#type: Some(kind), ..ValueInfoProto::default() }
        };
        let graph =
            GraphProto { node: vec![node], input: vec![value("x")], output: vec![value("y")], ..GraphProto::default() };
        let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.into(), version };
        let opset_import = vec![opset("", 18), opset("ai.onnx.ml", 5)];
        tap::bytes(&ModelProto { ir_version: 10, opset_import, graph: Some(graph), ..ModelProto::default() })
    }

    #[test]
    fn thresholds_of_both_generations_are_lowered() {
        let rows: Vec<Vec<f32>> = [0.2f32, 0.3, 0.4].iter().map(|value| vec![*value]).collect();
        // The library's threshold is between 0.3's neighbour below and 0.3, where the graph's is 0.3.
        let native = [0.25, 0.75, 0.75];
        for is_raw in [true, false] {
            let Repaired { bytes, said } = repaired(&graph(0.3, is_raw), &rows, &native, &|sum| sum).unwrap();
            assert!(said.contains("3 of 3 rows are answered as the library does, 2 before"), "{said}");
            let ensemble = Graph::load(&bytes, Some(1)).unwrap().trees().unwrap();
            assert_eq!(rows.iter().map(|row| answer(&ensemble, row)).collect::<Vec<_>>(), native);
            assert!(repaired(&bytes, &rows, &native, &|sum| sum).is_none(), "nothing is left to repair");
        }
    }
}
