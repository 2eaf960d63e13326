//! A webhook receiver as an integration would have it: checks the signature, answers at once, remembers ids. Keeps no body.

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use runtime::http::serve;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// What has arrived.
#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Received>,
}

struct Received {
    webhook: standardwebhooks::Webhook,
    ids: Mutex<HashSet<String>>,
}

impl Receiver {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// When the secret is none or no port is free.
    pub async fn start(secret: &str, shutdown: CancellationToken) -> Result<Self> {
        let webhook = standardwebhooks::Webhook::new(secret)?;
        let state = Arc::new(Received { webhook, ids: Mutex::default() });
        let router = Router::new().route("/hook", post(take)).with_state(state.clone());
        let (address, _) = serve("webhook-receiver", SocketAddr::from(([127, 0, 0, 1], 0)), router, shutdown).await?;
        Ok(Self { address, state })
    }

    /// Where to post.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Distinct deliveries with a good signature.
    pub fn count(&self) -> u64 {
        self.state.ids.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }
}

async fn take(State(state): State<Arc<Received>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if state.webhook.verify(&body, &headers).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let Some(id) = headers.get("webhook-id").and_then(|id| id.to_str().ok()) else { return StatusCode::BAD_REQUEST };
    state.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    StatusCode::NO_CONTENT
}
