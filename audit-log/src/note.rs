//! PURE. Checkpoints: the head of a log as a signed note (C2SP signed-note and tlog-checkpoint), Ed25519. Whoever has kept
//! one can show that the log was cut or rewritten since. Each note also carries a cosignature of the same key, which says when.

use crate::cosignature::{Cosigner, WitnessKey};
use crate::error::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use schemas::audit_tree::Hash;
use sha2::{Digest as _, Sha256};

/// Signature type of Ed25519 in key ids.
const ED25519: u8 = 1;
/// Starts a signature line: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// The head of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which log.
    pub log: i32,
    /// 0 until the log was first restored from a backup; see [`crate::statement::Epoch`].
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
pub struct Opened {
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
    /// [`Error::Config`] for an origin that is empty or holds a space, a plus sign or a control character.
    pub fn new(origin: &str, seed: &[u8; 32]) -> Result<Self, Error> {
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
    pub fn sign_text(&self, text: &str) -> String {
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
    /// [`Error::Note`] when it is no such key, or the id is not that of the key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        NamedKey::parse(text, ED25519).map(Self)
    }

    /// The deployment whose notes it checks.
    pub fn origin(&self) -> &str {
        &self.0.name
    }

    /// The head that a note speaks of, if this signer signed it.
    ///
    /// # Errors
    /// [`Error::Note`] says what does not hold.
    pub fn open(&self, note: &str) -> Result<Opened, Error> {
        let (origin, head) = read(note)?;
        if origin != self.0.name {
            return Err(Error::Note(format!("the note is of {origin}, not of {}", self.0.name)));
        }
        self.open_text(note)?;
        let signed_at = WitnessKey::of_key(&self.0.name, self.0.key).time_of(note);
        Ok(Opened { head, signed_at })
    }

    /// The text of a note, if this signer signed it.
    ///
    /// # Errors
    /// [`Error::Note`] says what does not hold.
    pub fn open_text<'n>(&self, note: &'n str) -> Result<&'n str, Error> {
        let (text, lines) = split(note)?;
        let is_signed = |bytes: Vec<u8>| {
            Signature::from_slice(&bytes).is_ok_and(|signature| self.0.key.verify(text.as_bytes(), &signature).is_ok())
        };
        let signed = self.0.signatures(lines).any(is_signed);
        signed.then_some(text).ok_or_else(|| Error::Note(format!("no valid signature of {}", self.0.name)))
    }
}

/// Origin and head that a note claims, without checking who signed it.
///
/// # Errors
/// [`Error::Note`] when it is no checkpoint.
pub fn read(note: &str) -> Result<(String, Head), Error> {
    let bad = |what: &str| Error::Note(format!("not a checkpoint: {what}"));
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

/// Decimal, without a sign or leading zeros; sizes fit the database's numbers.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| is_plain && *number <= i64::MAX as u64)
}

/// 32 bytes in base64.
pub(crate) fn hash_of(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// The notes of a text that holds one after another.
pub fn notes(text: &str) -> Vec<String> {
    let (mut notes, mut is_signed): (Vec<String>, bool) = (Vec::new(), true);
    for line in text.lines() {
        if line.is_empty() && is_signed {
            continue; // between two notes
        }
        let is_signature = line.starts_with(DASH);
        match notes.last_mut() {
            Some(note) if is_signature || !is_signed => note.extend([line, "\n"]),
            _ => notes.push(format!("{line}\n")),
        }
        is_signed = is_signature;
    }
    notes
}

/// The signed text with its last newline, and the signature lines.
pub(crate) fn split(note: &str) -> Result<(&str, &str), Error> {
    let at = note.rfind("\n\n").ok_or_else(|| Error::Note("no signatures".to_owned()))?;
    Ok((&note[..=at], &note[at + 2..]))
}

/// A public key under its name, for one kind of signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedKey {
    pub name: String,
    pub kind: u8,
    pub key: VerifyingKey,
}

