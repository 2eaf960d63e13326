//! What every request passes on its way in and out: counted, timed, bounded in number and duration. Knows no question.

use crate::app::App;
use crate::problem::Problem;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus::IntGauge;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

/// The route of a request that no route takes: what strangers ask must not become labels.
const UNMATCHED: &str = "unmatched";

/// Lets a request through to its handler, or answers it.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    let started = Instant::now();
    let in_flight = InFlight::begin(&app.metrics.in_flight);
    let mut response = answer(&app, request, next).await;
    drop(in_flight);
    let (status, seconds) = (response.status(), started.elapsed().as_secs_f64());
    app.metrics.requests.with_label_values(&[route.as_str(), status.as_str()]).inc();
    app.metrics.seconds.with_label_values(&[route.as_str()]).observe(seconds);
    tracing::debug!(route, status = status.as_u16(), seconds, "request answered");
    // Answers hold what only this caller may see.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn answer(app: &App, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if !body.is_end_stream() {
        match tokio::time::timeout(app.timeout, first_of(body)).await {
            Ok(None) => {} // chunked, and nothing in it
            Ok(Some(Ok(()))) => return Problem::body_not_taken().into_response(),
            Ok(Some(Err(()))) => return Problem::broken_body().into_response(),
            Err(_) => return Problem::timeout().into_response(),
        }
    }
    let request = Request::from_parts(head, Body::empty());
    let Ok(_place) = app.places.try_acquire() else {
        return Problem::busy().into_response();
    };
    let answered = tokio::time::timeout(app.timeout, next.run(request)).await;
    answered.unwrap_or_else(|_| Problem::timeout().into_response())
}

/// What comes first of a body: a part, or that it is broken.
async fn first_of(body: Body) -> Option<Result<(), ()>> {
    let mut body = pin!(body);
    let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await?;
    Some(frame.map(drop).map_err(drop))
}

/// Counts a request until it is answered or its caller has gone away.
struct InFlight(IntGauge);

impl InFlight {
    fn begin(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
