//! What is rewritten in a graph before it is checked, so that it means the same in fewer words: tensors in files beside it are
//! taken in, functions of its own are written out where they are called, what is not used is left out, loops go forward, and lists of tensors become the tensors.

mod constants;
mod external;
mod functions;
mod gemm;
mod loops;
mod sequences;
mod subgraphs;
mod unsaid;

pub use external::Files;

use crate::error::GraphError;
use std::collections::BTreeSet;
use tract_onnx::pb::ModelProto;

/// The names of the files beside a graph that its tensors stand in, for whoever reads files: [`crate::graph::Options::files`].
///
/// # Errors
/// Bytes that are no graph, or a name that leads to another folder.
pub fn files_of(bytes: &[u8]) -> Result<BTreeSet<String>, GraphError> {
    let outline = <external::Outline as prost::Message>::decode(bytes);
    let outline = outline.map_err(|error| GraphError(format!("is no ONNX graph: {error}")))?;
    external::names(&outline).map_err(GraphError)
}

/// Rewrites a model whose file has these bytes.
///
/// # Errors
/// What is wrong with it, and what would make it loadable.
pub(crate) fn model(proto: &mut ModelProto, bytes: &[u8], files: Option<&Files>) -> Result<(), String> {
    functions::write_out(proto, bytes)?;
    let opset = unsaid::opset(proto);
    let Some(graph) = &mut proto.graph else { return Ok(()) };
    external::take_in(graph, files)?;
    unsaid::leave_out(graph);
    crate::ops::check_taken(graph, opset)?;
    constants::into_attributes(graph);
    constants::counts_into_inputs(graph);
    gemm::scale_constants(graph);
    loops::forward(graph)?;
    sequences::resolve(graph)
}
