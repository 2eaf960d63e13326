//! That a graph asks nothing which is passed over: every attribute of every node stands in [`super::known`] with its value, and what
//! stands there but is not answered in every company is refused here. The graph library reads the attributes that it knows, and
//! says nothing of the others.

use super::attributes;
use super::check::{self, place};
use super::domains;
use super::known::{self, Attribute, CHANGED, NEWEST, Only};
use std::collections::{HashMap, HashSet};
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// Operators that may leave out an input, and give later ones.
const GAPS: [&str; 14] = [
    "Attention",
    "Clip",
    "ConvInteger",
    "DFT",
    "Dropout",
    "GRU",
    "LSTM",
    "MatMulInteger",
    "NonMaxSuppression",
    "Pad",
    "RNN",
    "Resize",
    "STFT",
    "Slice",
];
/// Operators that may leave out an output, and give later ones.
const OUTPUT_GAPS: [&str; 5] = ["Attention", "GRU", "LSTM", "LayerNormalization", "RNN"];

/// Checks a graph, and those within it, that are of an opset.
///
/// # Errors
/// The node, what it asks that is not answered here, and what would make it loadable.
pub(crate) fn check(graph: &GraphProto, opset: i64) -> Result<(), String> {
    if opset > NEWEST {
        return Err(format!("is of opset {opset}; opsets up to {NEWEST} run here: export it with one of them"));
    }
    let constants = check::constants(graph);
    for node in &graph.node {
        if domains::STANDARD.contains(&node.domain.as_str()) || node.domain == domains::ML {
            check_node(node, opset, &constants).map_err(|why| format!("{}: {why}", place(node)))?;
        }
        for inner in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
            check(inner, opset)?;
        }
    }
    Ok(())
}

fn check_node(node: &NodeProto, opset: i64, constants: &HashMap<&str, &TensorProto>) -> Result<(), String> {
    // An operator that does not run here is refused for itself.
    let Some(known) = known::attributes(&node.domain, &node.op_type) else { return Ok(()) };
    let operator = node.op_type.as_str();
    let changed = if operator == "Reshape" { 5 } else { 7 };
    if opset < changed && CHANGED.contains(&operator) {
        return Err(format!("means something else before opset {changed}: export the graph with a later one"));
    }
    let mut seen = HashSet::new();
    for attribute in &node.attribute {
        if !seen.insert(attribute.name.as_str()) {
            return Err(format!("has two attributes {}: leave one out", attribute.name));
        }
        check_attribute(attribute, known, opset)?;
    }
    if has_gap(&node.input) && (!GAPS.contains(&operator) || operator == "Resize" && opset < 13) {
        return Err("leaves out an input that it needs, and gives a later one: export it again".to_owned());
    }
    if has_gap(&node.output) && !OUTPUT_GAPS.contains(&operator) {
        return Err("leaves out an output, and gives a later one: give each a name".to_owned());
    }
    check_company(node, opset, constants)
}

/// Whether a name is left out before one that is not.
fn has_gap(names: &[String]) -> bool {
    names.iter().skip_while(|name| !name.is_empty()).any(|name| !name.is_empty())
}

fn check_attribute(attribute: &AttributeProto, known: &[Attribute], opset: i64) -> Result<(), String> {
    let name = &attribute.name;
    let found = known.iter().find(|known| known.name == name);
    let Some(known) = found.filter(|known| (known.since..=known.until).contains(&opset)) else {
        let since = found.map_or(String::new(), |_| format!(" in opset {opset}"));
        return Err(format!(
            "does not take attribute {name}{since}: leave it out, or export the graph with an opset that has it"
        ));
    };
    match known.only {
        Only::All => Ok(()),
        Only::None(instead) => Err(format!("does not take attribute {name}: {instead}")),
        Only::Whole(values) if attribute.r#type == INT && values.contains(&attribute.i) => Ok(()),
        Only::Whole(values) => Err(runs_with(name, &texts_of(values), &attribute.i.to_string())),
        Only::Texts(values) if values.iter().any(|value| value.as_bytes() == attribute.s) => Ok(()),
        Only::Texts(values) => Err(runs_with(name, &texts_of(values), &String::from_utf8_lossy(&attribute.s))),
    }
}

/// The type of an attribute that is a whole number.
const INT: i32 = 2;

