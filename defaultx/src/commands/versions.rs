//! Versions of policies, models and routes: whether a policy may decide, and putting any of them in force.

use crate::cli::{PlaceArgs, PolicyCommand};
use crate::place::{Needs, settle};
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result, bail};
use domain::scale::Scale;
use policy::{Compiled, Finding};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use schemas::control::Activation;
use scoring::{Model, Scales};
use std::path::Path;

/// Runs `policy check` or `policy activate`.
pub async fn policy(settings: Settings, place: &PlaceArgs, command: PolicyCommand) -> Result<i32> {
    match command {
        PolicyCommand::Check { file, scales } => {
            let findings = check(&read(&file)?, &read_scales(&scales)?);
            let told = |finding: &Finding| terminal::line(&format!("{}: {finding}", file.display()));
            findings.iter().for_each(|finding| println!("{}", told(finding)));
            let errors = findings.iter().filter(|finding| finding.is_error()).count();
            println!("{errors} errors, {} warnings", findings.len() - errors);
            Ok(i32::from(errors > 0))
        }
        PolicyCommand::Activate { file, scales, by } => {
            let policy = Compiled::load(&read(&file)?).with_context(|| format!("{} may not decide", file.display()))?;
            let off_scale = policy.check_scales(&read_scales(&scales)?);
            if let Some(finding) = off_scale.iter().find(|finding| finding.is_error()) {
                bail!("{} may not decide: {finding}", file.display());
            }
            let what = ("policy", (policy.name(), policy.version(), policy.digest()));
            put_in_force(settings, place, what, by).await
        }
    }
}

/// Puts a model that has proven itself in force.
pub async fn activate_model(settings: Settings, place: &PlaceArgs, model: &Model, by: String) -> Result<i32> {
    let (manifest, digest) = (model.manifest(), model.digest().to_string());
    put_in_force(settings, place, ("model", (&manifest.name, &manifest.version, &digest)), by).await
}

/// A version: its kind, then name, version and digest.
pub type Version<'a> = (&'a str, (&'a str, &'a str, &'a str));

/// Puts a version that was checked in force, in every partition.
pub async fn put_in_force(mut settings: Settings, place: &PlaceArgs, what: Version<'_>, by: String) -> Result<i32> {
    settle(&mut settings, &place.house, Needs::KAFKA)?;
    activate(settings.kafka, activation(what, by)).await
}

/// Everything that is wrong with a policy: in itself, and once it stands, against the scales that models publish on.
fn check(policy: &[u8], scales: &[Scale]) -> Vec<Finding> {
    match Compiled::load(policy) {
        Ok(policy) => [policy.warnings(), &policy.check_scales(scales)].concat(),
        Err(rejected) => rejected.findings,
    }
}

fn read_scales(path: &Path) -> Result<Vec<Scale>> {
    Ok(Scales::parse(&read(path)?)?.iter().cloned().collect())
}

fn activation((kind, (name, version, digest)): Version<'_>, by: String) -> Activation {
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

/// Reads a file; the error names it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const STANDARD: &str = include_str!("../../../policies/standard/1.0.0.yaml");

    #[test]
    fn a_policy_is_checked_against_the_scales_of_the_models() {
        let scales = read_scales(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/scales.toml")).unwrap();
        let rows: [(&str, &str, &[&str]); 4] = [
            ("name: standard", "name: standard", &[]),
            ("approve_at_or_above: ", "approve_at_or_above: 9", &["points_off_scale"]),
            ("scale_id: credit_card.v1", "scale_id: credit_card.v2", &["unknown_scale"]),
            ("name: standard", "nmae: standard", &["unknown_field"]),
        ];
        for (from, to, expected) in rows {
            assert!(STANDARD.contains(from), "the standard policy has no {from:?}");
            let findings = check(STANDARD.replacen(from, to, 1).as_bytes(), &scales);
            assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), expected, "{to}");
        }
    }
}
