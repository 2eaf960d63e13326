//! What stands at a place of a document, what an expression yields, and why it yields nothing. One rule of absence: what is not
//! there has no value, and whatever depends on it is undetermined; each user says what that means to it.

use std::borrow::Cow;
use std::cmp::Ordering;

/// What is at a place of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<'a> {
    /// A member or element on the way is absent.
    Absent,
    /// The way goes through something that has no such members, such as null.
    NotAContainer,
    /// null.
    Null,
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above 2^63−1.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// An array, whatever is in it.
    Array,
    /// An object, whatever is in it.
    Object,
}

impl<'a> Found<'a> {
    /// As a value, where it is a single one that every reader tells alike.
    pub fn single(self) -> Option<Value<'a>> {
        match self {
            Self::Bool(value) => Some(Value::Bool(value)),
            Self::Int(value) => Some(Value::Int(value)),
            Self::Float(value) => Some(Value::Double(value)),
            Self::Text(text) => Some(Value::Text(text)),
            Self::Absent | Self::NotAContainer | Self::Null | Self::Uint(_) | Self::Array | Self::Object => None,
        }
    }

    /// A number as f64.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Uint(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The same, with its text borrowed from this one.
    pub fn lend(&self) -> Found<'_> {
        match self {
            Self::Text(text) => Found::Text(Cow::Borrowed(text)),
            Self::Absent => Found::Absent,
            Self::NotAContainer => Found::NotAContainer,
            Self::Null => Found::Null,
            Self::Bool(value) => Found::Bool(*value),
            Self::Int(value) => Found::Int(*value),
            Self::Uint(value) => Found::Uint(*value),
            Self::Float(value) => Found::Float(*value),
            Self::Array => Found::Array,
            Self::Object => Found::Object,
        }
    }

    /// The same, which borrows nothing.
    pub fn into_owned<'b>(self) -> Found<'b> {
        match self {
            Self::Text(text) => Found::Text(Cow::Owned(text.into_owned())),
            Self::Absent => Found::Absent,
            Self::NotAContainer => Found::NotAContainer,
            Self::Null => Found::Null,
            Self::Bool(value) => Found::Bool(value),
            Self::Int(value) => Found::Int(value),
            Self::Uint(value) => Found::Uint(value),
            Self::Float(value) => Found::Float(value),
            Self::Array => Found::Array,
            Self::Object => Found::Object,
        }
    }
}

/// What an expression yields.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `uint`
    Uint(u64),
    /// `double`
    Double(f64),
    /// `string`
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// A number as f64.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Uint(value) => Some(*value as f64),
            Self::Double(value) => Some(*value),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }

    /// Numbers compare across types; `None` where there is no order.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Uint(left), Self::Uint(right)) => Some(left.cmp(right)),
            (Self::Double(left), Self::Double(right)) => left.partial_cmp(right),
            (Self::Int(left), Self::Double(right)) => (*left as f64).partial_cmp(right),
            (Self::Double(left), Self::Int(right)) => left.partial_cmp(&(*right as f64)),
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }

    /// Values of different types are not equal; that is no error.
    pub(crate) fn is_equal(&self, other: &Self) -> bool {
        self.order(other) == Some(Ordering::Equal)
    }
}

/// Why an expression has no value on a document. The words name what the expression names, never a value of the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undetermined {
    /// A member is absent or null; its name, where the interpreter told it.
    #[error("no value for {}", .0.as_deref().unwrap_or("what it reads"))]
    Absent(Option<String>),
    /// An element is absent.
    #[error("cannot be evaluated")]
    NoElement,
    /// A name at the top has no value on this document.
    #[error("no value for {0}")]
    NoName(String),
    /// It would cost too much on a document of this size.
    #[error("over its budget on an application of this size")]
    OverBudget,
    /// It yields null.
    #[error("yields null")]
    Null,
    /// It yields a list, a map or something else that is no single value.
    #[error("yields no single value")]
    NotSingle,
    /// It failed: a type, an overflow, a division by zero.
    #[error("{0}")]
    Failed(String),
}

impl Undetermined {
    /// Whether something that it reads is not there, rather than that it failed.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Absent(_) | Self::NoElement | Self::NoName(_) | Self::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_across_types_and_nothing_else_does() {
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
        let rows = [
            (Value::Int(1), Value::Double(1.0), Some(Ordering::Equal)),
            (Value::Double(0.5), Value::Int(1), Some(Ordering::Less)),
            (Value::Int(i64::MAX), Value::Int(i64::MAX - 1), Some(Ordering::Greater)),
            (Value::Double(f64::NAN), Value::Double(f64::NAN), None),
            (text("a"), text("b"), Some(Ordering::Less)),
            (Value::Bool(false), Value::Bool(true), Some(Ordering::Less)),
            (Value::Int(1), text("1"), None),
            (Value::Bool(true), Value::Int(1), None),
        ];
        for (left, right, expected) in rows {
            assert_eq!(left.order(&right), expected, "{left:?} {right:?}");
            assert_eq!(left.is_equal(&right), expected == Some(Ordering::Equal), "{left:?} {right:?}");
        }
    }

    #[test]
    fn absence_is_told_apart_from_failure() {
        for (why, absent) in [
            (Undetermined::Absent(None), true),
            (Undetermined::NoElement, true),
            (Undetermined::Null, true),
            (Undetermined::NoName("score".into()), true),
            (Undetermined::OverBudget, false),
            (Undetermined::NotSingle, false),
            (Undetermined::Failed("overflow".into()), false),
        ] {
            assert_eq!(why.is_absence(), absent, "{why}");
        }
        assert_eq!(Undetermined::Absent(Some("dependants".into())).to_string(), "no value for dependants");
    }
}
