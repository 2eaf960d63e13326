//! What the models of each product read of `attributes`, for whoever asks, without a token: generated, kept in memory, the same for
//! everybody.

use crate::app::App;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemas::attributes::MEDIA_TYPE;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;

/// The products of the deployment.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code)] // describes what `Published::list` writes
pub struct ProductList {
    /// Those that a route names.
    pub products: Vec<ProductSchema>,
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code)] // a part of the above
pub struct ProductSchema {
    /// Its name.
    pub product: String,
    /// Path of the schema of its attributes.
    pub attributes_schema: String,
}

/// The products, each with the path of its schema.
///
/// Those that a route of the deployment names, in the order of their names.
#[utoipa::path(get, path = "/v1/products", operation_id = "list_products", tag = "products", security(()), responses(
    (status = 200, description = "The products", body = ProductList),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.config.attributes.get().list())
}

/// The schema of a product's attributes.
///
/// JSON Schema 2020-12, made of the feature contracts of the models that may decide on the product: what they read, and what an application
/// with another name, type or word is warned of.
#[utoipa::path(get, path = "/v1/products/{product}/attributes.schema.json", operation_id = "attributes_schema",
    tag = "products", security(()),
    params(("product" = String, Path, description = "Name of the product")),
    responses(
        (status = 200, description = "The schema", body = Value, content_type = "application/schema+json"),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn attributes(State(app): State<Arc<App>>, Path(product): Path<String>) -> Result<Response, Problem> {
    let published = app.config.attributes.get();
    let document = published.documents.get(&product).ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], document.to_string()).into_response())
}
