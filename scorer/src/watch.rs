//! Packages that come while the worker runs: the folder is looked into again and again, what is new or has changed is proven as at the
//! start, and what this instance holds is announced, so that nothing is put in force that an instance lacks. Decides nothing.

use crate::library::{file_name, folders, label_of, read_package};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::service::ServiceContext;
use runtime::stream::{Output, Route, Transactions};
use runtime::task::{self, WorkerHandle};
use schemas::Envelope;
use schemas::event_id::event_id;
use schemas::instance::{ANNOUNCED, Announcement};
use schemas::topics::Topic;
use scoring::error::Part;
use scoring::{Model, Scales};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

/// Between two looks into the folder.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// Between two announcements of what is held. Who has not spoken for three of them does not run.
const ANNOUNCES_EVERY: Duration = Duration::from_secs(10);
/// Milliseconds that any call to the broker may take.
const TIMEOUT_MS: u64 = 5_000;
/// The thread's name.
const NAME: &str = "scorer-watch";

/// Length and time of each file of a package, by which a change is told.
type Print = Vec<Option<(u64, Option<SystemTime>)>>;

/// What is known of the folder.
#[derive(Debug)]
pub struct Watch {
    folder: PathBuf,
    scales: Scales,
    known: BTreeMap<PathBuf, Print>,
    /// `name@version` of what this instance holds, with digests.
    held: BTreeMap<String, String>,
}

impl Watch {
    /// Knows what is in the folder now: it was read a moment ago, and `models` of it serve.
    pub fn new(folder: &Path, scales: Scales, models: &[Arc<Model>]) -> Self {
        let held = models.iter().map(|model| (label_of(model), model.digest().to_string())).collect();
        let known = packages(folder).into_iter().map(|package| (package.clone(), print(&package))).collect();
        Self { folder: folder.to_owned(), scales, known, held }
    }

    /// Packages that are new, or have changed since they did not serve, and prove themselves. A version that is held stays what
    /// it is, whatever becomes of its files.
    pub fn look(&mut self) -> Vec<Arc<Model>> {
        let mut found = Vec::new();
        for package in packages(&self.folder) {
            let now = print(&package);
            if now.iter().any(Option::is_none) || self.known.get(&package) == Some(&now) {
                continue;
            }
            self.known.insert(package.clone(), now);
            match read_package(&package)
                .map_err(|error| error.to_string())
                .and_then(|files| Model::load(&files, &self.scales).map_err(|fault| fault.to_string()))
            {
                Ok(model) => found.extend(self.take(model)),
                Err(reason) => {
                    let package = package.display().to_string();
                    tracing::warn!(package, reason, "package does not serve");
                }
            }
        }
        found
    }

    fn take(&mut self, model: Model) -> Option<Arc<Model>> {
        let (package, digest) = (label_of(&model), model.digest().to_string());
        match self.held.get(&package) {
            Some(known) if *known == digest => None,
            Some(known) => {
                tracing::error!(
                    package,
                    digest,
                    known,
                    "a version that is held has another digest now: it stays what it was"
                );
                None
            }
            None => {
                tracing::info!(package, digest, "a new package has proven itself");
                self.held.insert(package, digest);
                Some(Arc::new(model))
            }
        }
    }
}

/// Looks and announces on a thread of its own until the process shuts down; what is found comes out of the receiver.
///
/// # Errors
/// When no thread is to be had.
pub fn start(mut watch: Watch, service: &ServiceContext) -> std::io::Result<(Receiver<Arc<Model>>, WorkerHandle)> {
    let (sender, receiver) = channel();
    let service = service.clone();
    let body = move || {
        run(&mut watch, &sender, &service);
        Ok(())
    };
    Ok((receiver, WorkerHandle::thread(NAME, task::thread(NAME, body)?)))
}

