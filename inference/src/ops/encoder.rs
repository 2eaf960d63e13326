//! `LabelEncoder`, `CategoryMapper` and `OneHotEncoder`: from one set of values to another by a table.

use super::attributes;
use super::operator::{Built, Fact, Operator, built, each_alone};
use super::rows::{slice, tensor};
use super::{NodeProto, ParsingContext};
use std::collections::HashMap;
use tract_onnx::tract_hir::internal::*;

/// A value to look up. Floats go by value: −0 is 0, and NaN is itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Text(String),
    Int(i64),
    Float(u64),
}

impl Key {
    fn float(value: f64) -> Self {
        Self::Float(if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() })
    }

    /// The elements of a tensor.
    fn all(tensor: &Tensor) -> TractResult<Vec<Self>> {
        Ok(match tensor.datum_type() {
            DatumType::String => slice::<String>(tensor)?.iter().cloned().map(Self::Text).collect(),
            DatumType::I64 => slice::<i64>(tensor)?.iter().copied().map(Self::Int).collect(),
            DatumType::I32 => slice::<i32>(tensor)?.iter().map(|v| Self::Int((*v).into())).collect(),
            DatumType::I16 => slice::<i16>(tensor)?.iter().map(|v| Self::Int((*v).into())).collect(),
            DatumType::I8 => slice::<i8>(tensor)?.iter().map(|v| Self::Int((*v).into())).collect(),
            DatumType::Bool => slice::<bool>(tensor)?.iter().map(|v| Self::Int((*v).into())).collect(),
            DatumType::F32 => slice::<f32>(tensor)?.iter().map(|v| Self::float((*v).into())).collect(),
            DatumType::F64 => slice::<f64>(tensor)?.iter().map(|v| Self::float(*v)).collect(),
            other => bail!("has no table of {other:?}: cast it before"),
        })
    }
}

/// Positions of keys; the first of equal ones counts.
#[derive(Debug)]
struct Positions(HashMap<Key, usize>);

impl Positions {
    fn of(keys: &Tensor) -> TractResult<Self> {
        let mut positions = HashMap::new();
        for (position, key) in Key::all(keys)?.into_iter().enumerate() {
            positions.entry(key).or_insert(position);
        }
        Ok(Self(positions))
    }

    fn find(&self, tensor: &Tensor) -> TractResult<Vec<Option<usize>>> {
        Ok(Key::all(tensor)?.iter().map(|key| self.0.get(key).copied()).collect())
    }
}

/// A table from keys to values.
#[derive(Debug)]
struct Table {
    keys: DatumType,
    positions: Positions,
    values: Tensor,
    /// A single value of the same type, for all other keys.
    otherwise: Tensor,
}

impl Table {
    fn new(node: &NodeProto, keys: &Tensor, values: Tensor, otherwise: Tensor) -> TractResult<Self> {
        node.expect(keys.len() == values.len(), "as many keys as values")?;
        node.expect(
            values.datum_type() == otherwise.datum_type() && otherwise.len() == 1,
            "a default like its values",
        )?;
        Ok(Self { keys: keys.datum_type(), positions: Positions::of(keys)?, values, otherwise })
    }

    fn look_up(&self, keys: &Tensor) -> TractResult<Tensor> {
        let found = self.positions.find(keys)?;
        match self.values.datum_type() {
            DatumType::String => self.gather::<String>(&found, keys.shape()),
            DatumType::I64 => self.gather::<i64>(&found, keys.shape()),
            DatumType::I32 => self.gather::<i32>(&found, keys.shape()),
            DatumType::I16 => self.gather::<i16>(&found, keys.shape()),
            DatumType::F32 => self.gather::<f32>(&found, keys.shape()),
            DatumType::F64 => self.gather::<f64>(&found, keys.shape()),
            other => bail!("has no values of {other:?}"),
        }
    }

