//! Tensors whose numbers stand in a file beside the graph. The caller reads the files, since this crate reads none.

use super::subgraphs::inner;
use std::collections::{BTreeMap, BTreeSet};
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{GraphProto, StringStringEntryProto, TensorProto};

/// Files beside a graph, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Graphs within graphs, at most; deeper ones are refused when they are checked.
const DEEPEST: usize = 16;

/// A model as far as its files are asked for: the lists of a large forest and the numbers of a net are passed over.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Outline {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphOutline>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GraphOutline {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeOutline>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorOutline>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct NodeOutline {
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeOutline>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AttributeOutline {
    #[prost(message, optional, tag = "5")]
    t: Option<TensorOutline>,
    #[prost(message, optional, tag = "6")]
    g: Option<GraphOutline>,
    #[prost(message, repeated, tag = "10")]
    tensors: Vec<TensorOutline>,
    #[prost(message, repeated, tag = "11")]
    graphs: Vec<GraphOutline>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TensorOutline {
    #[prost(string, tag = "8")]
    name: String,
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<StringStringEntryProto>,
    #[prost(enumeration = "DataLocation", optional, tag = "14")]
    data_location: Option<i32>,
}

/// The names of the files that a model's tensors stand in. A name leads to no other folder.
///
/// # Errors
/// A name that is a path.
pub(super) fn names(model: &Outline) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<(&GraphOutline, usize)> = model.graph.iter().map(|graph| (graph, DEEPEST)).collect();
    while let Some((graph, depth)) = open.pop() {
        let attributes = graph.node.iter().flat_map(|node| &node.attribute);
        let within = attributes.clone().flat_map(|attribute| attribute.t.iter().chain(&attribute.tensors));
        for tensor in graph.initializer.iter().chain(within) {
            if tensor.data_location == Some(DataLocation::External as i32) {
                found.insert(place(&tensor.name, &tensor.external_data)?.0);
            }
        }
        if depth > 0 {
            let inner = attributes.flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
            open.extend(inner.map(|graph| (graph, depth - 1)));
        }
    }
    Ok(found)
}

/// Puts the numbers of every such tensor into the tensor.
pub(super) fn take_in(graph: &mut GraphProto, files: Option<&Files>) -> Result<(), String> {
    // Tensors may share a part of a file, but a few bytes of a graph must not ask for its files over and over.
    let mut left = 2 * files.map_or(0, |files| files.values().map(Vec::len).sum::<usize>());
    each(graph, DEEPEST, &mut |tensor| {
        if tensor.data_location != Some(DataLocation::External as i32) {
            return Ok(());
        }
        let (file, offset, length) = place(&tensor.name, &tensor.external_data)?;
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

/// The file, where in it the data of a tensor of this name begin, and how many bytes they are.
fn place(name: &str, entries: &[StringStringEntryProto]) -> Result<(String, usize, Option<usize>), String> {
    let entry = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let number = |key: &str| {
        let text = entry(key)?;
        Some(text.parse::<usize>().map_err(|_| format!("tensor {name}: its {key} {text:?} is no number")))
    };
    let file = entry("location").ok_or_else(|| format!("tensor {name}: names no file for its data"))?;
    let file = file.strip_prefix("./").unwrap_or(file);
    if file.is_empty() || file.contains(['/', '\\', '\0']) || file == ".." || file == "." {
        return Err(format!("tensor {name}: its data must be in a file beside the graph, not in {file:?}"));
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
    use prost::Message;
    use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto};

    fn tensor(name: String) -> TensorProto {
        let location = StringStringEntryProto { key: "location".to_owned(), value: "w".to_owned() };
        let external = Some(DataLocation::External as i32);
        TensorProto { name, data_location: external, external_data: vec![location], ..Default::default() }
    }

    #[test]
    fn an_outline_names_every_file() {
        let named = |name: &str, file: &str| {
            let mut tensor = tensor(name.to_owned());
            tensor.external_data[0].value = file.to_owned();
            tensor
        };
        let inner = GraphProto { initializer: vec![named("d", "fourth")], ..Default::default() };
        let attribute = AttributeProto {
            t: Some(named("b", "second")),
            tensors: vec![named("c", "third")],
            g: Some(inner.clone()),
            ints: vec![1; 300],
            floats: vec![0.5; 300],
            strings: vec![b"LEAF".to_vec(); 300],
            graphs: vec![GraphProto { initializer: vec![named("e", "fifth")], ..Default::default() }],
            ..Default::default()
        };
        let node = NodeProto { attribute: vec![attribute], ..Default::default() };
        let inside = TensorProto { name: "f".to_owned(), raw_data: vec![7; 64], ..Default::default() };
        let graph =
            GraphProto { node: vec![node], initializer: vec![named("a", "./first"), inside], ..Default::default() };
        let bytes = ModelProto { graph: Some(graph), ..Default::default() }.encode_to_vec();
        let found = names(&Outline::decode(bytes.as_slice()).expect("a model")).expect("names");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["fifth", "first", "fourth", "second", "third"]);
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

    #[test]
    fn a_tensor_is_the_part_of_its_file_that_it_names() {
        let of = |entries: &[(&str, &str)]| {
            let entry =
                |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
            let external_data = entries.iter().map(entry).collect();
            let mut graph = GraphProto {
                initializer: vec![TensorProto { external_data, ..tensor("t".into()) }],
                ..Default::default()
            };
            let files = Files::from([("w".to_owned(), (0..10).collect())]);
            take_in(&mut graph, Some(&files)).map(|()| graph.initializer[0].raw_data.clone())
        };
        let whole: Vec<u8> = (0..10).collect();
        let rows: [(&str, &[(&str, &str)], Result<&[u8], &str>); 14] = [
            ("the whole file", &[("location", "w")], Ok(&whole)),
            ("from here on", &[("location", "w"), ("offset", "7")], Ok(&[7, 8, 9])),
            ("so much of it", &[("location", "./w"), ("offset", "2"), ("length", "3")], Ok(&[2, 3, 4])),
            ("nothing of it", &[("location", "w"), ("offset", "10")], Ok(&[])),
            (
                "beyond its end",
                &[("location", "w"), ("offset", "8"), ("length", "3")],
                Err("ends beyond the 10 bytes of w"),
            ),
            ("from beyond its end", &[("location", "w"), ("offset", "11")], Err("ends beyond the 10 bytes of w")),
            (
                "more than can be counted",
                &[("location", "w"), ("offset", "1"), ("length", "18446744073709551615")],
                Err("ends beyond"),
            ),
            ("an offset below zero", &[("location", "w"), ("offset", "-1")], Err("its offset \"-1\" is no number")),
            ("no file", &[], Err("tensor t: names no file for its data")),
            ("another file", &[("location", "v")], Err("is in another file, v, which must stand beside the graph")),
            ("the folder above", &[("location", "../w")], Err("must be in a file beside the graph, not in \"../w\"")),
            ("a folder below", &[("location", "data/w")], Err("must be in a file beside the graph")),
            ("the folder above alone", &[("location", "..")], Err("must be in a file beside the graph")),
            ("another system's path", &[("location", "C:\\w")], Err("must be in a file beside the graph")),
        ];
        for (name, entries, expected) in rows {
            match (of(entries), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{name}: {why}"),
                (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
            }
        }
        let mut graph = GraphProto { initializer: vec![tensor("t".into())], ..Default::default() };
        assert!(take_in(&mut graph, None).is_err_and(|why| why.contains("save the model with its data inside")));
    }
}
