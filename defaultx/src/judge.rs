//! What is wrong with a configuration, section by section, as `run` would say at its start, but all of it at once. Connects to nothing and
//! listens nowhere; packages, routes and policies are read and proven.

use crate::settings::Settings;
use anyhow::{Context, Result, ensure};
use runtime::http::{Cover, Tls};
use runtime::telemetry;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;

/// Everything that keeps a worker from its start.
pub(crate) fn faults(settings: &Settings) -> Vec<String> {
    let mut found = Faults::default();
    let Settings { process, tls, kafka, database, ingest, notifier: _, audit_sink, audit_signer, read_api, .. } =
        settings;
    found.note("", listens(settings, "[process] ops_listen", &process.ops_listen, tls.ops));
    found.note("[process] log_filter: ", telemetry::check(&process.log_filter));
    found.note("[tls] ", Tls::of(tls));
    found.note("", kafka.check_plaintext());
    if !database.url.is_empty() {
        found.note("", database.check());
    }
    found.note("", ingest.check_public_keys());
    found.note("", ingest_of(settings));
    if !ingest.door_address.is_empty() {
        found.note("", listens(settings, "[ingest] door_address", &ingest.door_address, true));
        found.note("", ingest.door_verifier());
    }
    found.note("", scorer_of(settings));
    found.note("", policies_of(settings));
    found.0.extend(settings.notifier_with_words().faults().into_iter().map(|why| format!("[notifier] {why}")));
    found.note("[audit-sink] ", audit_sink.digest_key());
    found.note("[audit-sink] ", (audit_sink.shards > 0).then_some(()).ok_or("shards must be at least 1"));
    found.note("[audit-signer] ", audit_signer.check());
    found.note("[audit-signer.cluster] ", audit_signer.cluster.check_plaintext());
    found.note("", listens(settings, "[read-api] listen", &read_api.listen, true));
    found.note("[read-api] ", read_api.verifier());
    found.note("[read-api] ", read_api.role());
    found.0
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn note<T, E: Told>(&mut self, section: &str, judged: Result<T, E>) {
        if let Err(why) = judged {
            let why = why.told();
            // Some errors name their section themselves.
            let section = if why.starts_with(section.trim_end()) { "" } else { section };
            self.0.push(format!("{section}{why}"));
        }
    }
}

/// An error with what is behind it, once.
trait Told {
    fn told(self) -> String;
}

impl Told for anyhow::Error {
    fn told(self) -> String {
        crate::say::told(&self)
    }
}

macro_rules! plainly {
    ($($error:ty),*) => { $(impl Told for $error {
        fn told(self) -> String {
            plain(&self)
        }
    })* };
}

plainly!(
    &str,
    telemetry::TelemetryError,
    runtime::http::TlsError,
    runtime::kafka::Plaintext,
    runtime::pg::ConnectError,
    ingest::Error,
    audit_sink::Error,
    read_api::Error
);

fn plain(error: &impl Display) -> String {
    error.to_string()
}

/// An address of ours, which nobody reads along unless somebody said so.
pub(crate) fn address(knob: &str, text: &str) -> Result<SocketAddr> {
    let example = if text.parse::<u16>().is_ok() { format!("127.0.0.1:{text}") } else { "127.0.0.1:9464".to_owned() };
    text.parse()
        .ok()
        .with_context(|| format!("{knob} = {text:?} is no address with a port: write one such as {example}"))
}

fn listens(settings: &Settings, knob: &str, text: &str, has_tls: bool) -> Result<()> {
    let address = address(knob, text)?;
    if has_tls && !settings.tls.certificate.is_empty() {
        return Ok(());
    }
    Cover::of(settings.process.allow_plaintext_listeners).check(address).with_context(|| format!("{knob} {address}"))
}

fn ingest_of(settings: &Settings) -> Result<()> {
    let config = settings.ingest_with_classes()?;
    let metrics = ingest::Metrics::new(&prometheus::Registry::new())?;
    ingest::ReceiveHandler::new(&config, &settings.kafka, metrics.clone())?;
    ingest::AdmitHandler::new(&config, &settings.kafka, metrics)?;
    Ok(())
}

fn scorer_of(settings: &Settings) -> Result<()> {
    let config = &settings.scorer;
    let library =
        scorer::Library::read(&config.models_dir).with_context(|| folder("[scorer] models_dir", &config.models_dir))?;
    scorer::Routes::read(&config.routes_dir, &config.route, &library)
        .with_context(|| folder("[scorer] routes_dir", &config.routes_dir))?;
    Ok(())
}

fn policies_of(settings: &Settings) -> Result<()> {
    let config = &settings.decision;
    let read = decision::Library::read(&config.policy_dir, &config.default_policy);
    read.with_context(|| folder("[decision] policy_dir", &config.policy_dir))?;
    Ok(())
}

/// A knob that names a folder, and where that is looked for.
pub(crate) fn folder(knob: &str, path: &Path) -> String {
    let mut said = format!("{knob} = {}", path.display());
    if path.is_relative() && !path.exists() {
        said += ", which is looked for in the current folder";
    }
    said
}

/// Refuses folders that are not there, with their knobs.
pub(crate) fn folders(named: &[(&str, &Path)]) -> Result<()> {
    for (knob, path) in named {
        ensure!(path.is_dir(), "{}: there is no such folder", folder(knob, path));
    }
    Ok(())
}
