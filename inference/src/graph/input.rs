//! The inputs of a graph, and which columns of a table each of them takes.

use super::table::Kind;
use crate::error::{EngineError, GraphError, refused};
use std::collections::{HashMap, HashSet};
use tract_onnx::pb::tensor_shape_proto::dimension::Value::DimValue;
use tract_onnx::pb::{GraphProto, ValueInfoProto, tensor_proto::DataType, type_proto};
use tract_onnx::prelude::*;

/// Rows that run at once, where the graph does not fix their number itself.
pub(super) const BLOCK: usize = 256;
/// No table has more columns.
const MOST_COLUMNS: usize = 1 << 16;
/// Names that a refusal lists.
const SHOWN: usize = 8;

/// An input of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// As the exporter named it.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
    /// Number of columns that it takes: all dimensions of a row, multiplied. A sequence of 12 months of 3 figures takes 36, month by
    /// month.
    pub width: usize,
    /// Dimensions of a row; none of an input [N].
    pub(super) dims: TVec<usize>,
}

/// How the columns of a table were matched to inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// Each by its name.
    Names,
    /// In their order, since none has a name of the graph's.
    Order,
}

/// Which columns each input takes, and how they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// By input.
    pub columns: Vec<Vec<usize>>,
    pub matched: Matched,
}

impl Input {
    /// The names that columns have if they are to be found by name: the input's own, or with their number if it takes several.
    pub fn columns(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.width).map(|at| if self.width == 1 { self.name.clone() } else { format!("{}[{at}]", self.name) })
    }

    /// Whether a row of it has several dimensions, such as months of figures.
    pub fn is_sequence(&self) -> bool {
        self.dims.len() > 1
    }

    /// Whether it takes rows of so many columns of single precision, as two dimensions.
    pub(crate) fn is_f32_rows(&self, width: usize) -> bool {
        self.kind == Kind::F32 && *self.dims == [width]
    }

    pub(super) fn shape(&self, block: usize) -> TVec<usize> {
        [block].into_iter().chain(self.dims.iter().copied()).collect()
    }
}

/// By name where the table has any of the graph's names, and then all of them; in their order where it has none.
pub(super) fn places(inputs: &[Input], header: &[String]) -> Result<Places, EngineError> {
    let names: Vec<String> = inputs.iter().flat_map(Input::columns).collect();
    let plain = |name: &str| name.trim().to_ascii_lowercase();
    let near: HashSet<String> = header.iter().map(|column| plain(column)).collect();
    let is_near = |name: &String| near.contains(&plain(name));
    let (matched, flat) = match names.iter().any(is_near) {
        true => (Matched::Names, by_name(&names, header)?),
        false if names.len() != header.len() => return Err(miscounted(inputs, names.len(), header.len())),
        false => (Matched::Order, (0..header.len()).collect()),
    };
    let mut next = flat.into_iter();
    let columns = inputs.iter().map(|input| next.by_ref().take(input.width).collect()).collect();
    Ok(Places { columns, matched })
}

fn by_name(names: &[String], header: &[String]) -> Result<Vec<usize>, EngineError> {
    let mut places: HashMap<&String, usize> = HashMap::with_capacity(header.len());
    for (at, column) in header.iter().enumerate() {
        if places.insert(column, at).is_some() {
            return Err(EngineError(format!("two columns are called {column}")));
        }
    }
    let known: HashSet<&String> = names.iter().collect();
    let found: Vec<Option<usize>> = names.iter().map(|name| places.get(name).copied()).collect();
    let absent: Vec<&String> = names.iter().zip(&found).filter(|(_, at)| at.is_none()).map(|(name, _)| name).collect();
    let extra: Vec<&String> = header.iter().filter(|column| !known.contains(column)).collect();
    match (absent.as_slice(), extra.as_slice()) {
        ([], []) => Ok(found.into_iter().flatten().collect()),
        _ => Err(EngineError(format!(
            "the columns are not the graph's: {}{}{}",
            listed("the table lacks ", &absent),
            if absent.is_empty() || extra.is_empty() { "" } else { "; " },
            listed("the graph does not take ", &extra),
        ))),
    }
}

