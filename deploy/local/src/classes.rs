//! Where a broker takes its classes from, and how Java is told.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where a broker takes its classes from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Classes {
    /// From the jars.
    Jars,
    /// From the jars, with the help of this archive.
    Archived(PathBuf),
    /// From the jars; when it ends it writes this archive.
    Archiving(PathBuf),
}

impl Classes {
    /// What tells a server so.
    pub(crate) fn flag(&self) -> Option<OsString> {
        match self {
            Classes::Jars => None,
            Classes::Archived(archive) => Some(flag("-XX:SharedArchiveFile=", archive)),
            Classes::Archiving(archive) => Some(flag("-XX:ArchiveClassesAtExit=", archive)),
        }
    }

    /// What tells a short-lived tool so, which never writes an archive.
    pub(crate) fn flag_for_tool(&self) -> Option<OsString> {
        self.flag().filter(|_| matches!(self, Classes::Archived(_)))
    }
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}
