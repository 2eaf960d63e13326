//! What is wrong with a route's document, or should be written otherwise, with its place.

use std::fmt;

/// One thing that is wrong, with its place: `entry 2 (thin_file), when`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Entry and key, or line and key.
    pub at: String,
    /// What is wrong, and what to do.
    pub why: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_str() {
            "" => f.write_str(&self.why),
            at => write!(f, "{at}: {}", self.why),
        }
    }
}
