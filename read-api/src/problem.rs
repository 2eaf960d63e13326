//! Refusals as RFC 9457 problems. Tell the caller what to change, never what the deployment holds.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// A stable URN, `urn:defaultx:problem:…`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "urn:defaultx:problem:not_found")]
    pub kind: String,
    /// What it is, in words.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What about this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Sent as `Retry-After`.
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, word: &str, title: &'static str) -> Self {
        Self {
            kind: format!("urn:defaultx:problem:{word}"),
            title,
            status: status.as_u16(),
            detail: None,
            retry_after_s: None,
        }
    }

    fn again_in(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    fn because(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// 400: a parameter does not fit.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "The request cannot be read").because(detail)
    }

    /// 401: no token, or none that is good.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid bearer token is required")
    }

    /// 403: a good token that may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The token does not allow this").because(detail)
    }

    /// 404: there is no such thing, or it belongs to another tenant.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing")
    }

    /// 400: the body ended in the middle, or is not what its head says.
    pub(crate) fn broken_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "incomplete_body", "The body did not arrive whole")
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This can only be read")
    }

    /// 413: questions have no body.
    pub fn body_not_taken() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "body_not_taken", "Questions have no body")
    }

    /// 429: more than one token holder may ask.
    pub fn too_many_requests(retry_after_s: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests in this minute")
            .again_in(retry_after_s)
    }

    /// 429: too many of one tenant at once.
    pub(crate) fn tenant_busy() -> Self {
        let title = "Too many requests of the tenant at a time; try again";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", title).again_in(1)
    }

    /// 503: too many at once.
    pub fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many requests at a time; try again").again_in(1)
    }

    /// 503: not in time.
    pub fn timeout() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "The answer took too long; narrow the question")
    }

    /// 503: the database is out of reach.
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The database cannot be asked; try again").again_in(5)
    }

    /// 503: which tokens were revoked is not known yet.
    pub fn not_ready() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Which tokens were revoked is not known yet; try again",
        )
        .again_in(1)
    }

    /// 503: it cannot be put on record who looks.
    pub fn unrecorded() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unrecorded", "It cannot be put on record who looks; try again")
            .again_in(5)
    }

    /// 500: what is stored cannot be read.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "What is stored cannot be read")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after_s = self.retry_after_s;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        response
    }
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        let cancelled = error.code() == Some(&tokio_postgres::error::SqlState::QUERY_CANCELED);
        tracing::warn!(error = runtime::pg::said(&error), "database query failed");
        if cancelled { Self::timeout() } else { Self::unavailable() }
    }
}

impl From<runtime::pg::NoSession> for Problem {
    fn from(error: runtime::pg::NoSession) -> Self {
        tracing::warn!(%error, "no database session");
        Self::unavailable()
    }
}
