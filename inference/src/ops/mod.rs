//! PURE. The operators of `ai.onnx.ml` as this engine has them, in place of or beside tract's, and the one way to a graph:
//! [`read`] parses and checks its bytes, [`onnx`] is tract with our operators in its register.
//!
//! What an operator does follows the standard, and onnxruntime where the standard is silent. Where the two contradict each
//! other, or where an exporter's intent cannot be known, the graph is refused at load with the node's name and what would
//! make it loadable: an answer is never silently another engine's. Every sum has a fixed order.
//!
//! Reading order: [`register`] lists them; [`taken`] with its table [`known`] → [`check`] → [`bounds`] → [`ranks`] → [`operator`] (what an operator is) → [`scaler`], [`encoder`], [`features`], [`linear`],
//! [`svm`], [`trees`], with [`rows`], [`labels`] and [`transform`] below them; [`cast`],
//! [`activations`] and [`questions`] replace some of the standard's own.

mod activations;
mod attributes;
mod bounds;
mod cast;
mod check;
mod domains;
mod encoder;
mod features;
mod fold;
mod known;
mod labels;
mod linear;
mod operator;
mod questions;
mod ranks;
mod register;
mod rows;
mod scaler;
mod steady;
mod svm;
mod taken;
#[cfg(test)]
pub(crate) mod tests;
mod transform;
mod trees;

pub use attributes::floats;
pub(crate) use attributes::whole_numbers;
pub(crate) use known::NEWEST;
pub(crate) use labels::Labels;
pub(crate) use operator::{Fact, of_node};
pub use register::onnx;
pub(crate) use rows::{slice, tensor};
pub(crate) use taken::check as check_taken;
pub(crate) use tract_onnx::model::ParsingContext;
pub(crate) use tract_onnx::pb::NodeProto;

use crate::error::GraphError;
use crate::prepare::{self, Files};
use prost::Message;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{InferenceModel, TractResult, TypedModel};

/// Parses a graph and checks what can be checked of it before it is built.
///
/// # Errors
/// [`GraphError`] with the node's name and what would make the graph loadable.
pub fn read(bytes: &[u8], files: Option<&Files>) -> Result<ModelProto, GraphError> {
    let onnx = onnx();
    let mut proto = built(|| Ok(ModelProto::decode(bytes)?))?;
    prepare::model(&mut proto, bytes, files).map_err(GraphError)?;
    check::model(&proto, &onnx).map_err(GraphError)?;
    Ok(proto)
}

/// A graph whose inputs are set, with the types and shapes of all its values, and with our operators in place of those of tract's
/// that depend on where a row lies or on what ran before; refused where its values would be huge.
///
/// # Errors
/// The node's name, and what is wrong with it.
pub fn typed(model: InferenceModel) -> TractResult<TypedModel> {
    let mut typed = bounds::typed(model)?;
    steady::replace(&mut typed)?;
    Ok(typed)
}

/// Reads or builds a graph; see [`guarded`].
pub(crate) fn built<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, GraphError> {
    guarded(work).map_err(|why| {
        if why.contains("can not be typed") {
            let advice = "the shape of a value depends on other values there, as in a KNNImputer: leave that step out of the export and do \
                          it before the graph, or use one that keeps shapes, such as SimpleImputer";
            return GraphError(format!("the engine refuses it: {why}: {advice}"));
        }
        // What says already what to do needs no more.
        let helps = ["export", "cast", "encode", "leave", "make "].iter().any(|word| why.contains(word));
        let advice = "; where onnxruntime refuses the file too, the converter wrote it wrong: export with another version or option";
        GraphError(format!("the engine refuses it: {why}{}", if helps { "" } else { advice }))
    })
}

/// Reads, builds or runs a graph. A defect of the engine's that some malformed graph brings out is that graph's refusal, not
/// the end of the process.
pub(crate) fn guarded<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| format!("{error:#}")),
        Err(_) => Err("the engine has no answer to what it holds".to_owned()),
    }
}
