//! Why a graph does not load, and why one that does did not answer.

/// A graph that is malformed, or that this engine does not run. Permanent: the same bytes fail again. It names the node or tensor, and
/// what would make the graph loadable where that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GraphError(pub String);

/// A table does not fit a graph that loaded, or an operator refuses a row of it; it names the columns, or the row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

/// A graph that is refused for this reason.
pub(crate) fn refused(why: &str) -> GraphError {
    GraphError(why.to_owned())
}
