//! `house.json`: what a later process needs to find a stack again, on the same ports, and to stop it. Readable by its
//! owner only, because it holds the way into the database. Also where random secrets come from.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::process::Identity;
use crate::{LocalError, kafka, postgres};

/// Lengths are chosen so that this alphabet gives well over 100 bits, and nothing in it needs quoting anywhere.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// One stack as last started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// Outlives the process that started it.
    pub kept: bool,
    pub broker: Option<BrokerState>,
    pub database: Option<DatabaseState>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BrokerState {
    pub bootstrap: String,
    pub process: Identity,
    pub ports: kafka::Ports,
    pub plan: kafka::Plan,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DatabaseState {
    pub database_url: String,
    pub process: Identity,
    pub port: u16,
    pub plan: postgres::Plan,
}

impl State {
    /// `None` if no stack was ever started there, or the file is not one of ours: then nothing is known of it.
    pub(crate) fn read(data_dir: &Path) -> Option<State> {
        serde_json::from_slice(&fs::read(path(data_dir)).ok()?).ok()
    }

    /// Replaces the file in one step: a reader sees the old state or the new one.
    pub(crate) fn write(&self, data_dir: &Path) -> Result<(), LocalError> {
        let path = path(data_dir);
        let fresh = path.with_extension("json.new");
        serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|text| write_private(&fresh, &text))
            .and_then(|()| fs::rename(&fresh, &path))
            .map_err(LocalError::io(|| format!("writing {}", path.display())))
    }

    /// True while any of its servers is alive.
    pub(crate) fn runs(&self) -> bool {
        let broker = self.broker.as_ref().map(|broker| broker.process);
        let database = self.database.as_ref().map(|database| database.process);
        broker.into_iter().chain(database).any(Identity::runs)
    }
}

/// A file that only its owner can read, from its first byte on, also where an older one of that name was open to others.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)
}

/// Letters and digits from the system's random source.
pub(crate) fn random_text(length: usize) -> Result<String, LocalError> {
    let mut bytes = vec![0; length];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(LocalError::io(|| "reading random bytes"))?;
    Ok(bytes.into_iter().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect())
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("house.json")
}