    fn gather<D: Datum>(&self, found: &[Option<usize>], shape: &[usize]) -> TractResult<Tensor> {
        let values = slice::<D>(&self.values)?;
        let otherwise = slice::<D>(&self.otherwise)?.first().context("has no default")?;
        let value = |at: &Option<usize>| at.and_then(|at| values.get(at)).unwrap_or(otherwise).clone();
        tensor(shape, found.iter().map(value).collect())
    }
}

/// A table, or one for each type of input.
#[derive(Debug)]
struct Encoder {
    name: &'static str,
    tables: Vec<Table>,
}

impl Encoder {
    fn table(&self, keys: DatumType) -> TractResult<&Table> {
        let found = self.tables.iter().find(|table| table.keys == keys);
        found.with_context(|| {
            let keys: Vec<_> = self.tables.iter().map(|table| table.keys).collect();
            format!("{} looks up {keys:?}; it is given another type: cast its input", self.name)
        })
    }
}

impl Operator for Encoder {
    fn name(&self) -> &'static str {
        self.name
    }

    fn row_axis(&self, rows: &[Option<usize>], _inputs: &[Fact]) -> Option<usize> {
        each_alone(rows)
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        let datum_type = self.table(input.datum_type)?.values.datum_type();
        Ok(vec![Fact { datum_type, shape: input.shape.clone() }])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        Ok(vec![self.table(inputs[0].datum_type())?.look_up(&inputs[0])?])
    }
}

pub(super) fn label_encoder(ctx: &ParsingContext, node: &NodeProto) -> Built {
    let texts: Vec<String> = node.get_attr_opt_vec("classes_strings")?.unwrap_or_default();
    if texts.is_empty() {
        let keys = listed(ctx, node, "keys")?;
        let values = listed(ctx, node, "values")?;
        let otherwise = default_of(ctx, node, values.datum_type())?;
        return built(Encoder { name: "LabelEncoder", tables: vec![Table::new(node, &keys, values, otherwise)?] });
    }
    // As the first version of the operator had it: text to its position, or back.
    let positions: Vec<i64> = (0..).take(texts.len()).collect();
    built(Encoder { name: "LabelEncoder", tables: both_directions(node, &texts, &positions)? })
}

pub(super) fn category_mapper(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let texts: Vec<String> = node.get_attr_vec("cats_strings")?;
    let ints: Vec<i64> = node.get_attr_vec("cats_int64s")?;
    built(Encoder { name: "CategoryMapper", tables: both_directions(node, &texts, &ints)? })
}

fn both_directions(node: &NodeProto, texts: &[String], ints: &[i64]) -> TractResult<Vec<Table>> {
    let int = tensor0(node.get_attr_opt::<i64>("default_int64")?.unwrap_or(-1));
    let text = tensor0(node.get_attr_opt("default_string")?.unwrap_or_else(|| "_Unused".to_owned()));
    let (texts, ints) = (tensor1(texts), tensor1(ints));
    Ok(vec![Table::new(node, &texts, ints.clone(), int)?, Table::new(node, &ints, texts, text)?])
}

/// The attribute `<side>_strings`, `_int64s`, `_floats` or `_tensor`: exactly one of them.
fn listed(ctx: &ParsingContext, node: &NodeProto, side: &str) -> TractResult<Tensor> {
    let texts: Option<Vec<String>> = node.get_attr_opt_vec(&format!("{side}_strings"))?;
    let ints: Option<Vec<i64>> = node.get_attr_opt_vec(&format!("{side}_int64s"))?;
    let floats: Option<Vec<f32>> = node.get_attr_opt_vec(&format!("{side}_floats"))?;
    let given = [texts.map(|v| tensor1(&v)), ints.map(|v| tensor1(&v)), floats.map(|v| tensor1(&v))];
    let tensor = attributes::tensor(ctx, node, &format!("{side}_tensor"))?;
    let mut given = given.into_iter().flatten().chain(tensor).filter(|values| values.len() > 0);
    match (given.next(), given.next()) {
        (Some(values), None) => Ok(values),
        _ => node.bail(&format!("needs {side} of one type, as {side}_strings, _int64s, _floats or _tensor")),
    }
}

