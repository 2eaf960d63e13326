//! What is checked of a graph before tract builds it: that every operator is one that runs here, that names lead
//! somewhere, and that tensors hold what they say. Each refusal names its place.

use super::domains::{ML, STANDARD};
use super::{attributes, known, ranks, register};
use std::collections::{HashMap, HashSet};
use tract_onnx::Onnx;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

/// Graphs within graphs, at most.
const DEEPEST: usize = 16;
/// Elements of a tensor that a graph has made, at most: the file is small, and its tensors must not be huge.
const MOST_ELEMENTS: i64 = 1 << 24;
/// Operators that make a tensor as large as numbers in the file say.
/// With the first and last of their inputs that are such numbers.
const MAKERS: [(&str, usize, usize); 7] = [
    ("ConstantOfShape", 0, 0),
    ("Expand", 1, 1),
    ("OneHot", 1, 1),
    ("Pad", 1, 1),
    ("Range", 0, 2),
    ("Resize", 3, 3),
    ("Tile", 1, 1),
];
/// Operators that never answer the same twice.
const DICE: [&str; 5] = ["Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"];

/// Nodes of a graph and of those within it, at most. Real ones have some tens; what the graph library does with them grows with
/// their square, so that five thousand additions took half a minute.
const MOST_NODES: usize = 1_024;
/// Names of inputs, outputs and tensors of a graph and of those within it, at most.
const MOST_NAMES: usize = 1 << 14;
/// Operators of any number of inputs, which become one node for each two.
const FOLDS: [&str; 4] = ["Max", "Mean", "Min", "Sum"];

/// Dimensions that an axis may count: beyond them the graph library counts on, one by one, for ever.
const MOST_AXES: u64 = 64;

/// Checks a model.
pub(super) fn model(proto: &ModelProto, onnx: &Onnx) -> Result<(), String> {
    let graph = proto.graph.as_ref().ok_or("holds no graph")?;
    if !graph.sparse_initializer.is_empty() {
        return Err("holds sparse tensors: export them dense".to_owned());
    }
    let mut work = Work::default();
    work.add(graph);
    work.check()?;
    check_graph(graph, onnx, &HashSet::new(), DEEPEST)
}

/// What the graph library has to go through, again and again.
#[derive(Default)]
struct Work {
    nodes: usize,
    names: usize,
}

impl Work {
    fn add(&mut self, graph: &GraphProto) {
        self.names += graph.initializer.len() + graph.input.len() + graph.output.len();
        for node in &graph.node {
            let folded = if FOLDS.contains(&node.op_type.as_str()) { node.input.len().saturating_sub(1) } else { 1 };
            self.nodes += folded.max(1);
            self.names += node.input.len() + node.output.len();
            node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)).for_each(|inner| {
                self.add(inner);
            });
        }
    }

    fn check(&self) -> Result<(), String> {
        let Self { nodes, names } = self;
        if *nodes > MOST_NODES {
            return Err(format!(
                "holds {nodes} nodes, at most {MOST_NODES} are allowed: export it with operators that do more at once"
            ));
        }
        match *names > MOST_NAMES {
            true => Err(format!("names {names} inputs, outputs and tensors, at most {MOST_NAMES} are allowed")),
            false => Ok(()),
        }
    }
}

fn check_graph(graph: &GraphProto, onnx: &Onnx, outer: &HashSet<&str>, depth: usize) -> Result<(), String> {
    for tensor in &graph.initializer {
        attributes::check(tensor).map_err(|why| format!("tensor {}: {why}", tensor.name))?;
    }
    let known = names(graph, outer)?;
    let constants = constants(graph);
    for node in &graph.node {
        check_operator(node, onnx)?;
        check_size(node, &constants)?;
        let missing = node.input.iter().find(|name| !name.is_empty() && !known.contains(name.as_str()));
        if let Some(missing) = missing {
            return Err(format!("{}: nothing gives its input {missing}", place(node)));
        }
        for attribute in &node.attribute {
            for tensor in attribute.t.iter().chain(&attribute.tensors).filter(|tensor| tensor.data_type != 0) {
                attributes::check(tensor).map_err(|why| format!("{}, {}: {why}", place(node), attribute.name))?;
            }
            for inner in attribute.g.iter().chain(&attribute.graphs) {
                let depth = depth.checked_sub(1).ok_or_else(|| format!("{}: is nested too deep", place(node)))?;
                check_graph(inner, onnx, &known, depth)?;
            }
        }
    }
    match graph.output.iter().find(|output| !known.contains(output.name.as_str())) {
        Some(output) => Err(format!("nothing gives its output {}", output.name)),
        None => Ok(()),
    }
}

