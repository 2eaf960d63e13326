//! Functions that a model brings with it (IR version 8 and later): each call is replaced by the function's nodes. tract does not
//! read them, so they are read from the bytes here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, OperatorSetIdProto};

/// Calls within calls, at most.
const DEEPEST: usize = 16;
/// Nodes after all calls are written out, at most; a graph may not hold as many.
const MOST_NODES: usize = 4_096;

/// Bytes of all calls that are written out, at most: a function that holds a large tensor must not be called over and over.
const MOST_BYTES: usize = 1 << 28;
/// From this opset on, operators take the same inputs in every later one.
const STEADY: i64 = 18;

/// The part of a model that has its functions.
#[derive(Clone, PartialEq, prost::Message)]
struct WithFunctions {
    #[prost(message, repeated, tag = "25")]
    functions: Vec<Function>,
}

/// A function, as `onnx.proto` has it.
#[derive(Clone, PartialEq, prost::Message)]
struct Function {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "4")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    output: Vec<String>,
    #[prost(message, repeated, tag = "7")]
    node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "9")]
    opset_import: Vec<OperatorSetIdProto>,
    #[prost(string, tag = "10")]
    domain: String,
    #[prost(message, repeated, tag = "11")]
    attribute_proto: Vec<AttributeProto>,
}

/// What a call is known by.
type Key = (String, String);

/// Writes every call out.
pub(super) fn write_out(proto: &mut ModelProto, bytes: &[u8]) -> Result<(), String> {
    written_out(proto, bytes, MOST_BYTES)
}

fn written_out(proto: &mut ModelProto, bytes: &[u8], most_bytes: usize) -> Result<(), String> {
    let version = |set: &[OperatorSetIdProto]| set.iter().find(|set| set.domain.is_empty()).map(|set| set.version);
    let own = version(&proto.opset_import);
    let read = <WithFunctions as prost::Message>::decode(bytes);
    let mut functions: HashMap<Key, Function> = HashMap::new();
    for function in read.map(|model| model.functions).unwrap_or_default() {
        let other = version(&function.opset_import);
        if other.is_some() && other != own && other.min(own) < Some(STEADY) {
            return Err(format!(
                "function {}: is of another opset than the graph: export both with one",
                function.name
            ));
        }
        match functions.entry((function.domain.clone(), function.name.clone())) {
            Entry::Vacant(place) => place.insert(function),
            Entry::Occupied(_) => return Err(format!("two of its functions are called {}", function.name)),
        };
    }
    if functions.is_empty() {
        return Ok(());
    }
    let mut calls = Calls { functions, made: 0, nodes: 0, bytes: 0, most_bytes };
    if let Some(graph) = &mut proto.graph {
        graph.node = calls.expanded(std::mem::take(&mut graph.node), DEEPEST)?;
    }
    Ok(())
}

struct Calls {
    functions: HashMap<Key, Function>,
    made: usize,
    nodes: usize,
    bytes: usize,
    most_bytes: usize,
}

impl Calls {
    fn expanded(&mut self, nodes: Vec<NodeProto>, depth: usize) -> Result<Vec<NodeProto>, String> {
        let mut all = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            self.nodes += 1;
            if self.nodes > MOST_NODES {
                return Err(format!("its functions hold more than {MOST_NODES} nodes when they are written out"));
            }
            let key = (node.domain.clone(), node.op_type.clone());
            match self.functions.get(&key) {
                Some(_) if depth == 0 => return Err(format!("function {} is called too deep", key.1)),
                Some(function) => {
                    self.bytes += prost::Message::encoded_len(function);
                    if self.bytes > self.most_bytes {
                        let most = self.most_bytes;
                        return Err(format!("its functions hold more than {most} bytes when they are written out"));
                    }
                    let body = body(function, &node, self.made)?;
                    self.made += 1;
                    all.extend(self.expanded(body, depth - 1)?);
                }
                None => {
                    if depth > 0 {
                        for graph in super::subgraphs::inner(&mut node) {
                            graph.node = self.expanded(std::mem::take(&mut graph.node), depth - 1)?;
                        }
                    }
                    all.push(node);
                }
            }
        }
        Ok(all)
    }
}

