//! `policy`: whether a policy may decide, and putting it in force.

use crate::cli::{PlaceArgs, PolicyCommand};
use crate::commands::in_force::{Request, Version, put_in_force};
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result, bail};
use catalog::{Document, Finding, Kind, Label};
use decision::library::finding;
use domain::scale::Scale;
use policy::Compiled;
use std::path::Path;

/// Runs `policy check` or `policy activate`.
pub async fn run(settings: Settings, place: &PlaceArgs, command: PolicyCommand) -> Result<i32> {
    match command {
        PolicyCommand::Check { file, scales } => {
            let findings = check(Document::bytes(&file)?, &read_scales(&scales)?);
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
