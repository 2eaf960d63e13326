//! HTTP servers that drain and that nobody can hold up, and the one that every process has: `/livez`, `/readyz`, `/metrics`.
//! Every connection is accepted at once; [`register`] says which one makes room for it.

mod bound;
mod cover;
mod patient;
mod register;
mod tls;

pub use bound::Bound;
pub use cover::Cover;
pub use tls::{Tls, TlsConfig, TlsError};

use crate::health::Health;
use crate::task::{self, WorkerHandle};
use axum::Router;
use axum::body::{Body as AnyBody, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use patient::Patient;
use prometheus::{Encoder, Registry, TextEncoder};
use register::{Entry, InHand, Register, Worker};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Until the next accept after one that failed: for lack of files, most likely, which some connection will give back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What a server gives its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most time that a client may take for the head of a request, and that a connection may stand idle before one. Above the
    /// intervals of scrapers, so that theirs stay open.
    pub head: Duration,
    /// Most time that an answer may wait for its reader without any progress.
    pub write: Duration,
    /// Most connections. Far below a process's files, which Kafka needs too. Beyond it the oldest idle one makes room.
    pub connections: usize,
    /// Most connections from one address, or from one IPv6 network of 64 bits.
    pub per_address: usize,
    /// The last connections, kept for addresses that have none: whoever asks how a process is finds a place.
    pub reserve: usize,
    /// Whether a server without TLS may listen beyond loopback.
    pub cover: Cover,
}

impl Default for Bounds {
    fn default() -> Self {
        let patience = Duration::from_secs(20);
        Self { head: patience, write: patience, connections: 512, per_address: 128, reserve: 32, cover: Cover::Bare }
    }
}

/// Where a server listens, and whether it speaks TLS.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Port 0 takes a free one.
    pub address: SocketAddr,
    /// None speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Told where it listens.
    pub bound: Bound,
}

impl From<SocketAddr> for Listener {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: None, bound: Bound::default() }
    }
}

/// Serves a router until shutdown, then finishes the requests it has. Port 0 takes a free one; the address is the one bound.
///
/// # Errors
/// When the address cannot be bound, or is beyond loopback.
pub async fn serve(
    name: &'static str,
    listener: impl Into<Listener>,
    router: Router,
    shutdown: CancellationToken,
) -> std::io::Result<(SocketAddr, WorkerHandle)> {
    serve_within(name, listener, router, shutdown, Bounds::default()).await
}

/// As [`serve`], with bounds of its own.
///
/// # Errors
/// When the address cannot be bound, or is beyond loopback without [`Bounds::cover`].
pub async fn serve_within(
    name: &'static str,
    listener: impl Into<Listener>,
    router: Router,
    shutdown: CancellationToken,
    bounds: Bounds,
) -> std::io::Result<(SocketAddr, WorkerHandle)> {
    let Listener { address, tls, bound: listeners } = listener.into();
    if tls.is_none() {
        bounds.cover.check(address)?;
    }
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    listeners.tell(name, bound);
    tracing::info!(server = name, address = %bound, tls = tls.is_some(), "listening");
    let server = Server { tls, ..Server::new(name, listener, router, shutdown, bounds) };
    Ok((bound, WorkerHandle::task(name, server.run())))
}

/// One accept loop and its connections.
struct Server {
    name: &'static str,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    bounds: Bounds,
    register: Arc<Register>,
    tls: Option<Tls>,
}

impl Server {
    fn new(
        name: &'static str,
        listener: TcpListener,
        router: Router,
        shutdown: CancellationToken,
        bounds: Bounds,
    ) -> Self {
        let Bounds { connections, per_address, reserve, .. } = bounds;
        let register = Register::new(Worker { connections, per_address, reserve });
        Self { name, listener, router, shutdown, bounds, register, tls: None }
    }

    async fn run(self) -> Result<(), Infallible> {
        let connections = TaskTracker::new();
        while let Some((stream, peer)) = self.next().await {
            match self.register.enter(peer.ip()) {
                Some(entry) => {
                    task::spawn(self.name, connections.track_future(self.connection(stream, entry)));
                }
                // Closed, so that the client knows; a queue would hold up those behind it.
                None => tracing::debug!(server = self.name, %peer, "no place for a connection"),
            }
        }
        connections.close();
        connections.wait().await;
        Ok(())
    }

