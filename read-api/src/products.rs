//! What the models of each product read of `attributes`, for whoever asks, without a token: generated, kept in memory, the same for
//! everybody.

use crate::app::App;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemas::attributes::MEDIA_TYPE;
use serde_json::Value;
use std::sync::Arc;

/// The products, each with the path of its schema.
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.config.attributes.get().list())
}

/// The JSON Schema of a product's `attributes`.
pub(crate) async fn attributes(State(app): State<Arc<App>>, Path(product): Path<String>) -> Result<Response, Problem> {
    let published = app.config.attributes.get();
    let document = published.documents.get(&product).ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], document.to_string()).into_response())
}
