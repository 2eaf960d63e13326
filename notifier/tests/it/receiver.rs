//! A receiver of webhooks on loopback: answers by a script and remembers what came.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request.
#[derive(Clone)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    /// Its `webhook-id`.
    pub fn id(&self) -> String {
        self.headers["webhook-id"].to_str().unwrap().to_owned()
    }
}

/// What to answer.
#[derive(Clone, Copy)]
pub enum Answer {
    Status(u16),
    /// Takes this long, then 200.
    After(Duration),
    /// Never answers.
    Hang,
    /// Sends the client elsewhere.
    Redirect,
    /// Has no time; `Retry-After` says this.
    Busy(&'static str),
    /// 200 with a body of that many bytes.
    Long(usize),
}

type Script = Box<dyn FnMut(&Seen) -> Answer + Send>;

struct State {
    seen: Vec<Seen>,
    under_way: HashMap<String, usize>,
    most_at_once_of_one_id: usize,
    script: Script,
}

/// A running receiver.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Starts on a free port.
    pub async fn start(script: impl FnMut(&Seen) -> Answer + Send + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state =
            State { seen: Vec::new(), under_way: HashMap::new(), most_at_once_of_one_id: 0, script: Box::new(script) };
        let receiver = Self { port, state: Arc::new(Mutex::new(state)) };
        let serving = receiver.clone();
        let service = move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let receiver = serving.clone();
            async move { receiver.take(Seen { path: uri.path().to_owned(), headers, body }).await }
        };
        let router = Router::new().fallback(service);
        runtime::task::spawn("receiver", axum::serve(listener, router).into_future());
        receiver
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What came so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// The most requests with one id that were under way at one time.
    pub fn most_at_once_of_one_id(&self) -> usize {
        self.state.lock().unwrap().most_at_once_of_one_id
    }

    async fn take(&self, seen: Seen) -> Response {
        let id = seen.headers.get("webhook-id").map_or(String::new(), |id| id.to_str().unwrap().to_owned());
        let answer = {
            let mut state = self.state.lock().unwrap();
            let count = state.under_way.entry(id.clone()).or_default();
            *count += 1;
            let count = *count;
            state.most_at_once_of_one_id = state.most_at_once_of_one_id.max(count);
            state.seen.push(seen.clone());
            (state.script)(&seen)
        };
        let response = match answer {
            Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
            Answer::After(pause) => {
                tokio::time::sleep(pause).await;
                StatusCode::OK.into_response()
            }
            Answer::Hang => std::future::pending().await,
            Answer::Redirect => (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response(),
            Answer::Busy(until) => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, until)]).into_response(),
            Answer::Long(bytes) => vec![b'x'; bytes].into_response(),
        };
        *self.state.lock().unwrap().under_way.get_mut(&id).unwrap() -= 1;
        response
    }
}
