//! A witness of logs of this kind (C2SP tlog-witness): remembers the newest head of each log that it was shown, and cosigns a later
//! one once it is proven that the log only grew. Knows nothing of what is in a log. Its memory is a file for each log.

use crate::error::Error;
use audit_log::{AddCheckpoint, BadRequest, Cosigner, Head, NoteVerifier, is_consistent, read_checkpoint, signed_text};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A witness.
pub struct Witness {
    cosigner: Cosigner,
    /// Of the logs that it watches.
    verifiers: Vec<NoteVerifier>,
    dir: PathBuf,
    /// One request is looked at, remembered and answered before the next one.
    turn: Mutex<()>,
    /// No other process answers out of this memory: of two, each could cosign a log that the other knows to be another.
    _lock: File,
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: its signature lines.
    Cosigned(String),
    /// 400: no request.
    NoRequest(BadRequest),
    /// 403: no signature of a key that it trusts for this log.
    NotSigned,
    /// 404: a log that it does not watch.
    Unknown,
    /// 409: it has seen the log at another size, this one.
    Seen(u64),
    /// 409: it has seen another root of this size.
    AnotherRoot,
    /// 422: the proof does not hold.
    NotProven,
}

impl Witness {
    /// A witness that keeps its memory in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Notes`], also where another witness has it.
    pub fn new(cosigner: Cosigner, verifiers: Vec<NoteVerifier>, dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(|source| failed(dir, source))?;
        let path = dir.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|source| failed(&path, source))?;
        lock.try_lock().map_err(|error| failed(&path, error.into()))?;
        Ok(Self { cosigner, verifiers, dir: dir.to_owned(), turn: Mutex::default(), _lock: lock })
    }

    /// `add-checkpoint`; `at` is the time, seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Notes`] when the memory cannot be read or written: nothing is cosigned then.
    pub fn add_checkpoint(&self, body: &str, at: i64) -> Result<Answer, Error> {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(why) => return Ok(Answer::NoRequest(why)),
        };
        let Ok((origin, _)) = read_checkpoint(request.note) else {
            return Ok(Answer::NoRequest(BadRequest::NoCheckpoint));
        };
        let mut of_origin = self.verifiers.iter().filter(|verifier| verifier.origin() == origin).peekable();
        if of_origin.peek().is_none() {
            return Ok(Answer::Unknown);
        }
        let Some(opened) = of_origin.find_map(|verifier| verifier.open(request.note).ok()) else {
            return Ok(Answer::NotSigned);
        };
        if request.old > opened.head.size {
            return Ok(Answer::NoRequest(BadRequest::Shrunk));
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(&opened.head.origin(&origin));
        let seen = self.seen(&path)?;
        if let Some(answer) = refused(&request, &opened.head, seen.as_ref()) {
            return Ok(answer);
        }
        let line = self.cosigner.line(signed_text(request.note)?, at);
        remember(&path, &format!("{}{line}", request.note)).map_err(|source| failed(&path, source))?;
        Ok(Answer::Cosigned(line))
    }

    /// The newest note of every log, with the cosignature.
    ///
    /// # Errors
    /// [`Error::Notes`].
    pub fn newest(&self) -> Result<String, Error> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(|source| failed(&self.dir, source))? {
            paths.push(entry.map_err(|source| failed(&self.dir, source))?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "note"));
        paths.sort();
        let read = |path: &PathBuf| fs::read_to_string(path).map_err(|source| failed(path, source));
        paths.iter().map(read).collect()
    }

    fn path(&self, origin: &str) -> PathBuf {
        self.dir.join(format!("{}.note", hex::encode(&Sha256::digest(origin)[..16])))
    }

    /// What it cosigned last. Its own files are believed.
    fn seen(&self, path: &Path) -> Result<Option<Head>, Error> {
        match fs::read_to_string(path) {
            Ok(note) => Ok(Some(read_checkpoint(&note)?.1)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed(path, source)),
        }
    }
}

/// Why a head is not cosigned.
fn refused(request: &AddCheckpoint<'_>, head: &Head, seen: Option<&Head>) -> Option<Answer> {
    let (size, root) = seen.map_or((0, head.root), |seen| (seen.size, seen.root));
    if request.old != size {
        return Some(Answer::Seen(size));
    }
    if size == head.size && size > 0 && root != head.root {
        return Some(Answer::AnotherRoot);
    }
    (!is_consistent((size, &root), (head.size, &head.root), &request.proof)).then_some(Answer::NotProven)
}

