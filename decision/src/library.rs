//! The policies that this instance knows, by digest: read from a directory once, never watched. A document that fails its
//! checks is left out and named; only a stream that demands it then stops.

use crate::error::Error;
use policy::{Compiled, Rejected};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Compiled policies.
#[derive(Debug, Clone)]
pub struct Library {
    by_digest: BTreeMap<String, Arc<Compiled>>,
    default: Arc<Compiled>,
    rejected: Vec<(String, Rejected)>,
}

impl Library {
    /// Reads every `<name>/<version>.yaml` under `directory`; `default` is the `name@version` in force where no activation
    /// record came before.
    ///
    /// # Errors
    /// [`Error`] when the directory cannot be read or the default cannot be used.
    pub fn read(directory: &Path, default: &str) -> Result<Self, Error> {
        let (mut policies, mut rejected) = (Vec::new(), Vec::new());
        for file in files(directory)? {
            let bytes = std::fs::read(&file).map_err(|source| Error::Unreadable { path: file.clone(), source })?;
            match Compiled::load(&bytes) {
                Ok(compiled) if is_place_of(&file, &compiled) => policies.push(Arc::new(compiled)),
                Ok(compiled) => tracing::error!(
                    file = %file.display(), name = compiled.name(), version = compiled.version(), "policy is misplaced"
                ),
                Err(reason) => {
                    tracing::error!(file = %file.display(), findings = %reason, "policy is not taken");
                    rejected.push((label_of(&file), reason));
                }
            }
        }
        Self::new(policies, rejected, default)
    }

    /// A library of one, for tests and benchmarks.
    pub fn of(compiled: Compiled) -> Self {
        let default = Arc::new(compiled);
        let by_digest = BTreeMap::from([(default.digest().to_owned(), Arc::clone(&default))]);
        Self { by_digest, default, rejected: Vec::new() }
    }

    /// Adds a policy.
    pub fn with(mut self, compiled: Compiled) -> Self {
        self.by_digest.insert(compiled.digest().to_owned(), Arc::new(compiled));
        self
    }

    fn new(policies: Vec<Arc<Compiled>>, rejected: Vec<(String, Rejected)>, default: &str) -> Result<Self, Error> {
        let found = policies.iter().find(|policy| format!("{}@{}", policy.name(), policy.version()) == default);
        let Some(chosen) = found.map(Arc::clone) else {
            let reason = rejected.iter().find(|(label, _)| label == default);
            return Err(reason.map_or_else(
                || Error::Unknown(default.to_owned()),
                |(name, reason)| Error::Rejected { name: name.clone(), findings: reason.to_string() },
            ));
        };
        let by_digest = policies.into_iter().map(|policy| (policy.digest().to_owned(), policy)).collect();
        Ok(Self { by_digest, default: chosen, rejected })
    }

    /// The policy of a digest.
    pub fn get(&self, digest: &str) -> Option<&Arc<Compiled>> {
        self.by_digest.get(digest)
    }

    /// The policy in force where nothing was activated.
    pub fn default_policy(&self) -> &Arc<Compiled> {
        &self.default
    }

    /// Every policy, by digest.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Compiled>> {
        self.by_digest.values()
    }

    /// What was left out, as `name@version` with its findings.
    pub fn rejected(&self) -> &[(String, Rejected)] {
        &self.rejected
    }
}

/// Every `*/*.yaml`, sorted, so that logs read the same everywhere.
fn files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for folder in entries(directory)?.into_iter().filter(|path| path.is_dir()) {
        let yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
        files.extend(entries(&folder)?.into_iter().filter(yaml));
    }
    Ok(files)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source| Error::Unreadable { path: directory.to_owned(), source };
    let listed = std::fs::read_dir(directory).map_err(unreadable)?;
    let mut paths = listed.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

/// `name@version` as a file's place says it.
fn label_of(file: &Path) -> String {
    let text =
        |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{}@{}", text(file.parent().and_then(Path::file_name)), text(file.file_stem()))
}

fn is_place_of(file: &Path, compiled: &Compiled) -> bool {
    label_of(file) == format!("{}@{}", compiled.name(), compiled.version())
}
