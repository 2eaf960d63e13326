//! Checkpoints: the head of a log as a signed note (C2SP tlog-checkpoint), Ed25519. Whoever has kept one can show that the log was cut
//! or rewritten since. Each note also carries a cosignature of the same key, which says when.

use crate::cosignature::{Cosigner, WitnessKey};
use crate::key::{NamedKey, check_name};
use crate::note::{BadNote, hash_of, number, split};
use crate::tree::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _};

/// Signature type of Ed25519 in key ids.
const ED25519: u8 = 1;

/// The head of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which log.
    pub log: i32,
    /// 0 until the log was first restored from a backup; see [`crate::Epoch`].
    pub epoch: u32,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

impl Head {
    /// The first line of its notes. Each epoch is a log of its own to witnesses: no two heads under one line contradict each other.
    pub fn origin(&self, deployment: &str) -> String {
        match self.epoch {
            0 => format!("{deployment}/{}", self.log),
            epoch => format!("{deployment}/{}.{epoch}", self.log),
        }
    }
}

/// A head that somebody signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedHead {
    /// The head.
    pub head: Head,
    /// When it was signed, seconds since 1970. Absent in notes of before ADR 34.
    pub signed_at: Option<i64>,
}

/// Signs heads under one name.
#[derive(Clone)]
pub struct Signer {
    origin: String,
    key: SigningKey,
}

/// Checks notes of one signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteVerifier(NamedKey);