/// The nodes of one call: inputs and outputs have the caller's names, everything else one of its own.
fn body(function: &Function, call: &NodeProto, number: usize) -> Result<Vec<NodeProto>, String> {
    let prefix = format!("{}.{number}.", function.name);
    let mut names: HashMap<&str, String> = HashMap::new();
    for (at, input) in function.input.iter().enumerate() {
        names.insert(input, call.input.get(at).cloned().unwrap_or_default());
    }
    for (at, output) in function.output.iter().enumerate() {
        if let Some(name) = call.output.get(at).filter(|name| !name.is_empty()) {
            names.insert(output, name.clone());
        }
    }
    if function.output.iter().any(|output| function.input.contains(output)) {
        return Err(format!("function {}: one of its outputs is an input", function.name));
    }
    let renamed = |name: &str| match names.get(name) {
        Some(known) => known.clone(),
        None if name.is_empty() => String::new(),
        None => format!("{prefix}{name}"),
    };
    Ok(function.node.iter().map(|node| rewritten(node, &prefix, &renamed, function, call)).collect())
}

fn rewritten(
    node: &NodeProto,
    prefix: &str,
    renamed: &dyn Fn(&str) -> String,
    function: &Function,
    call: &NodeProto,
) -> NodeProto {
    let mut node = node.clone();
    node.name = format!("{prefix}{}", node.name);
    node.input.iter_mut().chain(&mut node.output).for_each(|name| *name = renamed(name));
    node.attribute = node.attribute.into_iter().filter_map(|attribute| given(attribute, function, call)).collect();
    for attribute in &mut node.attribute {
        for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            // A graph within reads the function's values and has its own; all of them get the prefix alike.
            for inner in &mut graph.node {
                *inner = rewritten(inner, prefix, renamed, function, call);
            }
            graph.initializer.iter_mut().for_each(|tensor| tensor.name = renamed(&tensor.name));
            graph.input.iter_mut().chain(&mut graph.output).for_each(|value| value.name = renamed(&value.name));
        }
    }
    node
}

