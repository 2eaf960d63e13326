//! A package and the products' scales, read from their files; and how files of rows are written.

use crate::cli::RowsArgs;
use anyhow::{Context, Result};
use model_import::Written;
use scoring::{Model, PackageFiles, Scales};
use std::path::Path;

/// A package's files and what they load as.
pub fn load(package: &Path, scales: &Path) -> Result<(PackageFiles, Model)> {
    let files = files(package)?;
    let model = Model::load(&files, &self::scales(scales)?);
    Ok((files, model.with_context(|| format!("{} may not serve", package.display()))?))
}

/// Its files.
pub fn files(package: &Path) -> Result<PackageFiles> {
    // The error tells its own source.
    scorer::library::read_package(package)
        .map_err(|error| anyhow::anyhow!("{error}; a package is a folder NAME/VERSION"))
}

/// The scales of all products.
pub fn scales(path: &Path) -> Result<Scales> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Scales::parse(&bytes)?)
}

/// How the files of rows are written that a command reads.
pub fn written(args: &RowsArgs) -> Result<Written> {
    Ok(Written::new(args.missing.clone(), args.decimal_comma, args.delimiter)?)
}
