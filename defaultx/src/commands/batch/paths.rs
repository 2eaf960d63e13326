//! The files of a batch, held against each other before any is written: what is written may be nothing that is read.

use anyhow::{Result, bail};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file under the name of its option.
pub(super) type Named<'p> = (&'static str, Option<&'p Path>);

/// Refuses an output that is an input or another output, and one that is a folder.
pub(super) fn check(read: &[Named<'_>], written: &[Named<'_>]) -> Result<()> {
    fn there<'p>(named: &Named<'p>) -> Option<(&'static str, &'p Path, Place)> {
        named.1.map(|path| (named.0, path, place(path)))
    }
    let written: Vec<_> = written.iter().filter_map(there).collect();
    for (at, (name, path, place)) in written.iter().enumerate() {
        if path.is_dir() {
            bail!("{name} {}: a folder; name a file in it", path.display());
        }
        let mut others = read.iter().filter_map(there).chain(written[..at].iter().cloned());
        if let Some((other, _, _)) = others.find(|(_, _, found)| found == place) {
            bail!("{name} {}: the same file as {other}; nothing was written", path.display());
        }
    }
    Ok(())
}

/// What makes two paths one file: its number where it is there, else its folder's with its name.
#[derive(Clone, PartialEq, Eq)]
enum Place {
    There(u64, u64),
    Name(PathBuf),
}

fn place(path: &Path) -> Place {
    if let Ok(found) = fs::metadata(path) {
        return Place::There(found.dev(), found.ino());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    Place::Name(path.file_name().map_or_else(|| path.to_owned(), |name| folder.join(name)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_read_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("in.csv"), "a").unwrap();
        std::os::unix::fs::symlink(at("in.csv"), at("link.csv")).unwrap();
        fs::hard_link(at("in.csv"), at("hard.csv")).unwrap();
        let said = |rejects: &Path, result: &Path| {
            let written = [("--rejects", Some(rejects)), ("--result", Some(result)), ("--to-correct", None)];
            check(&[("FILE", Some(&at("in.csv")))], &written).map_err(|error| error.to_string())
        };
        assert_eq!(said(&at("a.csv"), &at("b.csv")), Ok(()));
        for same in ["in.csv", "link.csv", "hard.csv", "../in.csv"] {
            let path = match same.strip_prefix("../") {
                Some(name) => dir.path().join("..").join(dir.path().file_name().unwrap()).join(name),
                None => at(same),
            };
            let why = said(&path, &at("b.csv")).unwrap_err();
            assert!(why.starts_with("--rejects ") && why.contains("the same file as FILE"), "{why}");
        }
        assert!(said(&at("a.csv"), &at("./a.csv")).unwrap_err().contains("the same file as --rejects"));
        assert!(said(&at("a.csv"), dir.path()).unwrap_err().contains("a folder"));
    }
}
