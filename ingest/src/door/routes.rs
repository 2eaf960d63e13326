//! The routes of the door, in the order of a request: who, limit, read, receive, publish, answer.

use super::answer::{self, Taken};
use super::entry::Caller;
use super::keys::{Claim, Kept};
use super::problem::{Line, Problem};
use super::products;
use super::request::{self, Event, Shape};
use super::state::Door;
use crate::outputs::{self, Origin};
use crate::publisher::Unpublished;
use crate::receive::{Arrival, Received, receive};
use crate::refusal::{Fault, Reason, Refusal};
use crate::rules::TenantRule;
use crate::strict;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::DateTime;
use domain::{ApplicationId, Channel, Digest};
use runtime::clock;
use runtime::outage::KAFKA;
use runtime::warn_unless_away;
use schemas::application::{WITHDRAWN, Withdrawal};
use schemas::envelope::{JSON, header as ce};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Instant;

/// The router of a door.
pub fn router(door: Arc<Door>) -> Router {
    let described = door.description.clone();
    let describe = move || std::future::ready(([(header::CONTENT_TYPE, JSON)], described.clone()));
    Router::new()
        .route("/v1/applications", post(submit))
        .route("/v1/applications/{application_id}/withdraw", post(withdraw))
        .route_layer(middleware::from_fn_with_state(door.clone(), bounded))
        // Who may send nothing may read how it is done, and what is asked for.
        .route("/openapi.json", get(describe))
        .merge(products::router(&door.rules.attributes))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "not_found", "There is no such resource") })
        .method_not_allowed_fallback(|| async {
            let title = "The resource does not take this method";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", title)
        })
        .layer(middleware::from_fn_with_state(door.clone(), counted))
        .with_state(door)
}

/// What the events of a request came to.
struct Judged {
    /// With their lines.
    taken: Vec<(usize, Received)>,
    /// In the order of the lines.
    refused: Vec<Line>,
}

/// Counts and times every request.
async fn counted(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let response = next.run(request).await;
    door.metrics.answered(response.status().as_u16(), started.elapsed().as_secs_f64());
    response
}

