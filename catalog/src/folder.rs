//! The places of a folder: `<name>/<version>.<extension>` of documents, `<name>/<version>/` of packages.

use crate::error::Error;
use crate::kind::Kind;
use crate::label::Label;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads a file.
///
/// # Errors
/// [`Error::Unreadable`] names it.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| unreadable(path, source))
}

/// Reads so many bytes of a file, whatever it is.
///
/// # Errors
/// [`Error::Unreadable`] names it.
pub(crate) fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|source| unreadable(path, source))
}

/// Every version of a kind in a folder, by label, so that each instance holds what it reads in the same order. What is hidden or has
/// another ending is nothing of ours.
///
/// # Errors
/// [`Error::Unreadable`].
pub fn places(kind: Kind, folder: &Path) -> Result<Vec<(Label, PathBuf)>, Error> {
    let mut found = Vec::new();
    for (name, path) in entries(folder)?.into_iter().filter(|(_, path)| path.is_dir()) {
        for (entry, path) in entries(&path)? {
            let version = match kind.extension() {
                Some(extension) => entry.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.')),
                None => path.is_dir().then_some(entry.as_str()),
            };
            if let Some(version) = version {
                found.push((Label::new(name.as_str(), version), path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The place of a version in a folder.
pub fn place(kind: Kind, folder: &Path, label: &Label) -> PathBuf {
    let named = folder.join(&label.name);
    match kind.extension() {
        Some(extension) => named.join(format!("{}.{extension}", label.version)),
        None => named.join(&label.version),
    }
}

/// What is in a folder and not hidden, with names.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let fault = |source| unreadable(folder, source);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.push((name, entry.path()));
        }
    }
    Ok(entries)
}

fn unreadable(path: &Path, cause: std::io::Error) -> Error {
    Error::Unreadable { path: path.to_owned(), cause }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_name_and_a_version_and_the_rest_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "b/1.0.0.yaml",
            "a/1.10.0.yaml",
            "a/1.9.0.yaml",
            "a/1.0.0.toml",
            "a/.1.1.0.yaml",
            "a/yaml",
            ".c/1.0.0.yaml",
            "top.yaml",
            "m/1.0.0/manifest.toml",
            "m/.tmp/manifest.toml",
        ];
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let rows: [(Kind, &[(&str, &str)]); 3] = [
            (Kind::Policy, &[("a@1.9.0", "a/1.9.0.yaml"), ("a@1.10.0", "a/1.10.0.yaml"), ("b@1.0.0", "b/1.0.0.yaml")]),
            (Kind::Route, &[("a@1.0.0", "a/1.0.0.toml")]),
            (Kind::Model, &[("m@1.0.0", "m/1.0.0")]),
        ];
        for (kind, expected) in rows {
            let found = places(kind, folder.path()).unwrap();
            let expected: Vec<_> =
                expected.iter().map(|(label, path)| (Label::parse(label).unwrap(), folder.path().join(path))).collect();
            assert_eq!(found, expected);
            assert!(found.iter().all(|(label, path)| place(kind, folder.path(), label) == *path));
        }
        let missing = folder.path().join("none");
        for why in [places(Kind::Policy, &missing).unwrap_err(), read(&missing).unwrap_err()] {
            assert!(why.to_string().starts_with(&missing.display().to_string()), "{why}");
        }
    }
}
