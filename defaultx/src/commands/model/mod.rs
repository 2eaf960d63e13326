//! `model`: what model people ask of a graph or a package, without Kafka and without a database.
//!
//! Reading order: [`run`] is for a bare graph; [`import`] makes a package of one; [`check`], [`golden`], [`explain`] and [`bench`]
//! are for packages. What they do is [`model_import`]'s; here are arguments, printing and [`progress`].

mod bench;
mod check;
mod explain;
mod golden;
mod import;
mod package;
mod progress;
mod run;

use crate::cli::{ModelCommand, PlaceArgs};
use crate::commands::in_force::{Request, Version, put_in_force};
use crate::settings::Settings;
use anyhow::Result;
use catalog::{Kind, Label};
use package::load;

/// Runs a subcommand; gives the exit code.
pub async fn run(settings: Settings, place: &PlaceArgs, command: ModelCommand) -> Result<i32> {
    match command {
        ModelCommand::Run(args) => run::run(&args),
        ModelCommand::Import(args) => import::run(&args),
        ModelCommand::Check { packages, scales, json } => check::run(&packages, &scales, json),
        ModelCommand::Golden { package, applications } => golden::run(&package, applications.as_deref()),
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
