//! PURE. A graph as messages, changed only in what it gives: what a last sigmoid or softmax was given becomes an output of its
//! own, or the graph ends where its trees begin. What it reckons on the way is as its exporter wrote it.

use crate::error::GraphError;
use crate::onnx::attribute_proto::AttributeType;
use crate::onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use prost::Message;
use std::collections::HashSet;

/// Operators of classical models that squash their own scores.
const MODELS: [&str; 4] = ["LinearClassifier", "LinearRegressor", "TreeEnsembleClassifier", "TreeEnsembleRegressor"];
/// Added to the name of an output whose scores are not squashed.
const UNSQUASHED: &str = ".before";

/// How scores become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Squash {
    /// Each for itself.
    Sigmoid,
    /// All classes of a row together; also what makes probabilities of their logarithms.
    Softmax,
}

/// A place where scores become probabilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The tensor of probabilities that is made there.
    pub name: String,
    /// How.
    pub squash: Squash,
}

/// Where scores become probabilities on the way to an output, the nearest to it first.
pub fn places(proto: &ModelProto, output: &str) -> Vec<Place> {
    let Some(graph) = &proto.graph else { return vec![] };
    let nodes = graph.node.iter().enumerate();
    let wanted = needed(graph, &[output]);
    let mut found: Vec<(usize, Place)> = nodes
        .filter(|(at, _)| wanted.contains(at))
        .filter_map(|(at, node)| Some((at, Place { name: scores_of(node)?.to_owned(), squash: squash_of(node)? })))
        .collect();
    found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    found.into_iter().map(|(_, place)| place).collect()
}

/// The graph with two outputs: `output`, and what the place of that name was given.
///
/// # Errors
/// [`GraphError`] when no sigmoid or softmax makes a tensor of that name.
pub fn tapped(mut proto: ModelProto, output: &str, place: &str) -> Result<ModelProto, GraphError> {
    let missing = || GraphError(format!("no sigmoid or softmax gives {place}"));
    let graph = proto.graph.as_mut().ok_or_else(missing)?;
    let at = graph.node.iter().position(|node| scores_of(node) == Some(place) && squash_of(node).is_some());
    let at = at.ok_or_else(missing)?;
    let tap = match MODELS.contains(&graph.node[at].op_type.as_str()) {
        true => {
            let node = unsquashed(&graph.node[at]);
            let tap = node.output.last().cloned().unwrap_or_default();
            graph.node.insert(at + 1, node);
            tap
        }
        false => graph.node[at].input.first().cloned().unwrap_or_default(),
    };
    Ok(ending_in(proto, &[output, &tap]))
}

/// The graph with these outputs, and no node that they do not need.
pub fn ending_in(mut proto: ModelProto, outputs: &[&str]) -> ModelProto {
    if let Some(graph) = &mut proto.graph {
        let needed = needed(graph, outputs);
        let mut at = 0..;
        graph.node.retain(|_| at.next().is_some_and(|at| needed.contains(&at)));
        let info = |name: &&str| {
            let known = graph.output.iter().find(|output| output.name == **name);
            known.cloned().unwrap_or_else(|| ValueInfoProto { name: (*name).to_owned(), ..Default::default() })
        };
        graph.output = outputs.iter().map(info).collect();
    }
    proto
}

/// The words that operators behind an input know, in their order: categories of encoders, keys of tables, texts that are compared.
pub fn words(proto: &ModelProto, input: &str) -> Vec<String> {
    let Some(graph) = &proto.graph else { return vec![] };
    let mut found: Vec<String> = Vec::new();
    let mut reached: HashSet<&str> = HashSet::from([input]);
    // Nodes stand in the order in which they are reckoned.
    for node in graph.node.iter().filter(|node| !node.op_type.is_empty()) {
        if !node.input.iter().any(|name| reached.contains(name.as_str())) {
            continue;
        }
        let lists =
            node.attribute.iter().filter(|attribute| ["cats_strings", "keys_strings"].contains(&&*attribute.name));
        let mut own: Vec<&Vec<u8>> = lists.flat_map(|attribute| &attribute.strings).collect();
        let constants = graph.initializer.iter().filter(|tensor| node.input.contains(&tensor.name));
        own.extend(constants.flat_map(|tensor| &tensor.string_data));
        let is_table = !own.is_empty();
        for word in own.into_iter().map(|word| String::from_utf8_lossy(word).into_owned()) {
            if !word.is_empty() && !found.contains(&word) {
                found.push(word);
            }
        }
        if !is_table {
            reached.extend(node.output.iter().map(String::as_str));
        }
    }
    found
}

