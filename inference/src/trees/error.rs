//! Why an ensemble is refused, or a call on one. Every text says where to look: the tree, the node, the number.

/// A refusal. All are permanent: the same data fails again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TreeError {
    /// One node is not what a tree may hold.
    #[error("tree {tree}, node {node}: {why}")]
    Node {
        /// Position in the ensemble, from 0.
        tree: usize,
        /// Position in the tree, from 0.
        node: usize,
        /// What is wrong, with the numbers.
        why: String,
    },
    /// The ensemble as a whole.
    #[error("the ensemble {0}")]
    Ensemble(String),
    /// Rows, answers or covers do not have the shape that the ensemble needs.
    #[error("{what} has {found} numbers where {needed} are needed")]
    Shape {
        /// Which argument.
        what: &'static str,
        /// Its length.
        found: usize,
        /// What the call needs, in words.
        needed: String,
    },
}
