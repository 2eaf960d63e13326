//! What a witness says of a checkpoint (C2SP tlog-cosignature, Ed25519): that at a time this was the largest head it had seen
//! of the log, consistent with those before.

use crate::key::{NamedKey, check_name};
use crate::note::{BadNote, split};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};

/// Signature type of cosignatures in key ids.
const COSIGNATURE: u8 = 4;
/// Bytes of the time in front of a signature.
const TIME_BYTES: usize = 8;

/// Signs checkpoints of others, with the time.
#[derive(Clone)]
pub struct Cosigner {
    name: String,
    key: SigningKey,
}

impl Cosigner {
    /// `name` says who: a domain and path.
    ///
    /// # Errors
    /// [`BadNote::Name`] for a name that is empty or holds a space, a plus sign or a control character.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, BadNote> {
        check_name(name)?;
        Ok(Self::of_key(name, SigningKey::from_bytes(seed)))
    }

    pub(crate) fn of_key(name: &str, key: SigningKey) -> Self {
        Self { name: name.to_owned(), key }
    }

    /// What to give to those who check.
    pub fn verifier_key(&self) -> String {
        self.named_key().to_text()
    }

    /// The signature line under the text of a checkpoint; `at` in seconds since 1970.
    pub fn line(&self, text: &str, at: i64) -> String {
        let at = at.max(0);
        let signature = self.key.sign(message(text, at).as_bytes()).to_bytes();
        self.named_key().line(&[&at.to_be_bytes()[..], &signature].concat())
    }

    fn named_key(&self) -> NamedKey {
        NamedKey { name: self.name.clone(), kind: COSIGNATURE, key: self.key.verifying_key() }
    }
}

/// Checks cosignatures of one witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey(NamedKey);

impl WitnessKey {
    /// Reads `name+key id+key` of type 4.
    ///
    /// # Errors
    /// [`BadNote::Key`] when it is no such key.
    pub fn parse(text: &str) -> Result<Self, BadNote> {
        NamedKey::parse(text, COSIGNATURE).map(Self)
    }

    pub(crate) fn of_key(name: &str, key: VerifyingKey) -> Self {
        Self(NamedKey { name: name.to_owned(), kind: COSIGNATURE, key })
    }

    /// Who it is.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// When this witness signed a note, in seconds since 1970; the newest time where it did so more than once. `None` when it did not.
    pub fn time_of(&self, note: &str) -> Option<i64> {
        let (text, lines) = split(note).ok()?;
        let time = |bytes: Vec<u8>| {
            let (at, signature) = bytes.split_first_chunk::<TIME_BYTES>()?;
            let at = i64::from_be_bytes(*at);
            let signature = Signature::from_slice(signature).ok()?;
            (at >= 0 && self.0.key.verify(message(text, at).as_bytes(), &signature).is_ok()).then_some(at)
        };
        self.0.signatures(lines).filter_map(time).max()
    }
}

fn message(text: &str, at: i64) -> String {
    format!("cosignature/v1\ntime {at}\n{text}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::checkpoint::{Head, Signer};
    use crate::note::signed_text;

    #[test]
    fn a_cosignature_holds_for_its_witness_its_note_and_its_time() {
        let note = Signer::new("bank.example/audit", &[1; 32])
            .unwrap()
            .sign(&Head { log: 0, epoch: 0, size: 9, root: [5; 32] }, 7);
        let witness = Cosigner::new("witness.example/w1", &[2; 32]).unwrap();
        let key = WitnessKey::parse(&witness.verifier_key()).unwrap();
        let text = signed_text(&note).unwrap();
        let cosigned = format!("{note}{}{}", witness.line(text, 1_790_000_000), witness.line(text, 1_790_000_009));
        assert_eq!(key.time_of(&cosigned), Some(1_790_000_009));
        assert_eq!(key.time_of(&note), None);
        assert_eq!(key.time_of(&cosigned.replacen("\n9\n", "\n8\n", 1)), None);
        let other = Cosigner::new("witness.example/w1", &[3; 32]).unwrap();
        assert_eq!(WitnessKey::parse(&other.verifier_key()).unwrap().time_of(&cosigned), None);
        // A log's key is no witness's.
        assert!(WitnessKey::parse(&Signer::new("a.example", &[1; 32]).unwrap().verifier_key()).is_err());
    }

    /// The example of the specification: its key id and time.
    #[test]
    fn the_form_is_that_of_the_specification() {
        let witness = Cosigner::new("witness.example.com/w1", &[2; 32]).unwrap();
        let line = witness.line("example.com/behind-the-sofa\n1\nAA==\n", 1_679_315_147);
        assert!(line.starts_with("\u{2014} witness.example.com/w1 ") && line.ends_with('\n'));
        let bytes =
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, line.trim().rsplit(' ').next().unwrap());
        let bytes = bytes.unwrap();
        assert_eq!((bytes.len(), &bytes[4..12]), (76, &1_679_315_147i64.to_be_bytes()[..]));
    }
}
