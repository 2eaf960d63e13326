//! Puts a version that was checked in force, in every partition, unless an instance that runs could not serve it; and passes one by
//! that nobody can serve.

use crate::activations::{Passing, digests_of, lacking, live_scorers, pass, scorers_in_group, silent};
use crate::cli::{PassArgs, PlaceArgs};
use crate::place::{Needs, settle};
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use catalog::{Kind, Label, other_digest};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use schemas::control::{Activation, Document};
use schemas::instance::Announcement;
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
pub async fn put_in_force(
    mut settings: Settings,
    place: &PlaceArgs,
    what: Version<'_>,
    request: Request,
) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    activate(settings.kafka, what, request).await
}

/// Passes an activation by that nobody can serve.
pub async fn pass_by(mut settings: Settings, place: &PlaceArgs, args: PassArgs) -> Result<i32> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    let PassArgs { kind, label, by, why } = args;
    let words = Kind::ALL.map(Kind::as_str).join(", ");
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
    let live = live_scorers(kafka)?;
    let told = can_serve(&live, scorers_in_group(kafka)?, packages, unasked);
    told.map(Some).with_context(|| format!("{kind} {label} is not put in force"))
}

/// What the scorers say to packages that a version names; `members` are those of their group.
fn can_serve(
    live: &[Announcement],
    members: Vec<String>,
    packages: &BTreeMap<String, String>,
    unasked: bool,
) -> Result<String> {
    let lacking = lacking(live, packages);
    if !lacking.is_empty() {
        bail!("it cannot be served: {}", lacking.join("; "));
    }
    let silent = silent(live, members).join(", ");
    if !silent.is_empty() && !unasked {
        bail!(
            "{silent} reads applications, and has not said within half a minute what it holds: its log tells why it cannot write {}, \
             and `defaultx topics check` which right is missing. To go on without its word say --unasked: where it lacks a package, \
             it leaves its group",
            Topic::Instances.base_name()
        );
    }
    let names: Vec<&str> = live.iter().map(|announcement| announcement.instance.as_str()).collect();
    let asked = match names.is_empty() {
        true => "no scorer has announced itself within half a minute: nobody was asked".to_owned(),
        false => format!("every scorer that runs holds its packages: {}", names.join(", ")),
    };
    let but = if silent.is_empty() { String::new() } else { format!("; not asked: {silent}") };
    Ok(asked + &but)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_put_in_force_where_everybody_holds_its_packages_or_somebody_says_so() {
        let announced = |instance: &str| Announcement {
            worker: "scorer".to_owned(),
            instance: instance.to_owned(),
            packages: [("a@1.0.0".to_owned(), "11".to_owned())].into(),
            announced_at: String::new(),
        };
        let rows: [(&[&str], &[&str], &str, bool, Result<&str, &str>); 7] = [
            (&[], &[], "a@1.0.0", false, Ok("nobody was asked")),
            (&["0"], &["scorer-0"], "a@1.0.0", false, Ok("every scorer that runs holds its packages: 0")),
            (&["0"], &["scorer-0"], "b@1.0.0", true, Err("scorer 0 does not hold b@1.0.0")),
            (&["0"], &["scorer-0", "scorer-1"], "a@1.0.0", false, Err("scorer-1 reads applications, and has not said")),
            (&["0"], &["scorer-0", "scorer-1"], "a@1.0.0", true, Ok("its packages: 0; not asked: scorer-1")),
            (&[], &["scorer-1"], "a@1.0.0", false, Err("--unasked")),
            (&[], &["scorer-1"], "a@1.0.0", true, Ok("nobody was asked; not asked: scorer-1")),
        ];
        for (live, members, package, unasked, expected) in rows {
            let live: Vec<_> = live.iter().map(|instance| announced(instance)).collect();
            let members = members.iter().map(|member| (*member).to_owned()).collect();
            let told = can_serve(&live, members, &[(package.to_owned(), "11".to_owned())].into(), unasked);
            let (told, fits) = match (told, expected) {
                (Ok(told), Ok(expected)) => (told.clone(), told.ends_with(expected)),
                (Err(why), Err(expected)) => (why.to_string(), why.to_string().contains(expected)),
                (told, _) => (format!("{told:?}"), false),
            };
            assert!(fits, "{told}, {expected:?}");
        }
    }
}
