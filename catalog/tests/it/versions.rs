//! What is held of a folder and of the stream, and what is said of the rest.

use catalog::{Carried, Document, Error, Finding, InForce, Kind, Label, Rejected, Version, Versions};
use domain::Digest;
use std::cell::Cell;

/// A text is its label, and what comes behind it.
fn load(document: &Document) -> Result<Version<String>, Vec<Finding>> {
    let text = document.as_str();
    let first = text.lines().next().unwrap_or_default();
    let label = Label::parse(first)
        .map_err(|why| vec![Finding { line: Some(1), ..Finding::error("bad", "label", why.to_string()) }])?;
    Ok(Version::new(label, document.digest().to_string(), text.to_owned()))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, files);
    folder
}

fn write(folder: &tempfile::TempDir, files: &[(&str, &str)]) {
    for (file, text) in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn read(folder: &tempfile::TempDir, default: &str) -> Result<Versions<String>, Error> {
    Versions::read(Kind::Policy, folder.path(), default, load)
}

/// What an activation demands of a text: by value, or by its digest alone.
fn wanted(label: &str, text: &str, by_value: bool) -> InForce {
    let carried = Carried { document: by_value.then(|| text.into()), packages: None, ..Carried::default() };
    InForce { version: label.to_owned(), digest: Digest::of(text.as_bytes()).to_string(), carried }
}

#[test]
fn a_faulty_file_is_left_out_and_named_and_the_others_serve() {
    let folder = folder(&[
        ("a/1.0.0.yaml", "a@1.0.0"),
        ("a/2.0.0.yaml", "a"),
        ("b/1.0.0.yaml", "a@1.0.0"),
        ("a/notes.txt", "?"),
    ]);
    let held = read(&folder, "a@1.0.0").unwrap();
    assert_eq!(held.all().map(|text| text.as_str()).collect::<Vec<_>>(), ["a@1.0.0"]);
    assert_eq!(held.default_version().map(|text| text.as_str()), Some("a@1.0.0"));
    let told: Vec<String> = held.rejected().iter().map(Rejected::to_string).collect();
    let at = |file: &str| folder.path().join(file).display().to_string();
    assert_eq!(
        told,
        [
            format!("{}:1: error [bad] label: \"a\" is not name@version", at("a/2.0.0.yaml")),
            format!("{}: error [misplaced] it says it is a@1.0.0: move it to a/1.0.0.yaml", at("b/1.0.0.yaml")),
        ]
    );
    let rows = [
        ("a@2.0.0", "2.0.0.yaml:1: error [bad] label"),
        ("b@1.0.0", "move it to"),
        ("c@1.0.0", "policy \"c@1.0.0\" names no document"),
    ];
    for (default, expected) in rows {
        let why = read(&folder, default).unwrap_err().to_string();
        assert!(why.contains(expected), "{default}: {why}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(read(&empty, "a@1.0.0").unwrap().default_version().is_none(), "an empty folder waits for an activation");
    let missing = Versions::read(Kind::Policy, &empty.path().join("none"), "a@1.0.0", load);
    assert!(matches!(missing, Err(Error::Unreadable { .. })));
}

#[test]
fn what_is_demanded_is_held_or_the_reason_is_told() {
    let folder = folder(&[("a/1.0.0.yaml", "a@1.0.0")]);
    let mut held = read(&folder, "a@1.0.0").unwrap();
    let rows = [
        (wanted("a@1.0.0", "a@1.0.0", false), None),
        (wanted("a@2.0.0", "a@2.0.0", true), None),
        (wanted("a@2.0.0", "a@2.0.0", false), None), // it was carried a moment ago
        (wanted("a@3.0.0", "a@3.0.0", false), Some("is not held: add it to policy_dir")),
        (wanted("a@3.0.0", "a", true), Some("may not serve: line 1: error [bad] label: \"a\" is not name@version")),
        (wanted("a@3.0.0", "a@4.0.0", true), Some("says that it is a@4.0.0")),
    ];
    for (wanted, expected) in rows {
        let told = held.hold(&wanted, load).err().map(|why| why.to_string());
        let expected = expected.map(|why| format!("policy {} ({}) {why}", wanted.version, wanted.digest));
        assert_eq!(told, expected);
    }
    write(&folder, &[("a/3.0.0.yaml", "a@3.0.0")]);
    assert!(held.hold(&wanted("a@3.0.0", "a@3.0.0", false), load).is_ok(), "a file that was brought");
}

#[test]
fn documents_of_the_stream_stay_loaded_while_they_are_asked_for() {
    let mut held: Versions<String> = Versions::of(Kind::Route, Vec::new());
    let loads = Cell::new(0);
    let mut hold = |number: usize| {
        let label = format!("a@1.0.{number}");
        let counted = |document: &Document| {
            loads.set(loads.get() + 1);
            load(document)
        };
        held.hold(&wanted(&label, &label, true), counted).unwrap();
        held.trim();
        assert!(!held.is_long());
        loads.get()
    };
    let loaded: Vec<usize> = (0..16).map(&mut hold).collect();
    assert_eq!(loaded, (1..=16).collect::<Vec<_>>());
    assert_eq!(hold(0), 16, "it is still there, and now the newest");
    assert_eq!(hold(16), 17, "number 1 makes room");
    assert_eq!((hold(0), hold(1)), (17, 18));
}

/// What is no file, or is gone, is left out like any other fault: an editor's dangling link keeps no worker from starting, and a pipe
/// would keep it for ever.
#[cfg(unix)]
#[test]
fn what_cannot_be_read_keeps_no_other_from_serving() {
    let folder = folder(&[("a/1.0.0.yaml", "a@1.0.0"), ("a/2.0.0.yaml/inside", "a@2.0.0")]);
    let at = |file: &str| folder.path().join("a").join(file);
    std::os::unix::fs::symlink(at("none"), at("3.0.0.yaml")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(at("4.0.0.yaml")).status().unwrap();
    assert!(made.success());
    let held = read(&folder, "a@1.0.0").unwrap();
    assert_eq!(held.all().map(|text| text.as_str()).collect::<Vec<_>>(), ["a@1.0.0"]);
    let told: Vec<String> = held.rejected().iter().map(Rejected::to_string).collect();
    let expected = ["2.0.0.yaml", "3.0.0.yaml", "4.0.0.yaml"];
    assert_eq!(told, expected.map(|file| format!("{}: error [unreadable] is no file", at(file).display())));
    let why = read(&folder, "a@3.0.0").unwrap_err().to_string();
    assert!(why.ends_with("error [unreadable] is no file"), "{why}");
}
