//! Every route, and their description as OpenAPI 3.1. Holds no question.

use crate::app::App;
use crate::guard::guard;
use crate::problem::Problem;
use crate::{application_detail, applications, identities, kpis, products, stream};
use axum::routing::get;
use axum::{Json, Router};
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Where the description is served; it needs no token, and neither do the schemas of products.
pub(crate) const OPENAPI_PATH: &str = "/openapi.json";

/// Everything that can be asked.
pub fn router(app: Arc<App>) -> Router {
    let (routes, description) = described();
    routes
        .route(OPENAPI_PATH, get(move || std::future::ready(Json(description.clone()))))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// The description of every route, as served at [`OPENAPI_PATH`].
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().1
}

fn described() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(applications::list))
        .routes(routes!(application_detail::tell))
        .routes(routes!(identities::show))
        .routes(routes!(kpis::count))
        .routes(routes!(stream::look))
        .routes(routes!(products::list))
        .routes(routes!(products::attributes))
        .split_for_parts()
}

/// What the handlers do not say.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "DefaultX read API",
        version = "1.0.0",
        description = "What became of loan applications: the list, the whole detail of one, key figures, the health of the \
            stream. Every answer is about one tenant that the token opens; another tenant's application is a 404. Within v1 \
            fields are only added: readers ignore what they do not know, and words such as `outcome` are open sets.",
        contact(name = "DefaultX"),
        license(name = "Apache-2.0", url = "https://www.apache.org/licenses/LICENSE-2.0")
    ),
    servers((url = "/", description = "The server that gives this document")),
    tags(
        (name = "applications", description = "Applications, their scores, decisions and proofs"),
        (name = "figures", description = "What was decided in a period, in numbers"),
        (name = "products", description = "What the models of each product read; no token is wanted"),
        (name = "stream", description = "The health of the stream and of the audit log")
    ),
    modifiers(&Bearer),
    // Any one of them opens an operation that names no others.
    security(("token" = ["Admin"]), ("token" = ["Officer"]), ("token" = ["Reviewer"]), ("token" = ["Auditor"]))
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "EdDSA; claims sub, iss, aud, exp, nbf, iat, jti, tenant, roles; kid where several keys are good",
            ))
            .build();
        openapi.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}