/// An attribute that stands for one of the call gets its value; nothing where the call has none and there is no default.
fn given(attribute: AttributeProto, function: &Function, call: &NodeProto) -> Option<AttributeProto> {
    if attribute.ref_attr_name.is_empty() {
        return Some(attribute);
    }
    let named = |known: &&AttributeProto| known.name == attribute.ref_attr_name;
    let found = call.attribute.iter().find(named).or_else(|| function.attribute_proto.iter().find(named))?;
    Some(AttributeProto { name: attribute.name, ..found.clone() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use prost::Message;
    use tract_onnx::pb::{GraphProto, TensorProto};

    fn node(domain: &str, operator: &str, input: &str, output: &str) -> NodeProto {
        NodeProto {
            domain: domain.to_owned(),
            op_type: operator.to_owned(),
            input: vec![input.to_owned()],
            output: vec![output.to_owned()],
            ..NodeProto::default()
        }
    }

    /// A function `own.F` from `a` to `b` that holds `bytes` bytes and ends in the operator.
    fn function(name: &str, operator: (&str, &str), bytes: usize) -> Function {
        let tensor = TensorProto { raw_data: vec![0; bytes], ..TensorProto::default() };
        let mut last = node(operator.0, operator.1, "a", "b");
        last.attribute = vec![AttributeProto { name: "value".into(), t: Some(tensor), ..AttributeProto::default() }];
        Function {
            name: name.to_owned(),
            domain: "own".to_owned(),
            input: vec!["a".to_owned()],
            output: vec!["b".to_owned()],
            node: vec![last],
            ..Function::default()
        }
    }

    /// A graph that calls `own.F` as often.
    fn calls(functions: Vec<Function>, count: usize, most_bytes: usize) -> Result<Vec<NodeProto>, String> {
        let call = |at: usize| node("own", "F", &format!("v{at}"), &format!("v{}", at + 1));
        let graph = GraphProto { node: (0..count).map(call).collect(), ..GraphProto::default() };
        let mut proto = ModelProto { graph: Some(graph), ..ModelProto::default() };
        written_out(&mut proto, &WithFunctions { functions }.encode_to_vec(), most_bytes)?;
        Ok(proto.graph.unwrap().node)
    }

    #[test]
    fn calls_are_written_out_with_names_of_their_own() {
        let inner = function("G", ("", "Neg"), 1);
        let nodes = calls(vec![function("F", ("own", "G"), 1), inner], 2, MOST_BYTES).unwrap();
        let read: Vec<(&str, &str, &str)> =
            nodes.iter().map(|node| (&*node.op_type, &*node.input[0], &*node.output[0])).collect();
        assert_eq!(read, [("Neg", "v0", "v1"), ("Neg", "v1", "v2")]);
    }

    #[test]
    fn what_grows_beyond_its_bound_is_refused() {
        let neg = |bytes: usize| vec![function("F", ("", "Neg"), bytes)];
        let size = neg(1000)[0].encoded_len();
        assert_eq!(calls(neg(1000), 4, 4 * size).unwrap().len(), 4);
        let rows = [
            (calls(neg(1000), 5, 4 * size), format!("more than {} bytes", 4 * size)),
            (calls(neg(0), MOST_NODES, MOST_BYTES), format!("more than {MOST_NODES} nodes")),
            (calls(vec![function("F", ("own", "F"), 0)], 1, MOST_BYTES), "function F is called too deep".to_owned()),
            (calls([neg(0), neg(0)].concat(), 1, MOST_BYTES), "two of its functions are called F".to_owned()),
        ];
        for (found, expected) in rows {
            let why = found.unwrap_err();
            assert!(why.contains(&expected), "{why}");
        }
    }

    /// What a function reads of its call: an attribute, the function's default for it, or nothing.
    #[test]
    fn attributes_are_the_calls_the_defaults_or_left_out() {
        let number =
            |name: &str, i: i64| AttributeProto { name: name.into(), i, r#type: 2, ..AttributeProto::default() };
        let refers = |name: &str, to: &str| AttributeProto {
            name: name.into(),
            ref_attr_name: to.into(),
            ..AttributeProto::default()
        };
        let mut own = function("F", ("", "Softmax"), 0);
        own.node[0].attribute = vec![refers("axis", "a"), refers("keepdims", "b"), refers("to", "c"), number("k", 7)];
        own.attribute_proto = vec![number("a", 1), number("b", 2)];
        let mut call = node("own", "F", "x", "y");
        call.attribute = vec![number("a", 5), number("unread", 9)];
        let nodes = body(&own, &call, 3).unwrap();
        let found: Vec<(&str, i64)> = nodes[0].attribute.iter().map(|found| (found.name.as_str(), found.i)).collect();
        assert_eq!(found, [("axis", 5), ("keepdims", 2), ("k", 7)]);
    }

    /// Inside a call, names are the call's own, but for those that it takes and gives, in graphs within too.
    #[test]
    fn two_calls_share_no_name() {
        let inner = GraphProto {
            node: vec![node("", "Add", "a", "inside")],
            initializer: vec![TensorProto { name: "w".into(), ..TensorProto::default() }],
            ..GraphProto::default()
        };
        let mut own = function("F", ("", "If"), 0);
        own.node[0].attribute =
            vec![AttributeProto { name: "then_branch".into(), g: Some(inner), ..AttributeProto::default() }];
        own.node.insert(0, node("", "Abs", "a", "between"));
        let nodes = calls(vec![own.clone()], 2, MOST_BYTES).unwrap();
        let names: Vec<&str> = nodes.iter().map(|node| node.output[0].as_str()).collect();
        assert_eq!(names, ["F.0.between", "v1", "F.1.between", "v2"]);
        let within = nodes[3].attribute[0].g.as_ref().unwrap();
        assert_eq!((within.node[0].input[0].as_str(), within.node[0].output[0].as_str()), ("v1", "F.1.inside"));
        assert_eq!(within.initializer[0].name, "F.1.w");
        let left_out = NodeProto { input: vec![], ..node("own", "F", "", "y") };
        assert_eq!(body(&own, &left_out, 0).unwrap()[0].input, [""], "an input that the call leaves out");
        let through = Function { output: vec!["a".into()], ..own };
        assert!(body(&through, &left_out, 0).is_err_and(|why| why.contains("one of its outputs is an input")));
    }

    #[test]
    fn a_function_of_another_opset_is_refused_where_that_means_something_else() {
        let opset = |version: i64| vec![OperatorSetIdProto { domain: String::new(), version }];
        for (own, other, fits) in [(17, 17, true), (17, 18, false), (18, 17, false), (18, 21, true), (13, 12, false)] {
            let function = Function { opset_import: opset(other), ..function("F", ("", "Neg"), 0) };
            let mut proto =
                ModelProto { opset_import: opset(own), graph: Some(GraphProto::default()), ..ModelProto::default() };
            let found = write_out(&mut proto, &WithFunctions { functions: vec![function] }.encode_to_vec());
            assert_eq!(found.is_ok(), fits, "{own} and {other}: {found:?}");
        }
    }
}
