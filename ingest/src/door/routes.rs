//! The routes of the door, in the order of a request: who, limit, read, receive, publish, answer. Nothing of a body is read
//! before it is known whose it is, so that each tenant takes of its own share.

use super::keys::Claim;
use super::limits::{Over, Place};
use super::problem::{Line, Problem};
use super::products;
use super::request::{self, Event};
use super::state::{Door, SENDER_ROLES};
use crate::error::Error;
use crate::outputs::{self, Origin};
use crate::receive::{Arrival, Content, Received, receive};
use crate::refusal::{Reason, Refusal};
use crate::rules::TenantRule;
use crate::strict;
use axum::body::Body;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chrono::DateTime;
use domain::{Channel, Digest};
use http_body_util::BodyExt;
use runtime::auth::{self, AuthError, Claims, EVERY_TENANT};
use runtime::clock;
use schemas::application::{WITHDRAWN, Withdrawal};
use schemas::envelope::header as ce;
use schemas::reply::Warning;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, PoisonError};
use std::time::Instant;
use tokio::time::timeout_at;

/// The router of a door.
pub fn router(door: Arc<Door>) -> Router {
    Router::new()
        .route("/v1/applications", post(submit))
        .route("/v1/applications/{application_id}/withdraw", post(withdraw))
        .layer(middleware::from_fn_with_state(door.clone(), bounded))
        // Who may send nothing may read what is asked for.
        .merge(products::router(&door.rules.attributes))
        .with_state(door)
}

/// What is taken, for the sender's records.
#[derive(Debug, Serialize)]
struct Taken {
    tenant: String,
    application_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u32>,
    /// The event's id, as replies will echo it.
    event_id: String,
    /// As in the reply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// As in the reply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warning_details: Vec<Warning>,
}

/// Who sends a request, and the place that it has.
struct Caller {
    tenant: Arc<TenantRule>,
    /// What the token says; none where the door asks for none.
    claims: Option<Claims>,
    place: Place,
}

