//! The signer's own memory: every note it signed, in a file for each log, flushed before anybody else sees the note. Only grows.

use crate::error::Error;
use audit_log::{end_of_notes, notes_in};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes at the end of a file in which its newest notes are: a note is below a kilobyte, an opening of an epoch below three.
const TAIL_BYTES: u64 = 64 << 10;
/// Bytes that a note may have left half written, at most.
const MOST_TORN_BYTES: usize = 4 << 10;

/// The directory of notes.
#[derive(Debug, Clone)]
pub struct Notes(PathBuf);

/// A log's file, which nobody else adds to meanwhile.
pub struct Book {
    path: PathBuf,
    file: File,
}

impl Notes {
    /// The directory, made if it is not there; `None` for an empty name.
    ///
    /// # Errors
    /// [`Error::Notes`].
    pub fn open(dir: &str) -> Result<Option<Self>, Error> {
        if dir.is_empty() {
            return Ok(None);
        }
        let dir = PathBuf::from(dir);
        fs::create_dir_all(&dir).map_err(|source| failed(&dir, source))?;
        Ok(Some(Self(dir)))
    }

    /// Opens a log's file alone, waiting for whoever has it. A note that was half written when the power went is cut off: nobody saw it.
    ///
    /// # Errors
    /// [`Error::Notes`], also where more is no note than a power cut leaves behind: then somebody else changed the file.
    pub fn book(&self, log: i32) -> Result<Book, Error> {
        let path = self.0.join(format!("{log}.notes"));
        let opened = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let mut book = Book { file: opened.map_err(|source| failed(&path, source))?, path };
        book.mended().map_err(|source| failed(&book.path, source))?;
        Ok(book)
    }

    /// Whether a file of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// Writes a file whole: it is there with all its bytes, or not.
    ///
    /// # Errors
    /// [`Error::Notes`].
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let (path, new) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let written = File::create(&new).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_data()));
        written.and_then(|()| fs::rename(&new, &path)).map_err(|source| failed(&path, source))
    }

    /// Adds a note with its cosignatures to the file of those.
    ///
    /// # Errors
    /// [`Error::Notes`].
    pub(crate) fn add_cosigned(&self, log: i32, note: &str) -> Result<(), Error> {
        let path = self.0.join(format!("{log}.cosigned"));
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let added = file.and_then(|mut file| file.write_all(note.as_bytes()).and_then(|()| file.sync_data()));
        added.map_err(|source| failed(&path, source))
    }
}

impl Book {
    /// The newest notes, oldest first.
    ///
    /// # Errors
    /// [`Error::Notes`].
    pub fn newest(&mut self) -> Result<Vec<String>, Error> {
        let tail = self.tail().map_err(|source| failed(&self.path, source))?;
        let text = String::from_utf8_lossy(&tail.1);
        // The first may have lost its beginning.
        Ok(notes_in(&text).into_iter().skip(usize::from(tail.0 > 0)).collect())
    }

    /// Every note, oldest first.
    ///
    /// # Errors
    /// [`Error::Notes`].
    pub fn all(&mut self) -> Result<Vec<String>, Error> {
        let mut text = String::new();
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read_to_string(&mut text));
        read.map_err(|source| failed(&self.path, source))?;
        Ok(notes_in(&text))
    }

    /// Adds a note; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`Error::Notes`].
    pub fn add(&mut self, note: &str) -> Result<(), Error> {
        let added = self.file.write_all(note.as_bytes()).and_then(|()| self.file.sync_data());
        added.map_err(|source| failed(&self.path, source))
    }

    /// Where the tail begins, and its bytes.
    fn tail(&mut self) -> std::io::Result<(u64, Vec<u8>)> {
        let from = self.file.seek(SeekFrom::End(0))?.saturating_sub(TAIL_BYTES);
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        self.file.read_to_end(&mut bytes)?;
        Ok((from, bytes))
    }

    /// Cuts the file behind its last whole signature line.
    fn mended(&mut self) -> std::io::Result<()> {
        self.file.lock()?;
        let (from, bytes) = self.tail()?;
        let end = end_of_notes(&bytes);
        match bytes.len() - end {
            0 => Ok(()),
            torn if torn <= MOST_TORN_BYTES => self.file.set_len(from + end as u64),
            torn => Err(std::io::Error::other(format!(
                "its last {torn} bytes are no note: the file was changed by somebody else"
            ))),
        }
    }
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Notes { path: path.display().to_string(), source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use audit_log::{Head, Signer};

    #[test]
    fn notes_are_there_again_and_a_torn_one_is_not() {
        let dir = std::env::temp_dir().join(format!("defaultx-notes-{}", std::process::id()));
        let notes = Notes::open(dir.to_str().unwrap()).unwrap().unwrap();
        let signer = Signer::new("a.example", &[1; 32]).unwrap();
        let note = |size| signer.sign(&Head { log: 0, epoch: 0, size, root: [7; 32] }, 5);
        for size in 0..400 {
            notes.book(0).unwrap().add(&note(size)).unwrap();
        }
        let newest = notes.book(0).unwrap().newest().unwrap();
        assert!(newest.len() > 50 && newest.len() < 400);
        assert_eq!(newest.last(), Some(&note(399)));
        let path = dir.join("0.notes");
        for torn in ["a.example/0\n40", "a.example/0\n400\nBQ==\n\n", "a.example/0\n400\nBQ==\n\n\u{2014} a.exam"] {
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(torn.as_bytes()).unwrap();
            let all = notes.book(0).unwrap().all().unwrap();
            assert_eq!((all.len(), all.last()), (400, Some(&note(399))), "{torn:?}");
        }
        fs::write(&path, "half").unwrap();
        assert!(notes.book(0).unwrap().all().unwrap().is_empty());
        let changed = "another text\n".repeat(1000);
        fs::write(&path, &changed).unwrap();
        assert!(notes.book(0).is_err() && fs::read_to_string(&path).unwrap() == changed, "evidence is not cut away");
        fs::remove_dir_all(&dir).unwrap();
        assert!(Notes::open("").unwrap().is_none());
    }
}