fn listed(what: &str, names: &[&String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let shown: Vec<&str> = names.iter().take(SHOWN).map(|name| name.as_str()).collect();
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    format!("{what}{}{more}", shown.join(", "))
}

fn miscounted(inputs: &[Input], wanted: usize, found: usize) -> EngineError {
    let each: Vec<String> = inputs.iter().take(SHOWN).map(|input| format!("{} {}", input.name, input.width)).collect();
    let of = if inputs.len() > 1 { format!(" ({})", each.join(", ")) } else { String::new() };
    EngineError(format!("the graph takes {wanted} columns{of}, the table has {found}"))
}

/// The inputs, and the number of rows that they are fixed to, if they are.
pub(super) fn inputs_of(graph: &GraphProto, columns: Option<usize>) -> Result<(Vec<Input>, Option<usize>), GraphError> {
    let constant = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let infos: Vec<&ValueInfoProto> = graph.input.iter().filter(|input| !constant(&input.name)).collect();
    let declared = infos.iter().map(|info| Declared::of(info)).collect::<Result<Vec<_>, _>>()?;
    let known: usize = declared.iter().filter_map(|input| input.width()).fold(0, usize::saturating_add);
    let open: Vec<&Declared> = declared.iter().filter(|input| input.width().is_none()).collect();
    let rest = match (open.as_slice(), columns) {
        ([], _) => 0,
        ([one], Some(columns)) if columns > known => one.fits(columns - known)?,
        ([_], _) => return Err(refused("its input has no fixed width: say how many columns the table has")),
        _ => return Err(refused("several of its inputs have no fixed width: export them with one")),
    };
    let mut rows: Vec<usize> = declared.iter().filter_map(|input| input.rows).collect();
    rows.dedup();
    let rows = match rows.as_slice() {
        [] => None,
        [rows] if *rows <= BLOCK => Some(*rows),
        _ => return Err(refused("its inputs are fixed to other numbers of rows than 1 to 256: export them with any")),
    };
    let input = |info: &&ValueInfoProto, declared: &Declared| {
        let dims: TVec<usize> = declared.dims.iter().map(|dim| dim.unwrap_or(rest)).collect();
        let width = dims.iter().try_fold(1usize, |width, dim| width.checked_mul(*dim));
        Some(Input { name: info.name.clone(), kind: declared.kind, width: width?, dims })
    };
    let inputs: Option<Vec<Input>> =
        infos.iter().zip(&declared).map(|(info, declared)| input(info, declared)).collect();
    let inputs = inputs.unwrap_or_default();
    match inputs.iter().try_fold(0usize, |total, input| total.checked_add(input.width)) {
        Some(1..=MOST_COLUMNS) => Ok((inputs, rows)),
        _ => Err(refused("it takes no columns, or more than a table has")),
    }
}

/// What a graph says of one of its inputs.
struct Declared {
    name: String,
    kind: Kind,
    rows: Option<usize>,
    /// Of a row; at most one is open where the width is to be found.
    dims: TVec<Option<usize>>,
}

impl Declared {
    fn of(info: &ValueInfoProto) -> Result<Self, GraphError> {
        let tensor = info.r#type.as_ref().and_then(|found| found.value.as_ref());
        let Some(type_proto::Value::TensorType(tensor)) = tensor else {
            return Err(refused(&format!("its input {} is no tensor: export it with one", info.name)));
        };
        let kind = DataType::try_from(tensor.elem_type).ok().and_then(Kind::of);
        let kind = kind.ok_or_else(|| refused(&format!("its input {} is of a type that no table has", info.name)))?;
        let size = |value: &Option<_>| match value {
            Some(DimValue(size)) => usize::try_from(*size).ok().filter(|size| *size > 0),
            _ => None,
        };
        let sizes: TVec<Option<usize>> = match &tensor.shape {
            Some(shape) => shape.dim.iter().map(|dim| size(&dim.value)).collect(),
            None => tvec!(None, None),
        };
        let Some((rows, dims)) = sizes.split_first() else {
            return Err(refused(&format!("its input {} is one value, not one for each row", info.name)));
        };
        Ok(Self { name: info.name.clone(), kind, rows: *rows, dims: dims.into() })
    }

    /// None where a dimension is open.
    fn width(&self) -> Option<usize> {
        self.dims.iter().try_fold(1usize, |width, dim| Some(width.saturating_mul((*dim)?)))
    }

    /// What the one open dimension is, if the input takes so many columns.
    fn fits(&self, columns: usize) -> Result<usize, GraphError> {
        let known: usize = self.dims.iter().flatten().fold(1, |known, dim| known.saturating_mul(*dim));
        let open = self.dims.iter().filter(|dim| dim.is_none()).count();
        match open == 1 && known > 0 && columns.is_multiple_of(known) {
            true => Ok(columns / known),
            false => Err(refused(&format!(
                "its input {} has several dimensions without a size: export it with fixed ones, such as [N, 12, 3] for three \
                 figures of twelve months",
                self.name
            ))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn input(name: &str, dims: &[usize]) -> Input {
        Input { name: name.into(), kind: Kind::F32, width: dims.iter().product(), dims: dims.into() }
    }

    #[test]
    fn names_match_all_or_none() {
        let named = [input("income", &[1]), input("age", &[]), input("debt", &[1])];
        let whole = [input("X", &[3])];
        let rows: [(&[Input], &[&str], Result<(Vec<Vec<usize>>, Matched), &str>); 8] = [
            (&named, &["age", "debt", "income"], Ok((vec![vec![2], vec![0], vec![1]], Matched::Names))),
            (&named, &["a", "b", "c"], Ok((vec![vec![0], vec![1], vec![2]], Matched::Order))),
            (&named, &["income", "agee", "debt"], Err("the table lacks age; the graph does not take agee")),
            (&named, &["Income", "Age", "Debt"], Err("lacks income, age, debt; the graph does not take Income")),
            (&named, &["income", "age", "debt", "id"], Err("columns are not the graph's: the graph does not take id")),
            (&named, &["income", "age", "age"], Err("two columns are called age")),
            (&whole, &["a", "b"], Err("takes 3 columns, the table has 2")),
            (&whole, &["X[2]", "X[0]", "X[1]"], Ok((vec![vec![1, 2, 0]], Matched::Names))),
        ];
        for (inputs, header, expected) in rows {
            let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
            match (places(inputs, &header), expected) {
                (Ok(found), Ok((columns, matched))) => assert_eq!(found, Places { columns, matched }, "{header:?}"),
                (Err(why), Err(expected)) => assert!(why.to_string().contains(expected), "{why}"),
                (found, expected) => panic!("{header:?}: {found:?}, not {expected:?}"),
            }
        }
    }

    /// Of a type, its first dimension, and those of a row; 0 stands for a size that is left open.
    fn info(name: &str, elem_type: DataType, sizes: &[i64]) -> ValueInfoProto {
        use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value::DimParam};
        use tract_onnx::pb::{TensorShapeProto, TypeProto};
        let value = |size: &i64| if *size == 0 { DimParam("N".into()) } else { DimValue(*size) };
        let dim = sizes.iter().map(|size| Dimension { value: Some(value(size)), ..Default::default() }).collect();
        let tensor = type_proto::Tensor { elem_type: elem_type as i32, shape: Some(TensorShapeProto { dim }) };
        let of = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
        ValueInfoProto { name: name.into(), r#type: Some(of), ..Default::default() }
    }

    #[test]
    fn widths_are_what_the_graph_says_or_what_the_table_leaves() {
        use DataType::{Double, Float, Int64, Uint8};
        let float = |name: &str, sizes: &[i64]| info(name, Float, sizes);
        type Found = Result<(Vec<usize>, Option<usize>), &'static str>;
        let rows: [(&str, Vec<ValueInfoProto>, Option<usize>, Found); 19] = [
            ("fixed", vec![float("x", &[0, 3])], None, Ok((vec![3], None))),
            ("of any number of rows, said by a size below one", vec![float("x", &[-1, 3])], None, Ok((vec![3], None))),
            ("one column each", vec![float("a", &[0, 1]), info("b", Int64, &[0])], None, Ok((vec![1, 1], None))),
            ("months of figures", vec![float("x", &[0, 12, 3])], None, Ok((vec![36], None))),
            ("open", vec![float("x", &[0, 0])], Some(7), Ok((vec![7], None))),
            (
                "open beside a fixed one",
                vec![float("x", &[0, 0]), info("y", Double, &[0, 2])],
                Some(7),
                Ok((vec![5, 2], None)),
            ),
            ("open months", vec![float("x", &[0, 0, 3])], Some(36), Ok((vec![36], None))),
            ("a number of rows", vec![float("x", &[256, 3])], None, Ok((vec![3], Some(256)))),
            ("open, and nobody says", vec![float("x", &[0, 0])], None, Err("say how many columns the table has")),
            (
                "open, and nothing is left",
                vec![float("x", &[0, 0]), float("y", &[0, 7])],
                Some(7),
                Err("say how many columns"),
            ),
            (
                "months that do not come out",
                vec![float("x", &[0, 0, 3])],
                Some(37),
                Err("several dimensions without a size"),
            ),
            ("two open dimensions", vec![float("x", &[0, 0, 0])], Some(36), Err("such as [N, 12, 3]")),
            (
                "two open inputs",
                vec![float("x", &[0, 0]), float("y", &[0, 0])],
                Some(7),
                Err("several of its inputs have no fixed width"),
            ),
            ("too many rows", vec![float("x", &[257, 3])], None, Err("other numbers of rows than 1 to 256")),
            ("two numbers of rows", vec![float("x", &[2, 3]), float("y", &[4, 3])], None, Err("other numbers of rows")),
            ("one value", vec![float("x", &[])], None, Err("its input x is one value, not one for each row")),
            ("a type that no table has", vec![info("x", Uint8, &[0, 1])], None, Err("of a type that no table has")),
            (
                "open beside what is too wide",
                vec![float("x", &[0, 0]), float("y", &[0, 1 << 40, 1 << 40])],
                Some(7),
                Err("say how many columns"),
            ),
            (
                "too wide",
                vec![float("x", &[0, 1 << 40, 1 << 40])],
                None,
                Err("it takes no columns, or more than a table has"),
            ),
        ];
        for (name, input, columns, expected) in rows {
            let graph = GraphProto { input, ..GraphProto::default() };
            match (inputs_of(&graph, columns), expected) {
                (Ok((inputs, rows)), Ok(expected)) => {
                    assert_eq!((inputs.iter().map(|input| input.width).collect(), rows), expected, "{name}");
                }
                (Err(why), Err(expected)) => assert!(why.to_string().contains(expected), "{name}: {why}"),
                (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
            }
        }
        assert!(inputs_of(&GraphProto::default(), None).is_err(), "no inputs");
        let no_tensor = ValueInfoProto { name: "x".into(), ..ValueInfoProto::default() };
        let graph = GraphProto { input: vec![no_tensor], ..GraphProto::default() };
        assert!(inputs_of(&graph, None).is_err_and(|why| why.to_string().contains("its input x is no tensor")));
    }

    /// Files of older exporters declare their tensors as inputs too.
    #[test]
    fn a_tensor_of_the_file_is_no_input() {
        let graph = GraphProto {
            input: vec![info("w", DataType::Float, &[2, 2]), info("x", DataType::Float, &[0, 2])],
            initializer: vec![crate::examples::tensor("w", &[2, 2], vec![0.0; 4])],
            ..Default::default()
        };
        let (inputs, rows) = inputs_of(&graph, None).unwrap();
        assert_eq!((inputs.len(), inputs[0].name.as_str(), rows), (1, "x", None));
        assert_eq!(inputs[0].columns().collect::<Vec<_>>(), ["x[0]", "x[1]"]);
        assert!(inputs[0].is_f32_rows(2) && !inputs[0].is_f32_rows(1) && !inputs[0].is_sequence());
        let months = input("history", &[2, 3]);
        assert!(months.is_sequence() && !months.is_f32_rows(6) && months.shape(4)[..] == [4, 2, 3]);
    }

    #[test]
    fn a_refusal_lists_no_more_than_a_few_names() {
        let wide = [input("x", &[20])];
        let header: Vec<String> = (0..20).map(|at| if at == 0 { "x[0]".into() } else { format!("c{at}") }).collect();
        let why = places(&wide, &header).unwrap_err().to_string();
        assert!(
            why.contains("lacks x[1], x[2]") && why.contains("x[8] and 11 more; the graph does not take c1"),
            "{why}"
        );
        let two = [input("a", &[2]), input("b", &[1])];
        let why = places(&two, &["p".into()]).unwrap_err().to_string();
        assert!(why.contains("takes 3 columns (a 2, b 1), the table has 1"), "{why}");
    }
}
