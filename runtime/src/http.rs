//! HTTP servers that drain, and the one that every process has: `/livez`, `/readyz`, `/metrics`.

use crate::health::Health;
use crate::task::{self, RoomHandle};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Encoder, Registry, TextEncoder};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves a router until shutdown, then finishes the requests it has. Port 0 takes a free one; the address is the one bound.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(
    name: &'static str,
    address: SocketAddr,
    router: Router,
    shutdown: CancellationToken,
) -> std::io::Result<(SocketAddr, RoomHandle)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tracing::info!(server = name, address = %bound, "listening");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let body = async move {
        let served = axum::serve(listener, service).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        served.map_err(|error| format!("{name}: {error}"))
    };
    Ok((bound, RoomHandle::task(name, task::spawn(name, body))))
}

/// Serves the operations endpoints of a process.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve_ops(
    address: SocketAddr,
    health: Health,
    registry: Registry,
    shutdown: CancellationToken,
) -> std::io::Result<(SocketAddr, RoomHandle)> {
    serve("ops", address, ops(health, registry), shutdown).await
}

/// The router behind [`serve_ops`].
pub fn ops(health: Health, registry: Registry) -> Router {
    Router::new()
        .route("/livez", get(|State(health): State<Health>| async move { verdict(health.is_live(), &health) }))
        .route("/readyz", get(|State(health): State<Health>| async move { verdict(health.is_ready(), &health) }))
        .with_state(health)
        .route("/metrics", get(move || std::future::ready(metrics(&registry))))
}

fn verdict(good: bool, health: &Health) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(health.states())).into_response()
}

fn metrics(registry: &Registry) -> Response {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_process_tells_how_it_is_until_it_ends() {
        let registry = Registry::new();
        let health = Health::registered(&registry).unwrap();
        let shutdown = CancellationToken::new();
        let served = serve_ops(([127, 0, 0, 1], 0).into(), health.clone(), registry, shutdown.clone()).await;
        let (address, handle) = served.unwrap();
        assert!(ask(address, "/readyz").await.starts_with("HTTP/1.1 503"));
        assert!(ask(address, "/livez").await.starts_with("HTTP/1.1 200"));
        health.component("scorer").set_ready(true, "assigned");
        assert!(ask(address, "/readyz").await.contains("assigned"));
        assert!(ask(address, "/metrics").await.contains("defaultx_ready{component=\"scorer\"} 1"));
        shutdown.cancel();
        assert_eq!(handle.join().await, Ok(()));
    }
}
