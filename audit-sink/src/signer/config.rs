//! The knobs of audit-signer.

use crate::config::Config;
use crate::error::Error;
use audit_log::{NoteVerifier, Signer, WitnessKey};
use runtime::config::Secret;
use runtime::kafka::KafkaConfig;
use serde::{Deserialize, Serialize};

/// Section `[audit-signer]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignerConfig {
    /// First line of checkpoints and name of their key: a domain and path that no other log uses.
    pub origin: String,
    /// Ed25519 seed that signs checkpoints: 64 hexadecimal digits. Secret; without it nothing is signed. Whoever writes the log should not
    /// have it.
    pub key: Secret,
    /// Connection of the signer, with a login in role `defaultx_signer` and in no other; `[database.logins.audit-signer]` wins over that
    /// login. Secret; empty asks `[database]`.
    pub database_url: Secret,
    /// Verifier keys (`name+id+key`) that signed before this one, so that their notes still count.
    pub former_keys: Vec<String>,
    /// Seconds between checkpoints while a log grows: so long the newest entries are under none. 0 makes none.
    pub interval_s: u64,
    /// Seconds between walks over the whole log. 0 walks never; `defaultx audit verify` does at any time.
    pub verify_interval_s: u64,
    /// Seconds between samples: a part of the newest entries and a part of all of them, held against the projections. 0 takes none; walks hold
    /// all of them.
    pub sample_interval_s: u64,
    /// Entries of a part.
    pub sample_entries: u64,
    /// Directory that keeps every note, out of the database's reach: what was signed, also when the database is a restored one. Empty:
    /// only the database remembers, and a log that was set back is signed as if it had always been so.
    pub notes_dir: String,
    /// Milliseconds that a witness or a time-stamping authority may take.
    pub witness_timeout_ms: u64,
    /// Where a time-stamping authority (RFC 3161) answers over HTTP; its answers are kept in `notes_dir`. Empty: none.
    pub timestamp_url: String,
    /// Seconds between time stamps while a log grows.
    pub timestamp_interval_s: u64,
    /// Who cosigns (C2SP tlog-witness).
    pub witnesses: Vec<WitnessConfig>,
    /// Another cluster that gets the notes too, on `credit.checkpoints.v1` under its own prefix: the knobs of `[kafka]`. Without
    /// `bootstrap`, none.
    pub cluster: KafkaConfig,
}

/// A witness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WitnessConfig {
    /// Where `add-checkpoint` is, without it: `https://witness.example`.
    pub url: String,
    /// Its verifier key (`name+id+key`, type 4), as `defaultx audit witness` prints it.
    pub key: String,
}

impl Default for SignerConfig {
    fn default() -> Self {
        Self {
            origin: "defaultx.invalid/audit".to_owned(),
            key: Secret::default(),
            database_url: Secret::default(),
            former_keys: Vec::new(),
            interval_s: 10,
            verify_interval_s: 3600,
            sample_interval_s: 10,
            sample_entries: 256,
            notes_dir: String::new(),
            witness_timeout_ms: 5_000,
            timestamp_url: String::new(),
            timestamp_interval_s: 3600,
            witnesses: Vec::new(),
            cluster: KafkaConfig::default(),
        }
    }
}

impl SignerConfig {
    /// Takes over what a configuration of before ADR 34 says in `[audit-sink]`, where this section says nothing.
    pub fn take_former(&mut self, writer: &mut Config) {
        let default = Self::default();
        if self.key.is_empty() {
            self.key = writer.checkpoint_key.take().unwrap_or_default();
        }
        let places = [
            (&mut self.interval_s, default.interval_s, writer.checkpoint_interval_s.take()),
            (&mut self.verify_interval_s, default.verify_interval_s, writer.verify_interval_s.take()),
        ];
        for (place, unset, former) in places {
            *place = former.filter(|_| *place == unset).unwrap_or(*place);
        }
        let origin = writer.checkpoint_origin.take();
        self.origin = origin.filter(|_| self.origin == default.origin).unwrap_or_else(|| self.origin.clone());
        writer.checkpoint_key = None;
    }

    /// The signer of checkpoints; `None` when there is no key.
    ///
    /// # Errors
    /// [`Error::Config`] when the key is not 64 hexadecimal digits or the origin does not fit a note.
    pub fn signer(&self) -> Result<Option<Signer>, Error> {
        if self.key.is_empty() {
            return Ok(None);
        }
        let signer = Signer::new(&self.origin, &seed(self.key.expose()).ok_or_else(bad_key)?);
        signer.map(Some).map_err(|error| Error::Config(format!("[audit-signer] origin: {error}")))
    }

    /// Verifier keys of all signers, the present one first.
    ///
    /// # Errors
    /// As [`Self::signer`].
    pub fn verifier_keys(&self) -> Result<Vec<String>, Error> {
        let own = self.signer()?.map(|signer| signer.verifier_key());
        Ok(own.into_iter().chain(self.former_keys.iter().cloned()).collect())
    }

    /// Whether its keys and witnesses can be used.
    ///
    /// # Errors
    /// As [`Self::signer`]; [`Error::Note`] names a key that is none.
    pub fn check(&self) -> Result<(), Error> {
        self.verifiers()?;
        self.witnesses().map(drop)
    }

    /// Those keys, read.
    ///
    /// # Errors
    /// [`Error::Note`] names the one that is none.
    pub(crate) fn verifiers(&self) -> Result<Vec<NoteVerifier>, Error> {
        Ok(self.verifier_keys()?.iter().map(|key| NoteVerifier::parse(key)).collect::<Result<_, _>>()?)
    }

    /// The witnesses, each with its key.
    pub(crate) fn witnesses(&self) -> Result<Vec<(String, WitnessKey)>, Error> {
        let read = |witness: &WitnessConfig| Ok((witness.url.clone(), WitnessKey::parse(&witness.key)?));
        self.witnesses.iter().map(read).collect()
    }
}

/// A seed of 64 hexadecimal digits.
pub fn seed(text: &str) -> Option<[u8; 32]> {
    hex::decode(text.trim()).ok()?.try_into().ok()
}

fn bad_key() -> Error {
    Error::Config("[audit-signer] key must be 64 hexadecimal digits; `openssl rand -hex 32` makes one".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_of_before_signs_as_before() {
        let mut writer = Config {
            checkpoint_origin: Some("bank.example/audit".to_owned()),
            checkpoint_key: Some("03".repeat(32).into()),
            checkpoint_interval_s: Some(1),
            verify_interval_s: Some(0),
            ..Config::default()
        };
        let mut signer = SignerConfig { verify_interval_s: 7, ..SignerConfig::default() };
        signer.take_former(&mut writer);
        assert_eq!(writer, Config::default());
        assert_eq!((signer.interval_s, signer.verify_interval_s), (1, 7), "the new place wins");
        let key = Signer::new("bank.example/audit", &[3; 32]).unwrap().verifier_key();
        assert_eq!(signer.verifier_keys().unwrap(), [key]);
        assert!(SignerConfig { key: "03".into(), ..signer }.signer().is_err());
    }
}
