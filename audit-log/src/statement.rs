//! What a signer says besides heads, as signed notes: what a walk found, and that a log was restored from a backup. The first
//! line of none of them is that of a checkpoint.

use crate::checkpoint::{Head, NoteVerifier, Signer};
use crate::note::{BadNote, MAX_LINE_BYTES, hash_of, number};
use crate::tree::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

const VERIFICATION: &str = "verification";
const EPOCH: &str = "epoch";

/// What a walk over a whole log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verification {
    /// The log.
    pub log: i32,
    /// Entries walked.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// Faults found, in all logs.
    pub faults: u64,
    /// When, seconds since 1970.
    pub at: i64,
}

impl Verification {
    /// As a signed note.
    pub fn sign(&self, signer: &Signer) -> String {
        let Self { log, size, root, faults, at } = self;
        let root = BASE64.encode(root);
        signer.sign_text(&format!(
            "{}/{log}/{VERIFICATION}\n{size}\n{root}\nfaults {faults}\ntime {at}\n",
            signer.origin()
        ))
    }

    /// From a note that one of these signers signed.
    pub fn open(note: &str, verifiers: &[NoteVerifier]) -> Option<Self> {
        let (log, mut lines) = opened(note, verifiers, VERIFICATION).ok()?;
        let size = number(lines.next()?)?;
        let root = hash_of(lines.next()?)?;
        let faults = number(lines.next()?.strip_prefix("faults ")?)?;
        let at = number(lines.next()?.strip_prefix("time ")?)? as i64;
        Some(Self { log, size, root, faults, at })
    }
}

/// That a log was restored from a backup and goes on from an earlier size: what was signed behind that size is of records that may stand
/// there in another order. Whoever holds a note of the epoch before sees in it what is covered and what is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch {
    /// The log.
    pub log: i32,
    /// Number of the epoch that begins, from 1.
    pub epoch: u32,
    /// Entries and root of the newest note of the epoch before.
    pub old: (u64, Hash),
    /// The size from which the log goes on, and its root there: the largest of a note of before that the restored log still has.
    pub from: (u64, Hash),
    /// When it was opened, seconds since 1970.
    pub at: i64,
    /// Who opened it.
    pub by: String,
    /// Why.
    pub why: String,
    /// The newest note of the epoch before.
    pub note: String,
}

impl Epoch {
    /// As a signed note.
    ///
    /// # Errors
    /// [`BadNote::Line`] where a text is empty, has more than one line or is longer than 1,024 bytes.
    pub fn sign(&self, signer: &Signer) -> Result<String, BadNote> {
        for (field, text) in [("by", &self.by), ("why", &self.why)] {
            if text.trim().is_empty() || text.contains(char::is_control) || text.len() > MAX_LINE_BYTES {
                return Err(BadNote::Line(field));
            }
        }
        let Self { log, epoch, old, from, at, by, why, note } = self;
        let place = |(size, root): &(u64, Hash)| format!("{size} {}", BASE64.encode(root));
        let text = format!(
            "{}/{log}/{EPOCH}\n{epoch}\nold {}\nfrom {}\ntime {at}\nby {by}\nwhy {why}\nnote {}\n",
            signer.origin(),
            place(old),
            place(from),
            BASE64.encode(note)
        );
        Ok(signer.sign_text(&text))
    }

    /// Whether a note claims to be such a statement, signed or not.
    pub fn is_one(note: &str) -> bool {
        note.lines().next().is_some_and(|line| line.ends_with(&format!("/{EPOCH}")))
    }

    /// From a note that one of these signers signed. The note of before must be of one of them too, and of the head it is said to be.
    ///
    /// # Errors
    /// [`BadNote`] says what does not hold.
    pub fn open(note: &str, verifiers: &[NoteVerifier]) -> Result<Self, BadNote> {
        let bad = || BadNote::Epoch;
        let (log, mut lines) = opened(note, verifiers, EPOCH)?;
        let mut field = |name: &str| {
            let line = lines.next().ok_or_else(bad)?;
            if name.is_empty() {
                Ok(line)
            } else {
                line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).ok_or_else(bad)
            }
        };
        let place = |text: &str| {
            let (size, root) = text.split_once(' ')?;
            Some((number(size)?, hash_of(root)?))
        };
        let epoch = number(field("")?).and_then(|epoch| u32::try_from(epoch).ok()).filter(|epoch| *epoch > 0);
        let (old, from) = (place(field("old")?).ok_or_else(bad)?, place(field("from")?).ok_or_else(bad)?);
        let at = number(field("time")?).ok_or_else(bad)? as i64;
        let (by, why) = (field("by")?.to_owned(), field("why")?.to_owned());
        let old_note =
            BASE64.decode(field("note")?).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
        let epoch = epoch.ok_or_else(bad)?;
        // Of an earlier epoch than the one before, where nothing was signed in that one.
        let is_named = |head: &Head| (head.log, head.size, head.root) == (log, old.0, old.1) && head.epoch < epoch;
        let is_of_before = verifiers.iter().any(|key| key.open(&old_note).is_ok_and(|opened| is_named(&opened.head)));
        if !is_of_before || from.0 > old.0 {
            return Err(BadNote::EpochBefore);
        }
        Ok(Self { log, epoch, old, from, at, by, why, note: old_note })
    }

    /// The head from which the epoch goes on.
    pub fn beginning(&self) -> Head {
        Head { log: self.log, epoch: self.epoch, size: self.from.0, root: self.from.1 }
    }
}

