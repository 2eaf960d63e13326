//! Puts the reference distributions of model packages where dashboards can compare with them. Reads packages, never scores.

use crate::error::Error;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio_postgres::Client;

/// Reads every package below `dir` (`<name>/<version>/`) and writes its distributions; gives the number of packages.
///
/// # Errors
/// [`Error::Package`] for a package that cannot be read, the database's otherwise.
pub async fn load(client: &Client, dir: &Path) -> Result<usize, Error> {
    let packages = packages(dir)?;
    for package in &packages {
        let (manifest, reference) = (read_manifest(package)?, read_reference(package)?);
        for bin in reference.bins() {
            let upsert = "INSERT INTO defaultx.model_references
                            (model, model_version, product, kind, bin, low, high, share, bad_rate)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                          ON CONFLICT (model, model_version, kind, bin) DO UPDATE SET
                            product = excluded.product, low = excluded.low, high = excluded.high,
                            share = excluded.share, bad_rate = excluded.bad_rate";
            let Manifest { name, version, product } = &manifest;
            let Bin { kind, bin, low, high, share, bad_rate } = &bin;
            client.execute(upsert, &[name, version, product, kind, bin, low, high, share, bad_rate]).await?;
        }
    }
    Ok(packages.len())
}

fn packages(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for model in children(dir)? {
        found.extend(children(&model)?.into_iter().filter(|version| version.join("manifest.toml").is_file()));
    }
    found.sort();
    Ok(found)
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

#[derive(Deserialize)]
struct Manifest {
    name: String,
    version: String,
    product: String,
}

#[derive(Deserialize)]
struct Reference {
    score_histogram: Histogram,
    bad_rate_by_band: BTreeMap<String, Option<f64>>,
    share_by_band: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
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
        for package in packages(&models).unwrap() {
            let (manifest, reference) = (read_manifest(&package).unwrap(), read_reference(&package).unwrap());
            let shares: f64 = reference.bins().iter().filter(|bin| bin.kind == "score").map(|bin| bin.share).sum();
            assert!((shares - 1.0).abs() < 1e-9, "{} {}", manifest.name, manifest.version);
        }
    }
}
