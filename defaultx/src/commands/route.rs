//! `route`: whether a route may be in force, and putting it there.

use crate::cli::{PlaceArgs, RouteCommand};
use crate::commands::versions::{self, Version};
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result, bail};
use scorer::library::label_of;
use scorer::routes::file_of;
use scorer::{Library, Route};
use std::collections::BTreeMap;

/// Runs a subcommand; gives the exit code.
pub async fn run(settings: Settings, place: &PlaceArgs, command: RouteCommand) -> Result<i32> {
    let library = library(&settings)?;
    match command {
        RouteCommand::Check { files } => {
            let mut errors = 0;
            for file in &files {
                let told = |finding: String| println!("{}", terminal::line(&format!("{}: {finding}", file.display())));
                match Route::load(&versions::read(file)?, &library) {
                    Ok(route) => route.warnings().iter().for_each(|finding| told(format!("warning: {finding}"))),
                    Err(rejected) => {
                        errors += rejected.0.len();
                        rejected.0.iter().for_each(|finding| told(finding.to_string()));
                    }
                }
            }
            println!("{} routes, {errors} errors", files.len());
            Ok(i32::from(errors > 0))
        }
        RouteCommand::Activate { route, by } => {
            let folder = &settings.scorer.routes_dir;
            let file = file_of(folder, &route).with_context(|| format!("{route:?} is not name@version"))?;
            let text = versions::read(&file)?;
            let checked = Route::load(&text, &library);
            let checked = checked.with_context(|| format!("{} may not be in force", file.display()))?;
            if checked.label() != route {
                bail!("{} says it is {}", file.display(), checked.label());
            }
            let what = Version {
                kind: "route",
                name: checked.name(),
                version: checked.version(),
                digest: checked.digest(),
                document: Some(String::from_utf8(text)?.into()),
                packages: Some(packages(&checked, &library)),
            };
            versions::put_in_force(settings, place, what, by).await
        }
    }
}

/// The packages that a route names, with their digests.
fn packages(route: &Route, library: &Library) -> BTreeMap<String, String> {
    let named = route.entries().iter().flat_map(|entry| &entry.packages);
    let models = named.filter_map(|package| library.models().get(package.model));
    models.map(|model| (label_of(model), model.digest().to_string())).collect()
}

fn library(settings: &Settings) -> Result<Library> {
    let folder = &settings.scorer.models_dir;
    Library::read(folder).with_context(|| format!("reading the packages of [scorer] models_dir = {}", folder.display()))
}