fn texts_of(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn runs_with(name: &str, values: &str, found: &str) -> String {
    format!("takes attribute {name} only as {values}, not as {found}: export the model with one of them")
}

/// Whether no dimension is left by an equation of `Einsum`: after its arrow, or, without one, since each letter comes twice.
fn gives_one_number(equation: &str) -> bool {
    let equation: String = equation.chars().filter(|letter| !letter.is_whitespace()).collect();
    match equation.split_once("->") {
        Some((_, left)) => left.is_empty(),
        None => !equation.chars().any(|letter| letter == '.' || letter != ',' && equation.matches(letter).count() == 1),
    }
}

/// What is answered alone, and not together with something else.
fn check_company(node: &NodeProto, opset: i64, constants: &HashMap<&str, &TensorProto>) -> Result<(), String> {
    let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let text = |name: &str| attribute(name).map_or("", |found| std::str::from_utf8(&found.s).unwrap_or_default());
    let whole = |name: &str| attribute(name).map_or(0, |found| found.i);
    let input = |at: usize| node.input.get(at).filter(|name| !name.is_empty());
    let refused = |why: &str| Err(why.to_owned());
    let pads = attribute("pads").is_some_and(|pads| pads.ints.iter().any(|pad| *pad != 0));
    if pads && !["", "NOTSET"].contains(&text("auto_pad")) {
        return refused("has pads and auto_pad, which exclude each other: leave one out");
    }
    match node.op_type.as_str() {
        "Attention" if whole("is_causal") != 0 && input(4).is_some() => {
            refused("takes no past keys together with is_causal: give the mask as an input")
        }
        "AveragePool" | "MaxPool" if text("auto_pad") == "VALID" && whole("ceil_mode") != 0 => {
            refused("takes no ceil_mode together with auto_pad VALID: leave auto_pad out")
        }
        "ConvTranspose"
            if text("auto_pad").starts_with("SAME")
                && attribute("output_padding").is_some_and(|padding| padding.ints.iter().any(|pad| *pad != 0)) =>
        {
            refused("takes no output_padding together with auto_pad: export it with pads")
        }
        "Einsum" if gives_one_number(text("equation")) => {
            refused("sums up all that it is given into one number: use Mul and ReduceSum for that")
        }
        "Dropout" if opset < 12 && node.output.len() > 1 => {
            refused("gives no mask before opset 12: leave its second output out")
        }
        "GridSample" if text("padding_mode") == "border" && text("mode").ends_with("cubic") => {
            refused("takes no padding_mode border together with mode cubic: use zeros or reflection")
        }
        "Pad" => {
            let counts = input(1).and_then(|name| constants.get(name.as_str()));
            match counts.is_some_and(|counts| attributes::whole_numbers(counts).iter().any(|count| *count < 0)) {
                true => refused("takes away elements instead of adding some: use Slice for that"),
                false => Ok(()),
            }
        }
        "QuantizeLinear" if whole("output_dtype") == 3 && input(2).is_none() => {
            refused("takes output_dtype only with a zero point of that type: give one")
        }
        "Resize" if opset == 10 && ["", "nearest"].contains(&text("mode")) => {
            refused("takes no mode nearest in opset 10: export the graph with opset 11 or later")
        }
        "Scan" if opset < 9 => refused("takes no batches, as it has before opset 9: export the graph with a later one"),
        "Resize" if text("coordinate_transformation_mode") == "align_corners" => {
            let scales = input(if opset == 10 { 1 } else { 2 });
            let whole = |name: &String| attributes::floats(constants.get(name.as_str())?);
            match scales.is_none_or(|name| whole(name).is_some_and(|all| all.iter().all(|scale| scale.fract() == 0.0)))
            {
                true => Ok(()),
                false => refused(
                    "takes align_corners only with sizes, or with scales that are whole numbers: give it the sizes",
                ),
            }
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::examples::{node, tensor, whole, with};
    use crate::ops::tests::Attributes;

    /// Whether a node in a graph of this opset is let through, or a part of why not.
    fn check_rows(rows: Vec<(&str, i64, NodeProto, Result<(), &str>)>) {
        for (name, opset, node, expected) in rows {
            let constants = vec![
                whole("less", &[0, -1]),
                whole("more", &[0, 1]),
                tensor("halves", &[2], vec![1.0, 1.5]),
                tensor("wholes", &[2], vec![1.0, 2.0]),
            ];
            let graph = GraphProto { node: vec![node.clone()], initializer: constants, ..GraphProto::default() };
            match (check(&graph, opset), expected) {
                (Ok(()), Ok(())) => {}
                (Err(why), Err(expected)) => {
                    assert!(why.starts_with("node ") && why.contains(expected), "{}, {name}: {why}", node.op_type);
                }
                (found, expected) => panic!("{}, {name}: {found:?}, not {expected:?}", node.op_type),
            }
        }
    }

    #[test]
    fn an_attribute_is_known_to_its_operator_in_this_opset_with_this_value_and_stands_once() {
        let softmax = || node("Softmax", &["x"], "y");
        let top = |name, value| with(node("TopK", &["x", "k"], "y"), name, value);
        let pool = |padding: &str| node("MaxPool", &["x"], "y").text("auto_pad", padding);
        check_rows(vec![
            ("known", 13, with(softmax(), "axis", 1), Ok(())),
            ("twice", 13, with(with(softmax(), "axis", 1), "axis", 1), Err("has two attributes axis: leave one out")),
            ("unknown", 13, with(softmax(), "axes", 1), Err("does not take attribute axes: leave it out")),
            ("before its first opset", 10, top("largest", 1), Err("does not take attribute largest in opset 10")),
            ("in its first opset", 11, top("largest", 1), Ok(())),
            ("in its last opset", 9, top("k", 1), Ok(())),
            ("after its last opset", 10, top("k", 1), Err("does not take attribute k in opset 10")),
            ("the one value", 11, top("sorted", 1), Ok(())),
            ("another value", 11, top("sorted", 0), Err("takes attribute sorted only as 1, not as 0")),
            ("a flag is 0 or 1", 11, top("largest", 2), Err("takes attribute largest only as 0, 1, not as 2")),
            (
                "a number as text",
                11,
                node("TopK", &["x", "k"], "y").text("largest", "1"),
                Err("takes attribute largest only as 0, 1"),
            ),
            ("a text", 13, pool("SAME_UPPER"), Ok(())),
            (
                "another text",
                13,
                pool("SAME"),
                Err("takes attribute auto_pad only as NOTSET, VALID, SAME_UPPER, SAME_LOWER, not as SAME"),
            ),
            (
                "an attribute of none",
                13,
                node("Constant", &[], "y").tensor("sparse_value", whole("", &[1])),
                Err("does not take attribute sparse_value: export it dense"),
            ),
            (
                "an operator of classical models",
                13,
                NodeProto { domain: "ai.onnx.ml".into(), ..with(node("Scaler", &["x"], "y"), "mean", 1) },
                Err("does not take attribute mean"),
            ),
            // Each is refused for itself, by its name.
            ("an operator that is not known", 13, with(node("Nonsense", &["x"], "y"), "a", 1), Ok(())),
            ("another domain", 13, NodeProto { domain: "own".into(), ..with(softmax(), "axes", 1) }, Ok(())),
        ]);
    }

    #[test]
    fn an_opset_is_one_that_means_the_same() {
        check_rows(vec![
            (
                "meant something else",
                6,
                node("Add", &["x", "x"], "y"),
                Err("before opset 7: export the graph with a later one"),
            ),
            ("means the same", 7, node("Add", &["x", "x"], "y"), Ok(())),
            ("its sizes were an attribute", 4, node("Reshape", &["x", "more"], "y"), Err("before opset 5")),
            ("its sizes are an input", 5, node("Reshape", &["x", "more"], "y"), Ok(())),
            ("was always the same", 1, node("Abs", &["x"], "y"), Ok(())),
        ]);
        assert!(check(&GraphProto::default(), NEWEST).is_ok());
        let why = check(&GraphProto::default(), NEWEST + 1).unwrap_err();
        assert!(why.contains(&format!("opsets up to {NEWEST} run here")), "{why}");
    }

    #[test]
    fn what_is_left_out_is_at_the_end_or_may_be_missing() {
        let outputs = |operator: &str, names: &[&str]| NodeProto {
            output: names.iter().map(|name| (*name).to_owned()).collect(),
            ..node(operator, &["x", "w", "r"], "y")
        };
        check_rows(vec![
            ("in between", 13, node("Clip", &["x", "", "most"], "y"), Ok(())),
            (
                "in between, and needed",
                13,
                node("Gemm", &["x", "", "c"], "y"),
                Err("leaves out an input that it needs"),
            ),
            ("the first", 13, node("Concat", &["", "x"], "y"), Err("leaves out an input that it needs")),
            ("at the end", 13, node("Gemm", &["x", "w", ""], "y"), Ok(())),
            ("sizes without scales", 13, node("Resize", &["x", "", "", "more"], "y"), Ok(())),
            (
                "sizes without scales, before",
                12,
                node("Resize", &["x", "", "", "more"], "y"),
                Err("leaves out an input"),
            ),
            ("an output", 13, outputs("LSTM", &["", "last"]), Ok(())),
            (
                "an output that is needed",
                13,
                outputs("TopK", &["", "places"]),
                Err("leaves out an output, and gives a later one"),
            ),
        ]);
    }

    #[test]
    fn what_is_answered_alone_is_refused_together() {
        let pool = |padding: &str| with(node("AveragePool", &["x"], "y").text("auto_pad", padding), "ceil_mode", 1);
        let einsum = |equation: &str| node("Einsum", &["x", "x"], "y").text("equation", equation);
        let grid = |mode: &str| node("GridSample", &["x", "x"], "y").text("padding_mode", "border").text("mode", mode);
        let corners =
            |inputs: &[&str]| node("Resize", inputs, "y").text("coordinate_transformation_mode", "align_corners");
        let transposed = node("ConvTranspose", &["x", "w"], "y").ints("output_padding", &[0, 1]);
        let one_number = Err("sums up all that it is given into one number");
        let masked = NodeProto { output: vec!["y".into(), "mask".into()], ..node("Dropout", &["x"], "y") };
        check_rows(vec![
            (
                "pads and a rule for them",
                13,
                node("Conv", &["x", "w"], "y").ints("pads", &[0, 1]).text("auto_pad", "VALID"),
                Err("exclude each other"),
            ),
            (
                "pads of nothing",
                13,
                node("Conv", &["x", "w"], "y").ints("pads", &[0, 0]).text("auto_pad", "VALID"),
                Ok(()),
            ),
            (
                "pads and no rule",
                13,
                node("Conv", &["x", "w"], "y").ints("pads", &[1, 1]).text("auto_pad", "NOTSET"),
                Ok(()),
            ),
            ("rounded up without pads", 13, pool("VALID"), Err("no ceil_mode together with auto_pad VALID")),
            ("rounded up", 13, pool("NOTSET"), Ok(())),
            (
                "two paddings",
                13,
                transposed.clone().text("auto_pad", "SAME_LOWER"),
                Err("no output_padding together with auto_pad"),
            ),
            ("one padding", 13, transposed, Ok(())),
            ("an arrow to nothing", 13, einsum("ij,ij -> "), one_number),
            ("each letter twice", 13, einsum("i j, j i"), one_number),
            ("a letter that stays", 13, einsum("ij,jk"), Ok(())),
            ("dimensions that are not named", 13, einsum("...i,...i"), Ok(())),
            ("an arrow to one dimension", 13, einsum("ij,ij->i"), Ok(())),
            ("a mask", 11, masked.clone(), Err("gives no mask before opset 12")),
            ("a mask, later", 12, masked, Ok(())),
            ("a border and curves", 16, grid("bicubic"), Err("no padding_mode border together with mode cubic")),
            ("a border and lines", 16, grid("bilinear"), Ok(())),
            ("takes elements away", 13, node("Pad", &["x", "less"], "y"), Err("use Slice for that")),
            ("adds elements", 13, node("Pad", &["x", "more"], "y"), Ok(())),
            ("sizes that are not known", 13, node("Pad", &["x", "x"], "y"), Ok(())),
            (
                "a type without a zero point",
                21,
                with(node("QuantizeLinear", &["x", "s"], "y"), "output_dtype", 3),
                Err("only with a zero point"),
            ),
            ("a type with one", 21, with(node("QuantizeLinear", &["x", "s", "z"], "y"), "output_dtype", 3), Ok(())),
            ("the nearest, in opset 10", 10, node("Resize", &["x", "wholes"], "y"), Err("no mode nearest in opset 10")),
            ("corners and halves", 13, corners(&["x", "", "halves"]), Err("with scales that are whole numbers")),
            ("corners and whole scales", 13, corners(&["x", "", "wholes"]), Ok(())),
            ("corners and scales that are not known", 13, corners(&["x", "", "x"]), Err("give it the sizes")),
            ("corners and sizes", 13, corners(&["x", "", "", "more"]), Ok(())),
            ("batches of loops", 8, node("Scan", &["x"], "y"), Err("takes no batches, as it has before opset 9")),
            (
                "past keys and causes",
                23,
                with(node("Attention", &["q", "k", "v", "", "past"], "y"), "is_causal", 1),
                Err("no past keys together with is_causal"),
            ),
            ("past keys", 23, node("Attention", &["q", "k", "v", "", "past"], "y"), Ok(())),
        ]);
    }

    #[test]
    fn graphs_within_are_checked_too() {
        let inner = GraphProto { node: vec![with(node("Relu", &["x"], "y"), "alpha", 1)], ..GraphProto::default() };
        let branch =
            AttributeProto { name: "then_branch".into(), g: Some(inner), r#type: 5, ..AttributeProto::default() };
        check_rows(vec![(
            "a branch",
            13,
            node("If", &["c"], "y").with(branch),
            Err("(Relu): does not take attribute alpha"),
        )]);
    }
}
