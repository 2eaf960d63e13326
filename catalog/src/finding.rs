//! What is wrong with a document, for people: one line each, with file and line. Never a value of an application.

use std::fmt;
use std::path::{Path, PathBuf};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document is not taken.
    Error,
    /// It is taken; someone should look.
    Warning,
}

/// One thing that a check has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// A stable word, such as `unknown_variable`; empty where a loader has none.
    pub code: &'static str,
    /// Line in the text, from 1, where it could be told.
    pub line: Option<usize>,
    /// Column in that line, from 1, where it could be told.
    pub column: Option<usize>,
    /// Place in the document, such as `/knockouts/2/when` or `entry 2 (thin_file), when`; empty for all of it.
    pub at: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Finding {
    /// An error without a line.
    pub fn error(code: &'static str, at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, line: None, column: None, at: at.into(), message: message.into() }
    }

    /// Whether the document may not be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The finding with its file, as compilers write it: `FILE:LINE:COLUMN: error [CODE] PLACE: MESSAGE`.
    pub fn in_file(&self, file: &Path) -> String {
        let place: String = [self.line, self.column].into_iter().flatten().map(|at| format!(":{at}")).collect();
        format!("{}{place}: {}", file.display(), self.told())
    }

    /// Everything but its line.
    fn told(&self) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let code = if self.code.is_empty() { ":".to_owned() } else { format!(" [{}]", self.code) };
        let at = if self.at.is_empty() { String::new() } else { format!("{}: ", self.at) };
        format!("{severity}{code} {at}{}", self.message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.told())
    }
}

/// A file of a folder that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The file.
    pub file: PathBuf,
    /// Everything found, warnings included, in the document's order.
    pub findings: Vec<Finding>,
}

impl Rejected {
    /// A file and what is wrong with it.
    pub fn of(file: &Path, findings: Vec<Finding>) -> Self {
        Self { file: file.to_owned(), findings }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.findings.iter().map(|finding| finding.in_file(&self.file)).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_file_line_and_place() {
        let finding = |code, line, at: &str| Finding { line, ..Finding::error(code, at, "is wrong") };
        let rows = [
            (finding("bad", Some(3), "/name"), "a/1.yaml:3: error [bad] /name: is wrong"),
            (finding("bad", None, ""), "a/1.yaml: error [bad] is wrong"),
            (finding("", Some(3), "entry 1 (a), id"), "a/1.yaml:3: error: entry 1 (a), id: is wrong"),
            (finding("", None, ""), "a/1.yaml: error: is wrong"),
            (Finding { column: Some(7), ..finding("bad", Some(3), "/a") }, "a/1.yaml:3:7: error [bad] /a: is wrong"),
            (
                Finding { severity: Severity::Warning, ..finding("odd", None, "/a") },
                "a/1.yaml: warning [odd] /a: is wrong",
            ),
        ];
        let file = Path::new("a/1.yaml");
        for (finding, expected) in &rows {
            assert_eq!(finding.in_file(file), *expected);
        }
        let all = Rejected::of(file, rows.into_iter().take(2).map(|(finding, _)| finding).collect());
        assert_eq!(all.to_string(), "a/1.yaml:3: error [bad] /name: is wrong\na/1.yaml: error [bad] is wrong");
        assert_eq!(finding("bad", Some(3), "/name").to_string(), "line 3: error [bad] /name: is wrong");
    }
}
