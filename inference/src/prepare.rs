//! What is rewritten in a graph before it is checked, so that it means the same in fewer words: tensors in files beside it are
//! taken in, functions of its own are written out where they are called, and lists of tensors become the tensors.

mod constants;
mod external;
mod functions;
mod sequences;

pub use external::{Files, names as external_files};

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto};

/// Rewrites a model whose file has these bytes.
///
/// # Errors
/// What is wrong with it, and what would make it loadable.
pub(crate) fn model(proto: &mut ModelProto, bytes: &[u8], files: Option<&Files>) -> Result<(), String> {
    functions::write_out(proto, bytes)?;
    let Some(graph) = &mut proto.graph else { return Ok(()) };
    external::take_in(graph, files)?;
    constants::into_attributes(graph);
    sequences::resolve(graph)
}

/// Every graph within a node.
fn inner(node: &mut NodeProto) -> impl Iterator<Item = &mut GraphProto> {
    node.attribute.iter_mut().flat_map(|attribute| attribute.g.iter_mut().chain(&mut attribute.graphs))
}
