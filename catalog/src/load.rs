//! The documents of a folder, each through the loader of its worker. One that is not taken keeps no other from being taken.

use crate::document::Document;
use crate::error::Error;
use crate::finding::{Finding, Rejected};
use crate::folder::{place, places};
use crate::kind::Kind;
use crate::label::Label;
use std::path::Path;
use std::sync::Arc;

/// A version, loaded.
#[derive(Debug)]
pub struct Version<T> {
    pub(crate) label: Label,
    pub(crate) digest: String,
    pub(crate) content: Arc<T>,
}

impl<T> Version<T> {
    /// What a document was loaded as.
    pub fn new(label: Label, digest: impl Into<String>, content: T) -> Self {
        Self { label, digest: digest.into(), content: Arc::new(content) }
    }
}

impl<T> Clone for Version<T> {
    fn clone(&self) -> Self {
        Self { label: self.label.clone(), digest: self.digest.clone(), content: Arc::clone(&self.content) }
    }
}

/// Every version of a kind in a folder, and what is left out, by the label of its place.
///
/// # Errors
/// [`Error::Unreadable`].
pub(crate) fn read_all<T>(
    kind: Kind,
    folder: &Path,
    load: impl Fn(&Document) -> Result<Version<T>, Vec<Finding>>,
) -> Result<(Vec<Version<T>>, Vec<(Label, Rejected)>), Error> {
    let (mut held, mut rejected) = (Vec::new(), Vec::new());
    for (label, file) in places(kind, folder)? {
        let taken =
            of_file(&file).and_then(|document| load(&document)).and_then(|version| in_place(kind, version, &label));
        match taken {
            Ok(version) => held.push(version),
            Err(findings) => {
                let why = Rejected::of(&file, findings);
                tracing::warn!(%kind, findings = %why, "a document is not taken");
                rejected.push((label, why));
            }
        }
    }
    Ok((held, rejected))
}

/// The document of a place, where that is a file: what is written to meanwhile, such as a pipe, could keep its reader for ever.
fn of_file(file: &Path) -> Result<Document, Vec<Finding>> {
    if !file.is_file() {
        return Err(vec![Finding::error("unreadable", "", "is no file")]);
    }
    Document::read(file).map_err(|error| match error {
        Error::Rejected(why) => why.findings,
        other => vec![Finding::error("unreadable", "", other.to_string())],
    })
}

/// A document is where its name and version say, so that a label finds it.
fn in_place<T>(kind: Kind, version: Version<T>, found_as: &Label) -> Result<Version<T>, Vec<Finding>> {
    if version.label == *found_as {
        return Ok(version);
    }
    let own = place(kind, Path::new(""), &version.label);
    let message = format!("it says it is {}: move it to {}", version.label, own.display());
    Err(vec![Finding::error("misplaced", "", message)])
}
