//! What is asked for when a graph is imported.

use crate::cells::Written;
use std::path::PathBuf;

/// A graph, a sample of rows, and what is known of both.
#[derive(Debug, Clone)]
pub struct Options {
    /// The graph's file, exported and unedited.
    pub graph: PathBuf,
    /// CSV or Parquet file of rows, best of such that the model was not trained on.
    pub sample: PathBuf,
    /// How that file and the library's answers are written.
    pub written: Written,
    /// Column of the outcome: 1 is a default; with `bad_label` the class of each row.
    pub label: String,
    /// The risky class by its name in the graph; without it 1.
    pub bad_label: Option<String>,
    /// What a graph's only number is, `probability` or `log_odds`; without it what fits the outcomes better.
    pub answer: Option<String>,
    /// File of the library's own answers to the sample's rows: a probability of the risky class each.
    pub native: Option<PathBuf>,
    /// Name and version of that library.
    pub library: String,
    /// By how much of a probability the export may differ from its library.
    pub accept_deviation: Option<f64>,
    /// Only these columns are features, in the graph's order; without any all that are not the label or left out.
    pub columns: Vec<String>,
    /// Columns that are left out.
    pub without: Vec<String>,
    /// Folder of packages.
    pub out: PathBuf,
    /// The package's name; without it the graph's file name.
    pub name: Option<String>,
    /// Which product the model is for; needed if there are several.
    pub product: Option<String>,
    /// The products' scales.
    pub scales: PathBuf,
    /// pd from which an applicant is class 1; without it the sample's rate of defaults.
    pub threshold: Option<f64>,
    /// Months within which the outcome was looked for.
    pub horizon_months: u32,
}

impl Options {
    /// The risky class.
    pub(super) fn bad(&self) -> &str {
        self.bad_label.as_deref().unwrap_or("1")
    }
}