/// The graph as a file has it.
pub fn bytes(proto: &ModelProto) -> Vec<u8> {
    proto.encode_to_vec()
}

/// The positions of the nodes that an output is made by. A node that holds a graph within it counts what that one reads.
fn needed(graph: &GraphProto, outputs: &[&str]) -> HashSet<usize> {
    let mut needed = HashSet::new();
    let mut open: Vec<String> = outputs.iter().map(|name| (*name).to_owned()).collect();
    let mut seen: HashSet<String> = open.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let maker = graph.node.iter().position(|node| node.output.contains(&name));
        let Some(maker) = maker.filter(|at| needed.insert(*at)) else { continue };
        let mut read = vec![];
        reads(&graph.node[maker], &mut read);
        open.extend(read.into_iter().filter(|name| seen.insert((*name).clone())).cloned());
    }
    needed
}

fn reads<'g>(node: &'g NodeProto, names: &mut Vec<&'g String>) {
    names.extend(&node.input);
    for inner in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
        inner.node.iter().for_each(|node| reads(node, names));
        names.extend(inner.output.iter().map(|output| &output.name));
    }
}

/// The tensor of probabilities that a node may make: its last output.
fn scores_of(node: &NodeProto) -> Option<&str> {
    node.output.last().map(String::as_str)
}

fn squash_of(node: &NodeProto) -> Option<Squash> {
    let transform =
        || node.attribute.iter().find(|attribute| attribute.name == "post_transform").map(|found| &*found.s);
    match node.op_type.as_str() {
        "Sigmoid" => Some(Squash::Sigmoid),
        // Log-probabilities of all classes are scores like any others.
        "Softmax" | "Exp" => Some(Squash::Softmax),
        model if MODELS.contains(&model) => match transform() {
            Some(b"LOGISTIC") => Some(Squash::Sigmoid),
            Some(b"SOFTMAX") => Some(Squash::Softmax),
            _ => None,
        },
        _ => None,
    }
}

