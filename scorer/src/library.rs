//! Every package that this instance holds: those of its start, and those that [`crate::watch`] finds later. InForceCache, and in
//! [`crate::routes`], the worker reads files; nowhere else.

use crate::error::Error;
use domain::Digest;
use scoring::{LoadError, Model, PackageFiles, Scales};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Packages by digest, proven.
#[derive(Debug, Clone, Default)]
pub struct Library {
    models: Vec<Arc<Model>>,
    /// `name@version` of what is there and does not serve.
    refused: BTreeMap<String, LoadError>,
}

impl Library {
    /// Reads `<folder>/scales.toml` and every `<folder>/<name>/<version>/`. A package that fails is kept out, with its reason.
    ///
    /// # Errors
    /// [`Error::Unreadable`] or [`Error::Scales`].
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let scales = scales(folder)?;
        let mut library = Self::default();
        for name in folders(folder)? {
            for version in folders(&name)? {
                match Model::load(&read_package(&version)?, &scales) {
                    Ok(model) => library.models.push(Arc::new(model)),
                    Err(fault) => {
                        let package = format!("{}@{}", file_name(&name), file_name(&version));
                        tracing::warn!(package, reason = %fault, "package does not serve");
                        library.refused.insert(package, fault);
                    }
                }
            }
        }
        Ok(library)
    }

    /// A library of models at hand.
    pub fn of(models: Vec<Arc<Model>>) -> Self {
        Self { models, refused: BTreeMap::new() }
    }

    /// Every model that serves.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// Holds a package that was proven meanwhile; false where another one of its name and version is held. Those held before keep
    /// their places.
    pub fn add(&mut self, model: Arc<Model>) -> bool {
        let label = label_of(&model);
        let is_new = self.digest_of(&label).is_none();
        if is_new {
            self.refused.remove(&label);
            self.models.push(model);
        }
        is_new
    }

    /// The digest of the package of that `name@version`.
    pub fn digest_of(&self, label: &str) -> Option<Digest> {
        let (name, version) = label.split_once('@')?;
        let is_it = |model: &&Arc<Model>| model.manifest().name == name && model.manifest().version == version;
        self.models.iter().find(is_it).map(|model| model.digest())
    }

    /// The index of the model with that digest.
    pub fn by_digest(&self, digest: &str) -> Option<usize> {
        self.models.iter().position(|model| model.digest().to_string() == digest)
    }

    /// The name in a `name@version`, and the index of its model, which must be for `product`.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub fn find<'t>(&self, product: &str, package: &'t str) -> Result<(&'t str, usize), String> {
        let Some((name, version)) =
            package.split_once('@').filter(|(name, version)| !name.is_empty() && !version.is_empty())
        else {
            return Err(format!("{package:?} is not name@version"));
        };
        if let Some(fault) = self.refused.get(package) {
            return Err(format!("package {package} does not serve: {fault}"));
        }
        let matches = |model: &Arc<Model>| model.manifest().name == name && model.manifest().version == version;
        let index = self.models.iter().position(matches);
        let index = index.ok_or_else(|| format!("there is no package {package} in models_dir"))?;
        match &self.models[index].manifest().product {
            own if own == product => Ok((name, index)),
            own => Err(format!("package {package} is for {own}, not for {product}")),
        }
    }
}

/// The products' scales, which lie beside the packages.
///
/// # Errors
/// [`Error::Unreadable`] or [`Error::Scales`].
pub fn scales(folder: &Path) -> Result<Scales, Error> {
    let path = folder.join("scales.toml");
    Scales::parse(&read(&path)?).map_err(|source| Error::Scales { path, source })
}

/// `name@version` of a package.
pub fn label_of(model: &Model) -> String {
    format!("{}@{}", model.manifest().name, model.manifest().version)
}

/// Reads the four files of a package.
///
/// # Errors
/// [`Error::Unreadable`].
pub fn read_package(folder: &Path) -> Result<PackageFiles, Error> {
    let part = |part: scoring::error::Part| read(&folder.join(part.file_name()));
    use scoring::error::Part;
    Ok(PackageFiles {
        manifest: part(Part::Manifest)?,
        graph: part(Part::Graph)?,
        golden: part(Part::Golden)?,
        reference: part(Part::Reference)?,
    })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })
}

/// The folders in a folder, sorted, so that every instance holds what it reads in the same order.
pub(crate) fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let fault = |source| Error::Unreadable { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_dir() && !file_name(&path).starts_with('.') {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
