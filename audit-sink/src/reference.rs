//! Puts the reference distributions of model packages where dashboards can compare with them. Reads packages, never scores.

use crate::error::Error;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tokio_postgres::Client;

/// A folder of packages, `<name>/<version>/`, and what has been seen of it.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: PathBuf,
    /// Packages that need no second look, each with when it was changed last.
    seen: BTreeMap<PathBuf, SystemTime>,
    /// Why the folder itself could not be read, as it was told last.
    fault: Option<String>,
}

/// The distributions of a package.
#[derive(Debug)]
pub(crate) struct Package {
    path: PathBuf,
    changed: SystemTime,
    manifest: Manifest,
    reference: Reference,
}

impl Folder {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, seen: BTreeMap::new(), fault: None }
    }

    /// Packages that are new or have changed, and what cannot be read: told once for each change, because a package may be half copied.
    pub(crate) fn news(&mut self) -> (Vec<Package>, Vec<Error>) {
        let (mut packages, mut faults) = (Vec::new(), Vec::new());
        let found = match packages_below(&self.dir) {
            Ok(found) => {
                self.fault = None;
                found
            }
            Err(error) => {
                let told = error.to_string();
                if self.fault.replace(told.clone()).is_none_or(|before| before != told) {
                    faults.push(error);
                }
                return (packages, faults);
            }
        };
        for path in found {
            let changed = changed(&path);
            if self.seen.get(&path) == Some(&changed) {
                continue;
            }
            match read_manifest(&path).and_then(|manifest| Ok((manifest, read_reference(&path)?))) {
                Ok((manifest, reference)) => packages.push(Package { path, changed, manifest, reference }),
                Err(error) => {
                    self.seen.insert(path, changed);
                    faults.push(error);
                }
            }
        }
        (packages, faults)
    }

    /// These are in the database.
    pub(crate) fn keep(&mut self, packages: Vec<Package>) {
        self.seen.extend(packages.into_iter().map(|package| (package.path, package.changed)));
    }
}

impl Package {
    /// Writes the distributions over those of before.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn write(&self, client: &Client) -> Result<(), Error> {
        let Manifest { name, version, product } = &self.manifest;
        for Bin { kind, bin, low, high, share, bad_rate } in &self.reference.bins() {
            let upsert = "INSERT INTO defaultx.model_references
                            (model, model_version, product, kind, bin, low, high, share, bad_rate)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                          ON CONFLICT (model, model_version, kind, bin) DO UPDATE SET
                            product = excluded.product, low = excluded.low, high = excluded.high,
                            share = excluded.share, bad_rate = excluded.bad_rate";
            client.execute(upsert, &[name, version, product, kind, bin, low, high, share, bad_rate]).await?;
        }
        Ok(())
    }
}

fn packages_below(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for model in children(dir)? {
        found.extend(children(&model)?.into_iter().filter(|version| version.join("manifest.toml").is_file()));
    }
    found.sort();
    Ok(found)
}

/// The later of what both files say; the beginning of time where neither says any.
fn changed(package: &Path) -> SystemTime {
    let of = |file: &str| std::fs::metadata(package.join(file)).and_then(|data| data.modified()).ok();
    of("manifest.toml").max(of("reference.json")).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn children(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(dir).map_err(|error| unreadable(dir, error))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

fn read_manifest(package: &Path) -> Result<Manifest, Error> {
    let path = package.join("manifest.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
    toml::from_str(&text).map_err(|error| unreadable(&path, error))
}

fn read_reference(package: &Path) -> Result<Reference, Error> {
    let path = package.join("reference.json");
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
    serde_json::from_str(&text).map_err(|error| unreadable(&path, error))
}

fn unreadable(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Package { path: path.to_owned(), source: error.into() }
}

#[derive(Debug, Deserialize)]
struct Manifest {
    name: String,
    version: String,
    product: String,
}

#[derive(Debug, Deserialize)]
struct Reference {
    score_histogram: Histogram,
    bad_rate_by_band: BTreeMap<String, Option<f64>>,
    share_by_band: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
struct Histogram {
    edges: Vec<f64>,
    counts: Vec<f64>,
}

/// A row.
#[derive(Debug, PartialEq)]
struct Bin {
    kind: &'static str,
    bin: String,
    low: Option<f64>,
    high: Option<f64>,
    share: f64,
    bad_rate: Option<f64>,
}

impl Reference {
    fn bins(&self) -> Vec<Bin> {
        let Histogram { edges, counts } = &self.score_histogram;
        let total: f64 = counts.iter().sum();
        let scores = edges.windows(2).zip(counts).map(|(edge, count)| Bin {
            kind: "score",
            bin: format!("{}", edge[0]),
            low: Some(edge[0]),
            high: Some(edge[1]),
            share: if total > 0.0 { count / total } else { 0.0 },
            bad_rate: None,
        });
        let bands = self.share_by_band.iter().map(|(band, share)| Bin {
            kind: "band",
            bin: band.clone(),
            low: None,
            high: None,
            share: *share,
            bad_rate: self.bad_rate_by_band.get(band).copied().flatten(),
        });
        scores.chain(bands).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        let json = r#"{"rows": 4, "score_histogram": {"edges": [300, 310, 320], "counts": [1, 3]},
                       "bad_rate_by_band": {"A": 0.1, "B": null}, "share_by_band": {"A": 0.25, "B": 0.75}}"#;
        let bins = serde_json::from_str::<Reference>(json).unwrap().bins();
        let of = |kind: &str| bins.iter().filter(|bin| bin.kind == kind).map(|bin| bin.share).collect::<Vec<_>>();
        assert_eq!((of("score"), of("band")), (vec![0.25, 0.75], vec![0.25, 0.75]));
        assert_eq!((bins[1].low, bins[1].high), (Some(310.0), Some(320.0)));
    }

    #[test]
    fn shipped_packages_can_be_read() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let (packages, faults) = Folder::new(models).news();
        assert!(!packages.is_empty() && faults.is_empty(), "{faults:?}");
        for Package { manifest, reference, .. } in packages {
            let shares: f64 = reference.bins().iter().filter(|bin| bin.kind == "score").map(|bin| bin.share).sum();
            assert!((shares - 1.0).abs() < 1e-9, "{} {}", manifest.name, manifest.version);
        }
    }

    #[test]
    fn a_package_that_comes_later_is_found_and_one_that_cannot_be_read_is_told_once() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/taiwan-scorecard/1.0.0");
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path().join("models"));
        let told = |folder: &mut Folder| {
            let (packages, faults) = folder.news();
            let counted = (packages.len(), faults.len());
            folder.keep(packages);
            counted
        };
        assert_eq!([told(&mut folder), told(&mut folder)], [(0, 1), (0, 0)], "no folder: told once");
        let package = dir.path().join("models/m/1.0.0");
        std::fs::create_dir_all(&package).unwrap();
        std::fs::copy(shipped.join("manifest.toml"), package.join("manifest.toml")).unwrap();
        assert_eq!([told(&mut folder), told(&mut folder)], [(0, 1), (0, 0)], "half copied: told once");
        std::fs::copy(shipped.join("reference.json"), package.join("reference.json")).unwrap();
        let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
        std::fs::File::open(package.join("reference.json")).unwrap().set_modified(later).unwrap();
        assert_eq!([told(&mut folder), told(&mut folder)], [(1, 0), (0, 0)], "whole: written once");
    }
}
