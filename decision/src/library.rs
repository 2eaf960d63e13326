//! The policies that this instance knows, by digest: those that activations carry, and those of a directory, which is looked into
//! again when an activation without a document names one that is not known. A file that fails its checks is left out and named.

use crate::error::Error;
use crate::in_force::InForce;
use policy::{Compiled, Rejected};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most documents out of the stream that stay compiled. More may be in force in as many partitions, and are compiled again.
const MAX_CARRIED: usize = 16;

/// Compiled policies.
#[derive(Debug, Clone)]
pub struct Library {
    by_digest: BTreeMap<String, Arc<Compiled>>,
    /// In force where no activation record came before; none where the directory is empty.
    default: Option<Arc<Compiled>>,
    rejected: Vec<(String, Rejected)>,
    directory: Option<PathBuf>,
    /// Documents that activations carried, the one that was asked for last at the end.
    carried: Vec<Arc<Compiled>>,
}

impl Library {
    /// Reads every `<name>/<version>.yaml` under `directory`; `default` is the `name@version` in force where no activation
    /// record came before. A directory without any is taken: then a partition that has seen no activation waits for one.
    ///
    /// # Errors
    /// [`Error`] when the directory cannot be read or the default cannot be used.
    pub fn read(directory: &Path, default: &str) -> Result<Self, Error> {
        let (policies, rejected) = read_all(directory)?;
        let found = policies.iter().find(|policy| label_of(policy) == default).map(Arc::clone);
        if found.is_none() && !(policies.is_empty() && rejected.is_empty()) {
            let reason = rejected.iter().find(|(label, _)| label == default);
            return Err(reason.map_or_else(
                || Error::Unknown(default.to_owned()),
                |(name, reason)| Error::Rejected { name: name.clone(), findings: reason.to_string() },
            ));
        }
        let by_digest = policies.into_iter().map(|policy| (policy.digest().to_owned(), policy)).collect();
        let directory = Some(directory.to_owned());
        Ok(Self { by_digest, default: found, rejected, directory, carried: Vec::new() })
    }

    /// A library of one, for tests and benchmarks.
    pub fn of(compiled: Compiled) -> Self {
        let default = Arc::new(compiled);
        Self { default: Some(Arc::clone(&default)), ..Self::empty() }.and(default)
    }

    /// A library of none, as of an empty directory.
    pub fn empty() -> Self {
        let (by_digest, rejected, carried) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { by_digest, default: None, rejected, directory: None, carried }
    }

    /// Adds a policy.
    pub fn with(self, compiled: Compiled) -> Self {
        self.and(Arc::new(compiled))
    }

    fn and(mut self, policy: Arc<Compiled>) -> Self {
        self.by_digest.insert(policy.digest().to_owned(), policy);
        self
    }

    /// The policy of a version that an activation names: its document, or the one of the directory.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub fn demanded(&mut self, wanted: &InForce) -> Result<Arc<Compiled>, String> {
        let InForce { digest, document, .. } = wanted;
        let found = match document {
            Some(document) => self.of_document(digest, document.as_str())?,
            None => self.of_directory(digest).ok_or_else(|| "is not in policy_dir".to_owned())?,
        };
        match found.name() == wanted.name && found.version() == wanted.version {
            true => Ok(found),
            false => Err(format!("says that it is {}", label_of(&found))),
        }
    }

    fn of_document(&mut self, digest: &str, document: &str) -> Result<Arc<Compiled>, String> {
        if let Some(known) = self.by_digest.get(digest) {
            return Ok(Arc::clone(known));
        }
        let policy = match self.carried.iter().position(|known| known.digest() == digest) {
            Some(at) => self.carried.remove(at),
            None => {
                let compiled = Compiled::load(document.as_bytes());
                Arc::new(compiled.map_err(|rejected| format!("may not decide: {}", first_of(&rejected)))?)
            }
        };
        if self.carried.len() >= MAX_CARRIED {
            self.carried.remove(0);
        }
        self.carried.push(Arc::clone(&policy));
        Ok(policy)
    }

    /// A file that was brought back is found without a restart.
    fn of_directory(&mut self, digest: &str) -> Option<Arc<Compiled>> {
        if !self.by_digest.contains_key(digest) {
            let (policies, _) = read_all(self.directory.as_ref()?).ok()?;
            for policy in policies {
                self.by_digest.entry(policy.digest().to_owned()).or_insert(policy);
            }
        }
        self.by_digest.get(digest).map(Arc::clone)
    }

    /// The policy of a digest, of the directory.
    pub fn get(&self, digest: &str) -> Option<&Arc<Compiled>> {
        self.by_digest.get(digest)
    }

    /// The policy in force where nothing was activated.
    pub fn default_policy(&self) -> Option<&Arc<Compiled>> {
        self.default.as_ref()
    }

    /// Every policy of the directory, by digest.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Compiled>> {
        self.by_digest.values()
    }

    /// What was left out, as `name@version` with its findings.
    pub fn rejected(&self) -> &[(String, Rejected)] {
        &self.rejected
    }
}

fn label_of(policy: &Arc<Compiled>) -> String {
    format!("{}@{}", policy.name(), policy.version())
}

fn first_of(rejected: &Rejected) -> String {
    let errors = rejected.findings.iter().filter(|finding| finding.is_error());
    errors.map(ToString::to_string).next().unwrap_or_default()
}

type Rejections = Vec<(String, Rejected)>;

fn read_all(directory: &Path) -> Result<(Vec<Arc<Compiled>>, Rejections), Error> {
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
                rejected.push((place_of(&file), reason));
            }
        }
    }
    Ok((policies, rejected))
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
fn place_of(file: &Path) -> String {
    let text =
        |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{}@{}", text(file.parent().and_then(Path::file_name)), text(file.file_stem()))
}

fn is_place_of(file: &Path, compiled: &Compiled) -> bool {
    place_of(file) == format!("{}@{}", compiled.name(), compiled.version())
}
