//! Every package that this instance holds: those of its start, and those that [`crate::watch`] finds later. Here the worker reads
//! packages and scales; the folders are [`catalog`]'s.

use crate::error::Error;
use catalog::{Kind, Label, NotALabel, places, read};
use domain::Digest;
use scoring::{LoadError, Model, PackageFiles, Scales};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The file of the products' scales, beside the packages.
pub(crate) const SCALES: &str = "scales.toml";

/// Why a package is not to be had for a product.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum NotFound {
    /// It is no `name@version`.
    #[error(transparent)]
    Label(#[from] NotALabel),
    /// It is there, and did not prove itself.
    #[error("package {package} does not serve: {cause}")]
    Refused {
        /// `name@version`.
        package: String,
        /// What is wrong with it.
        cause: LoadError,
    },
    /// It is not there; it may be brought.
    #[error("there is no package {0} in models_dir")]
    Absent(String),
    /// It scores something else.
    #[error("package {package} is for {own}, not for {product}")]
    OfAnother {
        /// `name@version`.
        package: String,
        /// Its product.
        own: String,
        /// The one asked for.
        product: String,
    },
}

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
    /// [`Error::Catalog`] or [`Error::Scales`].
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let scales = scales(&folder.join(SCALES))?;
        let mut library = Self::default();
        for (label, package) in places(Kind::Model, folder)? {
            match Model::load(&read_package(&package)?, &scales) {
                Ok(model) => library.models.push(Arc::new(model)),
                Err(fault) => {
                    tracing::warn!(package = %label, reason = %fault, "package does not serve");
                    library.refused.insert(label.to_string(), fault);
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
    pub(crate) fn by_digest(&self, digest: &str) -> Option<usize> {
        self.models.iter().position(|model| model.digest().to_string() == digest)
    }

    /// The name in a `name@version`, and the index of its model, which must be for `product`.
    ///
    /// # Errors
    /// [`NotFound`].
    pub fn find<'t>(&self, product: &str, package: &'t str) -> Result<(&'t str, usize), NotFound> {
        Label::parse(package)?;
        let (name, version) = package.split_once('@').unwrap_or_default();
        if let Some(fault) = self.refused.get(package) {
            return Err(NotFound::Refused { package: package.to_owned(), cause: fault.clone() });
        }
        let matches = |model: &Arc<Model>| model.manifest().name == name && model.manifest().version == version;
        let index = self.models.iter().position(matches);
        let index = index.ok_or_else(|| NotFound::Absent(package.to_owned()))?;
        match &self.models[index].manifest().product {
            own if own == product => Ok((name, index)),
            own => {
                Err(NotFound::OfAnother { package: package.to_owned(), own: own.clone(), product: product.to_owned() })
            }
        }
    }
}

/// The products' scales.
///
/// # Errors
/// [`Error::Catalog`] or [`Error::Scales`]; both name the file.
pub fn scales(path: &Path) -> Result<Scales, Error> {
    Scales::parse(&read(path)?).map_err(|cause| Error::Scales { path: path.to_owned(), cause })
}

/// `name@version` of a package.
pub fn label_of(model: &Model) -> String {
    format!("{}@{}", model.manifest().name, model.manifest().version)
}

/// Reads the four files of a package.
///
/// # Errors
/// [`catalog::Error::Unreadable`].
pub fn read_package(folder: &Path) -> Result<PackageFiles, catalog::Error> {
    use scoring::error::Part;
    let part = |part: Part| read(&folder.join(part.file_name()));
    Ok(PackageFiles {
        manifest: part(Part::Manifest)?,
        graph: part(Part::Graph)?,
        golden: part(Part::Golden)?,
        reference: part(Part::Reference)?,
    })
}
