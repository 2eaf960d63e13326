//! From the files of a package to a model that serves.

use crate::error::LoadError;
use crate::model::Model;
use crate::package::PackageFiles;
use crate::scales::Scales;
use crate::{golden, head};

impl Model {
    /// Builds a model and lets it prove itself: digests, contract, graph, reference, golden answers.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong and where.
    pub fn load(files: &PackageFiles, scales: &Scales) -> Result<Self, LoadError> {
        let manifest = files.manifest()?;
        head::check(&manifest)?;
        let model = Self::assemble(manifest, files, scales)?;
        golden::prove(&model, &files.golden)?;
        Ok(model)
    }

    /// The same without its golden answers, for whoever makes those: it proves nothing, and may not serve.
    ///
    /// # Errors
    /// [`LoadError`], as of [`Self::load`].
    pub fn unproven(files: &PackageFiles, scales: &Scales) -> Result<Self, LoadError> {
        let manifest = files.manifest()?;
        head::check(&manifest)?;
        Self::assemble(manifest, files, scales)
    }
}