/// The numbers of the file that may say a size, by the name of their tensor.
pub(super) fn constants(graph: &GraphProto) -> HashMap<&str, &TensorProto> {
    let constant = |node: &NodeProto| node.op_type == "Constant";
    let nodes = graph.node.iter().filter(|node| constant(node));
    let made = nodes.filter_map(|node| Some((node.output.first()?.as_str(), node.attribute.first()?.t.as_ref()?)));
    graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).chain(made).collect()
}

/// Refuses a node that would make a huge tensor of a few numbers.
fn check_size(node: &NodeProto, constants: &HashMap<&str, &TensorProto>) -> Result<(), String> {
    let Some((_, first, last)) = MAKERS.iter().find(|(name, ..)| *name == node.op_type) else { return Ok(()) };
    let sizes = node.input.iter().skip(*first).take(last - first + 1);
    for tensor in sizes.filter_map(|name| constants.get(name.as_str())) {
        let sizes = attributes::whole_numbers(tensor);
        let size = sizes.iter().try_fold(1i64, |size, number| size.checked_mul(number.saturating_abs().max(1)));
        if size.is_none_or(|size| size > MOST_ELEMENTS) {
            return Err(format!("{}: makes a tensor of more than {MOST_ELEMENTS} elements", place(node)));
        }
    }
    Ok(())
}

/// Every name that gives a value; refuses a name that is given twice.
fn names<'a>(graph: &'a GraphProto, outer: &HashSet<&'a str>) -> Result<HashSet<&'a str>, String> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    if constants.len() != graph.initializer.len() {
        return Err("two of its tensors have the same name".to_owned());
    }
    let inputs = graph.input.iter().map(|input| input.name.as_str()).filter(|name| !constants.contains(name));
    let outputs = graph.node.iter().flat_map(|node| &node.output).map(String::as_str).filter(|name| !name.is_empty());
    let mut known: HashSet<&str> = constants.clone();
    for name in inputs.chain(outputs) {
        if !known.insert(name) {
            return Err(format!("two of its values are named {name}"));
        }
    }
    known.extend(outer);
    Ok(known)
}

fn check_operator(node: &NodeProto, onnx: &Onnx) -> Result<(), String> {
    if DICE.contains(&node.op_type.as_str()) {
        return Err(format!("{}: throws dice; export the model for inference, not for training", place(node)));
    }
    if node.attribute.iter().flat_map(ranks::axes).any(|axis| axis.unsigned_abs() > MOST_AXES) {
        return Err(format!("{}: its axis is beyond all dimensions; export the graph again", place(node)));
    }
    let ours = register::ML.iter().any(|(name, _)| *name == node.op_type);
    let fits = match node.domain.as_str() {
        ML => ours,
        domain if STANDARD.contains(&domain) => {
            !ours
                && known::attributes(domain, &node.op_type).is_some()
                && onnx.op_register.0.contains_key(&node.op_type)
        }
        domain => {
            return Err(format!("{}: is of domain {domain}; {}", place(node), of_domain(domain, &node.op_type)));
        }
    };
    match fits {
        true => Ok(()),
        false => Err(format!("{}: this engine has no such operator; {}", place(node), instead(&node.op_type))),
    }
}

/// What would make a graph loadable that has an operator of another domain.
fn of_domain(domain: &str, operator: &str) -> String {
    match (domain, operator) {
        ("com.microsoft", "CDist" | "Solve" | "MurmurHash3" | "Tokenizer") => format!(
            "export it without {operator}: in skl2onnx leave com.microsoft out of target_opset, or leave out the step that needs it"
        ),
        ("com.microsoft" | "com.microsoft.nchwc", _) => format!(
            "onnxruntime wrote it when it optimised the graph: use the graph from before, or save it again with \
             SessionOptions.graph_optimization_level = ORT_ENABLE_BASIC, which keeps to ai.onnx and {ML}"
        ),
        _ => format!("export with operators of ai.onnx and {ML} alone"),
    }
}

