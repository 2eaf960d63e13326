//! What the models of each product read of `attributes`, for whoever asks: generated, kept in memory, the same for everybody.

use super::problem::Problem;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use runtime::latest::Latest;
use schemas::attributes::{LIST_PATH, MEDIA_TYPE, PATH, Published};

/// The routes, over what is published at the moment of each request.
pub(super) fn router<S: Clone + Send + Sync + 'static>(published: &Latest<Published>) -> Router<S> {
    let (list, schema) = (published.clone(), published.clone());
    Router::new()
        .route(LIST_PATH, get(move || std::future::ready(Json(list.get().list()))))
        .route(PATH, get(move |Path(product): Path<String>| std::future::ready(document(&schema.get(), &product))))
}

fn document(published: &Published, product: &str) -> Response {
    match published.documents.get(product) {
        Some(document) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], document.to_string()).into_response(),
        None => {
            let title = "No model of such a product is known here";
            Problem::new(StatusCode::NOT_FOUND, "not_found", title).into_response()
        }
    }
}
