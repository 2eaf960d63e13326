//! What is wrong with an expression, or should be written otherwise: with its place and, where one is near, the name that was
//! meant. Never a value of a document.

use crate::MAX_MESSAGE_BYTES;
use crate::refused::Refused;
use std::fmt;

/// One thing that a compiler has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable word: `syntax`, `too_costly`, `unknown_variable`, `unknown_function`, `type_mismatch`, `out_of_reach`, `old_name`.
    pub code: &'static str,
    /// For people, without place and suggestion.
    pub message: String,
    /// Line and column in the expression, both from 1.
    pub at: Option<(usize, usize)>,
    /// What was probably meant, or is to be written.
    pub suggestion: Option<String>,
}

impl Finding {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: cut(&message.into()), at: None, suggestion: None }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, ": did you mean {}?", cut(suggestion))?;
        }
        self.at.map_or(Ok(()), |(line, column)| write!(f, " (line {line}, column {column})"))
    }
}

impl From<Refused> for Finding {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Syntax { message, at } => {
                Self { at: Some(at), ..Self::new("syntax", format!("not CEL: {message}")) }
            }
            Refused::TooLong(_) | Refused::TooDeep | Refused::Pattern(_) => Self::new("syntax", refused.to_string()),
            Refused::TooCostly(_) | Refused::TooCostlyTogether(..) => Self::new("too_costly", refused.to_string()),
        }
    }
}

/// The first line of what somebody says, cut where it is long.
pub fn cut(message: &str) -> String {
    let line = message.trim().replace(['\n', '\r'], " ");
    match line.len() > MAX_MESSAGE_BYTES {
        true => format!("{} …", &line[..line.floor_char_boundary(MAX_MESSAGE_BYTES)]),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_suggestion_and_place() {
        let plain = Finding::new("syntax", "is\nnot CEL");
        let near = Finding { suggestion: Some("score".into()), at: Some((1, 7)), ..Finding::new("x", "no scor") };
        for (finding, expected) in [(plain, "is not CEL"), (near, "no scor: did you mean score? (line 1, column 7)")] {
            assert_eq!(finding.to_string(), expected);
        }
        assert!(Finding::new("x", "é".repeat(1_000)).message.len() < MAX_MESSAGE_BYTES + 8);
    }
}