/// What would make a graph loadable that needs an operator we do not have.
fn instead(operator: &str) -> &'static str {
    match operator {
        "TfIdfVectorizer" | "StringNormalizer" | "Tokenizer" | "StringConcat" | "StringSplit" | "RegexFullMatch" => {
            "make text into numbers before the graph"
        }
        "GlobalLpPool" => "use ReduceL1 or ReduceL2 over the dimensions of space",
        "DictVectorizer" | "CastMap" => "give the features as a tensor, one column each, not as a map",
        "SequenceAt" | "SequenceConstruct" | "SequenceEmpty" | "SequenceInsert" | "SplitToSequence" => {
            "export tensors instead of lists that are made in a loop or branch, or a model for each target"
        }
        _ => "export the model without it, or with an older opset that spells it by simpler operators",
    }
}

/// How a node is named in a refusal.
pub(super) fn place(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name };
    format!("node {name} ({})", node.op_type)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::examples::{self, node, tensor, whole, with};
    use crate::graph::Graph;
    use crate::ops::tests::{Attributes, operator};
    use prost::Message;
    use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto};

    /// From `x` [N, 4] to `y`.
    fn model(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> ModelProto {
        examples::model(4, 4, nodes, constants)
    }

    fn refused(proto: &ModelProto) -> String {
        Graph::load(&proto.encode_to_vec(), None).map(drop).unwrap_err().to_string()
    }

    /// `x` with as many additions of itself as that, one after another.
    fn additions(count: usize) -> ModelProto {
        let name = |at: usize| match at {
            0 => "x".to_owned(),
            at if at == count => "y".to_owned(),
            at => format!("v{at}"),
        };
        model((0..count).map(|at| node("Add", &[&name(at), "x"], &name(at + 1))).collect(), vec![])
    }

    #[test]
    fn a_graph_of_too_many_nodes_is_refused_before_it_is_built() {
        Graph::load(&additions(300).encode_to_vec(), None).unwrap();
        for count in [1_025, 5_000] {
            let why = refused(&additions(count));
            assert!(why.contains(&format!("holds {count} nodes, at most 1024 are allowed")), "{why}");
        }
        let why = refused(&model(vec![node("Sum", &vec!["x"; 5_000], "y")], vec![]));
        assert!(why.contains("holds 4999 nodes, at most 1024 are allowed"), "{why}");
        let why = refused(&model(vec![with(node("Concat", &vec!["x"; 20_000], "y"), "axis", 1)], vec![]));
        assert!(why.contains("inputs, outputs and tensors, at most 16384 are allowed"), "{why}");
    }

    #[test]
    fn a_small_file_cannot_ask_for_a_machine_full_of_memory() {
        let joined = |from: &str, to: &str| with(node("Concat", &[from, from], to), "axis", 1);
        Graph::load(&examples::model(4, 8, vec![joined("x", "y")], vec![]).encode_to_vec(), None).unwrap();
        let name = |at: usize| if at == 0 { "x".to_owned() } else { format!("v{at}") };
        let doubled =
            (0..40).map(|at| joined(&name(at), if at == 39 { "y".to_owned() } else { name(at + 1) }.as_str()));
        let large = [1 << 10; 3];
        let rows = [
            ("doubled forty times", model(doubled.collect(), vec![])),
            (
                "repeated, and repeated again",
                model(
                    vec![node("Tile", &["x", "n"], "v"), node("Tile", &["v", "n"], "y")],
                    vec![whole("n", &[1, 1 << 20])],
                ),
            ),
            (
                "of a size that is reckoned",
                model(
                    vec![
                        node("Mul", &["n", "n"], "m"),
                        node("ConstantOfShape", &["m"], "c"),
                        node("ReduceSum", &["c"], "s"),
                        node("Add", &["x", "s"], "y"),
                    ],
                    vec![whole("n", &large)],
                ),
            ),
            (
                "of a size that stands there",
                model(vec![node("ConstantOfShape", &["n"], "y")], vec![whole("n", &large)]),
            ),
            (
                "of a size that is made there",
                model(
                    vec![
                        NodeProto { input: vec![], ..node("Constant", &[], "n").tensor("value", whole("", &large)) },
                        node("Expand", &["x", "n"], "y"),
                    ],
                    vec![],
                ),
            ),
            (
                "of a size below the least",
                model(vec![node("Tile", &["x", "n"], "y")], vec![whole("n", &[i64::MIN, 1])]),
            ),
            (
                "far from its beginning",
                model(vec![node("Range", &["a", "n", "a"], "y")], vec![whole("a", &[1]), whole("n", &[1 << 40])]),
            ),
        ];
        for (what, proto) in rows {
            let why = refused(&proto);
            assert!(why.contains("elements"), "{what}: {why}");
        }
    }

    #[test]
    fn names_lead_somewhere_and_are_given_once() {
        let abs = |from: &str, to: &str| node("Abs", &[from], to);
        let constant = || tensor("w", &[1], vec![1.0]);
        let nested = |depth: usize| {
            let mut inner = GraphProto { node: vec![abs("x", "z")], ..GraphProto::default() };
            for _ in 0..depth {
                let g = Some(std::mem::take(&mut inner));
                let attribute =
                    AttributeProto { name: "then_branch".into(), g, r#type: 5, ..AttributeProto::default() };
                inner.node.push(operator("If").with(attribute));
            }
            inner.node
        };
        let sparse = || {
            let mut proto = model(vec![abs("x", "y")], vec![]);
            proto.graph.as_mut().unwrap().sparse_initializer.push(SparseTensorProto::default());
            proto
        };
        for (what, proto, expected) in [
            ("no graph", ModelProto::default(), "holds no graph"),
            ("sparse tensors", sparse(), "holds sparse tensors: export them dense"),
            ("an input from nowhere", model(vec![abs("z", "y")], vec![]), "node y (Abs): nothing gives its input z"),
            ("an output from nowhere", model(vec![abs("x", "z")], vec![]), "nothing gives its output y"),
            ("a value twice", model(vec![abs("x", "y"), abs("x", "y")], vec![]), "two of its values are named y"),
            (
                "a tensor twice",
                model(vec![abs("x", "y")], vec![constant(), constant()]),
                "two of its tensors have the same name",
            ),
            (
                "a value named as a tensor",
                model(vec![abs("x", "w"), abs("w", "y")], vec![constant()]),
                "two of its values are named w",
            ),
            (
                "a tensor that is cut short",
                model(vec![abs("w", "y")], vec![TensorProto { dims: vec![2], ..constant() }]),
                "tensor w: its dimensions [2] do not fit its data",
            ),
            ("nested too deep", model(nested(17), vec![]), "is nested too deep"),
            (
                "within, from nowhere",
                model(
                    nested(16)
                        .into_iter()
                        .map(|mut node| {
                            innermost(&mut node);
                            node
                        })
                        .collect(),
                    vec![],
                ),
                "nothing gives its input nowhere",
            ),
        ] {
            let why = refused(&proto);
            assert!(why.contains(expected), "{what}: {why}");
        }
    }

    /// Lets the innermost graph read what nobody gives.
    fn innermost(node: &mut NodeProto) {
        match node.attribute.iter_mut().find_map(|attribute| attribute.g.as_mut()) {
            Some(graph) => graph.node.iter_mut().for_each(innermost),
            None => node.input = vec!["nowhere".into()],
        }
    }

    #[test]
    fn operators_are_of_a_domain_that_runs_here_and_a_remedy_is_named() {
        let of = |domain: &str, operator: &str| NodeProto { domain: domain.into(), ..node(operator, &["x"], "y") };
        for (domain, operator, expected) in [
            ("", "Scaler", "node y (Scaler): this engine has no such operator"),
            ("ai.onnx.ml", "Abs", "node y (Abs): this engine has no such operator"),
            ("", "Nonsense", "export the model without it, or with an older opset"),
            ("", "StringNormalizer", "make text into numbers before the graph"),
            ("ai.onnx.ml", "DictVectorizer", "give the features as a tensor, one column each, not as a map"),
            ("", "GlobalLpPool", "use ReduceL1 or ReduceL2"),
            ("", "SplitToSequence", "export tensors instead of lists"),
            ("own", "F", "is of domain own; export with operators of ai.onnx and ai.onnx.ml alone"),
            ("com.microsoft", "CDist", "export it without CDist: in skl2onnx leave com.microsoft out of target_opset"),
            ("com.microsoft", "FusedConv", "ORT_ENABLE_BASIC"),
            ("", "RandomUniformLike", "node y (RandomUniformLike): throws dice; export the model for inference"),
            ("", "Multinomial", "throws dice"),
        ] {
            let why = refused(&model(vec![of(domain, operator)], vec![]));
            assert!(why.contains(expected), "{domain} {operator}: {why}");
        }
    }
}