impl NamedKey {
    /// Reads `name+key id+key` of a kind.
    pub fn parse(text: &str, kind: u8) -> Result<Self, Error> {
        let bad = || Error::Note(format!("{:?}: a verifier key is name+id+key, of type {kind}", text.trim()));
        let (name, rest) = text.trim().split_once('+').ok_or_else(bad)?;
        let (id, key) = rest.split_once('+').ok_or_else(bad)?;
        check_name(name).map_err(|_| bad())?;
        let bytes = BASE64.decode(key).map_err(|_| bad())?;
        let public =
            bytes.strip_prefix(&[kind]).and_then(|public| <[u8; 32]>::try_from(public).ok()).ok_or_else(bad)?;
        let key = VerifyingKey::from_bytes(&public).map_err(|_| bad())?;
        let named = Self { name: name.to_owned(), kind, key };
        (hex::encode(named.id()) == id).then_some(named).ok_or_else(bad)
    }

    pub fn to_text(&self) -> String {
        let key = BASE64.encode([&[self.kind], &self.key.to_bytes()[..]].concat());
        format!("{}+{}+{key}", self.name, hex::encode(self.id()))
    }

    /// What its signatures begin with.
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update([b'\n', self.kind]);
        let hash = hash.chain_update(self.key.to_bytes()).finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// A signature line, with its newline.
    pub fn line(&self, signature: &[u8]) -> String {
        format!("{DASH}{} {}\n", self.name, BASE64.encode([&self.id()[..], signature].concat()))
    }

    /// What lines of this key hold behind its id.
    pub fn signatures<'l>(&'l self, lines: &'l str) -> impl Iterator<Item = Vec<u8>> + 'l {
        let of_name = |line: &'l str| line.strip_prefix(DASH)?.strip_prefix(self.name.as_str())?.strip_prefix(' ');
        let decoded = lines.lines().filter_map(of_name).filter_map(|base64| BASE64.decode(base64).ok());
        decoded.filter_map(|bytes| bytes.strip_prefix(&self.id()[..]).map(<[u8]>::to_vec))
    }
}

/// Whether a name can stand in a verifier key.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let fits = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
    fits.then_some(()).ok_or_else(|| Error::Config(format!("{name:?} is no name of a key: no spaces, no plus signs")))
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
        assert_eq!(verifier.open(&note).unwrap(), Opened { head: HEAD, signed_at: Some(AT) });
        assert_eq!(read(&note).unwrap(), ("bank.example/audit".to_owned(), HEAD));
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
        assert_eq!(signer.verifier().open(&without).unwrap(), Opened { head: HEAD, signed_at: None });
    }

    #[test]
    fn a_verifier_key_with_another_name_is_refused() {
        let key = Signer::new("a.example", &[1; 32]).unwrap().verifier_key();
        assert!(NoteVerifier::parse(&key).is_ok());
        assert!(NoteVerifier::parse(&key.replace("a.example", "b.example")).is_err());
        assert!(Signer::new("two words", &[1; 32]).is_err());
    }

    #[test]
    fn the_form_of_a_note_never_moves() {
        let note = Signer::new("a.example", &[1; 32]).unwrap().sign(&HEAD, AT);
        let lines: Vec<_> = note.lines().collect();
        assert_eq!(lines[..4], ["a.example/2", "77", "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=", ""]);
        assert!(lines[4..].iter().all(|line| line.starts_with("\u{2014} a.example ")) && lines.len() == 6);
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
            assert!(read(&note.replacen(from, to, 1)).is_err(), "{to}");
        }
    }

    #[test]
    fn notes_stand_one_after_another() {
        let signer = Signer::new("a.example", &[1; 32]).unwrap();
        let (first, second) = (signer.sign(&HEAD, AT), signer.sign(&Head { size: 78, ..HEAD }, AT));
        for text in [format!("{first}{second}"), format!("\n{first}\n\n{second}\n")] {
            assert_eq!(notes(&text), [first.clone(), second.clone()], "{text:?}");
        }
        assert!(notes("").is_empty() && notes("\n").is_empty());
        assert_eq!(notes("junk"), ["junk\n"]);
    }
}
