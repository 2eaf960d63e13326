//! Why a package does not serve: each refusal says what is wrong and where. Never about an application: that is
//! [`crate::mapping::Unscorable`].

use domain::digest::Digest;
use inference::GraphError;

/// A part of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `manifest.toml`.
    Manifest,
    /// `model.onnx`.
    Graph,
    /// `golden.json`.
    Golden,
    /// `reference.json`.
    Reference,
    /// The `scales.toml` that all packages share.
    Scales,
}

impl Part {
    /// The file's name in its folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest.toml",
            Self::Graph => "model.onnx",
            Self::Golden => "golden.json",
            Self::Reference => "reference.json",
            Self::Scales => "scales.toml",
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.file_name())
    }
}

/// Why a package does not load. All of them are permanent: the same bytes fail again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// A file that is not of its form.
    #[error("{part}: {why}")]
    Form {
        /// Which file.
        part: Part,
        /// What the parser says.
        why: String,
    },
    /// The bytes are not those that the manifest was written for.
    #[error("{part}: the manifest names digest {expected}, the file has {found}")]
    Digest {
        /// Which file.
        part: Part,
        /// As the manifest says.
        expected: String,
        /// Of the bytes at hand.
        found: Digest,
    },
    /// The feature contract, target, calibration or reasons contradict themselves or a rule of the deployment.
    #[error("manifest.toml, {place}: {why}")]
    Contract {
        /// Such as `feature limit`.
        place: String,
        /// What is wrong there.
        why: String,
    },
    /// The graph is not what the manifest says, or the engine cannot run it.
    #[error("model.onnx: {0}")]
    Graph(String),
    /// The reference does not fit the contract.
    #[error("reference.json, {place}: {why}")]
    Reference {
        /// Such as `near_cutoff.background[3]`.
        place: String,
        /// What is wrong there.
        why: String,
    },
    /// An answer differs from the golden one.
    #[error("golden.json, {place}: {field} must be {expected}, this engine says {found}")]
    Golden {
        /// Such as `rows[3]`.
        place: String,
        /// Such as `margin`.
        field: &'static str,
        /// The golden answer.
        expected: String,
        /// This engine's.
        found: String,
    },
    /// Something is another than when the package was made, whether a golden answer shows it or not.
    #[error("{place} is {found}, and was {made} when the package was made")]
    Made {
        /// Such as `manifest.toml, calibration, pds[3]`.
        place: String,
        /// What is there.
        found: String,
        /// What was.
        made: String,
    },
    /// Too few golden answers to prove anything.
    #[error("golden.json: {what} must hold at least {least}, it holds {found}")]
    GoldenTooFew {
        /// `rows` or `applications`.
        what: &'static str,
        /// The least.
        least: usize,
        /// How many there are.
        found: usize,
    },
}

impl LoadError {
    pub(crate) fn contract(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Contract { place: place.into(), why: why.into() }
    }

    pub(crate) fn form(part: Part, why: impl std::fmt::Display) -> Self {
        Self::Form { part, why: why.to_string() }
    }
}

impl From<GraphError> for LoadError {
    fn from(GraphError(why): GraphError) -> Self {
        Self::Graph(why)
    }
}
