//! `manifest.toml` as it is written: strict, and nothing more than its form. What it means is checked in [`crate::contract`].

use crate::error::{LoadError, Part};
use domain::FieldClass;
use serde::{Deserialize, Serialize};

/// What a drafted manifest has where only people know what belongs there. It does not load.
pub const FILL_IN: &str = "FILL_IN";

/// Bytes of an expression, at most: a long sum is as deep as it has terms, and is walked down.
pub(crate) const MOST_EXPR: usize = 4096;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the package format describes each key
pub struct Manifest {
    pub name: String,
    pub version: String,
    pub kind: Kind,
    pub product: String,
    pub scale_id: String,
    /// Attribution and licence of the training data.
    pub data_source: String,
    pub graph_sha256: String,
    pub golden_sha256: String,
    pub reference_sha256: String,
    pub target: Target,
    pub graph: Graph,
    pub calibration: Calibration,
    pub classification: Classification,
    pub reasons: Reasons,
    pub feature: Vec<Feature>,
    #[serde(default)]
    pub reason: Vec<Reason>,
    /// Classes of free members, above all of those that no feature reads.
    #[serde(default)]
    pub field: Vec<Field>,
    /// No package must bring it.
    pub native: Option<Native>,
}

/// The training library's own answers to many rows. Checks of a package read the file; serving does not.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Native {
    /// Name and version.
    pub library: String,
    /// Beside the manifest: gzipped CSV with a column for each feature, in order, and `probability` as the last.
    pub file: String,
    /// Of the file as it lies there.
    pub sha256: String,
    /// How many of its rows the export is known to answer otherwise.
    pub changed: usize,
    /// Of an export that is known to differ from its library: the greatest difference that was accepted.
    pub bound: Option<f64>,
    /// The greatest difference that was found then.
    pub greatest: Option<f64>,
    /// All differences together, so that none changes unseen.
    pub total: Option<f64>,
    /// The lines that the export was found to answer otherwise, each with its difference; the first of very many.
    #[serde(default)]
    pub lines: Vec<(usize, f64)>,
}

/// How the graph is built, which decides how it is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A sum of step functions, one for each feature.
    Scorecard,
    /// A dense net.
    Net,
    /// A tree ensemble as its exporter wrote it.
    Trees,
    /// Any other graph as its exporter wrote it.
    Graph,
}

/// What a probability is a probability of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Target {
    /// What counts as bad.
    pub definition: String,
    pub horizon_months: u32,
    /// `booked` or `through_the_door`.
    pub population: String,
    pub prior_correction: String,
}

/// Names of the graph's input and outputs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Graph {
    /// Not of kind `graph`, whose features go to its inputs in their order.
    #[serde(default)]
    pub input: String,
    /// Scorecards and nets: the output that is the margin.
    pub margin: Option<String>,
    /// Trees only: the output with the probability of default, alone or as the second of two columns.
    pub probability: Option<String>,
    /// Trees: what the raw sum of the trees is. Kind `graph`: what the output's number is.
    pub link: Option<Link>,
    /// Scorecards only.
    pub partials: Option<String>,
    /// Scorecards only: margin = intercept + Σ partials.
    pub intercept: Option<f64>,
    /// Kind `graph` only: the output with the answer.
    pub output: Option<String>,
    /// Kind `graph` only: the output's column of the risky class, from 0.
    pub column: Option<usize>,
    /// Kind `graph` only: the tensor of probabilities that a sigmoid or softmax makes, whose input is the margin.
    pub before: Option<String>,
    /// Kind `graph` only: how contributions are made; without it by permutations.
    pub explained: Option<Explained>,
}

/// How the contributions of a graph are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Explained {
    /// The margin is a sum of a function of each feature: exact, and proven at load.
    Additive,
    /// By fixed permutations, with their error.
    Permutations,
}

impl Explained {
    /// The word of the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Additive => "additive",
            Self::Permutations => "permutations",
        }
    }
}

/// What the number is that an answer is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Log-odds of default, which are the margin: boosted trees, raw scores, what a sigmoid is given.
    LogOdds,
    /// The probability itself, which is the margin: forests, regressions on a default.
    Probability,
    /// Kind `graph` only: a score of each class; the margin is the risky one's less the logarithm of the sum of the others'
    /// exponentials, of two classes less the other's.
    Softmax,
    /// Kind `graph` only: a probability whose log-odds are the margin; it counts as no nearer to 0 and 1 than half a step of
    /// single precision.
    Logit,
}

impl Link {
    /// The word of the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogOdds => "log_odds",
            Self::Probability => "probability",
            Self::Softmax => "softmax",
            Self::Logit => "logit",
        }
    }
}

/// From the margin to pd: sigmoid(a · margin + b), or by points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Calibration {
    pub method: CalibrationMethod,
    /// Platt only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<f64>,
    /// Platt only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<f64>,
    /// Isotonic: the points' margins. Binned: the edges between bins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub margins: Vec<f64>,
    /// Isotonic: one for each margin. Binned: one more than edges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pds: Vec<f64>,
}

/// How margins become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum CalibrationMethod {
    Platt,
    Isotonic,
    Binned,
    None,
}

/// pd at or above `threshold` is class 1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Classification {
    pub threshold: f64,
}

/// What contributions are measured against.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Reasons {
    pub reference: ReferenceName,
}

