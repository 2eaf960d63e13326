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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::tests::{HEAD, feature};

    #[test]
    fn bytes_that_the_manifest_was_not_written_for_are_named() {
        let digest = |bytes: &[u8]| Digest::of(bytes).to_string();
        let text = HEAD
            .replace("graph_sha256 = \"\"", &format!("graph_sha256 = \"{}\"", digest(b"graph")))
            .replace("golden_sha256 = \"\"", &format!("golden_sha256 = \"{}\"", digest(b"golden")))
            .replace("reference_sha256 = \"\"", &format!("reference_sha256 = \"{}\"", digest(b"reference")));
        let manifest = text + &feature("f", "number", "pointer = '/a'\nmissing = { policy = \"unscorable\" }");
        let of = |bytes: &str| bytes.as_bytes().to_vec();
        let good = PackageFiles {
            manifest: of(&manifest),
            graph: of("graph"),
            golden: of("golden"),
            reference: of("reference"),
        };
        assert_eq!(good.manifest().unwrap().name, "m");
        let rows = [
            (PackageFiles { graph: of("other"), ..good.clone() }, "model.onnx: the manifest names digest "),
            (PackageFiles { golden: of(""), ..good.clone() }, "golden.json: the manifest names digest "),
            (
                PackageFiles { reference: of("reference\n"), ..good.clone() },
                "reference.json: the manifest names digest ",
            ),
            (PackageFiles { manifest: of(&manifest.replace("version", "versoin")), ..good }, "manifest.toml: "),
        ];
        for (files, expected) in rows {
            let why = files.manifest().unwrap_err().to_string();
            assert!(why.starts_with(expected), "{why}");
        }
    }
}