impl Signer {
    /// `origin` names the deployment; a log's own line is `origin/<log>`.
    ///
    /// # Errors
    /// [`BadNote::Name`] for an origin that is empty or holds a space, a plus sign or a control character.
    pub fn new(origin: &str, seed: &[u8; 32]) -> Result<Self, BadNote> {
        check_name(origin)?;
        Ok(Self { origin: origin.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// The deployment's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What to give to those who check: `name+key id+key`, the form of C2SP verifier keys.
    pub fn verifier_key(&self) -> String {
        self.named_key().to_text()
    }

    /// Checks what this signer signs.
    pub fn verifier(&self) -> NoteVerifier {
        NoteVerifier(self.named_key())
    }

    /// The signed note of a head; `at` is the time of signing, seconds since 1970.
    pub fn sign(&self, head: &Head, at: i64) -> String {
        let text = format!("{}\n{}\n{}\n", head.origin(&self.origin), head.size, BASE64.encode(head.root));
        let when = Cosigner::of_key(&self.origin, self.key.clone()).line(&text, at);
        self.sign_text(&text) + &when
    }

    /// A text of lines, the last with its newline, as a signed note.
    pub(crate) fn sign_text(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        format!("{text}\n{}", self.named_key().line(&signature))
    }

    fn named_key(&self) -> NamedKey {
        NamedKey { name: self.origin.clone(), kind: ED25519, key: self.key.verifying_key() }
    }
}

impl NoteVerifier {
    /// Reads `name+key id+key`.
    ///
    /// # Errors
    /// [`BadNote`] when it is no such key, or the id is not that of the key.
    pub fn parse(text: &str) -> Result<Self, BadNote> {
        NamedKey::parse(text, ED25519).map(Self)
    }

    /// The deployment whose notes it checks.
    pub fn origin(&self) -> &str {
        &self.0.name
    }

    /// The head that a note speaks of, if this signer signed it.
    ///
    /// # Errors
    /// [`BadNote`] says what does not hold.
    pub fn open(&self, note: &str) -> Result<SignedHead, BadNote> {
        let (origin, head) = read_checkpoint(note)?;
        if origin != self.0.name {
            return Err(BadNote::Origin { found: origin, wanted: self.0.name.clone() });
        }
        self.open_text(note)?;
        let signed_at = WitnessKey::of_key(&self.0.name, self.0.key).time_of(note);
        Ok(SignedHead { head, signed_at })
    }

    /// The text of a note, if this signer signed it.
    ///
    /// # Errors
    /// [`BadNote`] says what does not hold.
    pub(crate) fn open_text<'n>(&self, note: &'n str) -> Result<&'n str, BadNote> {
        let (text, lines) = split(note)?;
        let is_signed = |bytes: Vec<u8>| {
            Signature::from_slice(&bytes).is_ok_and(|signature| self.0.key.verify(text.as_bytes(), &signature).is_ok())
        };
        let signed = self.0.signatures(lines).any(is_signed);
        signed.then_some(text).ok_or_else(|| BadNote::NotSigned(self.0.name.clone()))
    }
}

/// Origin and head that a note claims, without checking who signed it.
///
/// # Errors
/// [`BadNote`] when it is no checkpoint.
pub fn read_checkpoint(note: &str) -> Result<(String, Head), BadNote> {
    let bad = |what: &'static str| BadNote::Checkpoint(what);
    let (text, _) = split(note)?;
    let mut lines = text.lines();
    let (origin, log) = lines.next().and_then(|line| line.rsplit_once('/')).ok_or_else(|| bad("origin"))?;
    let (log, epoch) = log.split_once('.').unwrap_or((log, "0"));
    let log = number(log).and_then(|log| i32::try_from(log).ok()).ok_or_else(|| bad("log"))?;
    let epoch = number(epoch).and_then(|epoch| u32::try_from(epoch).ok()).ok_or_else(|| bad("epoch"))?;
    let size = lines.next().and_then(number).ok_or_else(|| bad("size"))?;
    let root = lines.next().and_then(hash_of).ok_or_else(|| bad("root"))?;
    Ok((origin.to_owned(), Head { log, epoch, size, root }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HEAD: Head = Head { log: 2, epoch: 0, size: 77, root: [5; 32] };
    const AT: i64 = 1_790_000_000;

    #[test]
    fn a_note_opens_for_its_own_key_only() {
        let signer = Signer::new("bank.example/audit", &[1; 32]).unwrap();
        let verifier = NoteVerifier::parse(&signer.verifier_key()).unwrap();
        let note = signer.sign(&HEAD, AT);
        assert_eq!(verifier.open(&note).unwrap(), SignedHead { head: HEAD, signed_at: Some(AT) });
        assert_eq!(read_checkpoint(&note).unwrap(), ("bank.example/audit".to_owned(), HEAD));
        let later = Head { epoch: 3, ..HEAD };
        assert_eq!(verifier.open(&signer.sign(&later, AT)).unwrap().head, later);

        let other = Signer::new("bank.example/audit", &[2; 32]).unwrap();
        let renamed = Signer::new("other.example/audit", &[1; 32]).unwrap();
        for forged in [
            other.sign(&HEAD, AT),
            renamed.sign(&HEAD, AT),
            note.replacen("77", "78", 1),
            note.replace("audit/2", "audit/3"),
            note.replace("audit/2", "audit/2.1"),
            note.replace("\n\n", "\n"),
            String::new(),
        ] {
            assert!(verifier.open(&forged).is_err(), "{forged}");
        }
    }

    /// Logs of before have notes with one signature and no time.
    #[test]
    fn a_note_without_a_time_is_a_note() {
        let signer = Signer::new("bank.example/audit", &[1; 32]).unwrap();
        let note = signer.sign(&HEAD, AT);
        let without: String = note.lines().take(5).map(|line| format!("{line}\n")).collect();
        assert_eq!(signer.verifier().open(&without).unwrap(), SignedHead { head: HEAD, signed_at: None });
    }

    /// Made with another implementation of Ed25519, out of the seed.
    #[test]
    fn the_form_of_a_note_never_moves() {
        let signer = Signer::new("a.example", &[1; 32]).unwrap();
        assert_eq!(signer.verifier_key(), "a.example+8edbb852+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c");
        let note = [
            "a.example/2",
            "77",
            "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=",
            "",
            "\u{2014} a.example jtu4UiDVRsZYFQXvqAZJo3QjysTFeHJhxOss1rhn+Hehit5UvI2hnVOoFDeGyrfR9Wp53c7JxtMkhpLjP/cUeJJBiAY=",
            "\u{2014} a.example CcjPOQAAAABqsTuAcLKJ23/9A8r3kViK57l2t34BlCoFneEbUkfUgdbTowcImy0HY8rAGT2H3tbY1mfRzlu6YIuRXYn+8tTxj9BWAQ==",
            "",
        ];
        assert_eq!(signer.sign(&HEAD, AT), note.join("\n"));
    }

    #[test]
    fn heads_are_written_in_one_way() {
        let note = Signer::new("a.example", &[1; 32]).unwrap().sign(&HEAD, AT);
        for (from, to) in [
            ("/2\n77", "/02\n77"),
            ("/2\n77", "/+2\n77"),
            ("/2\n77", "/2.00\n77"),
            ("/2\n77", "/2\n077"),
            ("/2\n", "/-2\n"),
        ] {
            assert!(read_checkpoint(&note.replacen(from, to, 1)).is_err(), "{to}");
        }
    }

    #[test]
    fn what_does_not_hold_of_a_note_is_named() {
        let (signer, other) =
            (Signer::new("a.example", &[1; 32]).unwrap(), Signer::new("b.example", &[1; 32]).unwrap());
        let note = signer.sign(&HEAD, AT);
        let opened = |note: &str| signer.verifier().open(note).err().map(|error| error.to_string());
        for (note, expected) in [
            (note.clone(), None),
            (other.sign(&HEAD, AT), Some("the note is of b.example, not of a.example")),
            (note.replacen("77", "78", 1), Some("no valid signature of a.example")),
            (note.replacen("77", "077", 1), Some("not a checkpoint: size")),
            (note.replacen("/2", "", 1), Some("not a checkpoint: origin")),
            (note.replacen("/2", "/x", 1), Some("not a checkpoint: log")),
            (note.replacen("/2", "/2.x", 1), Some("not a checkpoint: epoch")),
            (note.replacen("BQUF", "BQ", 1), Some("not a checkpoint: root")),
            ("a.example/2\n".to_owned(), Some("no signatures")),
        ] {
            assert_eq!(opened(&note).as_deref(), expected, "{note}");
        }
    }
}