/// A population of the reference file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceName {
    /// Applicants whose pd is nearest the threshold.
    NearCutoff,
    /// All applicants.
    All,
    /// Nobody: the value of each feature that is best for the applicant. Never by default, for it blames whoever is not perfect.
    BestValue,
}

impl ReferenceName {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NearCutoff => "near_cutoff",
            Self::All => "all",
            Self::BestValue => "best_value",
        }
    }
}

/// What a member of `attributes`, or of the `fields` of a report, is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// JSON pointer, such as `/attributes/email`; of a report's any applicant and any report.
    pub pointer: String,
    /// Who may see it.
    pub class: Class,
}

/// The class of a free member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // domain::FieldClass says it
pub enum Class {
    Plain,
    Restricted,
    Personal,
}

impl From<Class> for FieldClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Plain => Self::Plain,
            Class::Restricted => Self::Restricted,
            Class::Personal => Self::Personal,
        }
    }
}

/// One entry of the feature contract.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Feature {
    pub name: String,
    pub r#type: FeatureType,
    pub pointer: Option<String>,
    pub expr: Option<String>,
    pub unit: Option<String>,
    /// What it is, in a sentence for senders of what it reads.
    pub about: Option<String>,
    pub scale: Option<f64>,
    pub range: Option<[f64; 2]>,
    #[serde(default)]
    pub categories: Vec<String>,
    #[serde(default)]
    pub unknown: UnknownPolicy,
    pub missing: Missing,
    pub reason_low: String,
    pub reason_high: String,
    pub reason_missing: String,
    /// Features of one group, such as the months of a payment history, count together: one reason for their sum.
    pub group: Option<String>,
    pub actionable: bool,
    pub monotone: Monotone,
    /// Of the free members that it reads, and of its value in the score event; plain where it is not said.
    pub class: Option<Class>,
}

/// What a feature is before it becomes an f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FeatureType {
    Number,
    Integer,
    Boolean,
    Category,
    Money,
}

/// What becomes of a word that is not among the categories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum UnknownPolicy {
    #[default]
    Missing,
    Unscorable,
}

/// What becomes of a value that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum Missing {
    Value {
        value: f64,
    },
    Unscorable {},
    /// Not a number, which trees send their own missing way and other graphs may fill; to an input of words no word.
    Nan {},
}

/// Direction of pd in the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Monotone {
    Increasing,
    Decreasing,
    None,
}

/// A reason that is not in the built-in catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Reason {
    pub code: String,
    pub text: String,
    pub form_c1: String,
    pub hmda: u8,
}

impl Manifest {
    /// Parses the file.
    ///
    /// # Errors
    /// [`LoadError::Form`] with the line, [`LoadError::Contract`] where something is still to be filled in.
    pub fn parse(bytes: &[u8]) -> Result<Self, LoadError> {
        let text = std::str::from_utf8(bytes).map_err(|error| LoadError::form(Part::Manifest, error))?;
        let manifest: Self = toml::from_str(text).map_err(|error| LoadError::form(Part::Manifest, error))?;
        manifest.check_texts()?;
        Ok(manifest)
    }

    fn check_texts(&self) -> Result<(), LoadError> {
        let is_open = |text: &str| text.contains(FILL_IN);
        for (place, text) in [("data_source", &self.data_source), ("target", &self.target.definition)] {
            if is_open(text) {
                return Err(LoadError::contract(place, format!("is still {FILL_IN}: say it in words")));
            }
        }
        let mut open = Vec::new();
        for feature in &self.feature {
            let length = feature.expr.as_ref().map_or(0, String::len);
            if length > MOST_EXPR {
                let why = format!("its expr has {length} bytes, at most {MOST_EXPR}: make several features of it");
                return Err(LoadError::contract(format!("feature {}", feature.name), why));
            }
            let reasons = [
                ("reason_low", &feature.reason_low),
                ("reason_high", &feature.reason_high),
                ("reason_missing", &feature.reason_missing),
            ];
            open.extend(reasons.into_iter().filter(|(_, code)| is_open(code)).map(|(key, _)| (&feature.name, key)));
        }
        if let [(feature, key), more @ ..] = open.as_slice() {
            let more: Vec<String> = more.iter().map(|(feature, key)| format!("{key} of {feature}")).collect();
            let more = if more.is_empty() { String::new() } else { format!(". So are {}", more.join(", ")) };
            let why = format!(
                "{key} is still {FILL_IN}: name what an applicant may be told when this feature counts against them, a \
                 code of Form C-1 such as income_insufficient (docs/reasons.md), or one of your own with a [[reason]] table{more}"
            );
            return Err(LoadError::contract(format!("feature {feature}"), why));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `docs/add-a-feature.md` is the code's: what a feature takes, as the parser says it.
    #[test]
    fn the_page_has_every_key_of_a_feature() {
        let page = include_str!("../../docs/add-a-feature.md");
        let table = page.split("## Every key of a feature").nth(1).unwrap_or_default();
        let mut written: Vec<&str> =
            table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let why = toml::from_str::<Feature>("no_key = 1").expect_err("there is no such key").to_string();
        let named = why.split("expected one of ").nth(1).unwrap_or_default();
        let mut keys: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        keys.sort_unstable();
        written.sort_unstable();
        assert_eq!(written, keys, "{why}");
    }
}
