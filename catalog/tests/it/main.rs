//! Folders through the public door, with a loader of texts that say who they are.
#![allow(clippy::unwrap_used)]

mod versions;
