//! One thing that is wrong with a row, or that its sender should look at. Names ids, columns and pointers, never cells.

use super::rows::Trouble;
use crate::attributes::{Kind, Warnings};
use crate::mapping::RowRejected;
use crate::refusal::{Fault, Refusal};
use serde::Serialize;
use std::borrow::Cow;

/// Where the id of an application stands.
pub(super) const ID: &str = "/application_id";

/// One thing that is wrong with a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct RowFault {
    /// A word of the list of problems, or of warnings.
    pub reason: String,
    /// JSON pointer into `data`; empty for the whole.
    pub pointer: String,
    /// The column that fills the place, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Why, in a sentence.
    pub why: String,
}

impl RowFault {
    /// With the column that fills the place.
    pub(super) fn at(reason: &str, pointer: &str, why: String, sources: &[(String, String)]) -> Self {
        let fills = |place: &str| is_within(pointer, place);
        let column = sources.iter().find(|(place, _)| fills(place)).map(|(_, column)| column.clone());
        Self { reason: reason.to_owned(), pointer: pointer.to_owned(), column, why }
    }

    /// What `receive` found.
    pub(super) fn of_refusal(refusal: &Refusal, sources: &[(String, String)]) -> Vec<Self> {
        let told = |fault: &Fault| Self::at(fault.reason.as_str(), &fault.pointer, fault.told().detail, sources);
        refusal.faults.iter().map(told).collect()
    }

    /// What is wrong with a row that is no body.
    pub(super) fn of_trouble(reason: &str, trouble: &Trouble) -> Vec<Self> {
        let fault = |pointer: &str, column: Option<&str>, why: String| Self {
            reason: reason.to_owned(),
            pointer: pointer.to_owned(),
            column: column.map(str::to_owned),
            why,
        };
        match trouble {
            Trouble::Unmapped(RowRejected { cells, .. }) => {
                cells.iter().map(|cell| fault(&cell.pointer, Some(&cell.column), cell.why.to_owned())).collect()
            }
            other => vec![fault("", None, other.to_string())],
        }
    }

    /// What no model reads of a row that is taken.
    pub(super) fn of_warnings(warnings: &Warnings, sources: &[(String, String)]) -> Vec<Self> {
        let Warnings { product, counts, told } = warnings;
        let mut all: Vec<Self> = told
            .iter()
            .map(|warning| {
                let nearest = warning.nearest.as_deref();
                Self::at(&warning.kind, &warning.pointer, why(&warning.kind, product, nearest), sources)
            })
            .collect();
        if counts.iter().sum::<u64>() > told.len() as u64 {
            let why = "holds more of these than are told of one application".to_owned();
            all.push(Self::at(Kind::Unknown.as_str(), "/attributes", why, &[]));
        }
        all
    }

    /// An id that says whose row it is; the word is that of the reply.
    pub(super) fn of_id(word: &str, sources: &[(String, String)]) -> Self {
        let why = "looks as if it said whose row it is, and every event carries it".to_owned();
        Self::at(word, ID, why, sources)
    }

    /// For one line: where, and why.
    pub fn told(&self) -> String {
        let Self { pointer, column, why, .. } = self;
        let column = column.as_ref().map(|column| format!("(column {column})")).unwrap_or_default();
        let parts = [pointer.as_str(), column.as_str(), why.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// What the models make of an attribute.
fn why(kind: &str, product: &str, nearest: Option<&str>) -> String {
    let of = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
    let meant = nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    match of {
        Some(Kind::Unknown) | None => format!("is read by no model of {product}{meant}"),
        Some(Kind::WrongType) => format!("is of another type than models of {product} read"),
        Some(Kind::UnknownElsewhere) => format!("is a word that no model of {product} knows"),
        Some(Kind::UnknownWord) => format!("is a word or a currency that no model of {product} knows"),
        Some(Kind::OutOfRange) => format!("is out of range: models of {product} read the nearest bound"),
    }
}

/// Whether a pointer is at a place or below it.
pub(super) fn is_within(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where the faults are, first fault first, without repetition.
pub(super) fn pointers(faults: &[RowFault]) -> Vec<String> {
    let mut pointers: Vec<String> = Vec::new();
    for fault in faults.iter().filter(|fault| !fault.pointer.is_empty()) {
        if !pointers.contains(&fault.pointer) {
            pointers.push(fault.pointer.clone());
        }
    }
    pointers
}

/// A text that others wrote, as a cell of a table that people open in a spreadsheet: one that begins as a formula does gets an
/// apostrophe before it, so that it is text there.
pub fn no_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_as_a_formula_is_text() {
        let rows = [("=1+1", "'=1+1"), ("-A1", "'-A1"), ("+1", "'+1"), ("@x", "'@x"), ("a=1", "a=1"), ("", "")];
        for (text, expected) in rows {
            assert_eq!(no_formula(text), expected);
        }
    }
}
