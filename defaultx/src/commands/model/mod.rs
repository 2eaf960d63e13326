//! `model`: what model people ask of a graph or a package, without Kafka and without a database.
//!
//! Reading order: [`run`] is for a bare graph; [`import`] makes a package of one; [`check`], [`explain`] and [`bench`] are for
//! packages. What they do is [`model_import`]'s; here are arguments, printing and [`progress`].

mod bench;
mod check;
mod explain;
mod import;
mod package;
mod progress;
mod run;

use crate::cli::{ModelCommand, PlaceArgs};
use crate::commands::versions;
use crate::settings::Settings;
use anyhow::Result;
use package::load;

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
        ModelCommand::Activate { package, scales, by } => {
            let (_, model) = load(&package, &scales)?;
            versions::activate_model(settings, place, &model, by).await
        }
    }
}
