//! The packages of the repository, as the other tests need them.

use scoring::{FeatureVector, Model, PackageFiles, Scales};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The folder of all packages.
pub fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// The scales of all products.
pub fn scales() -> Scales {
    Scales::parse(&std::fs::read(models().join("scales.toml")).unwrap()).unwrap()
}

/// Every package's folder, sorted.
pub fn folders() -> Vec<PathBuf> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    };
    let mut folders: Vec<_> = below(&models()).iter().flat_map(|name| below(name)).collect();
    folders.sort();
    assert!(folders.len() >= 5, "three scorecards and two nets");
    folders
}

/// The bytes of a package.
pub fn files(folder: &Path) -> PackageFiles {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    PackageFiles {
        manifest: read("manifest.toml"),
        graph: read("model.onnx"),
        golden: read("golden.json"),
        reference: read("reference.json"),
    }
}

/// A package by name.
pub fn named(name: &str) -> PackageFiles {
    files(&models().join(name).join("1.0.0"))
}

/// Every model with real rows: golden ones and those of its reference.
pub fn all() -> Vec<(Model, Vec<FeatureVector>)> {
    folders()
        .iter()
        .map(|folder| {
            let files = files(folder);
            let model = Model::load(&files, &scales()).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
            (model, rows(&files))
        })
        .collect()
}

fn rows(files: &PackageFiles) -> Vec<FeatureVector> {
    let golden: Value = serde_json::from_slice(&files.golden).unwrap();
    let reference: Value = serde_json::from_slice(&files.reference).unwrap();
    let golden = golden["rows"].as_array().unwrap().iter().map(|row| &row["features"]);
    let groups = ["near_cutoff", "all"].map(|group| reference[group]["background"].as_array().unwrap());
    let all = golden.chain(groups.into_iter().flatten());
    let of = |row: &Value| serde_json::from_value::<Vec<Option<f32>>>(row.clone()).unwrap();
    let row = |values: Vec<Option<f32>>| values.into_iter().map(|value| value.unwrap_or(f32::NAN)).collect();
    all.map(|values| FeatureVector::plain(row(of(values)))).collect()
}
