//! `route`: whether a route may be in force, and putting it there.

mod place;
mod review;

use super::policy::{file_of, told};
use crate::cli::{PlaceArgs, RouteCommand};
use crate::commands::in_force::{Request, Version, put_in_force};
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result, bail};
use catalog::{Document, Kind, Label};
use scorer::library::label_of;
use scorer::{Library, Route};
use std::collections::BTreeMap;
use std::path::Path;

/// Runs a subcommand; gives the exit code.
pub async fn run(settings: Settings, place: &PlaceArgs, command: RouteCommand) -> Result<i32> {
    let library = library(&settings)?;
    match command {
        RouteCommand::Check { files } => {
            let mut errors = 0;
            for file in &files {
                let findings = review::check(Document::bytes(file)?, &library);
                findings.iter().for_each(|finding| println!("{}", terminal::line(&finding.in_file(file))));
                let wrong = findings.iter().filter(|finding| finding.is_error()).count();
                println!("{}: {}", terminal::line(&file.display().to_string()), told(wrong, findings.len() - wrong));
                errors += wrong;
            }
            Ok(i32::from(errors > 0))
        }
        RouteCommand::Activate { route, by, unasked, force } => {
            let file = file_of(Kind::Route, &settings.scorer.routes_dir, &route)?;
            let document = Document::read(&file)?;
            let checked = Route::load(document.as_str().as_bytes(), &library);
            let checked = checked.with_context(|| format!("{} may not be in force", file.display()))?;
            let label = Label::parse(&checked.label())?;
            if Label::parse(&route).is_ok_and(|named| named != label) && !Path::new(&route).is_file() {
                bail!("{} says it is {label}", file.display());
            }
            let findings = review::check(document.as_str().as_bytes().to_vec(), &library);
            findings.iter().for_each(|finding| println!("{}", terminal::line(&finding.in_file(&file))));
            if !force && findings.iter().any(|finding| finding.is_error()) {
                bail!("{} has errors in its conditions: mend them, or say --force", file.display());
            }
            let what = Version {
                kind: Kind::Route,
                label,
                digest: checked.digest(),
                document: Some(document.text()),
                packages: Some(packages(&checked, &library)),
            };
            put_in_force(settings, place, what, Request { by, unasked }).await
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
