//! A package is checked: what loading proves, how near the golden answers and the growing
//! library's own are, what missing values do, what the golden rows reach.

use crate::error::{Context, Result, bail, ensure};
use crate::golden::Golden;
use crate::native;
use crate::parity::{self, Parity};
use domain::Digest;
use scoring::manifest::{Feature, Kind, Manifest, Missing, Monotone};
use scoring::mapping::Flag;
use scoring::monotonicity::Evidence;
use scoring::{LoadError, Model, PackageFiles, Scales, ThreadState};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// What is known of a package after it was checked.
#[derive(Debug, Serialize)]
pub struct Report {
    package: String,
    /// Why it may not serve; none of one that may.
    pub faults: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven: Option<Proven>,
}

#[derive(Debug, Serialize)]
struct Proven {
    name: String,
    version: String,
    digest: String,
    method: String,
    golden: Parity,
    /// Of a package that brings its library's answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    native: Option<native::Parity>,
    features: Vec<Known>,
    /// What the golden rows do not show; nothing that keeps a package from serving.
    notes: Vec<String>,
}

/// A feature, and what a missing value of it does.
#[derive(Debug, PartialEq, Serialize)]
struct Known {
    feature: String,
    when_missing: Absent,
    /// Values that the golden rows have of it.
    golden_values: usize,
    golden_has_missing: bool,
    /// Of a feature whose direction the contract claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Proof>,
}

/// What stands behind a claimed direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Proof {
    /// The trees or the net's weights themselves: no row can contradict it.
    Structure,
    /// Every value that the golden rows have, followed through the scorecard's part.
    GoldenValues,
    /// The background rows, each followed over a grid of the feature's values through the net: evidence, no proof.
    Grid,
}

/// What becomes of the golden applications without a feature's value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
enum Absent {
    /// They are not scored.
    Unscorable,
    /// A value of the contract's stands for it; how far that moves pd, at most.
    Scored { pd_moves_by: f64 },
    /// It is made of other values, or of an object that others need.
    NotTried,
}

/// Checks a package, whose files these are.
pub fn check(package: &Path, files: PackageFiles, scales: &Scales) -> Report {
    let name = package.display().to_string();
    let mut faults = Vec::new();
    let checked = load(files, scales, &mut faults).and_then(|(files, model)| prove(package, &files, &model));
    let (proven, others) = match checked {
        Ok((proven, faults)) => (Some(proven), faults),
        Err(error) => (None, vec![error.told()]),
    };
    faults.extend(others);
    Report { package: name, faults, proven }
}

/// Loads it. A file that is not the manifest's, or not what the package was made with, is a fault, and is looked at all the same:
/// the answers that it changes tell more than a digest does.
fn load(mut files: PackageFiles, scales: &Scales, faults: &mut Vec<String>) -> Result<(PackageFiles, Model)> {
    let golden = files.golden.clone();
    loop {
        let error = match Model::load(&files, scales) {
            Ok(model) => return Ok((PackageFiles { golden, ..files }, model)),
            Err(error) => error,
        };
        let told = error.to_string();
        let is_new = !faults.contains(&told);
        match &error {
            // No other digest would fit both files of one, and the first fault would come again and again.
            LoadError::Digest { .. } if !is_new => {
                bail!("manifest.toml: names one digest for two files, or writes a digest with escapes")
            }
            LoadError::Digest { expected, found, .. } if Digest::parse(expected).is_ok() => {
                let manifest = String::from_utf8_lossy(&files.manifest).replace(expected, &found.to_string());
                files.manifest = manifest.into_bytes();
            }
            LoadError::Made { .. } => forget(&mut files)?,
            _ => return Err(error.into()),
        }
        faults.push(told);
    }
}

/// Takes out of the golden file what the package was made with.
fn forget(files: &mut PackageFiles) -> Result<()> {
    let mut golden: Value = serde_json::from_slice(&files.golden)?;
    golden.as_object_mut().context("golden.json is no object")?.remove("record");
    let golden = serde_json::to_vec(&golden)?;
    let (before, now) = (Digest::of(&files.golden).to_string(), Digest::of(&golden).to_string());
    files.manifest = String::from_utf8_lossy(&files.manifest).replace(&before, &now).into_bytes();
    files.golden = golden;
    Ok(())
}

