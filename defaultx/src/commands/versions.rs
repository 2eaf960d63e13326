//! Versions of policies, models and routes: whether a policy may decide, and putting any of them in force.

use crate::activations::{Passing, digests_of, lacking, live_scorers, pass};
use crate::cli::{PassArgs, PlaceArgs, PolicyCommand};
use crate::place::{Needs, settle};
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result, bail};
use domain::scale::Scale;
use policy::{Compiled, Finding};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use schemas::control::{Activation, Document};
use scoring::{Model, Scales};
use std::collections::BTreeMap;
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
            let text = read(&file)?;
            let policy = Compiled::load(&text).with_context(|| format!("{} may not decide", file.display()))?;
            let off_scale = policy.check_scales(&read_scales(&scales)?);
            if let Some(finding) = off_scale.iter().find(|finding| finding.is_error()) {
                bail!("{} may not decide: {finding}", file.display());
            }
            let what = Version {
                kind: "policy",
                name: policy.name(),
                version: policy.version(),
                digest: policy.digest(),
                document: Some(String::from_utf8(text)?.into()),
                packages: None,
            };
            put_in_force(settings, place, what, by).await
        }
    }
}

/// Puts a model that has proven itself in force.
pub async fn activate_model(settings: Settings, place: &PlaceArgs, model: &Model, by: String) -> Result<i32> {
    let (manifest, digest) = (model.manifest(), model.digest().to_string());
    let (name, version) = (manifest.name.as_str(), manifest.version.as_str());
    let packages = Some([(format!("{name}@{version}"), digest.clone())].into());
    put_in_force(
        settings,
        place,
        Version { kind: "model", name, version, digest: &digest, document: None, packages },
        by,
    )
    .await
}

/// A version that was checked.
#[derive(Debug, Clone)]
pub struct Version<'a> {
    /// `policy`, `route` or `model`.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// SHA-256 of its document, or of the manifest.
    pub digest: &'a str,
    /// Its text, which travels with the activation.
    pub document: Option<Document>,
    /// Packages that every scorer that runs must hold, `name@version` with digests.
    pub packages: Option<BTreeMap<String, String>>,
}

/// Puts a version that was checked in force, in every partition, unless an instance that runs could not serve it.
pub async fn put_in_force(mut settings: Settings, place: &PlaceArgs, what: Version<'_>, by: String) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    activate(settings.kafka, activation(what, by)).await
}

/// Passes an activation by that nobody can serve.
pub async fn pass_by(mut settings: Settings, place: &PlaceArgs, args: PassArgs) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    let PassArgs { kind, label, by, why } = args;
    let what = format!("{kind} {label}");
    for passed in pass(&settings, Passing { kind, label, by, why }).await? {
        println!("{what} is passed by at {}/{} {}", passed.topic, passed.partition, passed.offset);
    }
    Ok(0)
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

fn activation(what: Version<'_>, by: String) -> Activation {
    let Version { kind, name, version, digest, document, packages } = what;
    Activation {
        kind: kind.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        digest: digest.to_owned(),
        activated_by: by,
        activated_at: clock::rfc3339(clock::now()),
        document,
        packages,
    }
}

async fn activate(kafka: KafkaConfig, activation: Activation) -> Result<i32> {
    if activation.activated_by.trim().is_empty() {
        bail!("--by must say who asks");
    }
    let what = format!("{} {} {}", activation.kind, activation.name, activation.version);
    let carried = activation.document.as_ref().map(|document| document.as_str().len());
    let digest = activation.digest.clone();
    let (partitions, asked) = tokio::task::spawn_blocking(move || {
        let asked = may_be_in_force(&kafka, &activation)?;
        anyhow::Ok((ingest::activate::run(&kafka, &activation)?, asked))
    })
    .await??;
    println!("{what} is in force from here on in {partitions} partitions");
    if let Some(bytes) = carried {
        println!("digest {digest}; its {bytes} bytes travel with it: no file and no restart is needed");
    }
    if let Some(asked) = asked {
        println!("{asked}");
    }
    Ok(0)
}

/// Who was asked whether it may be; none where it takes nothing that an instance could lack.
fn may_be_in_force(kafka: &KafkaConfig, activation: &Activation) -> Result<Option<String>> {
    let Activation { kind, digest, packages, .. } = activation;
    if let Some(fault) = activation.fault() {
        bail!("this is no activation: {fault}");
    }
    let label = activation.label();
    if let Some(other) = digests_of(kafka, kind, &label)?.into_iter().find(|known| known != digest) {
        bail!(
            "{kind} {label} was activated before with the digest {other}, and this one is {digest}: raise its version"
        );
    }
    let Some(packages) = packages else { return Ok(None) };
    let live = live_scorers(kafka)?;
    let lacking = lacking(&live, packages);
    if !lacking.is_empty() {
        bail!("{kind} {label} cannot be served: {}", lacking.join("; "));
    }
    let names: Vec<&str> = live.iter().map(|announcement| announcement.instance.as_str()).collect();
    Ok(Some(match names.is_empty() {
        true => "no scorer has announced itself within half a minute: nobody was asked".to_owned(),
        false => format!("every scorer that runs holds its packages: {}", names.join(", ")),
    }))
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
