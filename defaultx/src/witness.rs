//! The witness as a server: HTTP in, the answers of [`audit_sink::witness`] out. Decides nothing.

use anyhow::{Context, Result};
use audit_log::{Cosigner, MAX_REQUEST_BYTES, NoteVerifier};
use audit_sink::signer::seed;
use audit_sink::witness::{Answer, Witness};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use runtime::task::WorkerHandle;
use runtime::{clock, http};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Media type of a size (C2SP tlog-witness).
const SIZE: &str = "text/x.tlog.size";

/// The cosigner of a seed in a file, which is made if it is not there.
///
/// # Errors
/// When the file cannot be read or written, or holds no seed.
pub fn cosigner(name: &str, key: &Path) -> Result<Cosigner> {
    Ok(Cosigner::new(name, &seed_in(key)?)?)
}

/// The seed in a file, which is made if it is not there and never overwritten.
///
/// # Errors
/// When the file cannot be read or written, or holds no seed.
pub(crate) fn seed_in(key: &Path) -> Result<[u8; 32]> {
    let reading = || format!("reading {}", key.display());
    let text = match std::fs::read_to_string(key) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = hex::encode(rand::random::<[u8; 32]>());
            let file = std::fs::File::options().create_new(true).write(true).mode(0o600).open(key);
            file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())).with_context(reading)?;
            text
        }
        Err(error) => return Err(error).with_context(reading),
    };
    seed(&text).with_context(|| format!("{}: a seed is 64 hexadecimal digits", key.display()))
}

/// Serves until shutdown; gives the address.
///
/// # Errors
/// When the address or the directory cannot be used.
pub async fn serve(
    cosigner: Cosigner,
    log_keys: &[String],
    state: &Path,
    listen: SocketAddr,
    shutdown: CancellationToken,
) -> Result<(SocketAddr, WorkerHandle)> {
    let verifiers = log_keys.iter().map(|key| NoteVerifier::parse(key)).collect::<Result<_, _>>()?;
    let witness = Arc::new(Witness::new(cosigner, verifiers, state)?);
    let router = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/checkpoints", get(checkpoints))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(witness);
    http::serve("audit-witness", listen, router, shutdown).await.with_context(|| format!("listening on {listen}"))
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: String) -> Response {
    let answered = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, clock::now().timestamp())).await;
    let answer = match answered {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return failed(&error),
        Err(error) => return failed(&error),
    };
    match answer {
        Answer::Cosigned(lines) => (StatusCode::OK, lines).into_response(),
        Answer::NoRequest(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
        Answer::NotSigned => (StatusCode::FORBIDDEN, "no signature of a key trusted for this log\n").into_response(),
        Answer::Unknown => (StatusCode::NOT_FOUND, "this log is not watched\n").into_response(),
        Answer::Seen(size) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE)], format!("{size}\n")).into_response()
        }
        Answer::AnotherRoot => (StatusCode::CONFLICT, "another root of this size was cosigned\n").into_response(),
        Answer::NotProven => (StatusCode::UNPROCESSABLE_ENTITY, "the proof does not hold\n").into_response(),
    }
}

async fn checkpoints(State(witness): State<Arc<Witness>>) -> Response {
    match tokio::task::spawn_blocking(move || witness.newest()).await {
        Ok(Ok(notes)) => notes.into_response(),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "the witness cannot remember");
    (StatusCode::INTERNAL_SERVER_ERROR, "the witness cannot read or write its memory\n").into_response()
}
