//! A recording on the disk: `inputs/HOP/NAME.jsonl` is what was published to a hop, `outputs/HOP/NAME.jsonl` what came of it, one
//! record, row or answer a line. What the workers logged stands beside, and is not compared.

use crate::record::Record;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const EXTENSION: &str = "jsonl";
/// Folders whose files are compared.
const COMPARED: [Part; 2] = [Part::Inputs, Part::Outputs];

/// Half of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What was published to a hop.
    Inputs,
    /// What came of it.
    Outputs,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        }
    }
}

/// A recording.
#[derive(Debug, Clone)]
pub struct Recording(PathBuf);

impl Recording {
    /// A new one.
    ///
    /// # Errors
    /// When there is something in the folder already, or it cannot be made.
    pub fn create(dir: &Path) -> Result<Self> {
        if fs::read_dir(dir).is_ok_and(|mut found| found.next().is_some()) {
            bail!("{} is not empty: give --out a new folder", dir.display());
        }
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(Self(dir.to_owned()))
    }

    /// One that was taken.
    ///
    /// # Errors
    /// When the folder holds none.
    pub fn open(dir: &Path) -> Result<Self> {
        let recording = Self(dir.to_owned());
        if recording.files()?.is_empty() {
            bail!("{} holds no recording: `recording take --out DIR` makes one", dir.display());
        }
        Ok(recording)
    }

    /// Where the workers' logs go.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn logs(&self) -> Result<PathBuf> {
        let logs = self.0.join("logs");
        fs::create_dir_all(&logs)?;
        Ok(logs)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, part: Part, hop: &str, name: &str, lines: &[String]) -> Result<()> {
        let folder = self.0.join(part.name()).join(hop);
        fs::create_dir_all(&folder)?;
        let path = folder.join(name).with_added_extension(EXTENSION);
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// The lines of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, part: Part, hop: &str, name: &str) -> Result<Vec<String>> {
        let path = Path::new(part.name()).join(hop).join(name).with_added_extension(EXTENSION);
        self.lines(&path.display().to_string())
    }

    /// The records of a file.
    ///
    /// # Errors
    /// When it cannot be read, or a line is none.
    pub fn records(&self, part: Part, hop: &str, name: &str) -> Result<Vec<Record>> {
        let lines = self.read(part, hop, name)?;
        let read = |(number, line): (usize, &String)| {
            Record::of_line(line).with_context(|| format!("{}/{hop}/{name}, line {number}", part.name()))
        };
        (1..).zip(&lines).map(read).collect()
    }

    /// Every file that is compared.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn files(&self) -> Result<BTreeSet<String>> {
        let mut files = BTreeSet::new();
        for part in COMPARED {
            let Ok(hops) = fs::read_dir(self.0.join(part.name())) else { continue };
            for hop in hops {
                for file in fs::read_dir(hop?.path())? {
                    let path = file?.path();
                    let place = path.strip_prefix(&self.0)?.display().to_string();
                    if path.extension().is_some_and(|extension| extension == EXTENSION) {
                        files.insert(place);
                    }
                }
            }
        }
        Ok(files)
    }

    /// The lines of a file, by its place.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lines(&self, file: &str) -> Result<Vec<String>> {
        let path = self.0.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(text.split_terminator('\n').map(str::to_owned).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_went() {
        let dir = tempfile::tempdir().unwrap();
        let recording = Recording::create(&dir.path().join("a")).unwrap();
        let lines = ["{\"a\":1}", "", "x\u{2028}y"].map(str::to_owned);
        recording.write(Part::Outputs, "admit", "credit.applications.v1", &lines).unwrap();
        recording.write(Part::Inputs, "admit", "empty", &[]).unwrap();
        let files: Vec<String> = recording.files().unwrap().into_iter().collect();
        assert_eq!(files, ["inputs/admit/empty.jsonl", "outputs/admit/credit.applications.v1.jsonl"]);
        assert_eq!(recording.lines(&files[1]).unwrap(), lines);
        assert!(recording.read(Part::Inputs, "admit", "empty").unwrap().is_empty());
        assert!(Recording::create(&dir.path().join("a")).unwrap_err().to_string().contains("--out"));
        assert!(Recording::open(dir.path()).unwrap_err().to_string().contains("take"));
    }
}