fn prove(package: &Path, files: &PackageFiles, model: &Model) -> Result<(Proven, Vec<String>)> {
    let golden = Golden::parse(&files.golden)?;
    let mut state = model.state()?;
    let (manifest, mut faults) = (model.manifest(), Vec::new());
    let mut features = Vec::new();
    for (index, feature) in manifest.feature.iter().enumerate() {
        let when_missing = without(model, &mut state, &golden, index, feature).unwrap_or_else(|fault| {
            faults.push(format!("feature {}: {}", feature.name, fault.told()));
            Absent::NotTried
        });
        features.push(known(&golden, index, feature, when_missing, direction(model, index)?));
    }
    let (native, others) = native::check(package, model);
    faults.extend(others);
    let (nearness, off) = parity::check(model, &mut state, &golden)?;
    faults.extend(off);
    let proven = Proven {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        digest: model.digest().to_string(),
        method: model.method().to_owned(),
        golden: nearness,
        notes: notes(&golden, &features, manifest, native.as_ref()).into_iter().chain(older(model)).collect(),
        native,
        features,
    };
    Ok((proven, faults))
}

/// The golden applications once more, each without the feature's value, against what the contract says of that.
fn without(model: &Model, state: &mut ThreadState, golden: &Golden, index: usize, feature: &Feature) -> Result<Absent> {
    let Some(pointer) = &feature.pointer else { return Ok(Absent::NotTried) };
    let (mut moves, mut outcome) = (0f64, Absent::NotTried);
    for application in &golden.applications {
        let mut data = application.data.clone();
        if !remove(&mut data, pointer) {
            continue;
        }
        match (model.map(&data), &feature.missing) {
            (Err(causes), Missing::Unscorable {}) if causes.iter().any(|cause| *cause.feature == *feature.name) => {
                outcome = Absent::Unscorable;
            }
            (Err(_), Missing::Unscorable {}) => {
                bail!("without it an application is refused for another feature")
            }
            (Ok(_), Missing::Unscorable {}) => bail!("must be there, and an application without it is scored"),
            // Another feature that reads the same place may not do without it.
            (Err(causes), _) if causes.iter().any(|cause| *cause.feature == *feature.name) => {
                bail!("may be missing, and an application without it is refused")
            }
            (Err(_), _) => return Ok(Absent::NotTried),
            (Ok(row), _) => {
                ensure!(row.flags[index] == Some(Flag::Missing), "is gone, and is not flagged as missing");
                let scored = model.score_block(state, &[row])?.into_iter().next().flatten();
                let scored = scored.context("has no score without it")?;
                moves = moves.max((scored.pd.get() - application.pd).abs());
                outcome = Absent::Scored { pd_moves_by: moves };
            }
        }
    }
    Ok(outcome)
}

/// Takes a value out of a document; false where there was none.
fn remove(data: &mut Value, pointer: &str) -> bool {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    let key = key.replace("~1", "/").replace("~0", "~");
    match data.pointer_mut(parent) {
        Some(Value::Object(members)) => members.remove(&key).is_some_and(|value| !value.is_null()),
        _ => false,
    }
}

fn known(golden: &Golden, index: usize, feature: &Feature, when_missing: Absent, direction: Option<Proof>) -> Known {
    let sentinel = match feature.missing {
        Missing::Value { value } => Some(value as f32),
        _ => None,
    };
    let values = || golden.rows.iter().filter_map(|row| row.features.get(index).copied());
    let is_missing = |value: &Option<f32>| value.is_none() || *value == sentinel;
    let distinct: BTreeSet<u32> = values().filter(|value| !is_missing(value)).flatten().map(f32::to_bits).collect();
    Known {
        feature: feature.name.clone(),
        when_missing,
        golden_values: distinct.len(),
        golden_has_missing: values().any(|value| is_missing(&value)),
        direction,
    }
}

/// A package whose claims were false would not have loaded.
fn direction(model: &Model, feature: usize) -> Result<Option<Proof>> {
    Ok(match (model.manifest().feature[feature].monotone, model.manifest().kind) {
        (Monotone::None, _) => None,
        (_, Kind::Trees) => Some(Proof::Structure),
        (_, Kind::Scorecard) => Some(Proof::GoldenValues),
        (_, Kind::Net | Kind::Graph) => match model.direction(feature)? {
            Some(Evidence::Weights) => Some(Proof::Structure),
            Some(Evidence::Followed { .. }) => Some(Proof::Grid),
            Some(Evidence::Contradicted { .. }) | None => None,
        },
    })
}

/// What the contract writes in an older way, one line for each feature.
fn older(model: &Model) -> impl Iterator<Item = String> {
    model.features().iter().filter_map(|feature| {
        let (first, rest) = feature.warnings().split_first()?;
        let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
        Some(format!("{}: {first}{more}", feature.name))
    })
}

