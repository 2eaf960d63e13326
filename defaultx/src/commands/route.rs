//! `route`: whether a route may be in force, and putting it there.

use crate::cli::{PlaceArgs, RouteCommand};
use crate::commands::in_force::{Request, Version, put_in_force};
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result, bail};
use catalog::{Document, Finding, Kind, Label, Severity};
use scorer::library::label_of;
use scorer::routes::finding;
use scorer::{Library, Route};
use std::collections::BTreeMap;

/// Runs a subcommand; gives the exit code.
pub async fn run(settings: Settings, place: &PlaceArgs, command: RouteCommand) -> Result<i32> {
    let library = library(&settings)?;
    match command {
        RouteCommand::Check { files } => {
            let mut errors = 0;
            for file in &files {
                let findings = check(Document::bytes(file)?, &library);
                findings.iter().for_each(|finding| println!("{}", terminal::line(&finding.in_file(file))));
                errors += findings.iter().filter(|finding| finding.is_error()).count();
            }
            println!("{} routes, {errors} errors", files.len());
            Ok(i32::from(errors > 0))
        }
        RouteCommand::Activate { route, by, unasked } => {
            let label = Label::parse(&route)?;
            let file = catalog::place(Kind::Route, &settings.scorer.routes_dir, &label);
            let document = Document::read(&file)?;
            let checked = Route::load(document.as_str().as_bytes(), &library);
            let checked = checked.with_context(|| format!("{} may not be in force", file.display()))?;
            if checked.label() != route {
                bail!("{} says it is {}", file.display(), checked.label());
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

/// Everything that is wrong with a document, or should be written otherwise.
fn check(route: Vec<u8>, library: &Library) -> Vec<Finding> {
    let document = match Document::of(route) {
        Ok(document) => document,
        Err(finding) => return vec![finding],
    };
    match Route::load(document.as_str().as_bytes(), library) {
        Ok(route) => {
            let warning = |found| Finding { severity: Severity::Warning, ..finding(found) };
            route.warnings().iter().cloned().map(warning).collect()
        }
        Err(rejected) => rejected.0.into_iter().map(finding).collect(),
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