/// Answers at once whom the door does not know and who takes too much.
async fn bounded(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    match door.let_in(request.headers(), Instant::now()) {
        Ok(caller) => {
            request.extensions_mut().insert(Arc::new(caller));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn submit(
    State(door): State<Arc<Door>>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    request::unambiguous(&headers)?;
    let bytes = door.read(&caller, &headers, body).await?;
    let claim = door.claim(&caller, &headers, &[b"submit", &bytes])?;
    let shape = request::shape(&headers);
    let Judged { taken, refused } = {
        let permit = door.parsing.clone().acquire_owned().await.map_err(|_| broken())?;
        let (door, caller) = (door.clone(), caller.clone());
        // Both go on when the sender leaves, so they keep its place until they end.
        let work = move || {
            let judged = door.receive_all(&headers, &bytes, &caller, shape);
            drop(permit);
            judged
        };
        // A thousand lines take tens of milliseconds: not on a thread that other requests wait for.
        match shape {
            Shape::One => work(),
            Shape::Whole | Shape::Each => tokio::task::spawn_blocking(work).await.map_err(|_| broken())?,
        }
    }?;
    let claim = claim.map(Claim::keep);
    let receipts = taken.iter().map(|(line, received)| (*line, Taken::from(received))).collect();
    let taken = taken.into_iter().map(|(_, received)| received);
    let units = match shape {
        Shape::Each => taken.map(|received| vec![received]).collect(),
        Shape::One | Shape::Whole => vec![taken.collect()],
    };
    let written = door.publish(units, caller, claim).await?;
    answer::submitted(shape, receipts, refused, &written)
}

/// What the body of a withdrawal may say. Everything else is in the path or the token.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WithdrawalRequest {
    withdrawn_at: Option<String>,
    reason: Option<String>,
}

async fn withdraw(
    State(door): State<Arc<Door>>,
    Extension(caller): Extension<Arc<Caller>>,
    application_id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let application_id = application_id.ok().map(|Path(id)| id).filter(|id| ApplicationId::new(id).is_ok());
    let Some(application_id) = application_id else {
        door.metrics.rejected(Reason::BadIdentifier.as_str(), Some(Channel::Http));
        return Err(Problem::from(Fault::new(Reason::BadIdentifier, "/application_id".into())));
    };
    request::unambiguous(&headers)?;
    let tenant = &caller.tenant;
    let bytes = door.read(&caller, &headers, body).await?;
    let claim = door.claim(&caller, &headers, &[b"withdraw", application_id.as_bytes(), &bytes])?;
    let asked = door.withdrawal_request(&bytes)?;
    let data = Withdrawal {
        tenant: tenant.tenant().as_str().to_owned(),
        withdrawn_at: asked.withdrawn_at.unwrap_or_else(|| door.now()),
        reason: asked.reason,
        application_id,
    };
    let bytes = serde_json::to_vec(&data).map_err(|_| broken())?;
    let mut event = request::event(&headers, &bytes, tenant, None, None);
    event.headers.retain(|(name, _)| *name != ce::TYPE);
    event.headers.push((ce::TYPE, WITHDRAWN.into()));
    if !headers.contains_key("ce-id") && !headers.contains_key("idempotency-key") {
        event.headers.retain(|(name, _)| *name != ce::ID);
        event.headers.push((ce::ID, format!("withdraw:{}", data.application_id).into_bytes()));
    }
    let taken = door.receive_one(&event, tenant).map_err(|refusal| Problem::from(&*refusal))?;
    let receipts = vec![(1, Taken::from(&taken))];
    let written = door.publish(vec![vec![taken]], caller, claim.map(Claim::keep)).await?;
    answer::submitted(Shape::One, receipts, Vec::new(), &written)
}

impl Door {
    fn now(&self) -> String {
        clock::rfc3339(DateTime::from_timestamp_millis((self.clock)()).unwrap_or_default())
    }

    /// Uses the idempotency key of a request, where it has one, for what is asked.
    fn claim(&self, caller: &Caller, headers: &HeaderMap, asked: &[&[u8]]) -> Result<Option<Claim>, Problem> {
        let Some(key) = request::idempotency_key(headers) else { return Ok(None) };
        let digest = |parts: &[&[u8]]| {
            let add = |hash: Sha256, part: &&[u8]| hash.chain_update(part.len().to_be_bytes()).chain_update(part);
            Digest(parts.iter().fold(Sha256::new(), add).finalize().into()).short()
        };
        let reused = |_| {
            let title = "The Idempotency-Key was used before with other content";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", title)
        };
        let tenant = caller.tenant.tenant().as_str();
        self.keys.claim(tenant, digest(&[&key]), digest(asked)).map(Some).map_err(reused)
    }

    fn withdrawal_request(&self, bytes: &[u8]) -> Result<WithdrawalRequest, Problem> {
        if bytes.trim_ascii().is_empty() {
            return Ok(WithdrawalRequest::default());
        }
        let parsed = strict::parse(bytes, self.rules.max_depth).and_then(|node| strict::from_node(&node));
        parsed.map_err(Problem::from)
    }

    /// What becomes of the events of a request, before Kafka has them.
    ///
    /// # Errors
    /// When none is taken: of those that are one whole because one is refused.
    fn receive_all(&self, headers: &HeaderMap, bytes: &[u8], caller: &Caller, shape: Shape) -> Result<Judged, Problem> {
        let tenant = &caller.tenant;
        let events = request::events(headers, bytes, tenant, self.max_lines).map_err(Problem::of)?;
        caller.place.charge(events.len() - 1);
        let mut judged = Judged { taken: Vec::with_capacity(events.len()), refused: Vec::new() };
        for (line, event) in events {
            match self.receive_one(&event, tenant) {
                Ok(received) => judged.taken.push((line, received)),
                Err(refusal) => judged.refused.push(Line { line, problem: Box::new(Problem::from(&*refusal)) }),
            }
        }
        match shape {
            _ if judged.refused.is_empty() => Ok(judged),
            Shape::Each if !judged.taken.is_empty() => Ok(judged),
            Shape::One => Err(*judged.refused.remove(0).problem),
            Shape::Whole | Shape::Each => Err(answer::refused_lines(judged.refused)),
        }
    }

    fn receive_one(&self, event: &Event<'_>, tenant: &TenantRule) -> Result<Received, Box<Refusal>> {
        let header_of = |name: &str| event.header(name);
        let arrival = Arrival {
            channel: Channel::Http,
            at_ms: (self.clock)(),
            header_of: &header_of,
            body: Some(event.body),
            tenant,
        };
        receive(&self.rules, &arrival)
            .inspect(|taken| self.metrics.warned(taken))
            .inspect_err(|refusal| self.metrics.rejected(refusal.reason.as_str(), Some(Channel::Http)))
    }

    /// Writes what is taken, each unit whole or not at all; says of each whether Kafka takes it. Where nothing is written the key of the
    /// request is free again.
    async fn publish(
        &self,
        units: Vec<Vec<Received>>,
        caller: Arc<Caller>,
        key: Option<Kept>,
    ) -> Result<Vec<bool>, Problem> {
        let token = caller.claims.as_ref().map(|claims| (claims.sub.as_str(), claims.jti.as_str()));
        if let Some((actor, token_id)) = token {
            let (tenant, first) = (caller.tenant.tenant().as_str(), units.iter().flatten().next());
            let first = first.map(|taken| taken.application_id.as_str());
            let records = units.iter().map(Vec::len).sum::<usize>();
            tracing::debug!(actor, token_id, tenant, records, first, "sent through the door");
        }
        let origin = Origin { channel: Channel::Http, place: None, received_at_ms: None, token };
        let records = |taken| outputs::received(taken, origin, &self.topics);
        let units = units.into_iter().map(|unit| unit.into_iter().flat_map(records).collect()).collect();
        let written = self.publisher.publish(units, caller.clone()).await;
        let is_any_there = match &written {
            Ok(units) => units.contains(&true),
            Err(Unpublished::Nothing(_)) => false,
            Err(Unpublished::Unknown(_)) => true,
        };
        if !is_any_there {
            key.into_iter().for_each(Kept::free);
        }
        written.map_err(|error| {
            warn_unless_away!(KAFKA, %error, "request not published");
            let title = match error {
                Unpublished::Nothing(_) => "Kafka does not have it; send it again",
                Unpublished::Unknown(_) => "Kafka may have it; send the same again",
            };
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", title)
        })
    }
}

fn broken() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The request could not be handled")
}
