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

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Its state is that of one topic's partitions.
    #[error("{0}: a worker with keyed state has exactly one input topic")]
    Inputs(&'static str),
    /// It writes to a database, and none is configured.
    #[error("{0} needs a database: set [database] url")]
    NoDatabase(&'static str),
    /// Its metrics cannot be registered: it runs already.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// No thread is to be had.
    #[error(transparent)]
    Thread(#[from] std::io::Error),
}

/// What went wrong with a worker, with its sources.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a worker ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It panicked: a fault of the code.
    #[error("{0} panicked")]
    Panicked(&'static str),
    /// Its own error, which says so.
    #[error(transparent)]
    Failed(Cause),
}

/// A worker that runs: a thread or a task with a name. It ends well at shutdown, or with what went wrong.
#[derive(Debug)]
pub struct WorkerHandle {
    name: &'static str,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Thread(JoinHandle<Result<(), Cause>>),
    Task(tokio::task::JoinHandle<Result<(), Cause>>),
}

impl WorkerHandle {
    /// Starts a worker on a thread of its own. One that ends at shutdown alone has the error [`std::convert::Infallible`].
    ///
    /// # Errors
    /// The operating system's, when it has no thread left to give.
    pub fn thread<E>(name: &'static str, body: impl FnOnce() -> Result<(), E> + Send + 'static) -> std::io::Result<Self>
    where
        E: Into<Cause>,
    {
        Ok(Self { name, body: Body::Thread(thread(name, move || body().map_err(Into::into))?) })
    }

    /// Starts a worker that is a task on the current runtime. One that ends at shutdown alone has the error
    /// [`std::convert::Infallible`].
    pub fn task<E>(name: &'static str, future: impl Future<Output = Result<(), E>> + Send + 'static) -> Self
    where
        E: Into<Cause>,
    {
        let body = async move { future.await.map_err(Into::into) };
        Self { name, body: Body::Task(spawn(name, body)) }
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
    /// [`WorkerError`].
    pub async fn join(self) -> Result<(), WorkerError> {
        let ended = match self.body {
            Body::Thread(handle) => tokio::task::spawn_blocking(move || handle.join().ok()).await.ok().flatten(),
            Body::Task(handle) => handle.await.ok(),
        };
        ended.ok_or(WorkerError::Panicked(self.name))?.map_err(WorkerError::Failed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::error::Error;

    #[derive(Debug, thiserror::Error)]
    #[error("the worker cannot go on")]
    struct Failed(#[source] std::fmt::Error);

    #[tokio::test]
    async fn a_worker_ends_with_its_error_and_what_is_behind_it() {
        let body = || Err(Failed(std::fmt::Error));
        for worker in [WorkerHandle::task("w", async move { body() }), WorkerHandle::thread("w", body).unwrap()] {
            let error = worker.join().await.unwrap_err();
            let source = error.source().map(ToString::to_string);
            assert_eq!(error.to_string(), "the worker cannot go on");
            assert_eq!(source, Some(std::fmt::Error.to_string()));
        }
    }

    #[tokio::test]
    async fn a_panic_is_told_with_the_name_of_the_worker() {
        let body = || -> Result<(), Failed> { panic!("on purpose") };
        for worker in [WorkerHandle::task("w", async move { body() }), WorkerHandle::thread("w", body).unwrap()] {
            assert_eq!(worker.join().await.unwrap_err().to_string(), "w panicked");
        }
    }
}
