//! Wiring: the pools, the routes, the server, and the watch that says whether the database answers.

use crate::app::App;
use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::recorder::Recorder;
use crate::router::router;
use crate::store::Store;
use runtime::health::Component;
use runtime::http::{Bounds, Cover, serve_within};
use runtime::pg::{DatabaseConfig, Pool};
use runtime::service::ServiceContext;
use runtime::task::WorkerHandle;
use schemas::Topic;
use schemas::logins::READ_API_LOG;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Name of the worker: its line in health.
pub const WORKER: &str = "read-api";

/// How often the database is asked whether it answers.
const LOOK: Duration = Duration::from_secs(5);

/// The worker, listening.
#[derive(Debug)]
pub struct Running {
    /// Where it listens: the port that was taken when 0 was asked for.
    pub local_addr: SocketAddr,
    /// Its tasks. They end at shutdown, once the requests they have are answered.
    pub workers: Vec<WorkerHandle>,
}

/// Starts the worker.
///
/// # Errors
/// [`Error`]; a database that is down is none: the worker waits for it.
pub async fn start(config: Config, service: ServiceContext) -> Result<Vec<WorkerHandle>, Error> {
    Ok(bind(config, service).await?.workers)
}

/// Starts the worker and says where.
///
/// # Errors
/// As [`start`].
pub async fn bind(config: Config, service: ServiceContext) -> Result<Running, Error> {
    let metrics = Metrics::new(&service.registry)?;
    let stores = stores(&config, &service)?;
    let listen = config.listen.clone();
    let recorder = Arc::new(Recorder::new(&service, config.access_timeout(), metrics.clone())?);
    let app = Arc::new(App::new(config, service.topic("").to_string(), stores.clone(), recorder.clone(), metrics)?);
    let failed = |source| Error::Listen { address: listen.clone(), source };
    let address = listen.parse().map_err(|error| failed(std::io::Error::new(ErrorKind::InvalidInput, error)))?;
    let bounds = Bounds { cover: Cover::of(service.allow_plaintext_listeners), ..Bounds::default() };
    let (served, verifier) = (router(app.clone()), app.verifier.clone());
    drop(app);
    let served = serve_within(WORKER, service.listener(address), served, service.shutdown.clone(), bounds).await;
    let (local_addr, server) = served.map_err(failed)?;
    let revocations = verifier.watch(&service, service.topic(Topic::Revocations.base_name()), "read-api-revocations");
    let revocations = revocations.map_err(failed)?;
    let recording = WorkerHandle::task("read-api-access", recorder.clone().run(service.shutdown.clone()));
    let server = WorkerHandle::task(WORKER, async move {
        let (ended, looked) = (server.join().await, recording.join().await);
        recorder.finish().await;
        ended.and(looked)
    });
    let watching = watch(stores, local_addr, service.health.component(WORKER), service.shutdown);
    let watch = WorkerHandle::task("read-api-watch", watching);
    Ok(Running { local_addr, workers: vec![server, watch, revocations] })
}

/// Of rows, and of the log: each with a login of its own, or under a role of the one that there is. They share no pool: a request holds a
/// session of the first while it waits for one of the second.
fn stores(config: &Config, service: &ServiceContext) -> Result<(Store, Store), Error> {
    let rows = database(config, service)?;
    let log = rows.of(READ_API_LOG);
    let store = |database: &DatabaseConfig, worker: &str, role: Option<String>| -> Result<Store, Error> {
        let role = role.filter(|_| !database.has_login());
        let pool = Pool::new(database, &service.registry, worker)?;
        Ok(Store::new(pool, role.as_deref(), config.statement_timeout_ms()))
    };
    Ok((store(&rows, WORKER, config.role()?)?, store(&log, READ_API_LOG, config.log_role()?)?))
}

fn database(config: &Config, service: &ServiceContext) -> Result<DatabaseConfig, Error> {
    let given = service.database.clone();
    if config.database_url.is_empty() {
        return given.ok_or_else(|| Error::Config("needs [database] url, or database_url of its own".to_owned()));
    }
    Ok(DatabaseConfig { url: config.database_url.clone(), ..given.unwrap_or_default() })
}

/// Ready while the database answers both.
async fn watch(
    (store, log): (Store, Store),
    local_addr: SocketAddr,
    health: Component,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    while !shutdown.is_cancelled() {
        let answered = match answers(&store, "SELECT FROM defaultx.applications LIMIT 0").await {
            Ok(()) => answers(&log, "SELECT FROM defaultx.audit_segments LIMIT 0").await,
            failed => failed,
        };
        match answered {
            Ok(()) => health.set_ready(true, format!("listening on {local_addr}")),
            Err(problem) => health.set_ready(false, problem.title),
        }
        if tokio::time::timeout(LOOK, shutdown.cancelled()).await.is_ok() {
            break;
        }
    }
    health.set_ready(false, "draining");
    Ok(())
}

async fn answers(store: &Store, question: &str) -> Result<(), Problem> {
    let mut session = store.session().await?;
    let tx = store.snapshot(&mut session, None).await?;
    tx.simple_query(question).await?;
    Ok(())
}
