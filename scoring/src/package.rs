//! The files of a package, and that they are those which its manifest was written for.

use crate::error::{LoadError, Part};
use crate::manifest::Manifest;
use domain::Digest;

/// The bytes of a package. Reading them from wherever they are is the caller's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFiles {
    /// `manifest.toml`.
    pub manifest: Vec<u8>,
    /// `model.onnx`.
    pub graph: Vec<u8>,
    /// `golden.json`.
    pub golden: Vec<u8>,
    /// `reference.json`.
    pub reference: Vec<u8>,
}

impl PackageFiles {
    /// The manifest, after the other files were seen to have the digests that it names.
    pub(crate) fn manifest(&self) -> Result<Manifest, LoadError> {
        let manifest = Manifest::parse(&self.manifest)?;
        check_digest(Part::Graph, &manifest.graph_sha256, &self.graph)?;
        check_digest(Part::Golden, &manifest.golden_sha256, &self.golden)?;
        check_digest(Part::Reference, &manifest.reference_sha256, &self.reference)?;
        Ok(manifest)
    }
}

fn check_digest(part: Part, expected: &str, bytes: &[u8]) -> Result<(), LoadError> {
    let found = Digest::of(bytes);
    match Digest::parse(expected) {
        Ok(digest) if digest == found => Ok(()),
        _ => Err(LoadError::Digest { part, expected: expected.to_owned(), found }),
    }
}
