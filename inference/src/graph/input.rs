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
    let known: usize = declared.iter().filter_map(|input| input.width()).sum();
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

    fn width(&self) -> Option<usize> {
        self.dims.iter().try_fold(1usize, |width, dim| width.checked_mul((*dim)?))
    }

    /// What the one open dimension is, if the input takes so many columns.
    fn fits(&self, columns: usize) -> Result<usize, GraphError> {
        let known: usize = self.dims.iter().flatten().product();
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
}