/// The default for keys that the table lacks.
fn default_of(ctx: &ParsingContext, node: &NodeProto, values: DatumType) -> TractResult<Tensor> {
    if let Some(given) = attributes::tensor(ctx, node, "default_tensor")? {
        return Ok(given);
    }
    Ok(match values {
        DatumType::String => tensor0(node.get_attr_opt("default_string")?.unwrap_or_else(|| "_Unused".to_owned())),
        DatumType::F32 => tensor0(node.get_attr_opt::<f32>("default_float")?.unwrap_or(-0.0)),
        DatumType::F64 => tensor0(f64::from(node.get_attr_opt::<f32>("default_float")?.unwrap_or(-0.0))),
        _ => tensor0(node.get_attr_opt::<i64>("default_int64")?.unwrap_or(-1)).cast_to_dt(values)?.into_owned(),
    })
}

/// A value to a row with a single one at its place among the categories.
#[derive(Debug)]
struct OneHotEncoder {
    text: bool,
    positions: Positions,
    count: usize,
    /// A row of zeros for what is no category, instead of an error.
    zeros: bool,
}

pub(super) fn one_hot_encoder(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let ints: Vec<i64> = node.get_attr_opt_vec("cats_int64s")?.unwrap_or_default();
    let texts: Vec<String> = node.get_attr_opt_vec("cats_strings")?.unwrap_or_default();
    node.expect(ints.is_empty() != texts.is_empty(), "either cats_int64s or cats_strings")?;
    let categories = if texts.is_empty() { tensor1(&ints) } else { tensor1(&texts) };
    let positions = Positions::of(&categories)?;
    node.expect(positions.0.len() == categories.len(), "every category once")?;
    let zeros = node.get_attr_opt::<i64>("zeros")?.unwrap_or(1) != 0;
    built(OneHotEncoder { text: !texts.is_empty(), positions, count: categories.len(), zeros })
}

impl Operator for OneHotEncoder {
    fn name(&self) -> &'static str {
        "OneHotEncoder"
    }

    fn row_axis(&self, rows: &[Option<usize>], _inputs: &[Fact]) -> Option<usize> {
        each_alone(rows)
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        if self.text != (input.datum_type == String::datum_type()) {
            bail!(
                "its categories are {}; it is given {:?}",
                if self.text { "text" } else { "numbers" },
                input.datum_type
            );
        }
        let mut shape = input.shape.clone();
        shape.push(self.count.into());
        Ok(vec![Fact { datum_type: f32::datum_type(), shape }])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let found = match self.text {
            true => self.positions.find(&inputs[0])?,
            false => self.whole_numbers(&inputs[0])?,
        };
        let mut shape = inputs[0].shape().to_vec();
        shape.push(self.count);
        let mut ones = vec![0f32; found.len() * self.count];
        for (row, position) in ones.chunks_mut(self.count).zip(found) {
            match position {
                Some(position) => row[position] = 1.0,
                None if self.zeros => {}
                None => bail!("met a value that is none of its categories, and `zeros` is 0"),
            }
        }
        Ok(vec![tensor(&shape, ones)?])
    }
}

impl OneHotEncoder {
    /// Fractions are cut off, as the standard has it; what is no number is no category.
    fn whole_numbers(&self, input: &Tensor) -> TractResult<Vec<Option<usize>>> {
        let keys = Key::all(input)?.into_iter().map(|key| match key {
            Key::Float(bits) if f64::from_bits(bits).is_finite() => Some(Key::Int(f64::from_bits(bits) as i64)),
            Key::Float(_) => None,
            other => Some(other),
        });
        Ok(keys.map(|key| key.and_then(|key| self.positions.0.get(&key).copied())).collect())
    }
}

#[cfg(test)]
mod tests;
