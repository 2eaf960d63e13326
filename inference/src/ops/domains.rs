//! The domains whose operators run here, by the names that files give them.

/// Of the standard itself.
pub(super) const STANDARD: [&str; 2] = ["", "ai.onnx"];
/// Of classical models.
pub(super) const ML: &str = "ai.onnx.ml";
