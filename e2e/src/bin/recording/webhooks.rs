//! A receiver of webhooks as an integration would have it: it keeps what was posted, checks the signature, and answers 204.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use runtime::task;
use serde::Serialize;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Signs the webhooks of a recording; protects nobody.
const SECRET: &str = "whsec_cmVjb3JkaW5nLXJlY29yZGluZy1yZWNvcmRpbmc=";
/// Between two looks for a connection.
const LOOK: Duration = Duration::from_millis(5);
/// What a receiver takes at most, bytes.
const MOST: usize = 1 << 20;

/// A webhook as a line. Its signature is over the time of the attempt, and told as what it proves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Posted {
    id: String,
    path: String,
    content_type: String,
    traceparent: Option<String>,
    is_signed: bool,
    body: String,
}

#[derive(Default)]
struct State {
    posted: Mutex<Vec<Posted>>,
    ends: AtomicBool,
}

/// A receiver that listens until it is dropped.
pub struct Receiver {
    port: u16,
    state: Arc<State>,
}

impl Receiver {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// When there is none, or no thread.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let (port, state) = (listener.local_addr()?.port(), Arc::new(State::default()));
        let served = state.clone();
        drop(task::thread("webhooks", move || listen(&listener, &served))?);
        Ok(Self { port, state })
    }

    /// The section of a configuration that tells it of every decision.
    pub fn configuration(&self) -> String {
        format!(
            "[notifier]\nallow_private_addresses = true\nlinger_ms = 20\n\n[[notifier.subscriptions]]\nid = \"recording\"\n\
             url = \"http://127.0.0.1:{}/hook\"\nsecrets = [{SECRET:?}]\ntenants = [\"*\"]\n",
            self.port
        )
    }

    /// What was posted, by id. A delivery that was repeated stands there once for each other content.
    ///
    /// # Errors
    /// Never for what was posted.
    pub fn lines(&self) -> Result<Vec<String>> {
        let mut posted = self.state.posted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        posted.sort();
        posted.dedup();
        posted.iter().map(|one| Ok(serde_json::to_string(one)?)).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.ends.store(true, Ordering::Relaxed);
    }
}

fn listen(listener: &TcpListener, state: &Arc<State>) {
    while !state.ends.load(Ordering::Relaxed) {
        let taken = match listener.accept() {
            Ok((stream, _)) => {
                let state = state.clone();
                task::thread("webhook", move || serve(stream, &state)).map(drop)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(LOOK);
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            eprintln!("the receiver of webhooks: {error}");
        }
    }
}

/// Serves one connection until its client closes it.
fn serve(stream: TcpStream, state: &State) {
    if let Err(error) = serve_requests(stream, state) {
        eprintln!("the receiver of webhooks: {error:#}");
    }
}

fn serve_requests(stream: TcpStream, state: &State) -> Result<()> {
    stream.set_nonblocking(false)?;
    let mut answers = stream.try_clone()?;
    let mut requests = BufReader::new(stream);
    while let Some(posted) = take(&mut requests)? {
        state.posted.lock().unwrap_or_else(PoisonError::into_inner).push(posted);
        answers.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
    Ok(())
}

/// The next request of a connection; none at its end.
fn take(requests: &mut impl BufRead) -> Result<Option<Posted>> {
    let mut first = String::new();
    if requests.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        ensure!(requests.read_line(&mut line)? > 0, "a request ends in its head");
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length: usize = headers.get("content-length").context("a request without a length")?.parse()?;
    ensure!(length <= MOST, "a body of {length} bytes");
    let mut body = vec![0; length];
    requests.read_exact(&mut body)?;
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let [id, timestamp, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
    Ok(Some(Posted {
        is_signed: is_signed(SECRET, &signature, &[id.as_bytes(), timestamp.as_bytes(), &body]),
        path: first.split_whitespace().nth(1).unwrap_or_default().to_owned(),
        content_type: header("content-type"),
        traceparent: headers.get("traceparent").cloned(),
        body: String::from_utf8(body)?,
        id,
    }))
}

/// Whether a signature of Standard Webhooks is that of a secret: `v1,` and the HMAC-SHA-256 of id, time and body with dots between.
fn is_signed(secret: &str, signature: &str, parts: &[&[u8]]) -> bool {
    let key = secret.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
    let Some(Ok(mut mac)) = key.map(|key| Hmac::<Sha256>::new_from_slice(&key)) else { return false };
    mac.update(&parts.join(&b'.'));
    signature == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_kept_and_its_signature_judged() {
        // The example of the Standard Webhooks specification.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let parts: [&[u8]; 3] = [b"msg_p5jXN8AQM9LWM0D4loKWxJek", b"1614265330", br#"{"test": 2432232314}"#];
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert!(is_signed(secret, signature, &parts));
        assert!(!is_signed(secret, signature, &[parts[0], parts[1], b"{}"]) && !is_signed(SECRET, signature, &parts));
        let text = "POST /hook HTTP/1.1\r\nWebhook-Id: 7\r\ncontent-length: 2\r\n\r\n{}";
        let mut requests = text.as_bytes();
        let posted = take(&mut requests).unwrap().unwrap();
        assert_eq!((posted.id.as_str(), posted.path.as_str(), posted.is_signed), ("7", "/hook", false));
        assert_eq!((posted.body.as_str(), take(&mut requests).unwrap()), ("{}", None));
    }
}
