//! The versions of one kind that an instance knows, by digest: those of a folder, which is looked into again when an activation without
//! a document names one that is not known, and those that activations carry.

use crate::document::Document;
use crate::error::{Error, NotHeld, Why};
use crate::finding::{Finding, Rejected};
use crate::in_force::InForce;
use crate::kind::Kind;
use crate::label::Label;
use crate::load::{Version, read_all};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most documents out of the stream that stay loaded. More may be in force in as many partitions, and are loaded again.
const MAX_CARRIED: usize = 16;

/// Versions of one kind.
#[derive(Debug)]
pub struct Versions<T> {
    kind: Kind,
    folder: Option<PathBuf>,
    held: Vec<Version<T>>,
    /// In force where no activation record came before; none where the folder is empty.
    default: Option<Arc<T>>,
    rejected: Vec<Rejected>,
    /// Of documents that activations carried, the one that was asked for last at the end.
    carried: Vec<Version<T>>,
}

impl<T> Versions<T> {
    /// Versions at hand; the first is in force where nothing was activated.
    pub fn of(kind: Kind, held: Vec<Version<T>>) -> Self {
        let default = held.first().map(|first| Arc::clone(&first.content));
        Self { kind, folder: None, held, default, rejected: Vec::new(), carried: Vec::new() }
    }

    /// Reads every version under `folder`; `default` is the `name@version` in force where no activation record came before. A folder
    /// without any is taken: then a partition that has seen no activation waits for one.
    ///
    /// # Errors
    /// [`Error`] when the folder cannot be read or the default cannot be used.
    pub fn read(
        kind: Kind,
        folder: &Path,
        default: &str,
        load: impl Fn(&Document) -> Result<Version<T>, Vec<Finding>>,
    ) -> Result<Self, Error> {
        let (held, rejected) = read_all(kind, folder, load)?;
        let is_default = |label: &Label| label.to_string() == default;
        let chosen = held.iter().find(|version| is_default(&version.label)).map(|version| Arc::clone(&version.content));
        if chosen.is_none() && !(held.is_empty() && rejected.is_empty()) {
            let reason = rejected.into_iter().find(|(label, _)| is_default(label));
            let (default, folder) = (default.to_owned(), folder.to_owned());
            return Err(reason.map_or(Error::NoDefault { kind, default, folder }, |(_, why)| Error::Rejected(why)));
        }
        let rejected = rejected.into_iter().map(|(_, rejected)| rejected).collect();
        Ok(Self { kind, folder: Some(folder.to_owned()), held, default: chosen, rejected, carried: Vec::new() })
    }

    /// Adds a version.
    #[must_use]
    pub fn with(mut self, version: Version<T>) -> Self {
        self.held.push(version);
        self
    }

    /// What is in force where nothing was activated.
    pub fn default_version(&self) -> Option<&Arc<T>> {
        self.default.as_ref()
    }

    /// The version of a digest.
    pub fn get(&self, digest: &str) -> Option<&Arc<T>> {
        let mut all = self.held.iter().chain(&self.carried);
        all.find(|version| version.digest == digest).map(|version| &version.content)
    }

    /// Every version of the folder.
    pub fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.held.iter().map(|version| &version.content)
    }

    /// The files of the folder that are not taken.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// Loads the version that an activation demands, of its document or of the folder, unless it is held already. A file that was
    /// brought is found without a restart.
    ///
    /// # Errors
    /// [`NotHeld`].
    pub fn hold(
        &mut self,
        wanted: &InForce,
        load: impl Fn(&Document) -> Result<Version<T>, Vec<Finding>>,
    ) -> Result<Arc<T>, NotHeld> {
        self.demand(wanted, load).map_err(|why| NotHeld::new(self.kind, wanted, why))
    }

    fn demand(
        &mut self,
        wanted: &InForce,
        load: impl Fn(&Document) -> Result<Version<T>, Vec<Finding>>,
    ) -> Result<Arc<T>, Why> {
        let is_it = |version: &Version<T>| version.digest == wanted.digest;
        if let Some(at) = self.carried.iter().position(is_it) {
            self.carried[at..].rotate_left(1);
        } else if !self.held.iter().any(is_it) {
            match &wanted.carried.document {
                Some(text) => self.carried.push(load(&Document::carried(text)).map_err(Why::faulty)?),
                None => self.look(load),
            }
        }
        let found = self.held.iter().chain(&self.carried).find(|version| is_it(version));
        let found = found.ok_or(Why::Missing(self.kind))?;
        match found.label.to_string() == wanted.version {
            true => Ok(Arc::clone(&found.content)),
            false => Err(Why::OtherLabel(found.label.clone())),
        }
    }

    /// Looks into the folder again for what has come since.
    fn look(&mut self, load: impl Fn(&Document) -> Result<Version<T>, Vec<Finding>>) {
        let Some(Ok((found, _))) = self.folder.as_deref().map(|folder| read_all(self.kind, folder, load)) else {
            return;
        };
        for version in found {
            if !self.held.iter().any(|held| held.digest == version.digest) {
                self.held.push(version);
            }
        }
    }

    /// Whether there is something to [let go of](Self::trim).
    pub fn is_long(&self) -> bool {
        self.carried.len() > MAX_CARRIED
    }

    /// Lets go of documents that nobody has demanded for long.
    pub fn trim(&mut self) {
        let many = self.carried.len().saturating_sub(MAX_CARRIED);
        self.carried.drain(..many);
    }
}

impl<T> Clone for Versions<T> {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            folder: self.folder.clone(),
            held: self.held.clone(),
            default: self.default.clone(),
            rejected: self.rejected.clone(),
            carried: self.carried.clone(),
        }
    }
}
