//! From an application's `data` to the numbers of the graph's input, by the feature contract. Refuses rather than guesses;
//! names the feature, never the value.

use crate::contract::{Contract, Feature, Kind, Source};
use crate::expr::{Document, Fault, Yield};
use crate::lookup::Found;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// What happened to a value on its way into the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// It was absent or null; the contract's value stands for it.
    Missing,
    /// It was outside the range and moved to its edge.
    Clamped,
    /// It was no known category; the contract's missing value stands for it.
    Unknown,
}

impl Flag {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Clamped => "clamped",
            Self::Unknown => "unknown",
        }
    }
}

/// A row of the graph's input.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureVector {
    /// In the contract's order.
    pub values: Vec<f32>,
    /// In the same order.
    pub flags: Vec<Option<Flag>>,
}

impl FeatureVector {
    /// A row without flags.
    pub fn plain(values: Vec<f32>) -> Self {
        let flags = vec![None; values.len()];
        Self { values, flags }
    }
}

/// Why an application cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unscorable {
    /// A word of a fixed set.
    pub cause: &'static str,
    /// The feature.
    pub feature: Arc<str>,
}

impl fmt::Display for Unscorable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.cause, self.feature)
    }
}

/// The feature is required and absent.
pub const MISSING: &str = "missing";
/// The amount is in another currency.
pub const WRONG_CURRENCY: &str = "wrong_currency";
/// The value is of another type.
pub const WRONG_TYPE: &str = "wrong_type";
/// The category is unknown and the contract forbids that.
pub const UNKNOWN_CATEGORY: &str = "unknown_category";
/// The expression failed.
pub const EXPRESSION_FAILED: &str = "expression_failed";
/// The value does not fit into an f32.
pub const NOT_FINITE: &str = "not_finite";

/// Maps an application.
///
/// # Errors
/// Every reason why it cannot be scored, in the contract's order.
pub fn map(contract: &Contract, data: &Value) -> Result<FeatureVector, Vec<Unscorable>> {
    let document = Document::new(data, &contract.lookup);
    let count = contract.features.len();
    let mut row = FeatureVector { values: Vec::with_capacity(count), flags: Vec::with_capacity(count) };
    let mut refused = Vec::new();
    for feature in &contract.features {
        match feature.value(&document) {
            Ok((value, flag)) => {
                row.values.push(value);
                row.flags.push(flag);
            }
            Err(cause) => refused.push(Unscorable { cause, feature: feature.name.clone() }),
        }
    }
    if refused.is_empty() { Ok(row) } else { Err(refused) }
}

/// A number before range and f32, or why there is none.
enum Raw {
    Number(f64),
    Missing,
    Unknown,
}

impl Feature {
    fn value(&self, document: &Document<'_>) -> Result<(f32, Option<Flag>), &'static str> {
        match (self.raw(document)?, self.missing) {
            (Raw::Number(number), _) => self.settle(number),
            (Raw::Unknown, _) if self.unknown_is_unscorable => Err(UNKNOWN_CATEGORY),
            (Raw::Missing, Some(value)) => Ok((value, Some(Flag::Missing))),
            (Raw::Unknown, Some(value)) => Ok((value, Some(Flag::Unknown))),
            (Raw::Missing, None) => Err(MISSING),
            (Raw::Unknown, None) => Err(UNKNOWN_CATEGORY),
        }
    }

    fn raw(&self, document: &Document<'_>) -> Result<Raw, &'static str> {
        match &self.source {
            Source::Slot(slot) => match document.at(*slot) {
                Found::Value(Value::Null) | Found::Absent | Found::NotAContainer => Ok(Raw::Missing),
                Found::Value(value) => self.kind.read(value),
            },
            Source::Expr(expr) => match expr.eval(document) {
                Ok(value) => self.kind.take(value),
                Err(Fault::Missing) => Ok(Raw::Missing),
                Err(Fault::Failed) => Err(EXPRESSION_FAILED),
            },
        }
    }

    fn settle(&self, number: f64) -> Result<(f32, Option<Flag>), &'static str> {
        let inside =
            self.range.map_or(number, |(low, high)| if number.is_nan() { number } else { number.clamp(low, high) });
        let value = inside as f32;
        if !value.is_finite() {
            return Err(NOT_FINITE);
        }
        Ok((value, (inside != number).then_some(Flag::Clamped)))
    }
}

impl Kind {
    fn read(&self, value: &Value) -> Result<Raw, &'static str> {
        match (self, value) {
            (Self::Number, Value::Number(number)) => number.as_f64().map(Raw::Number).ok_or(WRONG_TYPE),
            (Self::Integer, Value::Number(number)) => whole(number.as_f64().ok_or(WRONG_TYPE)?),
            (Self::Boolean, Value::Bool(value)) => Ok(Raw::Number(f64::from(u8::from(*value)))),
            (Self::Category(words), Value::String(text)) => Ok(index_of(words, text)),
            (Self::Money { currency, scale }, Value::Object(money)) => {
                match (money.get("currency"), money.get("amount_minor")) {
                    (Some(Value::String(code)), _) if code != currency.code() => Err(WRONG_CURRENCY),
                    (Some(Value::String(_)), Some(Value::Number(amount))) => {
                        amount.as_i64().map(|minor| Raw::Number(minor as f64 * scale)).ok_or(WRONG_TYPE)
                    }
                    _ => Err(WRONG_TYPE),
                }
            }
            _ => Err(WRONG_TYPE),
        }
    }

    fn take(&self, value: Yield) -> Result<Raw, &'static str> {
        match (self, value) {
            (Self::Number, Yield::Number(number)) => Ok(Raw::Number(number)),
            (Self::Integer, Yield::Number(number)) => whole(number),
            (Self::Boolean, Yield::Bool(value)) => Ok(Raw::Number(f64::from(u8::from(value)))),
            (Self::Category(words), Yield::Text(text)) => Ok(index_of(words, &text)),
            _ => Err(WRONG_TYPE),
        }
    }
}

fn whole(number: f64) -> Result<Raw, &'static str> {
    if number.fract() == 0.0 { Ok(Raw::Number(number)) } else { Err(WRONG_TYPE) }
}

fn index_of(words: &[String], text: &str) -> Raw {
    words.iter().position(|word| word == text).map_or(Raw::Unknown, |index| Raw::Number(index as f64))
}
