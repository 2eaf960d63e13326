//! What expressions read, and what the interpreter makes of it.

use crate::sizes::Sizes;
use crate::value::{Found, Undetermined, Value};
use cel::context::VariableResolver;
use std::borrow::Cow;

/// Something that expressions read.
pub trait Document {
    /// A place in it.
    type Place;

    /// What stands at a place.
    fn at(&self, place: &Self::Place) -> Found<'_>;

    /// Hands the interpreter the variables at the top and how large it is. Only then are they built.
    fn lend<T>(&self, to: impl FnOnce(&dyn VariableResolver, &Sizes) -> T) -> T;
}

/// What the interpreter yields, where it is a single value.
pub(crate) fn single<'s>(value: cel::Value) -> Result<Value<'s>, Undetermined> {
    match value {
        cel::Value::Bool(value) => Ok(Value::Bool(value)),
        cel::Value::Int(value) => Ok(Value::Int(value)),
        cel::Value::UInt(value) => Ok(Value::Uint(value)),
        cel::Value::Float(value) => Ok(Value::Double(value)),
        cel::Value::String(text) => Ok(Value::Text(Cow::Owned(text.to_string()))),
        cel::Value::Null => Err(Undetermined::Null),
        _ => Err(Undetermined::NotSingle),
    }
}
