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
