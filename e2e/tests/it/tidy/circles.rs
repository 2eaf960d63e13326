//! No file of a crate leads back to itself. Read are the paths in the source, not what the compiler makes of them: methods that are
//! called on a value name no file, and name none here.

use super::source::{Import, Source};
use super::{files, folders, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module by the names that lead to it from the crate.
type Place = Vec<String>;

#[test]
fn no_file_leads_back_to_itself() {
    let of = |src: PathBuf| {
        let needs = Modules::read(&src).needs();
        let steps = |circle: &BTreeSet<Place>| {
            let to = |from: &Place| {
                let within = needs[from].iter().filter(|to| circle.contains(*to));
                within.map(|to| format!("{} → {}", named(from), named(to))).collect::<Vec<_>>()
            };
            format!("{}: {}", src.display(), circle.iter().flat_map(to).collect::<Vec<_>>().join(", "))
        };
        circles(&needs).iter().map(steps).collect::<Vec<_>>()
    };
    let found: Vec<String> = folders().flat_map(crates).flat_map(of).collect();
    assert!(
        found.is_empty(),
        "files lead back to themselves:\n{}\nMove what both sides need, a type or a function, into a file of its own, named by the \
         thing, that stands below them.",
        found.join("\n")
    );
}

#[test]
fn circles_are_found_and_re_exports_are_none() {
    let rows: [(&str, &[(&str, &str)], &[&str]); 8] = [
        ("two that name each other", &[("a", "use crate::b::B;"), ("b", "fn f() { crate::a::f() }")], &["a", "b"]),
        ("one way", &[("a", "use crate::b::B;"), ("b", "struct B;")], &[]),
        (
            "a child takes what its parent defines",
            &[("a", "mod b; struct T; fn f() { b::f() }"), ("a/b", "use super::T;")],
            &["a", "a::b"],
        ),
        (
            "a parent that re-exports",
            &[("a", "mod b; mod c; pub use b::B;"), ("a/b", "struct B;"), ("a/c", "use super::B;")],
            &[],
        ),
        (
            "through a re-export",
            &[("a", "mod b; pub use b::B; use crate::c::C;"), ("a/b", "use crate::c::C;"), ("c", "use crate::a::B;")],
            &["a::b", "c"],
        ),
        (
            "comments, texts and tests",
            &[
                ("a", "use crate::b::B;"),
                ("b", "// crate::a::f()\nconst T: &str = \"crate::a\"; #[cfg(test)] mod tests { use crate::a::f; }"),
            ],
            &[],
        ),
        (
            "in a list",
            &[("a", "use crate::{b::{self, B}, c};"), ("b", "use crate::a::{X, Y as Z};"), ("c", "")],
            &["a", "b"],
        ),
        (
            "a module within a file",
            &[("a", "mod b; fn f() { b::f() }"), ("a/b", "mod c { use super::X; } const X: u8 = 1;")],
            &[],
        ),
    ];
    for (what, files, expected) in rows {
        let mods: BTreeSet<&str> = files.iter().map(|(name, _)| *name).filter(|name| !name.contains('/')).collect();
        let lib: String = mods.iter().map(|name| format!("mod {name};")).collect();
        let files = files.iter().map(|(name, text)| (name.split('/').map(str::to_owned).collect(), (*text).to_owned()));
        let found = circles(&Modules::of(files.chain([(vec![], lib)])).needs());
        let found: Vec<String> = found.iter().flatten().map(named).collect();
        assert_eq!(found, expected, "{what}");
    }
}

/// Where the sources of a folder's crates are: the library or program in `src`, and each program of several files in `src/bin`.
fn crates(folder: &str) -> Vec<PathBuf> {
    let src = root().join(folder).join("src");
    let programs = std::fs::read_dir(src.join("bin")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let programs = programs.filter(|path| path.is_dir()).collect();
    [vec![src], programs].concat()
}

/// The modules of a crate that are files, without those for tests.
struct Modules(BTreeMap<Place, Source>);

impl Modules {
    fn read(src: &Path) -> Self {
        let is_library = src.join("lib.rs").exists();
        let place = |file: &Path| -> Option<Place> {
            let path = file.strip_prefix(src).unwrap().with_extension("");
            let mut names: Place = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            // Whatever is in `bin` is a crate of its own, and so is the program beside a library.
            if names[0] == "bin" || is_library && names == ["main"] {
                return None;
            }
            if names == ["lib"] || names == ["main"] || names.last().is_some_and(|name| name == "mod") {
                names.pop();
            }
            Some(names)
        };
        let sources = files(src, "rs").into_iter();
        Self::of(sources.filter_map(|file| Some((place(&file)?, std::fs::read_to_string(&file).unwrap()))))
    }

    fn of(files: impl Iterator<Item = (Place, String)>) -> Self {
        let all: BTreeMap<Place, Source> = files.map(|(place, text)| (place, Source::of(&text))).collect();
        let is_declared = |place: &Place| {
            (1..=place.len()).all(|length| {
                let parent = all.get(&place[..length - 1]);
                parent.is_some_and(|parent| parent.children.contains(&place[length - 1]))
            })
        };
        let declared: BTreeSet<Place> = all.keys().filter(|place| is_declared(place)).cloned().collect();
        Self(all.into_iter().filter(|(place, _)| declared.contains(place)).collect())
    }

    /// The file that a path leads to from another file; none where it leads out of the crate, or to a module and no further.
    fn target(&self, from: &Place, path: &[String], seen: &mut BTreeSet<(Place, String)>) -> Option<Place> {
        let (mut at, mut rest) = match path[0].as_str() {
            "crate" => (vec![], &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => {
                let up = path.iter().take_while(|name| *name == "super").count();
                (from[..from.len().checked_sub(up)?].to_vec(), &path[up..])
            }
            name if self.0[from].children.contains(name) => (from.clone(), path),
            name => {
                let import = self.0[from].imports.iter().find(|import| import.name == name)?;
                if !seen.insert((from.clone(), name.to_owned())) {
                    return None;
                }
                return self.target(from, &[import.path.as_slice(), &path[1..]].concat(), seen);
            }
        };
        while let Some(name) = rest.first() {
            let deeper = [at.as_slice(), std::slice::from_ref(name)].concat();
            if self.0.contains_key(&deeper) {
                (at, rest) = (deeper, &rest[1..]);
                continue;
            }
            if name == "*" {
                return Some(at);
            }
            let import = self.0.get(&at)?.imports.iter().find(|import| import.name == *name);
            return match import {
                // What is only passed on is not defined here.
                Some(import) if seen.insert((at.clone(), name.clone())) => {
                    self.target(&at, &[import.path.as_slice(), &rest[1..]].concat(), seen)
                }
                _ => Some(at),
            };
        }
        None
    }

    /// By file, the files that it needs.
    fn needs(&self) -> BTreeMap<Place, BTreeSet<Place>> {
        let of = |from: &Place, module: &Source| {
            let is_used = |import: &&Import| !import.is_public || module.words.contains(&import.name);
            let imports = module.imports.iter().filter(is_used).map(|import| &import.path);
            let paths = imports.chain(&module.paths);
            paths.filter_map(|path| self.target(from, path, &mut BTreeSet::new())).filter(|to| to != from).collect()
        };
        self.0.iter().map(|(from, module)| (from.clone(), of(from, module))).collect()
    }
}

/// Files each of which leads to all others of its set.
fn circles(needs: &BTreeMap<Place, BTreeSet<Place>>) -> BTreeSet<BTreeSet<Place>> {
    let reached = |from: &Place| {
        let (mut found, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(at) = left.pop() {
            left.extend(needs[at].iter().filter(|to| found.insert((*to).clone())));
        }
        found
    };
    let reach: BTreeMap<&Place, BTreeSet<Place>> = needs.keys().map(|from| (from, reached(from))).collect();
    let circle = |from: &Place| -> BTreeSet<Place> {
        reach[from].iter().filter(|to| reach[*to].contains(from)).cloned().collect()
    };
    needs.keys().map(circle).filter(|circle| circle.len() > 1).collect()
}

fn named(place: &Place) -> String {
    if place.is_empty() { "the root".to_owned() } else { place.join("::") }
}