fn notes(golden: &Golden, features: &[Known], manifest: &Manifest, native: Option<&native::Parity>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(whose) = &golden.answers_of {
        notes.push(format!("the golden answers are those of {whose}: they prove that nothing has changed since"));
    }
    if !golden.is_recorded() {
        let what = "golden.json does not say what its answers were made with: a change that none of them shows passes";
        notes.push(what.to_owned());
    }
    match native.map(|native| native.rows) {
        Some(rows) if rows < native::FEWEST_ROWS => {
            notes.push(format!("{rows} rows of the library's own answers, fewer than {}", native::FEWEST_ROWS));
        }
        None if matches!(manifest.kind, Kind::Trees | Kind::Graph) && manifest.native.is_none() => {
            notes
                .push("brings no answers of the library that trained it: the export may say something else".to_owned());
        }
        _ => {}
    }
    if let Some((bound, native)) = manifest.native.as_ref().and_then(|native| native.bound.zip(Some(native))) {
        let (changed, greatest) = (native.changed, native.greatest.unwrap_or_default());
        notes.push(format!(
            "the export differs from its library in {changed} rows, by up to {greatest:.1e}; {bound:?} was accepted"
        ));
    }
    for (known, feature) in features.iter().zip(&manifest.feature) {
        let may_be_missing = !matches!(feature.missing, Missing::Unscorable {});
        if known.golden_values < 2 {
            notes.push(format!("{}: the golden rows have {} value of it", known.feature, known.golden_values));
        }
        if known.direction == Some(Proof::Grid) {
            notes.push(format!(
                "{}: its direction holds on a grid over the background, and nothing proves it",
                known.feature
            ));
        }
        if may_be_missing && !known.golden_has_missing {
            notes.push(format!("{}: may be missing, and is in no golden row", known.feature));
        }
    }
    notes
}

impl Report {
    /// Of a package that could not be read.
    pub fn unread(package: &Path, why: String) -> Self {
        Self { package: package.display().to_string(), faults: vec![why], proven: None }
    }

    /// A few lines for people.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        let result = if self.faults.is_empty() { "proven" } else { "may not serve" };
        match &self.proven {
            None => lines.push(format!("{}: {result}", self.package)),
            Some(proven) => {
                let Proven { name, version, digest, method, golden, native, features, notes } = proven;
                lines.push(format!("{name} {version}: {result}; {} features, digest {digest}", features.len()));
                lines.push(format!(
                    "  {} golden rows and {} applications: margins to {:.1e}, pd to {:.1e}; {method}, residual {:.1e}",
                    golden.rows,
                    golden.applications,
                    golden.greatest_margin_difference,
                    golden.greatest_pd_difference,
                    golden.greatest_residual
                ));
                lines.extend(native.iter().flat_map(|native| native.text("; `model check --json` lists all")));
                let named = |what: &str, chosen: &dyn Fn(&Known) -> bool| named(what, features, chosen);
                lines.extend(named("one way, by the structure of trees or weights:", &|known| {
                    known.direction == Some(Proof::Structure)
                }));
                lines.extend(named("one way, over all golden values:", &|known| {
                    known.direction == Some(Proof::GoldenValues)
                }));
                lines.extend(named("not scored without", &|known| known.when_missing == Absent::Unscorable));
                lines.extend(moved_line(features));
                lines.extend(named("made of other values, so not taken out:", &|known| {
                    known.when_missing == Absent::NotTried
                }));
                lines.extend(notes.iter().map(|note| format!("  note: {note}")));
            }
        }
        lines.extend(self.faults.iter().map(|fault| format!("  fault: {fault}")));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// The features that are so, on one line.
fn named(what: &str, features: &[Known], chosen: &dyn Fn(&Known) -> bool) -> Option<String> {
    let names: Vec<&str> = features.iter().filter(|known| chosen(known)).map(|known| known.feature.as_str()).collect();
    (!names.is_empty()).then(|| format!("  {what} {}", names.join(", ")))
}

/// How far pd moves without a feature, furthest first.
fn moved_line(features: &[Known]) -> Option<String> {
    let moved = |known: &Known| match known.when_missing {
        Absent::Scored { pd_moves_by } => Some((known.feature.clone(), pd_moves_by)),
        _ => None,
    };
    let mut moved: Vec<(String, f64)> = features.iter().filter_map(moved).collect();
    moved.sort_by(|a, b| b.1.total_cmp(&a.1));
    let words: Vec<String> = moved.iter().map(|(name, by)| format!("{name} ({by:.4})")).collect();
    (!words.is_empty()).then(|| format!("  scored without (pd moves by up to) {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_taken_out_by_their_pointer() {
        let rows = [
            ("/a/b", json!({ "a": { "c": 2 }, "x/y": 3 }), true),
            ("/x~1y", json!({ "a": { "b": 1, "c": 2 } }), true),
            ("/a/z", json!({ "a": { "b": 1, "c": 2 }, "x/y": 3 }), false),
            ("", json!({ "a": { "b": 1, "c": 2 }, "x/y": 3 }), false),
        ];
        for (pointer, expected, was_there) in rows {
            let mut data = json!({ "a": { "b": 1, "c": 2 }, "x/y": 3 });
            assert_eq!(remove(&mut data, pointer), was_there, "{pointer}");
            assert_eq!(data, expected, "{pointer}");
        }
    }
}
