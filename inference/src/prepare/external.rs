//! Tensors whose numbers stand in a file beside the graph. The caller reads the files, since this crate reads none.

use super::inner;
use std::collections::{BTreeMap, BTreeSet};
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};

/// Files beside a graph, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Graphs within graphs, at most; deeper ones are refused when they are checked.
const DEEPEST: usize = 16;

/// The names of the files that a graph's tensors stand in. A name leads to no other folder.
///
/// # Errors
/// A name that is a path.
pub(super) fn names(mut proto: ModelProto) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    if let Some(graph) = &mut proto.graph {
        each(graph, DEEPEST, &mut |tensor| {
            if is_external(tensor) {
                found.insert(place(tensor)?.0);
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// Puts the numbers of every such tensor into the tensor.
pub(super) fn take_in(graph: &mut GraphProto, files: Option<&Files>) -> Result<(), String> {
    // Tensors may share a part of a file, but a few bytes of a graph must not ask for its files over and over.
    let mut left = 2 * files.map_or(0, |files| files.values().map(Vec::len).sum::<usize>());
    each(graph, DEEPEST, &mut |tensor| {
        if !is_external(tensor) {
            return Ok(());
        }
        let (file, offset, length) = place(tensor)?;
        let Some(bytes) = files.and_then(|files| files.get(&file)) else {
            return Err(format!(
                "tensor {}: its data is in another file, {file}, which must stand beside the graph; or save the model with its \
                 data inside",
                tensor.name
            ));
        };
        let end = length.map_or(Some(bytes.len()), |length| offset.checked_add(length));
        let part = end.and_then(|end| bytes.get(offset..end));
        let part = part.ok_or_else(|| {
            format!("tensor {}: its data ends beyond the {} bytes of {file}", tensor.name, bytes.len())
        })?;
        left = left
            .checked_sub(part.len())
            .ok_or_else(|| format!("tensor {}: its graph takes more from its files than they hold", tensor.name))?;
        tensor.raw_data = part.to_vec();
        tensor.data_location = None;
        tensor.external_data.clear();
        Ok(())
    })
}

fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External as i32)
}

/// The file, where in it the data begin, and how many bytes they are.
fn place(tensor: &TensorProto) -> Result<(String, usize, Option<usize>), String> {
    let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let number = |key: &str| {
        let text = entry(key)?;
        Some(text.parse::<usize>().map_err(|_| format!("tensor {}: its {key} {text:?} is no number", tensor.name)))
    };
    let file = entry("location").ok_or_else(|| format!("tensor {}: names no file for its data", tensor.name))?;
    let file = file.strip_prefix("./").unwrap_or(file);
    if file.is_empty() || file.contains(['/', '\\', '\0']) || file == ".." || file == "." {
        return Err(format!("tensor {}: its data must be in a file beside the graph, not in {file:?}", tensor.name));
    }
    Ok((file.to_owned(), number("offset").transpose()?.unwrap_or(0), number("length").transpose()?))
}

/// Every tensor of a graph and of those within it.
fn each(
    graph: &mut GraphProto,
    depth: usize,
    visit: &mut dyn FnMut(&mut TensorProto) -> Result<(), String>,
) -> Result<(), String> {
    graph.initializer.iter_mut().try_for_each(&mut *visit)?;
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            attribute.t.iter_mut().chain(&mut attribute.tensors).try_for_each(&mut *visit)?;
        }
        if depth > 0 {
            for graph in inner(node) {
                each(graph, depth - 1, visit)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tract_onnx::pb::StringStringEntryProto;

    fn tensor(name: String) -> TensorProto {
        let location = StringStringEntryProto { key: "location".to_owned(), value: "w".to_owned() };
        let external = Some(DataLocation::External as i32);
        TensorProto { name, data_location: external, external_data: vec![location], ..Default::default() }
    }

    #[test]
    fn a_file_is_not_taken_over_and_over() {
        let files = Files::from([("w".to_owned(), vec![7; 1000])]);
        let taken = |count: usize| {
            let initializer = (0..count).map(|at| tensor(format!("t{at}"))).collect();
            let mut graph = GraphProto { initializer, ..Default::default() };
            take_in(&mut graph, Some(&files)).map(|()| graph.initializer[0].raw_data.len())
        };
        assert_eq!(taken(2), Ok(1000));
        let why = taken(3);
        assert!(why.as_ref().is_err_and(|why| why.starts_with("tensor t2: its graph takes more")), "{why:?}");
    }
}
