//! What is wrong with a policy document, for people (one line) and for machines (fields). Never a value of an application.

use crate::document::Document;
use crate::locate::place_in;
use serde::Serialize;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document is not taken.
    Error,
    /// It is taken; someone should look.
    Warning,
}

/// One thing that `policy check` has to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// A stable word, such as `unknown_variable`.
    pub code: &'static str,
    /// JSON pointer into the document, such as `/knockouts/2/when`.
    pub path: String,
    /// Line in the text, from 1, where it could be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in that line, from 1, where it could be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The id of the rule, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// For people.
    pub message: String,
    /// What to do.
    pub advice: &'static str,
    /// Line and column in the expression that it is about.
    #[serde(skip)]
    pub(crate) at: Option<(usize, usize)>,
}

impl Finding {
    /// An error that makes the document unusable.
    pub fn error(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message, advice) = (path.into(), message.into(), advice(code));
        Self { severity: Severity::Error, code, path, line: None, column: None, rule: None, message, advice, at: None }
    }

    pub(crate) fn warning(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, message) }
    }

    /// Finds its rule, and its place in the text.
    pub(crate) fn settle(&mut self, document: &Document, text: &str) {
        let mut parts = self.path.split('/').skip(1);
        let (section, index) = (parts.next().unwrap_or_default(), parts.next().and_then(|part| part.parse().ok()));
        self.rule = index.and_then(|index| document.rule_id(section, index)).map(str::to_owned);
        let condition = index.and_then(|index| document.condition(section, index));
        let (line, column) = place_in(text, &self.path, self.at.zip(condition));
        (self.line, self.column) = (self.line.or(line), self.column.or(column));
    }

    /// Whether the document may not be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// What to do about a finding.
fn advice(code: &str) -> &'static str {
    let found = ADVICE.iter().find(|(known, _)| *known == code);
    found.map_or("Mend what the sentence says.", |(_, advice)| advice)
}

/// Every word of a finding, and what to do. `docs/policies.md` has an example of each that a review adds.
pub(crate) const ADVICE: &[(&str, &str)] = &[
    ("malformed", "Write a YAML document with the keys of docs/policies.md, \"Every key\"."),
    ("unknown_field", "Correct the key, or take it out."),
    ("too_many", "Split the policy, or take rules out."),
    ("bad_token", "Use lower-case letters, digits, _ and -."),
    ("bad_version", "Write three numbers, such as 1.0.0."),
    ("no_products", "List the products that the policy decides on."),
    ("no_currency", "List the currencies that the product is lent in."),
    ("unknown_currency", "Write a code of ISO 4217."),
    ("no_fallback", "Write fallback: refer."),
    ("no_cutoff", "Add a cutoff for the product, or leave all of it to people."),
    ("duplicate_id", "Give each rule, product and reason a name of its own."),
    ("unknown_product", "Add the product to products, or correct its name."),
    ("decline_without_code", "Name a reason, built in or of the policy's reasons."),
    ("unknown_code", "Use a code of docs/reasons.md, or add it to reasons."),
    ("unspecific_code", "Say what the applicant failed, in words that help."),
    ("syntax", "Correct the expression: docs/expressions.md."),
    ("too_costly", "Write fewer loops, or move the computation into a feature."),
    ("unknown_variable", "Use a name of docs/expressions.md."),
    ("unknown_function", "Use a function of docs/expressions.md."),
    ("type_mismatch", "Compare values of one type: docs/expressions.md."),
    ("not_boolean", "Write a condition: true or false."),
    ("fails_on_sample", "Guard the division or conversion that fails."),
    ("constant_true", "Take the condition out, or compare something of the application."),
    ("constant_false", "Take the rule out, or compare something of the application."),
    ("score_in_knockout", "Move it into a cutoff."),
    ("unreachable", "Take out one of the two."),
    ("negative_limit", "Write an amount in minor units, zero or more."),
    ("inverted_cutoff", "Exchange the two bounds."),
    ("incomplete_cutoff", "Give both points, or bands."),
    ("overlapping_cutoffs", "Take one of the two out, or give the first a condition."),
    ("unknown_scale", "Use a scale of models/scales.toml."),
    ("unknown_band", "Use a band of the product's scale."),
    ("points_off_scale", "Use points of the product's scale."),
    ("unknown_feature", "Use a feature of the product's models, or add it to their contract."),
    ("feature_of_some", "Guard it with has(), or say absent: skip or absent: refer."),
    ("unknown_word", "Use a word of the list."),
    (
        "may_be_absent",
        "Guard it with has(), or say absent: skip (the rule does not hold) or absent: refer (people look).",
    ),
    (
        "parties_not_carried",
        "Say parties = true in a new version of the route, and put that in force first: routes/README.md.",
    ),
    ("percent_for_ratio", "Write a ratio, such as 0.45 for 45 %."),
    ("unlisted_currency", "Correct the code, or list the currency under the product."),
    ("word_of_no_model", "Correct the word; where senders do write it, this stays a warning."),
    ("never_holds", "Correct the threshold, or take the rule out."),
    ("always_holds", "Correct the threshold, or say without a condition what is meant for everybody."),
    ("shadowed", "Take it out, or put it before the other one."),
    ("unused_reason", "Name it in a rule, or take it out."),
    ("unused_withheld", "Correct the name of the feature, or take it out."),
    ("restricted_feature", "List it under withheld: then its value stands in no decision."),
    ("unrouted_product", "Add the product to a route, or correct its name."),
    ("no_models", "Say where packages and routes are: scorer.models_dir and scorer.routes_dir."),
];

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity} [{}] {}: ", self.code, self.path)?;
        if let Some(rule) = &self.rule {
            write!(f, "{}: ", expressions::cut(rule))?;
        }
        f.write_str(&self.message)
    }
}
