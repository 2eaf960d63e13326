//! The worker that attests: signs the heads of the logs, carries the notes out, walks the logs and signs what it found. Runs apart
//! from the writer, with a key and logins of its own, and writes nothing of a log.
//!
//! Reading order: [`config`], [`crate::checkpoint`] (what is signed), [`notes`] (its memory), `part` (what each part of the worker has),
//! [`publish`], [`witnesses`] and [`timestamps`] with `newest` (the note they carry), [`watch`], [`sample`].

mod config;
mod metrics;
mod newest;
pub mod notes;
mod part;
mod publish;
mod sample;
mod timestamps;
mod watch;
mod witnesses;

pub use config::{SignerConfig, WitnessConfig, seed};
pub use metrics::SignerMetrics;
pub use publish::SIGNED;
pub use sample::{Sample, Sampled, Sampling, sample, sample_logs};
pub use watch::record;

use crate::checkpoint::Signing;
use crate::error::Error;
use audit_log::Head;
use notes::Notes;
use part::{Part, RETRY, stands_still};
use publish::Target;
use runtime::clock;
use runtime::health::Component;
use runtime::service::ServiceContext;
use runtime::task::WorkerHandle;
use std::time::Duration;

/// Name of the worker.
pub const WORKER: &str = "audit-signer";
/// Starts every part of the worker.
///
/// # Errors
/// [`Error::Config`] or [`Error::Note`] for knobs that cannot be used, [`Error::Notes`] for a directory that cannot be written.
pub fn start(config: &SignerConfig, mut service: ServiceContext) -> Result<Vec<WorkerHandle>, Error> {
    if !config.database_url.is_empty() {
        service.database.get_or_insert_default().url = config.database_url.clone();
    }
    let metrics = SignerMetrics::new(&service.registry)?;
    let (signer, verifiers, witnesses) = (config.signer()?, config.verifiers()?, config.witnesses()?);
    let notes = Notes::open(&config.notes_dir)?;
    let component = service.health.component(WORKER);
    let part = Part { service, metrics, every: Duration::from_secs(config.interval_s) };
    let mut workers = Vec::new();
    let every = Duration::from_secs(config.verify_interval_s);
    let watching = watch::keep(signer.clone(), config.verifier_keys()?, every, part.clone());
    workers.push(WorkerHandle::task("audit-watch", watching));
    if config.sample_interval_s > 0 {
        let every = Duration::from_secs(config.sample_interval_s);
        let sampling = sample::Sampling { every, entries: config.sample_entries };
        let sampled = sample::keep(sampling, |below| rand::random_range(0..below), part.clone());
        workers.push(WorkerHandle::task("audit-sample", sampled));
    }
    let Some(signer) = signer.filter(|_| config.interval_s > 0) else {
        tracing::warn!("no key or no interval: checkpoints are not signed");
        component.set_ready(true, "signs nothing");
        return Ok(workers);
    };
    if notes.is_none() {
        tracing::warn!("[audit-signer] notes_dir is empty: only the database remembers what was signed");
    }
    config.cluster.check_plaintext().map_err(|error| Error::Config(format!("[audit-signer.cluster] {error}")))?;
    for target in [Some(Target::own(&part.service.kafka)), Target::other(&config.cluster)].into_iter().flatten() {
        let publishing = publish::keep(target, part.clone());
        workers.push(WorkerHandle::task("audit-publish", publishing));
    }
    let http = http(Duration::from_millis(config.witness_timeout_ms))?;
    for (url, key) in witnesses {
        let witness = witnesses::Witness::new(url, key, verifiers.clone(), notes.clone(), http.clone())?;
        let asking = witnesses::keep(witness, part.clone());
        workers.push(WorkerHandle::task("audit-witness", asking));
    }
    if !config.timestamp_url.is_empty() {
        let notes = notes.clone().ok_or_else(|| {
            Error::Config("[audit-signer] timestamp_url needs notes_dir: that is where time stamps are kept".to_owned())
        })?;
        let every = Duration::from_secs(config.timestamp_interval_s.max(1));
        let authority = timestamps::Authority::new(&config.timestamp_url, every, verifiers.clone(), notes, http)?;
        let asking = timestamps::keep(authority, part.clone());
        workers.push(WorkerHandle::task("audit-timestamps", asking));
    }
    let signing = keep(Signing { signer, verifiers, notes }, part, component);
    workers.push(WorkerHandle::task(WORKER, signing));
    Ok(workers)
}

/// The client of witnesses and authorities. Makes ring the TLS provider of the process, unless it has one.
fn http(patience: Duration) -> Result<reqwest::Client, Error> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("the process has a TLS provider already");
    }
    let built = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(patience).build();
    built.map_err(Error::Client)
}

/// Signs until shutdown.
async fn keep(signing: Signing, part: Part, component: Component) -> Result<(), Error> {
    while !part.service.shutdown.is_cancelled() {
        if let Err(error) = round(&signing, &part, &component).await {
            stands_still(error, "checkpoints")?;
            component.set_ready(false, "the database cannot be asked");
        }
        part.pause(RETRY).await;
    }
    Ok(())
}

/// One connection's life.
async fn round(signing: &Signing, part: &Part, component: &Component) -> Result<(), Error> {
    let mut client = part.connect().await?;
    while !part.service.shutdown.is_cancelled() {
        let (mut refused, now) = (Vec::new(), clock::now().timestamp());
        for (log, signed) in signing.sign_due(&mut client, now).await? {
            let differs = matches!(signed, Err(Error::NotTheSame { .. }));
            part.metrics.not_the_same.with_label_values(&[&log.to_string()]).set(differs.into());
            match signed {
                Ok(Some(head)) => told(&part.metrics, &head, now),
                Ok(None) => {}
                Err(Error::Database(error)) => return Err(error.into()),
                Err(error) => refused.push(error.to_string()),
            }
        }
        for error in &refused {
            tracing::error!(error, "a log is not signed");
        }
        component
            .set_ready(refused.is_empty(), if refused.is_empty() { "signing".to_owned() } else { refused.join("; ") });
        part.pause(part.every).await;
    }
    Ok(())
}

fn told(metrics: &SignerMetrics, head: &Head, at: i64) {
    metrics.checkpoint_size.with_label_values(&[&head.log.to_string()]).set(head.size as i64);
    metrics.checkpoint_timestamp.set(at);
}
