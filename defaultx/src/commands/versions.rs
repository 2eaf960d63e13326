//! `policy` and `model`: what a version is, whether it may serve, and putting it in force.

use crate::cli::{ModelCommand, PlaceArgs, PolicyCommand};
use crate::place::{Needs, settle};
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use policy::Compiled;
use runtime::clock;
use runtime::kafka::KafkaConfig;
use schemas::control::Activation;
use scoring::{Model, Scales};
use std::path::Path;

/// Runs `policy check` or `policy activate`.
pub async fn policy(mut settings: Settings, place: &PlaceArgs, command: PolicyCommand) -> Result<i32> {
    match command {
        PolicyCommand::Check { file } => {
            let findings = policy::check(&read(&file)?);
            findings.iter().for_each(|finding| println!("{}: {finding}", file.display()));
            let errors = findings.iter().filter(|finding| finding.is_error()).count();
            println!("{errors} errors, {} warnings", findings.len() - errors);
            Ok(i32::from(errors > 0))
        }
        PolicyCommand::Activate { file, by } => {
            let policy = Compiled::load(&read(&file)?).with_context(|| format!("{} may not decide", file.display()))?;
            settle(&mut settings, &place.house, Needs::KAFKA)?;
            activate(settings.kafka, activation("policy", (policy.name(), policy.version(), policy.digest()), by)).await
        }
    }
}

/// Runs `model check` or `model activate`.
pub async fn model(mut settings: Settings, place: &PlaceArgs, command: ModelCommand) -> Result<i32> {
    match command {
        ModelCommand::Check { packages, scales } => {
            let mut code = 0;
            for package in &packages {
                match load(package, &scales) {
                    Ok(model) => {
                        let manifest = model.manifest();
                        let (features, digest) = (model.features().len(), model.digest());
                        println!(
                            "{} {}: proven; {features} features, digest {digest}",
                            manifest.name, manifest.version
                        );
                    }
                    Err(error) => {
                        println!("{}: {error:#}", package.display());
                        code = 1;
                    }
                }
            }
            Ok(code)
        }
        ModelCommand::Activate { package, scales, by } => {
            let model = load(&package, &scales)?;
            settle(&mut settings, &place.house, Needs::KAFKA)?;
            let (manifest, digest) = (model.manifest(), model.digest().to_string());
            let what = (manifest.name.as_str(), manifest.version.as_str(), digest.as_str());
            activate(settings.kafka, activation("model", what, by)).await
        }
    }
}

fn load(package: &Path, scales: &Path) -> Result<Model> {
    let scales = Scales::parse(&read(scales)?)?;
    Ok(Model::load(&scorer::library::read_package(package)?, &scales)?)
}

fn activation(kind: &str, (name, version, digest): (&str, &str, &str), by: String) -> Activation {
    Activation {
        kind: kind.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        digest: digest.to_owned(),
        activated_by: by,
        activated_at: clock::rfc3339(clock::now()),
    }
}

async fn activate(kafka: KafkaConfig, activation: Activation) -> Result<i32> {
    if activation.activated_by.trim().is_empty() {
        bail!("--by must say who asks");
    }
    let what = format!("{} {} {}", activation.kind, activation.name, activation.version);
    let partitions = tokio::task::spawn_blocking(move || ingest::activate::run(&kafka, &activation)).await??;
    println!("{what} is in force from here on in {partitions} partitions");
    Ok(0)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}
