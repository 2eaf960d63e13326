//! The directory of policies: what is taken, what is left out, what keeps the worker from starting.

use crate::fixture::STANDARD;
use decision::{Config, Error, Library};
use std::path::Path;

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = directory.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    directory
}

#[test]
fn a_faulty_policy_is_left_out_and_named() {
    let faulty = STANDARD.replacen("version: 1.0.0", "version: 2.0.0", 1).replacen("term_months", "months", 1);
    let files = [
        ("standard/1.0.0.yaml", STANDARD),
        ("standard/2.0.0.yaml", &faulty),
        ("standard/notes.txt", "?"),
        ("other/1.0.0.yaml", STANDARD),
    ];
    let directory = directory(&files);
    let library = Library::read(directory.path(), "standard@1.0.0").unwrap();
    assert_eq!(library.all().count(), 1, "the misplaced copy does not count");
    let rejected: Vec<_> =
        library.rejected().iter().map(|(label, reason)| (label.as_str(), reason.findings[0].code)).collect();
    assert_eq!(rejected, [("standard@2.0.0", "unknown_variable")]);
    assert!(matches!(Library::read(directory.path(), "standard@2.0.0"), Err(Error::Rejected { .. })));
    assert!(matches!(Library::read(directory.path(), "standard@3.0.0"), Err(Error::Unknown(_))));
    assert!(matches!(Library::read(Path::new("/nonexistent"), "x@1.0.0"), Err(Error::Unreadable { .. })));
    let empty = tempfile::tempdir().unwrap();
    assert!(Library::read(empty.path(), "standard@1.0.0").unwrap().default_policy().is_none());
}

#[test]
fn the_default_is_the_policy_that_ships() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let config = Config::default();
    let library = Library::read(&root.join(&config.policy_dir), &config.default_policy).unwrap();
    assert_eq!(library.default_policy().unwrap().name(), "standard");
    assert!(library.rejected().is_empty());
}
