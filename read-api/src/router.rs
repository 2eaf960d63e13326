//! Every route, what they share, and their description as OpenAPI 3.1. Holds no question.

use crate::config::Config;
use crate::error::Error;
use crate::guard::guard;
use crate::limit::{Limiter, Turns};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::recorder::Recorder;
use crate::store::Store;
use crate::{application_detail, applications, identities, kpis, stream};
use axum::routing::get;
use axum::{Json, Router};
use runtime::auth::Verifier;
use runtime::clock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Where the description is served; it needs no token.
pub const OPENAPI_PATH: &str = "/openapi.json";

/// What handlers share.
pub struct App {
    /// Where answers come from.
    pub store: Store,
    /// Where whole events come from, by position: the log holds those of every tenant.
    pub log: Store,
    /// Who may ask.
    pub verifier: Verifier,
    /// Where it is told who looked.
    pub recorder: Arc<Recorder>,
    /// What is measured.
    pub metrics: Metrics,
    /// As configured.
    pub config: Config,
    pub(crate) places: Semaphore,
    pub(crate) turns: Arc<Turns>,
    pub(crate) timeout: Duration,
    limiter: Mutex<Limiter>,
}

impl App {
    /// Over its stores: of rows, and of the log.
    ///
    /// # Errors
    /// [`Error::Config`] when the token key is no good.
    pub fn new(
        config: Config,
        (store, log): (Store, Store),
        recorder: Arc<Recorder>,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        Ok(Self {
            store,
            log,
            verifier: config.verifier()?,
            recorder,
            metrics,
            places: Semaphore::new(config.concurrency.max(1)),
            turns: Turns::new(config.concurrency_per_tenant.max(1)),
            timeout: Duration::from_millis(config.timeout_ms),
            limiter: Mutex::new(Limiter::new(config.requests_per_minute)),
            config,
        })
    }

    /// Counts a request of a token holder.
    ///
    /// # Errors
    /// Seconds to wait, when it is one too many.
    pub fn admit(&self, holder: &str) -> Result<(), u64> {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.admit(holder, clock::now().timestamp())
    }
}

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
            fields are only added: readers ignore what they do not know, and words such as `outcome` are open sets."
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
