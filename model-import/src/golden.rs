//! What of a package's golden file the tools look at, beyond the proof that loading is.

use crate::error::{Context, Result};
use scoring::mapping::FeatureVector;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Rows and applications with their expected answers.
#[derive(Debug, Deserialize)]
pub struct Golden {
    /// Whose answers they are, where they are not the training library's.
    pub answers_of: Option<String>,
    /// Rows of the graph's input.
    pub rows: Vec<Row>,
    /// Whole applications.
    pub applications: Vec<Application>,
    record: Option<IgnoredAny>,
}

/// A row and the margin that is expected of it.
#[derive(Debug, Deserialize)]
pub struct Row {
    /// `null` is not a number.
    pub features: Vec<Option<f32>>,
    /// Log-odds of default, or whatever the margin of the package is.
    pub margin: f64,
    /// The calibrated probability.
    pub pd: f64,
}

/// An application.
#[derive(Debug, Deserialize)]
pub struct Application {
    /// As it is sent.
    pub data: Value,
    /// The calibrated probability.
    pub pd: f64,
}

impl Golden {
    /// Reads the file.
    ///
    /// # Errors
    /// What the parser says.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).context("golden.json")
    }

    /// Whether it says what its answers were made with; loading has compared that.
    pub fn is_recorded(&self) -> bool {
        self.record.is_some()
    }

    /// The rows as the engine takes them.
    pub fn vectors(&self) -> Vec<FeatureVector> {
        let value = |value: &Option<f32>| value.unwrap_or(f32::NAN);
        self.rows.iter().map(|row| FeatureVector::plain(row.features.iter().map(value).collect())).collect()
    }
}
