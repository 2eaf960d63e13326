//! HTTP servers that drain and that nobody can hold up, and the one that every process has: `/livez`, `/readyz`, `/metrics`.

use crate::health::Health;
use crate::task::{self, RoomHandle};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus::{Encoder, Registry, TextEncoder};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Most time that a client may take for the head of a request, and that a connection may stand idle before one. Above the
/// intervals of scrapers, so that theirs stay open.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Most connections of a server; those beyond wait in the system's queue. Far below a process's files, which Kafka needs too.
const CONNECTIONS_MAX: usize = 512;
/// Until the next accept after one that failed: for lack of files, most likely, which some connection will give back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

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
    let server = Server { name, listener, router, shutdown, head_timeout: HEAD_TIMEOUT };
    Ok((bound, RoomHandle::task(name, task::spawn(name, server.run()))))
}

/// One accept loop and its connections.
struct Server {
    name: &'static str,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    head_timeout: Duration,
}

impl Server {
    async fn run(self) -> Result<(), String> {
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        while let Some((stream, place)) = self.next(&places).await {
            task::spawn(self.name, connections.track_future(self.connection(stream, place)));
        }
        connections.close();
        connections.wait().await;
        Ok(())
    }

    /// The next connection, once there is a place for it; `None` at shutdown.
    async fn next(&self, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let accepted = async {
            let place = places.clone().acquire_owned().await.ok()?;
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => return Some((stream, place)),
                    Err(error) => tracing::warn!(server = self.name, %error, "connection not accepted"),
                }
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        };
        tokio::select! {
            accepted = accepted => accepted,
            () = self.shutdown.cancelled() => None,
        }
    }

    /// Serves a connection until its end, or until the request in hand is answered once it is time to drain.
    fn connection(&self, stream: TcpStream, place: OwnedSemaphorePermit) -> impl Future<Output = ()> + Send + use<> {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.head_timeout);
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router.clone()));
        let (name, shutdown) = (self.name, self.shutdown.clone());
        async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(server = name, %error, "connection ended");
            }
            drop(place);
        }
    }
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

    /// A server that waits `head_timeout` for heads, and its address.
    async fn started(head_timeout: Duration, shutdown: &CancellationToken) -> (SocketAddr, RoomHandle) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = || async { tokio::time::sleep(Duration::from_millis(300)).await };
        let router = Router::new().route("/", get(|| async { "here" })).route("/slow", get(slow));
        let server = Server { name: "test", listener, router, shutdown: shutdown.clone(), head_timeout };
        (address, RoomHandle::task("test", task::spawn("test", server.run())))
    }

    #[tokio::test]
    async fn a_client_that_stalls_is_cut_off_and_others_are_not() {
        let shutdown = CancellationToken::new();
        let (address, handle) = started(Duration::from_millis(200), &shutdown).await;
        let rows = [
            ("nothing at all", ""),
            ("half a head", "GET / HTTP/1.1\r\nhost: x\r\n"),
            ("an answer, then nothing", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
        ];
        for (name, sent) in rows {
            let mut stalled = TcpStream::connect(address).await.unwrap();
            stalled.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let cut_off = tokio::time::timeout(Duration::from_secs(10), stalled.read_to_string(&mut answer)).await;
            assert!(cut_off.is_ok(), "{name}: the connection is still open");
            assert_eq!(answer.contains("here"), sent.ends_with("\r\n\r\n"), "{name}: {answer}");
        }
        assert!(ask(address, "/slow").await.starts_with("HTTP/1.1 200"), "the limit is on heads, not on answers");
        shutdown.cancel();
        assert_eq!(handle.join().await, Ok(()));
    }

    #[tokio::test]
    async fn a_request_in_hand_is_answered_before_the_end_and_no_other_is_waited_for() {
        let shutdown = CancellationToken::new();
        let (address, handle) = started(Duration::from_secs(600), &shutdown).await;
        let idle = TcpStream::connect(address).await.unwrap();
        let asked = task::spawn("asked", async move { ask(address, "/slow").await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        shutdown.cancel();
        assert!(asked.await.unwrap().starts_with("HTTP/1.1 200"));
        let ended = tokio::time::timeout(Duration::from_secs(10), handle.join()).await;
        assert_eq!(ended.expect("an idle connection holds nobody up"), Ok(()));
        drop(idle);
    }
}
