//! Puts a version that was checked in force, in every partition, unless an instance that runs could not serve it; and passes one by
//! that nobody can serve.

use crate::activations::{Passing, Standing, digests_of, pass, standing};
use crate::cli::{PassArgs, PlaceArgs};
use crate::place::{Needs, settle};
use crate::scorers::{can_serve, live_scorers, scorers_in_group};
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result, bail};
use catalog::{Kind, Label, other_digest};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use schemas::control::{Activation, Document};
use std::collections::BTreeMap;

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
    pub document: Option<Document>,
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
pub(crate) async fn put_in_force(
    mut settings: Settings,
    place: &PlaceArgs,
    what: Version<'_>,
    request: Request,
) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    activate(settings.kafka, what, request).await
}

/// Says what is in force: of each kind the versions that were activated, and what stands where none was.
pub async fn show(mut settings: Settings, place: &PlaceArgs) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    for kind in Kind::ALL {
        let kafka = settings.kafka.clone();
        let kind = *kind;
        let (all, partitions) = tokio::task::spawn_blocking(move || standing(&kafka, kind)).await??;
        let configured = match kind {
            Kind::Policy => Some(format!("{}, as [decision] default_policy says", settings.decision.default_policy)),
            Kind::Route => Some(format!("{}, as [scorer] route says", settings.scorer.route)),
            Kind::Model => None,
        };
        told(kind, &all, partitions, configured.as_deref())
            .iter()
            .for_each(|line| println!("{}", terminal::line(line)));
    }
    Ok(0)
}

/// A line for each version in force, and one for the partitions that no activation has reached.
fn told(kind: Kind, all: &[Standing], partitions: usize, configured: Option<&str>) -> Vec<String> {
    let one = |Standing { label, in_force, partitions: reached }: &Standing| {
        let since = in_force.carried.activated_at.as_deref().unwrap_or("an unknown time");
        let by = in_force.carried.activated_by.as_deref().unwrap_or("somebody that is not on record here");
        format!(
            "{kind} {label}: in force in {reached} of {partitions} partitions, activated at {since} by {by}; digest {}",
            in_force.digest
        )
    };
    let mut lines: Vec<String> = all.iter().map(one).collect();
    let reached: usize = all.iter().map(|one| one.partitions).sum();
    match configured {
        Some(configured) if reached < partitions => {
            lines.push(format!(
                "{kind} {configured}: in {} of {partitions} partitions, where none was activated",
                partitions - reached
            ));
        }
        None if all.is_empty() => {
            lines.push(format!("{kind}: none was activated; each package serves as the route names it"))
        }
        _ => {}
    }
    lines
}

/// Passes an activation by that nobody can serve.
pub async fn pass_by(mut settings: Settings, place: &PlaceArgs, args: PassArgs) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    let PassArgs { kind, label, by, why } = args;
    let words = Kind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let kind = Kind::parse(&kind).with_context(|| format!("{kind:?} is no kind of activation: there are {words}"))?;
    let what = format!("{kind} {label}");
    for passed in pass(&settings, Passing { kind, label, by, why }).await? {
        println!("{what} is passed by at {}/{} {}", passed.topic, passed.partition, passed.offset);
    }
    Ok(0)
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
    let said = live_scorers(kafka)?;
    let told = can_serve(&said, scorers_in_group(kafka)?, packages, unasked);
    told.map(Some).with_context(|| format!("{kind} {label} is not put in force"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::{Carried, InForce};

    #[test]
    fn what_is_in_force_names_since_when_and_by_whom() {
        let of = |by: Option<&str>, partitions: usize| {
            let at = by.map(|_| "2026-11-02T09:00:00Z".to_owned());
            let carried = Carried { activated_by: by.map(str::to_owned), activated_at: at, ..Carried::default() };
            let in_force = InForce { version: "a@1.0.0".into(), digest: "00".into(), carried };
            Standing { label: Label::new("a", "1.0.0"), in_force, partitions }
        };
        let configured = Some("a@0.9.0, as it is configured");
        let whole =
            "policy a@1.0.0: in force in 6 of 6 partitions, activated at 2026-11-02T09:00:00Z by risk-team; digest 00";
        assert_eq!(told(Kind::Policy, &[of(Some("risk-team"), 6)], 6, configured), [whole]);
        let before = told(Kind::Policy, &[of(None, 2)], 6, configured);
        assert!(before[0].contains("an unknown time by somebody that is not on record here"), "{before:?}");
        assert_eq!(before[1], "policy a@0.9.0, as it is configured: in 4 of 6 partitions, where none was activated");
        assert_eq!(
            told(Kind::Model, &[], 6, None),
            ["model: none was activated; each package serves as the route names it"]
        );
    }
}
