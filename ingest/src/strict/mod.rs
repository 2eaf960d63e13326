//! JSON as a lender must read it: one meaning or none. A document with a repeated key, a number that a double cannot hold, a
//! NUL or too many levels is refused with the pointer of the place, never repaired.
//!
//! [`node`] is the tree, [`parse`] makes it, [`canonical`] writes its RFC 8785 form, [`typed`] turns it into structs.

pub mod canonical;
pub mod node;
pub mod parse;
pub mod typed;

pub(crate) use canonical::canonical_bytes;
pub use node::{Node, Object};
pub use parse::parse;
pub(crate) use typed::{from_node, read};