    /// The next connection; `None` at shutdown.
    async fn next(&self) -> Option<(TcpStream, SocketAddr)> {
        let accepted = async {
            loop {
                match self.listener.accept().await {
                    Ok(accepted) => return accepted,
                    Err(error) => tracing::warn!(server = self.name, %error, "connection not accepted"),
                }
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        };
        tokio::select! {
            accepted = accepted => Some(accepted),
            () = self.shutdown.cancelled() => None,
        }
    }

    /// Serves a connection until its end, until another takes its place, or until the request in hand is answered once it is
    /// time to drain.
    fn connection(&self, stream: TcpStream, entry: Entry) -> impl Future<Output = ()> + Send + use<> {
        let stream = Patient::new(stream, self.bounds.write);
        let (tls, patience, name, shutdown) = (self.tls.clone(), self.bounds.head, self.name, self.shutdown.clone());
        let router = TowerToHyperService::new(self.router.clone());
        async move {
            let Some(tls) = tls else { return talk(name, stream, entry, router, patience, shutdown).await };
            let agreed = tokio::select! {
                agreed = tokio::time::timeout(patience, tls.acceptor().accept(stream)) => agreed,
                () = entry.dismissed() => return,
                () = shutdown.cancelled() => return,
            };
            match agreed {
                Ok(Ok(stream)) => talk(name, stream, entry, router, patience, shutdown).await,
                Ok(Err(error)) => tracing::debug!(server = name, %error, "no TLS with a client"),
                Err(_) => tracing::debug!(server = name, "a client said nothing"),
            }
        }
    }
}

/// The requests of one connection.
async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    name: &'static str,
    stream: S,
    entry: Entry,
    router: TowerToHyperService<Router>,
    patience: Duration,
    shutdown: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let in_hand = entry.begin();
        let answer = router.call(request);
        async move { Ok::<_, std::convert::Infallible>(answer.await?.map(|body| Held { body, _in_hand: in_hand })) }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = entry.dismissed() => {
            tracing::debug!(server = name, "an idle connection made room");
            return;
        }
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(server = name, %error, "connection ended");
    }
}

/// The body of an answer; its connection has a request in hand until the last of it is handed over.
struct Held {
    body: AnyBody,
    _in_hand: InHand,
}

impl Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Serves the operations endpoints of a process.
///
/// # Errors
/// When the address cannot be bound, or is beyond loopback without cover.
pub async fn serve_ops(
    listener: impl Into<Listener>,
    health: Health,
    registry: Registry,
    shutdown: CancellationToken,
    cover: Cover,
) -> std::io::Result<(SocketAddr, WorkerHandle)> {
    let bounds = Bounds { cover, ..Bounds::default() };
    serve_within("ops", listener, ops(health, registry), shutdown, bounds).await
}

/// The router behind [`serve_ops`].
pub fn ops(health: Health, registry: Registry) -> Router {
    Router::new()
        .route("/livez", get(|State(health): State<Health>| async move { outcome(health.is_live(), &health) }))
        .route("/readyz", get(|State(health): State<Health>| async move { outcome(health.is_ready(), &health) }))
        .with_state(health)
        .route("/metrics", get(move || std::future::ready(metrics(&registry))))
}

