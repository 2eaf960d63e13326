//! Named threads and tasks: the only place that starts them.

use std::future::Future;
use std::thread::JoinHandle;

/// Starts a task on the current runtime; its end, by return or panic, is the handle's.
#[allow(clippy::disallowed_methods)]
pub fn spawn<F>(name: &'static str, future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    use tracing::Instrument;
    tokio::spawn(future.instrument(tracing::debug_span!("task", name)))
}

/// Starts a thread that carries its name into profilers and panics.
///
/// # Errors
/// The operating system's, when it has no thread left to give.
pub fn thread<F, T>(name: &str, body: F) -> std::io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}
