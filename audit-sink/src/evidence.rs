//! PURE. Which notes are believed and what they say of a log: who signed them, when, and whether an epoch that was opened since lets a
//! log differ from them. A row of the database counts for its signature, never for where it stands.

use crate::error::Error;
use crate::report::Fault;
use audit_log::{BadNote, Epoch, Head, NoteVerifier, WitnessKey, notes_in, read_checkpoint};
use std::collections::BTreeMap;

/// Who is believed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    pub logs: Vec<NoteVerifier>,
    pub witnesses: Vec<WitnessKey>,
}

/// A head that a note speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub head: Head,
    /// From outside the database.
    pub is_kept: bool,
    /// When the log's signer signed it, or the first witness, seconds since 1970.
    pub signed_at: Option<i64>,
    /// Witnesses that signed it.
    pub witnesses: Vec<String>,
}

impl Keys {
    pub fn parse(logs: &[String], witnesses: &[String]) -> Result<Self, Error> {
        let logs = logs.iter().map(|key| NoteVerifier::parse(key)).collect::<Result<_, _>>()?;
        let witnesses = witnesses.iter().map(|key| WitnessKey::parse(key)).collect::<Result<_, _>>()?;
        Ok(Self { logs, witnesses })
    }

    /// What a row of the database says. Without a key of the log it is taken at its word.
    pub(crate) fn open_stored(&self, note: &str) -> Result<Claim, Error> {
        self.open(note, false, self.logs.is_empty())
    }

    /// What a note from outside says. Without any key it is taken at its word.
    pub(crate) fn open_kept(&self, note: &str) -> Result<Claim, Error> {
        self.open(note, true, self.logs.is_empty() && self.witnesses.is_empty())
    }

    fn open(&self, note: &str, is_kept: bool, unproven: bool) -> Result<Claim, Error> {
        let (origin, head) = read_checkpoint(note)?;
        let cosigned = self.witnesses.iter().filter_map(|key| Some((key.name().to_owned(), key.time_of(note)?)));
        let (witnesses, times): (Vec<_>, Vec<_>) = cosigned.unzip();
        let mut why = BadNote::NotSigned("these keys".to_owned());
        for verifier in &self.logs {
            match verifier.open(note) {
                Ok(opened) => return Ok(Claim { head, is_kept, signed_at: opened.signed_at, witnesses }),
                Err(error) => why = error,
            }
        }
        // A witness has checked the log's signature; which deployment it was of stands in the note.
        let is_ours = self.logs.is_empty() || self.logs.iter().any(|verifier| verifier.origin() == origin);
        if unproven || (is_ours && !witnesses.is_empty()) {
            return Ok(Claim { head, is_kept, signed_at: times.into_iter().min(), witnesses });
        }
        Err(why.into())
    }
}

/// What was brought along to hold a log against.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub keys: Keys,
    pub kept: Vec<Claim>,
    pub epochs: BTreeMap<i32, Vec<Epoch>>,
    /// Statements in the database without a valid signature.
    pub disregarded: u64,
    pub faults: Vec<Fault>,
}

/// What a claim means for the log as it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// The log must have passed through this head.
    Holds,
    /// The log may differ: this epoch began from an earlier size.
    Superseded(u32),
    /// No epoch explains it.
    Unexplained(String),
}

impl Evidence {
    /// `kept` are files, each of one note or more; `stored` are the openings of epochs in the database.
    pub fn new(keys: Keys, kept: &[String], stored: &[String]) -> Self {
        let mut evidence = Self { keys, ..Self::default() };
        let mut openings = Vec::new();
        for (n, note) in kept.iter().flat_map(|text| notes_in(text)).enumerate() {
            let opened = match Epoch::is_one(&note) {
                true => Epoch::open(&note, &evidence.keys.logs).map(|epoch| openings.push(epoch)).map_err(Error::from),
                false => evidence.keys.open_kept(&note).map(|claim| evidence.kept.push(claim)),
            };
            if let Err(error) = opened {
                evidence.faults.push(Fault::Kept { number: n + 1, why: error.to_string() });
            }
        }
        for note in stored {
            match Epoch::open(note, &evidence.keys.logs) {
                Ok(epoch) => openings.push(epoch),
                Err(_) => evidence.disregarded += 1,
            }
        }
        openings.sort();
        openings.dedup();
        for epoch in openings {
            let known = evidence.epochs.entry(epoch.log).or_default();
            let next = known.len() as u32 + 1;
            if epoch.epoch != next {
                let why = format!("its opening is signed, and that of epoch {next} is not here or there are two");
                evidence.faults.push(Fault::Epoch { log: epoch.log, epoch: epoch.epoch, why });
            } else {
                known.push(epoch);
            }
        }
        evidence
    }

    /// The openings of a log's epochs, from the first.
    pub fn epochs(&self, log: i32) -> &[Epoch] {
        self.epochs.get(&log).map_or(&[], Vec::as_slice)
    }
}

