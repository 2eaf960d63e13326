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

/// A worker that runs: a thread or a task with a name. It ends well at shutdown, or with what went wrong.
#[derive(Debug)]
pub struct WorkerHandle {
    name: &'static str,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Thread(JoinHandle<Result<(), String>>),
    Task(tokio::task::JoinHandle<Result<(), String>>),
}

impl WorkerHandle {
    /// A worker on a thread of its own.
    pub fn thread(name: &'static str, handle: JoinHandle<Result<(), String>>) -> Self {
        Self { name, body: Body::Thread(handle) }
    }

    /// A worker that is a task.
    pub fn task(name: &'static str, handle: tokio::task::JoinHandle<Result<(), String>>) -> Self {
        Self { name, body: Body::Task(handle) }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        match &self.body {
            Body::Thread(handle) => handle.is_finished(),
            Body::Task(handle) => handle.is_finished(),
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the worker ended with, or its panic.
    pub async fn join(self) -> Result<(), String> {
        let name = self.name;
        let panicked = || format!("{name} panicked");
        match self.body {
            Body::Thread(handle) => {
                let joined = tokio::task::spawn_blocking(move || handle.join()).await;
                joined.map_err(|_| panicked())?.map_err(|_| panicked())?
            }
            Body::Task(handle) => handle.await.map_err(|_| panicked())?,
        }
    }
}