fn run(watch: &mut Watch, found: &Sender<Arc<Model>>, service: &ServiceContext) {
    let id = format!("scorer-announce-{}", service.instance);
    let mut producer = Transactions::new(&service.kafka, &id, TIMEOUT_MS);
    let mut announced: Option<Instant> = None;
    while !service.shutdown.is_cancelled() {
        let new = watch.look();
        let is_due = announced.is_none_or(|at| at.elapsed() >= ANNOUNCES_EVERY) || !new.is_empty();
        for model in new {
            if found.send(model).is_err() {
                return; // the worker has ended
            }
        }
        if is_due {
            announced = Some(Instant::now());
            let record = record(&service.kafka, &service.instance, watch.held.clone());
            if let Err(error) = producer.write([(None, &record)]) {
                tracing::warn!(%error, "what this instance holds could not be announced");
            }
        }
        let until = Instant::now() + LOOKS_EVERY;
        while Instant::now() < until && !service.shutdown.is_cancelled() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn record(kafka: &KafkaConfig, instance: &str, packages: BTreeMap<String, String>) -> Output {
    let announced_at = clock::rfc3339(clock::now());
    let envelope = Envelope {
        id: event_id(ANNOUNCED, "scorer", instance, 0, &announced_at).to_string(),
        source: crate::handler::SOURCE.to_owned(),
        event_type: ANNOUNCED.to_owned(),
        time: Some(announced_at.clone()),
        ..Envelope::default()
    };
    let body = Announcement { worker: "scorer".to_owned(), instance: instance.to_owned(), packages, announced_at };
    Output {
        topic: kafka.topic(Topic::Instances.base_name()),
        route: Route::ByKey,
        key: Some(format!("scorer|{instance}").into_bytes()),
        payload: Some(serde_json::to_vec(&body).expect("strings are JSON")),
        headers: envelope.to_headers(),
    }
}

/// Every `<name>/<version>/`; what cannot be listed has nothing new.
fn packages(folder: &Path) -> Vec<PathBuf> {
    let names = folders(folder).unwrap_or_default();
    let versions = names.iter().flat_map(|name| folders(name).unwrap_or_default());
    versions.filter(|version| !file_name(version).is_empty()).collect()
}

fn print(package: &Path) -> Print {
    let parts = [Part::Manifest, Part::Graph, Part::Golden, Part::Reference];
    let of = |part: Part| {
        let data = std::fs::metadata(package.join(part.file_name())).ok()?;
        Some((data.len(), data.modified().ok()))
    };
    parts.map(of).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn copy(from: &Path, to: &Path, files: &[&str]) {
        std::fs::create_dir_all(to).unwrap();
        for file in files {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }

    #[test]
    fn a_package_is_found_once_it_is_whole_and_a_version_stays_what_it_was() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let scales = || Scales::parse(&std::fs::read(shipped.join("scales.toml")).unwrap()).unwrap();
        let (dir, from) = (tempfile::tempdir().unwrap(), shipped.join("taiwan-scorecard/1.0.0"));
        let mut watch = Watch::new(dir.path(), scales(), &[]);
        assert!(watch.look().is_empty());
        let package = dir.path().join("taiwan-scorecard/1.0.0");
        copy(&from, &package, &["manifest.toml", "golden.json", "reference.json"]);
        assert!(watch.look().is_empty(), "its graph is not there yet");
        std::fs::write(package.join("model.onnx"), b"half of it").unwrap();
        assert!(watch.look().is_empty(), "it is being copied");
        copy(&from, &package, &["model.onnx"]);
        let found = watch.look();
        assert_eq!(found.iter().map(|model| label_of(model)).collect::<Vec<_>>(), ["taiwan-scorecard@1.0.0"]);
        assert!(watch.look().is_empty() && watch.held.len() == 1);
        let held = watch.held.clone();
        let text = std::fs::read_to_string(package.join("manifest.toml")).unwrap();
        std::fs::write(package.join("manifest.toml"), format!("{text}\n# changed\n")).unwrap();
        assert!(watch.look().is_empty(), "another digest of the same version");
        assert_eq!(watch.held, held);
    }
}
