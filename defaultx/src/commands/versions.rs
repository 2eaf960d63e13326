//! Versions of policies, models and routes: whether a policy may decide, and putting any of them in force.

use crate::activations::{Passing, digests_of, lacking, live_scorers, pass, scorers_in_group, silent};
use crate::cli::{PassArgs, PlaceArgs, PolicyCommand};
use crate::place::{Needs, settle};
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result, bail};
use catalog::{Document, Finding, Kind, Label, other_digest};
use decision::library::finding;
use domain::scale::Scale;
use policy::Compiled;
use runtime::clock;
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use schemas::control::{self, Activation};
use scoring::Model;
use std::collections::BTreeMap;
use std::path::Path;

/// Runs `policy check` or `policy activate`.
pub async fn policy(settings: Settings, place: &PlaceArgs, command: PolicyCommand) -> Result<i32> {
    match command {
        PolicyCommand::Check { file, scales } => {
            let findings = check(catalog::read(&file)?, &read_scales(&scales)?);
            findings.iter().for_each(|finding| println!("{}", terminal::line(&finding.in_file(&file))));
            let errors = findings.iter().filter(|finding| finding.is_error()).count();
            println!("{errors} errors, {} warnings", findings.len() - errors);
            Ok(i32::from(errors > 0))
        }
        PolicyCommand::Activate { file, scales, by } => {
            let document = Document::read(&file)?;
            let policy = Compiled::load(document.as_str().as_bytes());
            let policy = policy.with_context(|| format!("{} may not decide", file.display()))?;
            let off_scale = policy.check_scales(&read_scales(&scales)?);
            if let Some(finding) = off_scale.iter().find(|finding| finding.is_error()) {
                bail!("{} may not decide: {finding}", file.display());
            }
            let what = Version {
                kind: Kind::Policy,
                label: Label::new(policy.name(), policy.version()),
                digest: policy.digest(),
                document: Some(document.text()),
                packages: None,
            };
            put_in_force(settings, place, what, Request { by, unasked: false }).await
        }
    }
}

/// Puts a model that has proven itself in force.
pub async fn activate_model(settings: Settings, place: &PlaceArgs, model: &Model, request: Request) -> Result<i32> {
    let digest = model.digest().to_string();
    let label = Label::new(&model.manifest().name, &model.manifest().version);
    let packages = Some([(label.to_string(), digest.clone())].into());
    let what = Version { kind: Kind::Model, label, digest: &digest, document: None, packages };
    put_in_force(settings, place, what, request).await
}

/// A version that was checked.
#[derive(Debug, Clone)]
pub struct Version<'a> {
    /// Of what.
    pub kind: Kind,
    /// Its name and version.
    pub label: Label,
    /// SHA-256 of its document, or of the manifest.
    pub digest: &'a str,
    /// Its text, which travels with the activation.
    pub document: Option<control::Document>,
    /// Packages that every scorer that runs must hold, `name@version` with digests.
    pub packages: Option<BTreeMap<String, String>>,
}

/// Who wants it, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub by: String,
    /// Whether it is put in force although members of the scorers' group have not announced what they hold.
    pub unasked: bool,
}

/// Puts a version that was checked in force, in every partition, unless an instance that runs could not serve it.
pub async fn put_in_force(
    mut settings: Settings,
    place: &PlaceArgs,
    what: Version<'_>,
    request: Request,
) -> Result<i32> {
    settle(&mut settings, &place.house, Needs::KAFKA)?;
    activate(settings.kafka, what, request).await
}

/// Passes an activation by that nobody can serve.
pub async fn pass_by(mut settings: Settings, place: &PlaceArgs, args: PassArgs) -> Result<i32> {
    settle(&mut settings, &place.house, Needs::KAFKA)?;
    let PassArgs { kind, label, by, why } = args;
    let words = Kind::ALL.map(Kind::as_str).join(", ");
    let kind = Kind::parse(&kind).with_context(|| format!("{kind:?} is no kind of activation: there are {words}"))?;
    let what = format!("{kind} {label}");
    for passed in pass(&settings, Passing { kind, label, by, why }).await? {
        println!("{what} is passed by at {}/{} {}", passed.topic, passed.partition, passed.offset);
    }
    Ok(0)
}