/// What a head means once these epochs were opened, which are numbered from 1.
pub(crate) fn place(head: &Head, epochs: &[Epoch]) -> Placed {
    let Some(later) = epochs.get(head.epoch as usize..) else {
        return Placed::Unexplained(format!("it is of epoch {}, whose opening is not here", head.epoch));
    };
    let Some(next) = later.iter().find(|epoch| head.size > epoch.from.0) else { return Placed::Holds };
    let (size, root) = &next.old;
    if head.size > *size {
        return Placed::Unexplained(format!("epoch {} was opened as if {size} entries had been signed", next.epoch));
    }
    if head.size == *size && head.root != *root {
        return Placed::Unexplained(format!("epoch {} names another root of this size", next.epoch));
    }
    Placed::Superseded(next.epoch)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use audit_log::{Cosigner, Signer, signed_text};

    fn signer(seed: u8) -> Signer {
        Signer::new("bank.example/audit", &[seed; 32]).unwrap()
    }

    fn head(epoch: u32, size: u64) -> Head {
        Head { log: 0, epoch, size, root: [size as u8; 32] }
    }

    fn epoch(number: u32, old: u64, from: u64) -> Epoch {
        let note = signer(1).sign(&head(number - 1, old), 5);
        let (old, from) = ((old, [old as u8; 32]), (from, [from as u8; 32]));
        Epoch { log: 0, epoch: number, old, from, at: 9, by: "ops".to_owned(), why: "restore".to_owned(), note }
    }

    #[test]
    fn a_note_is_believed_for_its_signatures() {
        let witness = Cosigner::new("w.example", &[7; 32]).unwrap();
        let note = signer(1).sign(&head(0, 9), 5);
        let cosigned = format!("{note}{}", witness.line(signed_text(&note).unwrap(), 6));
        let (own, other) = (signer(1).verifier_key(), signer(2).verifier_key());
        let keys = |logs: &[&String], witnesses: &[String]| {
            Keys::parse(&logs.iter().map(|key| (*key).clone()).collect::<Vec<_>>(), witnesses).unwrap()
        };
        let seen = [witness.verifier_key()];
        // Keys of the log, of witnesses; note; as a row, as a kept note: when it was signed, or not believed.
        for (logs, witnesses, note, stored, kept) in [
            (&[][..], &[][..], &note, Some(None), Some(None)),
            (&[&own], &[], &note, Some(Some(5)), Some(Some(5))),
            (&[&other, &own], &[], &note, Some(Some(5)), Some(Some(5))),
            (&[&other], &[], &note, None, None),
            (&[], &seen, &note, Some(None), None),
            (&[], &seen, &cosigned, Some(Some(6)), Some(Some(6))),
            (&[&other], &seen, &cosigned, Some(Some(6)), Some(Some(6))),
        ] {
            let keys = keys(logs, witnesses);
            assert_eq!(keys.open_stored(note).ok().map(|claim| claim.signed_at), stored, "{keys:?}");
            assert_eq!(keys.open_kept(note).ok().map(|claim| claim.signed_at), kept, "{keys:?}");
        }
        let elsewhere = [Signer::new("other.example", &[1; 32]).unwrap().verifier_key()];
        let keys = Keys::parse(&elsewhere, &seen).unwrap();
        assert!(keys.open_kept(&cosigned).is_err(), "the witness saw another deployment");
    }

    #[test]
    fn an_epoch_lets_a_log_differ_from_what_it_names_and_no_further() {
        let two = [epoch(1, 20, 10), epoch(2, 40, 8)];
        for (epochs, of, size, expected) in [
            (&two[..0], 0, 99, Placed::Holds),
            (&two[..1], 0, 10, Placed::Holds),
            (&two[..1], 0, 11, Placed::Superseded(1)),
            (&two[..1], 0, 20, Placed::Superseded(1)),
            (&two[..1], 1, 99, Placed::Holds),
            (&two[..], 0, 8, Placed::Holds),
            (&two[..], 0, 9, Placed::Superseded(2)),
            (&two[..], 1, 40, Placed::Superseded(2)),
            (&two[..], 2, 99, Placed::Holds),
        ] {
            assert_eq!(place(&head(of, size), epochs), expected, "{size} of epoch {of}");
        }
        for unexplained in [head(0, 21), head(2, 1), Head { root: [0; 32], ..head(0, 20) }] {
            assert!(matches!(place(&unexplained, &two[..1]), Placed::Unexplained(_)), "{unexplained:?}");
        }
    }

    #[test]
    fn openings_count_when_they_are_signed_and_in_order() {
        let keys = || Keys::parse(&[signer(1).verifier_key()], &[]).unwrap();
        let [first, second, other] =
            [epoch(1, 20, 10), epoch(2, 40, 8), epoch(1, 20, 9)].map(|epoch| epoch.sign(&signer(1)).unwrap());
        let forged = epoch(1, 20, 10).sign(&signer(2)).unwrap();
        let of = |kept: &[String], stored: &[String]| {
            let evidence = Evidence::new(keys(), kept, stored);
            (evidence.epochs(0).len(), evidence.faults.len(), evidence.disregarded)
        };
        assert_eq!(of(&[first.clone() + &second], std::slice::from_ref(&first)), (2, 0, 0));
        assert_eq!(of(&[], &[forged.clone(), first.clone()]), (1, 0, 1), "a junk row");
        assert_eq!(of(&[forged], &[]), (0, 1, 0), "a junk file is a fault of what was brought");
        assert_eq!(of(&[], &[second]), (0, 1, 0));
        assert_eq!(of(&[], &[first, other]), (1, 1, 0));
        let kept = signer(1).sign(&head(0, 9), 5) + &signer(1).sign(&head(0, 10), 6);
        assert_eq!(Evidence::new(keys(), &[kept], &[]).kept.len(), 2);
    }
}