/// Puts a note in the place of the one before, on the disk before it is answered.
fn remember(path: &Path, note: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Notes { path: path.display().to_string(), source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use audit_log::{Hash, Signer, Tree, WitnessKey, leaf_hash, notes_in};

    fn root(leaves: &[&str]) -> Hash {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.append(leaf_hash(leaf.as_bytes()), &mut Vec::new()));
        tree.root()
    }

    fn request(old: u64, proof: &[Hash], note: &str) -> String {
        AddCheckpoint { old, proof: proof.to_vec(), note }.to_text()
    }

    #[test]
    fn it_cosigns_what_only_grew() {
        let dir = std::env::temp_dir().join(format!("defaultx-witness-{}", std::process::id()));
        let signer = Signer::new("bank.example/audit", &[1; 32]).unwrap();
        let cosigner = Cosigner::new("witness.example/w", &[2; 32]).unwrap();
        let key = WitnessKey::parse(&cosigner.verifier_key()).unwrap();
        let open = || Witness::new(cosigner.clone(), vec![signer.verifier()], &dir).unwrap();
        let head = |epoch, leaves: &[&str]| Head { log: 0, epoch, size: leaves.len() as u64, root: root(leaves) };
        let sign = |epoch, leaves: &[&str]| signer.sign(&head(epoch, leaves), 5);
        let ([a, b, c], leaf) =
            (["a", "b", "c"].map(|leaf| leaf_hash(leaf.as_bytes())), |leaf: &str| leaf_hash(leaf.as_bytes()));
        let (two, three) = (sign(0, &["a", "b"]), sign(0, &["a", "b", "c"]));
        let forked = sign(0, &["a", "x", "c"]);
        let other = Signer::new("bank.example/audit", &[9; 32]).unwrap().sign(&head(0, &["a"]), 5);
        let unknown = Signer::new("other.example/audit", &[1; 32]).unwrap().sign(&head(0, &["a"]), 5);
        type Is = fn(&Answer) -> bool;
        let (good, not_proven): (Is, Is) = (|a| matches!(a, Answer::Cosigned(_)), |a| *a == Answer::NotProven);
        let rows: [(&str, String, Is); 16] = [
            ("junk", "old 0".to_owned(), |a| matches!(a, Answer::NoRequest(_))),
            ("a size with a zero in front", request(0, &[], &two).replacen("old 0", "old 00", 1), |a| {
                matches!(a, Answer::NoRequest(_))
            }),
            ("an unknown log", request(0, &[], &unknown), |a| *a == Answer::Unknown),
            ("another key", request(0, &[], &other), |a| *a == Answer::NotSigned),
            ("a proof from nothing", request(0, &[a], &two), not_proven),
            ("seen nothing yet", request(1, &[b], &two), |a| *a == Answer::Seen(0)),
            ("the first", request(0, &[], &two), good),
            ("from nothing again", request(0, &[], &three), |a| *a == Answer::Seen(2)),
            ("no proof", request(2, &[], &three), not_proven),
            ("a wrong proof", request(2, &[a], &three), not_proven),
            ("a fork with the proof of its own", request(2, &[leaf("c")], &forked), not_proven),
            ("the same again", request(2, &[], &two), good),
            ("what grew", request(2, &[c], &three), good),
            ("what is older", request(3, &[], &two), |a| matches!(a, Answer::NoRequest(_))),
            ("another root of this size", request(3, &[], &forked), |a| *a == Answer::AnotherRoot),
            ("another epoch is another log", request(0, &[], &sign(1, &["a", "x"])), good),
        ];
        for (at, (what, body, expected)) in rows.into_iter().enumerate() {
            let answer = open().add_checkpoint(&body, 100 + at as i64).unwrap();
            assert!(expected(&answer), "{what}: {answer:?}");
            if let Answer::Cosigned(lines) = &answer {
                let note = body.split_once("\n\n").unwrap().1;
                assert_eq!(key.time_of(&format!("{note}{lines}")), Some(100 + at as i64), "{what}");
            }
        }
        let first = open();
        assert!(Witness::new(cosigner.clone(), vec![signer.verifier()], &dir).is_err(), "one memory, one witness");
        drop(first);
        assert_ne!(root(&["a", "b"]), root(&["a", "x"]));
        let newest = notes_in(&open().newest().unwrap());
        let mut sizes: Vec<_> =
            newest.iter().map(|note| read_checkpoint(note).unwrap().1).map(|head| (head.epoch, head.size)).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [(0, 3), (1, 2)]);
        fs::remove_dir_all(&dir).unwrap();
    }
}
