//! A document as its file holds it.

use crate::error::Result;
use serde::Serialize;

/// On one line, with its end.
pub fn json(document: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(document)?;
    bytes.push(b'\n');
    Ok(bytes)
}
