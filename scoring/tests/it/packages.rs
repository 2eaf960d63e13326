//! The packages of the repository, as the other tests need them.

use scoring::{Model, PackageFiles, Scales};
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
    assert!(!folders.is_empty());
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

/// Every model.
pub fn all() -> Vec<Model> {
    let load = |folder: &PathBuf| Model::load(&files(folder), &scales()).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
    folders().iter().map(load).collect()
}

/// Rows of a package's golden file.
pub fn golden_rows(folder: &Path) -> Vec<Vec<f32>> {
    let golden: serde_json::Value = serde_json::from_slice(&files(folder).golden).unwrap();
    serde_json::from_value::<Vec<serde_json::Value>>(golden["rows"].clone())
        .unwrap()
        .iter()
        .map(|row| serde_json::from_value(row["features"].clone()).unwrap())
        .collect()
}
