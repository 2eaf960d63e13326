//! PURE. Checkpoints: the head of a log as a signed note (C2SP signed-note and tlog-checkpoint), Ed25519. Whoever has kept
//! one can show that the log was cut or rewritten since.

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
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Signs heads under one name.
#[derive(Clone)]
pub struct Signer {
    origin: String,
    key: SigningKey,
}

/// Checks notes of one signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    origin: String,
    key: VerifyingKey,
}

impl Signer {
    /// `origin` names the deployment; a log's own line is `origin/<log>`.
    ///
    /// # Errors
    /// [`Error::Config`] for an origin that is empty or holds a space, a plus sign or a control character.
    pub fn new(origin: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        check_origin(origin)?;
        Ok(Self { origin: origin.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// What to give to those who check: `name+key id+key`, the form of C2SP verifier keys.
    pub fn verifier_key(&self) -> String {
        let public = self.key.verifying_key();
        let id = hex::encode(key_id(&self.origin, &public));
        format!("{}+{id}+{}", self.origin, BASE64.encode([&[ED25519], &public.to_bytes()[..]].concat()))
    }

    /// The signed note of a head.
    pub fn sign(&self, head: &Head) -> String {
        let text = format!("{}/{}\n{}\n{}\n", self.origin, head.log, head.size, BASE64.encode(head.root));
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let id = key_id(&self.origin, &self.key.verifying_key());
        format!("{text}\n{DASH}{} {}\n", self.origin, BASE64.encode([&id[..], &signature].concat()))
    }
}

impl NoteVerifier {
    /// Reads `name+key id+key`.
    ///
    /// # Errors
    /// [`Error::Note`] when it is no such key, or the id is not that of the key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = || Error::Note("a verifier key is name+id+key".to_owned());
        let (origin, rest) = text.trim().split_once('+').ok_or_else(bad)?;
        let (id, key) = rest.split_once('+').ok_or_else(bad)?;
        check_origin(origin).map_err(|_| bad())?;
        let bytes = BASE64.decode(key).map_err(|_| bad())?;
        let (kind, public) = bytes.split_first().ok_or_else(bad)?;
        let public: [u8; 32] = public.try_into().map_err(|_| bad())?;
        let key = VerifyingKey::from_bytes(&public).map_err(|_| bad())?;
        let genuine = *kind == ED25519 && hex::encode(key_id(origin, &key)) == id;
        genuine.then(|| Self { origin: origin.to_owned(), key }).ok_or_else(bad)
    }

    /// The head that a note speaks of, if this signer signed it.
    ///
    /// # Errors
    /// [`Error::Note`] says what does not hold.
    pub fn open(&self, note: &str) -> Result<Head, Error> {
        let head = read(note)?;
        if head.0 != self.origin {
            return Err(Error::Note(format!("the note is of {}, not of {}", head.0, self.origin)));
        }
        let (text, signatures) = split(note)?;
        let prefix = format!("{DASH}{} ", self.origin);
        let id = key_id(&self.origin, &self.key);
        let ours =
            signatures.lines().filter_map(|line| line.strip_prefix(&prefix)).filter_map(|b| BASE64.decode(b).ok());
        let mut signed =
            ours.filter_map(|bytes| bytes.strip_prefix(&id[..]).and_then(|s| Signature::from_slice(s).ok()));
        match signed.any(|signature| self.key.verify(text.as_bytes(), &signature).is_ok()) {
            true => Ok(head.1),
            false => Err(Error::Note("no valid signature of this key".to_owned())),
        }
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
    let log = log.parse().map_err(|_| bad("log"))?;
    let size = lines.next().and_then(|line| line.parse().ok()).ok_or_else(|| bad("size"))?;
    let root = lines.next().and_then(|line| BASE64.decode(line).ok()).and_then(|root| root.try_into().ok());
    Ok((origin.to_owned(), Head { log, size, root: root.ok_or_else(|| bad("root"))? }))
}

/// The signed text with its last newline, and the signature lines.
fn split(note: &str) -> Result<(&str, &str), Error> {
    let at = note.rfind("\n\n").ok_or_else(|| Error::Note("no signatures".to_owned()))?;
    Ok((&note[..=at], &note[at + 2..]))
}

fn key_id(origin: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash =
        Sha256::new().chain_update(origin).chain_update([b'\n', ED25519]).chain_update(key.to_bytes()).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn check_origin(origin: &str) -> Result<(), Error> {
    let fits = !origin.is_empty() && !origin.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
    fits.then_some(()).ok_or_else(|| Error::Config("checkpoint_origin: no spaces, no plus signs".to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HEAD: Head = Head { log: 2, size: 77, root: [5; 32] };

    #[test]
    fn a_note_opens_for_its_own_key_only() {
        let signer = Signer::new("bank.example/audit", &[1; 32]).unwrap();
        let verifier = NoteVerifier::parse(&signer.verifier_key()).unwrap();
        let note = signer.sign(&HEAD);
        assert_eq!(verifier.open(&note).unwrap(), HEAD);
        assert_eq!(read(&note).unwrap(), ("bank.example/audit".to_owned(), HEAD));

        let other = Signer::new("bank.example/audit", &[2; 32]).unwrap();
        let renamed = Signer::new("other.example/audit", &[1; 32]).unwrap();
        for forged in [
            other.sign(&HEAD),
            renamed.sign(&HEAD),
            note.replacen("77", "78", 1),
            note.replace("audit/2", "audit/3"),
            note.replace("\n\n", "\n"),
            String::new(),
        ] {
            assert!(verifier.open(&forged).is_err(), "{forged}");
        }
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
        let note = Signer::new("a.example", &[1; 32]).unwrap().sign(&HEAD);
        let lines: Vec<_> = note.lines().collect();
        assert_eq!(lines[..4], ["a.example/2", "77", "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=", ""]);
        assert!(lines[4].starts_with("\u{2014} a.example "));
    }
}
