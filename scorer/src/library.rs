//! Every package that this instance holds, read once at start. The only file of the room that reads files.

use crate::error::Error;
use crate::route::{PackageName, Route, Routes};
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
        let path = folder.join("scales.toml");
        let scales = Scales::parse(&read(&path)?).map_err(|source| Error::Scales { path, source })?;
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

    /// The index of the model with that digest.
    pub fn by_digest(&self, digest: &str) -> Option<usize> {
        self.models.iter().position(|model| model.digest().to_string() == digest)
    }

    /// For each product of a route, the indices of its models, the deciding one first.
    ///
    /// # Errors
    /// [`Error::Package`] or [`Error::Route`].
    pub fn serve(&self, routes: &Routes) -> Result<Vec<Vec<usize>>, Error> {
        let of_package = |route: &Route, package: &PackageName| self.of_route(&route.product, package);
        let of_product = |route: &Route| route.packages.iter().map(|package| of_package(route, package)).collect();
        routes.products().iter().map(of_product).collect()
    }

    fn of_route(&self, product: &str, PackageName { name, version, .. }: &PackageName) -> Result<usize, Error> {
        let package = format!("{name}@{version}");
        if let Some(source) = self.refused.get(&package) {
            return Err(Error::Package { package, source: source.clone() });
        }
        let fault = |why: String| Error::Route { product: product.to_owned(), why };
        let matches = |model: &Arc<Model>| &model.manifest().name == name && &model.manifest().version == version;
        let index =
            self.models.iter().position(matches).ok_or_else(|| fault(format!("there is no package {package}")))?;
        match &self.models[index].manifest().product {
            own if own == product => Ok(index),
            own => Err(fault(format!("package {package} is for {own}"))),
        }
    }
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

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })
}

/// The folders in a folder, sorted, so that every instance holds its models in the same order.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
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

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