/// Answers at once whom the door does not know and who takes too much; counts and times the rest.
async fn bounded(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let response = match door.let_in(request.headers(), started) {
        Ok(caller) => {
            request.extensions_mut().insert(Arc::new(caller));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    door.metrics.answered(response.status().as_u16(), started.elapsed().as_secs_f64());
    response
}

async fn submit(
    State(door): State<Arc<Door>>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = door.read(&caller, body).await?;
    let claim = door.claim(&caller, &headers, &[b"submit", &bytes])?;
    let is_one = !request::is_ndjson(&headers);
    let taken = {
        let permit = door.parsing.clone().acquire_owned().await.map_err(|_| broken())?;
        let (door, caller) = (door.clone(), caller.clone());
        // Both go on when the sender leaves, so they keep its place until they end.
        let work = move || {
            let taken = door.receive_all(&headers, &bytes, &caller);
            drop(permit);
            taken
        };
        // A thousand lines take tens of milliseconds: not on a thread that other requests wait for.
        if is_one { work() } else { tokio::task::spawn_blocking(work).await.map_err(|_| broken())? }
    }?;
    let receipts: Vec<Taken> = taken.iter().map(receipt).collect();
    if let Some(claim) = claim {
        claim.keep();
    }
    door.publish(taken, caller).await?;
    let body = match (is_one, receipts.first()) {
        (true, Some(only)) => serde_json::to_value(only),
        _ => serde_json::to_value(serde_json::json!({ "accepted": receipts })),
    };
    Ok((StatusCode::ACCEPTED, Json(body.map_err(|_| broken())?)).into_response())
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
    Path(application_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let tenant = &caller.tenant;
    let bytes = door.read(&caller, body).await?;
    let claim = door.claim(&caller, &headers, &[b"withdraw", application_id.as_bytes(), &bytes])?;
    let asked = door.withdrawal_request(&bytes)?;
    let data = Withdrawal {
        tenant: tenant.tenant().as_str().to_owned(),
        withdrawn_at: asked.withdrawn_at.unwrap_or_else(|| door.now()),
        reason: asked.reason,
        application_id,
    };
    let bytes = serde_json::to_vec(&data).map_err(|_| broken())?;
    let mut event = request::events(&headers, &bytes, tenant, 1).map_err(Problem::of)?.remove(0).1;
    event.headers.retain(|(name, _)| *name != ce::CONTENT_TYPE && *name != ce::TYPE);
    event.headers.push((ce::TYPE, WITHDRAWN.into()));
    if !headers.contains_key("ce-id") && !headers.contains_key("idempotency-key") {
        event.headers.retain(|(name, _)| *name != ce::ID);
        event.headers.push((ce::ID, format!("withdraw:{}", data.application_id).into_bytes()));
    }
    let taken = door.receive_one(&event, tenant).map_err(|refusal| Problem::from(&*refusal))?;
    let receipt = receipt(&taken);
    if let Some(claim) = claim {
        claim.keep();
    }
    door.publish(vec![taken], caller).await?;
    Ok((StatusCode::ACCEPTED, Json(receipt)).into_response())
}

impl Door {
    /// Whose request this is, with a place of that tenant's share.
    fn let_in(&self, headers: &HeaderMap, now: Instant) -> Result<Caller, Problem> {
        let (tenant, claims) = self.sender_of(headers)?;
        let place = self.shares.enter(tenant.tenant().as_str(), now).map_err(|over| self.over(&tenant, over))?;
        let caller = Caller { tenant, claims, place };
        let may_come = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now);
        match may_come {
            Ok(()) => Ok(caller),
            Err(until) => Err(self.over(&caller.tenant, Over::AllRate(until))),
        }
    }

    /// What a sender hears who takes too much, counted.
    fn over(&self, tenant: &TenantRule, over: Over) -> Problem {
        self.metrics.limited(tenant.tenant().as_str(), over.word());
        let too_many = |title| Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", title);
        let busy = |title| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title);
        match over {
            Over::Rate(until) | Over::AllRate(until) => {
                let retry_after_s = u32::try_from(until.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
                Problem { retry_after_s, ..too_many("Requests come faster than the limit") }
            }
            Over::TenantPlaces => too_many("The tenant has too many requests under way"),
            Over::TenantBytes => too_many("The tenant's requests under way are too large together"),
            Over::Places => busy("Too many requests are under way"),
            Over::Bytes => busy("The requests under way are too large together"),
        }
    }

    /// Who may send by these headers: the token's tenant, or the open one where no token is asked for.
    fn sender_of(&self, headers: &HeaderMap) -> Result<(Arc<TenantRule>, Option<Claims>), Problem> {
        let forbidden = |title| Problem::new(StatusCode::FORBIDDEN, "forbidden", title);
        let unauthorized = || Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid token is required");
        let Some(verifier) = &self.verifier else {
            return Ok((self.open_tenant.clone().ok_or_else(unauthorized)?, None));
        };
        let claims = verifier.verify(auth::bearer(headers).ok_or_else(unauthorized)?).map_err(|error| match error {
            AuthError::NotReady => {
                let title = "Which tokens were revoked is not known yet; send it again";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", title)
            }
            _ => unauthorized(),
        })?;
        if !SENDER_ROLES.iter().any(|role| claims.has_role(role)) {
            return Err(forbidden("The token does not open this door"));
        }
        if claims.tenant == EVERY_TENANT {
            // Whose share it takes must be known before a body is read, and nobody is guessed.
            return Err(forbidden("The token of a sender names its tenant"));
        }
        let tenant = self.tenants.named(&claims.tenant).cloned();
        Ok((tenant.ok_or_else(|| forbidden("The token does not open this door"))?, Some(claims)))
    }

    fn now(&self) -> String {
        clock::rfc3339(DateTime::from_timestamp_millis((self.clock)()).unwrap_or_default())
    }

    /// A body, held against the tenant's share as it comes, and against the slowest rate that is put up with.
    async fn read(&self, caller: &Caller, body: Body) -> Result<Vec<u8>, Problem> {
        let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body did not arrive in time");
        let torn = |_| Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "The body did not arrive whole");
        let started = tokio::time::Instant::now();
        let mut body = body;
        let mut bytes = Vec::new();
        loop {
            let until = started + self.patience.after(bytes.len());
            let Some(frame) = timeout_at(until, body.frame()).await.map_err(late)? else { return Ok(bytes) };
            let Ok(part) = frame.map_err(torn)?.into_data() else { continue };
            if bytes.len() + part.len() > self.max_request_bytes {
                return Err(Problem::of(Reason::BodyTooLarge));
            }
            caller.place.hold(part.len()).map_err(|over| self.over(&caller.tenant, over))?;
            bytes.extend_from_slice(&part);
        }
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
        parsed.map_err(|fault| Problem { pointers: vec![fault.pointer], ..Problem::of(fault.reason) })
    }

    /// All events of a request or none: a request is mended and sent again as a whole.
    fn receive_all(&self, headers: &HeaderMap, bytes: &[u8], caller: &Caller) -> Result<Vec<Received>, Problem> {
        let tenant = &caller.tenant;
        let events = request::events(headers, bytes, tenant, self.max_lines).map_err(Problem::of)?;
        caller.place.charge(events.len() - 1);
        let is_one = !request::is_ndjson(headers);
        let mut taken = Vec::with_capacity(events.len());
        let mut refused = Vec::new();
        for (line, event) in events {
            match self.receive_one(&event, tenant) {
                Ok(received) => taken.push(received),
                Err(refusal) => refused.push(Line { line, problem: Box::new(Problem::from(&*refusal)) }),
            }
        }
        if refused.is_empty() {
            return Ok(taken);
        }
        if is_one {
            return Err(*refused.remove(0).problem);
        }
        let whole = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused_lines", "Lines of the request are refused");
        Err(Problem { lines: refused, ..whole })
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

    async fn publish(&self, taken: Vec<Received>, caller: Arc<Caller>) -> Result<(), Problem> {
        let token = caller.claims.as_ref().map(|claims| (claims.sub.as_str(), claims.jti.as_str()));
        if let Some((actor, token_id)) = token {
            let (tenant, first) = (caller.tenant.tenant().as_str(), taken.first());
            let first = first.map(|taken| taken.application_id.as_str());
            tracing::debug!(actor, token_id, tenant, records = taken.len(), first, "sent through the door");
        }
        let origin = Origin { channel: Channel::Http, place: None, received_at_ms: None, token };
        let records = taken.into_iter().flat_map(|taken| outputs::received(taken, origin, &self.topics)).collect();
        self.publisher.publish(records, caller).await.map_err(|error| match error {
            Error::TooLarge => Problem::of(Reason::BodyTooLarge),
            error => {
                tracing::warn!(%error, "request not published");
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Kafka does not have it; send it again")
            }
        })
    }
}

fn receipt(taken: &Received) -> Taken {
    let told = taken.warnings.as_ref().map(|warnings| warnings.told.clone()).unwrap_or_default();
    Taken {
        tenant: taken.tenant.clone(),
        application_id: taken.application_id.clone(),
        revision: match &taken.content {
            Content::Application { revision, .. } => Some(revision.get()),
            Content::Withdrawal { .. } => None,
        },
        event_id: taken.envelope.id.clone(),
        warnings: outputs::warnings_with(&taken.application_id, &told),
        warning_details: told,
    }
}

fn broken() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The request could not be handled")
}
