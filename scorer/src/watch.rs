//! Packages that come while the worker runs: the folder is looked into again, and what is new or has changed is proven as at the start.

use crate::library::{SCALES, label_of, read_package, scales};
use catalog::{Kind, Label, other_digest, places};
use scoring::error::Part;
use scoring::{Model, Scales};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Length and time of a file, by which a change is told.
type Print = Option<(u64, Option<SystemTime>)>;

/// What is known of the folder.
#[derive(Debug)]
pub struct Watch {
    folder: PathBuf,
    scales: Scales,
    scales_print: Print,
    /// Packages with their files.
    known: BTreeMap<Label, Vec<Print>>,
    /// `name@version` of what this instance holds, with digests.
    pub(crate) held: BTreeMap<String, String>,
}

impl Watch {
    /// Knows what is in the folder now: it was read a moment ago, and `models` of it serve.
    pub fn new(folder: &Path, scales: Scales, models: &[Arc<Model>]) -> Self {
        let held = models.iter().map(|model| (label_of(model), model.digest().to_string())).collect();
        let known = packages(folder).into_iter().map(|(label, package)| (label, prints(&package))).collect();
        Self { folder: folder.to_owned(), scales, scales_print: print(&folder.join(SCALES)), known, held }
    }

    /// Packages that are new, or have changed since they did not serve, and prove themselves. A version that is held stays what
    /// it is, whatever becomes of its files.
    pub fn look(&mut self) -> Vec<Arc<Model>> {
        self.look_at_scales();
        let mut found = Vec::new();
        for (label, package) in packages(&self.folder) {
            let now = prints(&package);
            if now.iter().any(Option::is_none) || self.known.get(&label) == Some(&now) {
                continue;
            }
            match read_package(&package)
                .map_err(|error| error.to_string())
                .and_then(|files| Model::load(&files, &self.scales).map_err(|fault| fault.to_string()))
            {
                Ok(model) => found.extend(self.take(model)),
                Err(reason) => tracing::warn!(package = %label, reason, "package does not serve"),
            }
            self.known.insert(label, now);
        }
        found
    }

    /// Scales that have changed hold for what is proven from now on; what did not serve is looked at again. A package that is held
    /// has proven its own scale, and keeps it.
    fn look_at_scales(&mut self) {
        let path = self.folder.join(SCALES);
        let now = print(&path);
        if now.is_none() || now == self.scales_print {
            return;
        }
        self.scales_print = now;
        match scales(&path) {
            Ok(scales) => {
                tracing::info!(file = %path.display(), "the scales were read again");
                self.scales = scales;
                self.known.retain(|label, _| self.held.contains_key(&label.to_string()));
            }
            Err(error) => tracing::warn!(%error, "the scales stay what they were"),
        }
    }

    fn take(&mut self, model: Model) -> Option<Arc<Model>> {
        let (package, digest) = (label_of(&model), model.digest().to_string());
        let known = self.held.get(&package).map(String::as_str);
        if let Some(known) = other_digest(known, &digest) {
            tracing::error!(
                package,
                digest,
                known,
                "a version that is held has another digest now: it stays what it was"
            );
            return None;
        }
        if known.is_some() {
            return None;
        }
        tracing::info!(package, digest, "a new package has proven itself");
        self.held.insert(package, digest);
        Some(Arc::new(model))
    }
}

/// Every `<name>/<version>/`; in what cannot be listed there is nothing new.
fn packages(folder: &Path) -> Vec<(Label, PathBuf)> {
    places(Kind::Model, folder).unwrap_or_else(|error| {
        tracing::debug!(%error, "packages cannot be listed");
        Vec::new()
    })
}

fn prints(package: &Path) -> Vec<Print> {
    let parts = [Part::Manifest, Part::Graph, Part::Golden, Part::Reference];
    parts.map(|part| print(&package.join(part.file_name()))).into()
}

fn print(file: &Path) -> Print {
    let data = std::fs::metadata(file).ok()?;
    Some((data.len(), data.modified().ok()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn copy(from: &Path, to: &Path, files: &[&str]) {
        std::fs::create_dir_all(to).unwrap();
        for file in files {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }

    #[test]
    fn a_package_is_found_once_it_is_whole_and_a_version_stays_what_it_was() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let scales = || Scales::parse(&std::fs::read(shipped.join("scales.toml")).unwrap()).unwrap();
        let (dir, from) = (tempfile::tempdir().unwrap(), shipped.join("taiwan-scorecard/1.0.0"));
        let mut watch = Watch::new(dir.path(), scales(), &[]);
        assert!(watch.look().is_empty());
        let package = dir.path().join("taiwan-scorecard/1.0.0");
        copy(&from, &package, &["manifest.toml", "golden.json", "reference.json"]);
        assert!(watch.look().is_empty(), "its graph is not there yet");
        std::fs::write(package.join("model.onnx"), b"half of it").unwrap();
        assert!(watch.look().is_empty(), "it is being copied");
        copy(&from, &package, &["model.onnx"]);
        let found = watch.look();
        assert_eq!(found.iter().map(|model| label_of(model)).collect::<Vec<_>>(), ["taiwan-scorecard@1.0.0"]);
        assert!(watch.look().is_empty() && watch.held.len() == 1);
        let held = watch.held.clone();
        let text = std::fs::read_to_string(package.join("manifest.toml")).unwrap();
        std::fs::write(package.join("manifest.toml"), format!("{text}\n# changed\n")).unwrap();
        assert!(watch.look().is_empty(), "another digest of the same version");
        assert_eq!(watch.held, held);
    }
    #[test]
    fn scales_that_come_let_a_package_serve_that_asks_for_them() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let dir = tempfile::tempdir().unwrap();
        let scales = std::fs::read_to_string(shipped.join(SCALES)).unwrap();
        let other = scales.replacen("credit_card.v1", "credit_card.v0", 1);
        assert_ne!(scales, other);
        std::fs::write(dir.path().join(SCALES), &other).unwrap();
        let mut watch = Watch::new(dir.path(), Scales::parse(other.as_bytes()).unwrap(), &[]);
        let files = ["manifest.toml", "golden.json", "reference.json", "model.onnx"];
        copy(&shipped.join("taiwan-scorecard/1.0.0"), &dir.path().join("taiwan-scorecard/1.0.0"), &files);
        assert!(watch.look().is_empty(), "there is no such scale");
        std::fs::write(dir.path().join(SCALES), "scale = 7 # not whole yet").unwrap();
        assert!(watch.look().is_empty());
        std::fs::write(dir.path().join(SCALES), scales).unwrap();
        assert_eq!(watch.look().len(), 1);
        assert!(watch.look().is_empty());
    }
}