/// A model's operator once more, its scores as they are.
fn unsquashed(node: &NodeProto) -> NodeProto {
    let mut node = node.clone();
    node.name += UNSQUASHED;
    node.output.iter_mut().for_each(|output| *output += UNSQUASHED);
    node.attribute.retain(|attribute| attribute.name != "post_transform");
    let plain = AttributeProto {
        name: "post_transform".to_owned(),
        s: b"NONE".to_vec(),
        r#type: AttributeType::String as i32,
        ..Default::default()
    };
    node.attribute.push(plain);
    node
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::examples::{model, node, tensor};

    fn net() -> ModelProto {
        let nodes = vec![
            node("MatMul", &["x", "w"], "z"),
            node("Sigmoid", &["z"], "p"),
            node("Sub", &["one", "p"], "q"),
            node("Neg", &["z"], "unread"),
            node("Identity", &["p"], "y"),
        ];
        model(2, 1, nodes, vec![tensor("w", &[2, 1], vec![1.0, -1.0]), tensor("one", &[1], vec![1.0])])
    }

    #[test]
    fn the_last_sigmoid_is_found_and_what_it_is_given_is_an_output() {
        let place = Place { name: "p".into(), squash: Squash::Sigmoid };
        assert_eq!(places(&net(), "y"), [place]);
        assert_eq!(places(&net(), "unread"), []);
        let graph = tapped(net(), "y", "p").unwrap().graph.unwrap();
        assert_eq!(graph.output.iter().map(|output| output.name.as_str()).collect::<Vec<_>>(), ["y", "z"]);
        assert_eq!(
            graph.node.iter().map(|node| node.op_type.as_str()).collect::<Vec<_>>(),
            ["MatMul", "Sigmoid", "Identity"]
        );
        assert!(tapped(net(), "y", "z").unwrap_err().to_string().contains("no sigmoid or softmax gives z"));
    }

    #[test]
    fn a_models_own_squashing_is_left_out_beside_it() {
        let mut linear = node("LinearClassifier", &["x"], "label");
        linear.output.push("p".into());
        let logistic = AttributeProto { name: "post_transform".into(), s: b"LOGISTIC".to_vec(), ..Default::default() };
        linear.attribute.push(logistic);
        let proto = model(2, 2, vec![linear, node("Identity", &["p"], "y")], vec![]);
        assert_eq!(places(&proto, "y").len(), 1);
        let graph = tapped(proto, "y", "p").unwrap().graph.unwrap();
        assert_eq!(graph.output[1].name, "p.before");
        assert_eq!(graph.node[1].attribute[0].s, b"NONE");
        assert_eq!(graph.node[0].attribute[0].s, b"LOGISTIC");
    }

    #[test]
    fn places_are_those_on_the_way_to_an_output_the_nearest_first() {
        let transform = |name: &str, text: &str| {
            let s = text.as_bytes().to_vec();
            let post = AttributeProto { name: "post_transform".into(), s, ..Default::default() };
            NodeProto { attribute: vec![post], ..node(name, &["x"], "p") }
        };
        let one = |squash| vec![Place { name: "p".into(), squash }];
        let through = |last: NodeProto| model(2, 1, vec![last, node("Identity", &["p"], "y")], vec![]);
        for (name, last, expected) in [
            ("a sigmoid", node("Sigmoid", &["x"], "p"), one(Squash::Sigmoid)),
            ("a softmax", node("Softmax", &["x"], "p"), one(Squash::Softmax)),
            ("powers of log-probabilities", node("Exp", &["x"], "p"), one(Squash::Softmax)),
            ("a model's own sigmoid", transform("TreeEnsembleClassifier", "LOGISTIC"), one(Squash::Sigmoid)),
            ("a model's own softmax", transform("LinearRegressor", "SOFTMAX"), one(Squash::Softmax)),
            ("a model's scores", transform("LinearClassifier", "NONE"), vec![]),
            ("another model's", transform("SVMClassifier", "LOGISTIC"), vec![]),
            ("a tanh", node("Tanh", &["x"], "p"), vec![]),
        ] {
            assert_eq!(places(&through(last), "y"), expected, "{name}");
        }
        let two = vec![node("Sigmoid", &["x"], "a"), node("Softmax", &["a"], "b"), node("Identity", &["b"], "y")];
        let names: Vec<String> = places(&model(2, 1, two, vec![]), "y").into_iter().map(|place| place.name).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(places(&ModelProto::default(), "y"), []);
    }

    /// A node that holds a graph needs what that graph reads.
    #[test]
    fn a_graph_keeps_what_its_outputs_need_and_nothing_else() {
        let inner = GraphProto { node: vec![node("Abs", &["z"], "inside")], ..Default::default() };
        let branch = AttributeProto { name: "then_branch".into(), g: Some(inner), ..Default::default() };
        let choice = NodeProto { attribute: vec![branch], ..node("If", &["c"], "y") };
        let nodes = vec![node("Neg", &["x"], "z"), node("Exp", &["x"], "unread"), choice];
        let of = |outputs: &[&str]| {
            let graph = ending_in(model(2, 1, nodes.clone(), vec![]), outputs).graph.unwrap();
            let names = |all: Vec<&str>| all.join(" ");
            let kept = names(graph.node.iter().map(|node| node.output[0].as_str()).collect());
            (kept, names(graph.output.iter().map(|output| output.name.as_str()).collect()))
        };
        assert_eq!(of(&["y"]), ("z y".into(), "y".into()));
        assert_eq!(of(&["unread", "z"]), ("z unread".into(), "unread z".into()));
        assert_eq!(of(&["x"]), (String::new(), "x".into()), "an input is an output that needs no node");
    }

    #[test]
    fn words_are_those_that_the_operators_behind_an_input_know() {
        let texts = |name: &str, words: &[&str], node: NodeProto| {
            let strings = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            NodeProto { attribute: vec![AttributeProto { name: name.into(), strings, ..Default::default() }], ..node }
        };
        let mut compared = tensor("own", &[], vec![]);
        compared.string_data = vec![b"own".to_vec(), vec![]];
        let nodes = vec![
            node("Identity", &["kind"], "same"),
            texts("keys_strings", &["rent", "own", "rent"], node("LabelEncoder", &["same"], "code")),
            texts("cats_strings", &["later"], node("OneHotEncoder", &["code"], "hot")),
            node("Equal", &["same", "own"], "is"),
            texts("cats_strings", &["never"], node("OneHotEncoder", &["other"], "else")),
        ];
        let proto = model(1, 1, nodes, vec![compared]);
        assert_eq!(words(&proto, "kind"), ["rent", "own"], "each once, and none of what is behind a table");
        assert_eq!(words(&proto, "other"), ["never"]);
        assert_eq!(words(&proto, "nothing"), Vec::<String>::new());
    }
}