/// Everything that is wrong with a policy: in itself, and once it stands, against the scales that models publish on.
fn check(policy: Vec<u8>, scales: &[Scale]) -> Vec<Finding> {
    let document = match Document::of(policy) {
        Ok(document) => document,
        Err(finding) => return vec![finding],
    };
    let found = match Compiled::load(document.as_str().as_bytes()) {
        Ok(policy) => [policy.warnings(), &policy.check_scales(scales)].concat(),
        Err(rejected) => rejected.findings,
    };
    found.into_iter().map(finding).collect()
}

fn read_scales(path: &Path) -> Result<Vec<Scale>> {
    Ok(scorer::library::scales(path)?.iter().cloned().collect())
}

fn activation(what: Version<'_>, by: String) -> Activation {
    let Version { kind, label: Label { name, version }, digest, document, packages } = what;
    Activation {
        kind: kind.as_str().to_owned(),
        name,
        version,
        digest: digest.to_owned(),
        activated_by: by,
        activated_at: clock::rfc3339(clock::now()),
        document,
        packages,
    }
}

async fn activate(kafka: KafkaConfig, what: Version<'_>, request: Request) -> Result<i32> {
    let (kind, label, unasked) = (what.kind, what.label.clone(), request.unasked);
    let activation = activation(what, request.by);
    if activation.activated_by.trim().is_empty() {
        bail!("--by must say who asks");
    }
    let carried = activation.document.as_ref().map(|document| document.as_str().len());
    let digest = activation.digest.clone();
    let told = format!("{kind} {} {}", label.name, label.version);
    let (partitions, asked) = tokio::task::spawn_blocking(move || {
        let asked = may_be_in_force(&kafka, kind, &label, &activation, unasked)?;
        anyhow::Ok((ingest::activate::run(&kafka, &activation)?, asked))
    })
    .await??;
    println!("{told} is in force from here on in {partitions} partitions");
    if let Some(bytes) = carried {
        println!("digest {digest}; its {bytes} bytes travel with it: no file and no restart is needed");
    }
    if let Some(asked) = asked {
        println!("{asked}");
    }
    Ok(0)
}

/// Who was asked whether it may be; none where it takes nothing that an instance could lack.
fn may_be_in_force(
    kafka: &KafkaConfig,
    kind: Kind,
    label: &Label,
    activation: &Activation,
    unasked: bool,
) -> Result<Option<String>> {
    if let Some(fault) = activation.fault() {
        bail!("this is no activation: {fault}");
    }
    let (digest, known) = (&activation.digest, digests_of(kafka, kind, label)?);
    if let Some(other) = other_digest(known.iter().map(String::as_str), digest) {
        bail!(
            "{kind} {label} was activated before with the digest {other}, and this one is {digest}: raise its version"
        );
    }
    let Some(packages) = &activation.packages else { return Ok(None) };
    let live = live_scorers(kafka)?;
    let lacking = lacking(&live, packages);
    if !lacking.is_empty() {
        bail!("{kind} {label} cannot be served: {}", lacking.join("; "));
    }
    let silent = silent(&live, scorers_in_group(kafka)?).join(", ");
    if !silent.is_empty() && !unasked {
        bail!(
            "in the group of the scorers, and without a word of what they hold within half a minute: {silent}. Their logs say why \
             they cannot write {}; `defaultx topics check` shows a missing right. With --unasked {kind} {label} is put in force \
             all the same, and one that lacks a package leaves the group",
            Topic::Instances.name(&kafka.topic_prefix)
        );
    }
    let names: Vec<&str> = live.iter().map(|announcement| announcement.instance.as_str()).collect();
    let asked = match names.is_empty() {
        true => "no scorer has announced itself within half a minute: nobody was asked".to_owned(),
        false => format!("every scorer that runs holds its packages: {}", names.join(", ")),
    };
    let but = if silent.is_empty() { String::new() } else { format!("; not asked: {silent}") };
    Ok(Some(asked + &but))
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
            let findings = check(STANDARD.replacen(from, to, 1).into_bytes(), &scales);
            assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), expected, "{to}");
        }
    }
}
