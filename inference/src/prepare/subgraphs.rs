//! The graphs within a node: branches, and bodies of loops.

use tract_onnx::pb::{GraphProto, NodeProto};

/// Every graph within a node.
pub(super) fn inner(node: &mut NodeProto) -> impl Iterator<Item = &mut GraphProto> {
    node.attribute.iter_mut().flat_map(|attribute| attribute.g.iter_mut().chain(&mut attribute.graphs))
}