fn outcome(good: bool, health: &Health) -> Response {
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
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let served = serve_ops(address, health.clone(), registry, shutdown.clone(), Cover::Bare).await;
        let (address, handle) = served.unwrap();
        assert!(ask(address, "/readyz").await.starts_with("HTTP/1.1 503"));
        assert!(ask(address, "/livez").await.starts_with("HTTP/1.1 200"));
        health.component("scorer").set_ready(true, "assigned");
        assert!(ask(address, "/readyz").await.contains("assigned"));
        assert!(ask(address, "/metrics").await.contains("defaultx_ready{component=\"scorer\"} 1"));
        shutdown.cancel();
        handle.join().await.unwrap();
    }

    const LONG: Duration = Duration::from_secs(600);

    /// What a router of the tests answers to `/large`: more than the buffers of both ends hold.
    const LARGE: usize = 64 << 20;

    struct Stand {
        address: SocketAddr,
        register: Arc<Register>,
        shutdown: CancellationToken,
        handle: WorkerHandle,
    }

    async fn started(bounds: Bounds) -> Stand {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let slow = || async { tokio::time::sleep(Duration::from_millis(300)).await };
        let never = || async { std::future::pending::<()>().await };
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/slow", get(slow))
            .route("/never", get(never))
            .route("/large", get(|| async { vec![b'x'; LARGE] }));
        let server = Server::new("test", listener, router, shutdown.clone(), bounds);
        let register = server.register.clone();
        let handle = WorkerHandle::task("test", server.run());
        Stand { address, register, shutdown, handle }
    }

    /// A connection from another address of this machine.
    async fn from(last: u8, to: SocketAddr) -> TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, last], 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    /// What a connection gets for a text that it sends; empty where it is closed without a word.
    async fn heard(mut stream: TcpStream, text: &str) -> String {
        let mut answer = Vec::new();
        let talk = async {
            stream.write_all(text.as_bytes()).await?;
            stream.read_to_end(&mut answer).await
        };
        let talk = tokio::time::timeout(Duration::from_secs(30), talk).await.expect("answered or closed");
        drop(talk);
        String::from_utf8(answer).unwrap()
    }

    const ASK: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    const HALF: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n";
    const NEVER: &[u8] = b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test]
    async fn a_client_that_stalls_is_cut_off_and_others_are_not() {
        let stand = started(Bounds { head: Duration::from_millis(200), ..Bounds::default() }).await;
        let rows = [
            ("nothing at all", ""),
            ("half a head", "GET / HTTP/1.1\r\nhost: x\r\n"),
            ("an answer, then nothing", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
        ];
        for (name, sent) in rows {
            let mut stalled = TcpStream::connect(stand.address).await.unwrap();
            stalled.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let cut_off = tokio::time::timeout(Duration::from_secs(10), stalled.read_to_string(&mut answer)).await;
            assert!(cut_off.is_ok(), "{name}: the connection is still open");
            assert_eq!(answer.contains("here"), sent.ends_with("\r\n\r\n"), "{name}: {answer}");
        }
        assert!(ask(stand.address, "/slow").await.starts_with("HTTP/1.1 200"), "the limit is on heads, not on answers");
        stand.shutdown.cancel();
        stand.handle.join().await.unwrap();
    }

    #[tokio::test]
    async fn half_open_heads_keep_nobody_out() {
        let bounds = Bounds { head: LONG, connections: 8, per_address: 6, reserve: 2, ..Bounds::default() };
        let stand = started(bounds).await;
        let mut half_open = Vec::new();
        for last in [2, 3, 4, 5, 6, 7, 8, 9, 2, 2, 2, 2, 2, 2, 2, 2] {
            let mut stream = from(last, stand.address).await;
            stream.write_all(HALF).await.unwrap();
            half_open.push(stream);
        }
        for last in [2, 3, 77] {
            assert!(heard(from(last, stand.address).await, ASK).await.contains("here"), "127.0.0.{last}");
        }
        assert!(stand.register.len() <= 8);
        stand.shutdown.cancel();
        drop(half_open);
        stand.handle.join().await.unwrap();
    }

    #[tokio::test]
    async fn an_address_that_takes_its_share_leaves_the_others_theirs() {
        let stand = started(Bounds { connections: 8, per_address: 3, ..Bounds::default() }).await;
        let mut at_work = Vec::new();
        for _ in 0..3 {
            let mut stream = from(2, stand.address).await;
            stream.write_all(NEVER).await.unwrap();
            at_work.push(stream);
        }
        // Once all three are at work none gives way: a fourth of theirs is closed at once.
        while !heard(from(2, stand.address).await, ASK).await.is_empty() {}
        assert!(heard(from(3, stand.address).await, ASK).await.contains("here"));
        drop(at_work);
    }

    #[tokio::test]
    async fn a_reader_that_never_reads_is_cut_off() {
        let stand = started(Bounds { write: Duration::from_millis(200), ..Bounds::default() }).await;
        let mut deaf = TcpStream::connect(stand.address).await.unwrap();
        deaf.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 1];
        deaf.read_exact(&mut first).await.unwrap();
        let gone = async {
            while stand.register.len() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), gone).await.expect("the connection ends");
        drop(deaf);
    }

    #[tokio::test]
    async fn a_request_in_hand_is_answered_before_the_end_and_no_other_is_waited_for() {
        let stand = started(Bounds { head: LONG, ..Bounds::default() }).await;
        let idle = TcpStream::connect(stand.address).await.unwrap();
        let address = stand.address;
        let asked = task::spawn("asked", async move { ask(address, "/slow").await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        stand.shutdown.cancel();
        assert!(asked.await.unwrap().starts_with("HTTP/1.1 200"));
        let ended = tokio::time::timeout(Duration::from_secs(10), stand.handle.join()).await;
        assert!(ended.expect("an idle connection holds nobody up").is_ok());
        drop(idle);
    }
}