/// Log and further lines of a statement of this kind.
fn opened<'n>(
    note: &'n str,
    verifiers: &[NoteVerifier],
    kind: &'static str,
) -> Result<(i32, std::str::Lines<'n>), BadNote> {
    let mut why = BadNote::NoKey;
    for verifier in verifiers {
        match verifier.open_text(note) {
            Ok(text) => {
                let mut lines = text.lines();
                let log = lines.next().and_then(|line| {
                    let rest = line.strip_prefix(verifier.origin())?.strip_prefix('/')?;
                    number(rest.strip_suffix(kind)?.strip_suffix('/')?)
                });
                let log = log.and_then(|log| i32::try_from(log).ok());
                return log.map(|log| (log, lines)).ok_or(BadNote::Kind(kind));
            }
            Err(error) => why = error,
        }
    }
    Err(why)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::checkpoint::read_checkpoint;

    fn signer(seed: u8) -> Signer {
        Signer::new("bank.example/audit", &[seed; 32]).unwrap()
    }

    #[test]
    fn statements_open_for_their_signer_and_are_no_checkpoints() {
        let verification = Verification { log: 1, size: 9, root: [4; 32], faults: 2, at: 1_790_000_000 };
        let old_note = signer(1).sign(&Head { log: 1, epoch: 0, size: 9, root: [5; 32] }, 3);
        let later = signer(1).sign(&Head { log: 1, epoch: 1, size: 9, root: [5; 32] }, 3);
        let epoch = Epoch {
            log: 1,
            epoch: 1,
            old: (9, [5; 32]),
            from: (7, [6; 32]),
            at: 1_790_000_000,
            by: "operations".to_owned(),
            why: "disk lost, restored the night's backup".to_owned(),
            note: old_note.clone(),
        };
        let (walked, opened) = (verification.sign(&signer(1)), epoch.sign(&signer(1)).unwrap());
        let (own, other) = ([signer(1).verifier()], [signer(2).verifier()]);
        assert_eq!(Verification::open(&walked, &own), Some(verification));
        assert_eq!(Epoch::open(&opened, &own).unwrap(), epoch);
        assert!(Verification::open(&walked, &other).is_none() && Epoch::open(&opened, &other).is_err());
        assert!(Epoch::open(&walked, &own).is_err() && Verification::open(&opened, &own).is_none());
        assert!(
            read_checkpoint(&walked).is_err()
                && read_checkpoint(&opened).is_err()
                && Epoch::is_one(&opened)
                && !Epoch::is_one(&walked)
        );

        for wrong in [
            Epoch { old: (10, [5; 32]), ..epoch.clone() },
            Epoch { epoch: 1, note: later.clone(), ..epoch.clone() },
            Epoch { from: (10, [6; 32]), ..epoch.clone() },
            Epoch { note: signer(2).sign(&Head { log: 1, epoch: 0, size: 9, root: [5; 32] }, 3), ..epoch.clone() },
        ] {
            assert!(Epoch::open(&wrong.sign(&signer(1)).unwrap(), &own).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn texts_of_people_are_one_line() {
        let of = |by: &str, why: &str| {
            let (old, from, note) =
                ((9, [5; 32]), (7, [6; 32]), signer(1).sign(&Head { log: 1, epoch: 0, size: 9, root: [5; 32] }, 3));
            Epoch { log: 1, epoch: 1, old, from, at: 4, by: by.to_owned(), why: why.to_owned(), note }
        };
        let (longest, longer) = ("x".repeat(MAX_LINE_BYTES), "x".repeat(MAX_LINE_BYTES + 1));
        for (by, why, expected) in [
            ("ops", "disk lost", None),
            (&longest, &longest, None),
            ("", "disk lost", Some("by")),
            ("ops", " ", Some("why")),
            ("ops", "two\nlines", Some("why")),
            (&longer, "disk lost", Some("by")),
            ("ops", &longer, Some("why")),
        ] {
            let signed = of(by, why).sign(&signer(1));
            let refused = signed.as_ref().err().map(ToString::to_string);
            let said = expected.map(|field| format!("{field} must be one line of text, at most 1024 bytes"));
            assert_eq!(refused, said, "{} {}", by.len(), why.len());
            assert!(signed.is_ok_and(|note| note.len() < 4 << 10) || expected.is_some(), "half of it is found");
        }
        // Signed before there was a bound.
        let text = of("ops", "WHY").sign(&signer(1)).unwrap();
        let text = crate::note::signed_text(&text).unwrap().replace("WHY", &longer);
        let read = Epoch::open(&signer(1).sign_text(&text), &[signer(1).verifier()]).unwrap();
        assert_eq!(read.why, longer);
    }

    #[test]
    fn what_is_no_statement_is_named() {
        let (own, other) = ([signer(1).verifier()], [signer(2).verifier()]);
        let walked = Verification { log: 1, size: 9, root: [4; 32], faults: 2, at: 3 }.sign(&signer(1));
        let torn = signer(1).sign_text("bank.example/audit/1/epoch\n1\nold 9\n");
        for (note, keys, expected) in [
            (&walked, &own[..], "it is no epoch"),
            (&walked, &other, "no valid signature of bank.example/audit"),
            (&walked, &[], "no key to check it with"),
            (&torn, &own, "not the opening of an epoch"),
            (&"no note".to_owned(), &own, "no signatures"),
        ] {
            assert_eq!(Epoch::open(note, keys).unwrap_err().to_string(), expected);
        }
    }
}
