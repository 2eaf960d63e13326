//! `model`: what model people ask of a graph or a package, without Kafka and without a database.
//!
//! Reading order: [`run`] is for a bare graph, with [`rows`] and [`cells`] below it; [`import`] makes a package of one; [`check`],
//! [`explain`] and [`bench`] are for packages, with [`golden`], [`parity`] and [`native`] below them.

mod bench;
mod cells;
mod check;
mod explain;
mod golden;
mod import;
mod native;
mod parity;
mod rows;
mod run;

use crate::cli::{ModelCommand, PlaceArgs};
use crate::commands::in_force::{Request, Version, put_in_force};
use crate::settings::Settings;
use anyhow::{Context, Result};
use catalog::{Kind, Label};
use scoring::{Model, PackageFiles, Scales};
use std::path::Path;

/// Runs a subcommand; gives the exit code.
pub async fn run(settings: Settings, place: &PlaceArgs, command: ModelCommand) -> Result<i32> {
    match command {
        ModelCommand::Run(args) => run::run(&args),
        ModelCommand::Import(args) => import::run(&args),
        ModelCommand::Check { packages, scales, json } => check::run(&packages, &scales, json),
        ModelCommand::Explain { package, input, json } => {
            let (_, model) = load(&package.package, &package.scales)?;
            explain::run(&model, &input, json)
        }
        ModelCommand::Bench { package, seconds, json } => {
            let (files, model) = load(&package.package, &package.scales)?;
            bench::run(&files, &model, seconds, json)
        }
        ModelCommand::Activate { package, scales, by, unasked } => {
            let (_, model) = load(&package, &scales)?;
            let digest = model.digest().to_string();
            let label = Label::new(&model.manifest().name, &model.manifest().version);
            let packages = Some([(label.to_string(), digest.clone())].into());
            let what = Version { kind: Kind::Model, label, digest: &digest, document: None, packages };
            put_in_force(settings, place, what, Request { by, unasked }).await
        }
    }
}

/// A package's files and what they load as.
fn load(package: &Path, scales: &Path) -> Result<(PackageFiles, Model)> {
    let files = files(package)?;
    let model = Model::load(&files, &self::scales(scales)?);
    Ok((files, model.with_context(|| format!("{} may not serve", package.display()))?))
}

fn files(package: &Path) -> Result<PackageFiles> {
    // The error tells its own source.
    scorer::library::read_package(package)
        .map_err(|error| anyhow::anyhow!("{error}; a package is a folder NAME/VERSION"))
}

/// The scales of all products.
fn scales(path: &Path) -> Result<Scales> {
    Ok(scorer::library::scales(path)?)
}
