//! Where Kafka and PostgreSQL are: the user's own, or the local stack; and the keys that a local stack makes for itself. Starts
//! nothing on a cluster of the user's.

use crate::data_digest_key;
use crate::database;
use crate::settings::Settings;
use crate::topics::rights;
use anyhow::{Context, Result, bail};
use ingest::config::DEMO_DIGEST_KEY;
use local::{Found, Options, Stack};
use runtime::auth;
use runtime::config::Secret;
use runtime::kafka::{KafkaConfig, Login};
use schemas::rights::Principal;
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Where a stack keeps its keys.
const KEYS: &str = "keys.json";

/// Secrets of a stack on one machine, made when it is first started.
#[derive(Clone, Serialize, Deserialize)]
pub struct Keys {
    /// Signs tokens, PEM.
    pub token_private: String,
    /// Checks tokens, PEM.
    pub token_public: String,
    /// Keyed digests of the audit log, hexadecimal.
    pub digest_key: String,
    /// Seed of the key that signs checkpoints, hexadecimal.
    pub checkpoint_key: String,
    /// Of webhooks, base64 behind `whsec_`.
    pub webhook_secret: String,
    /// Of the digests of bodies, as `[ingest] digest_key` has it. In a file of its own: a stack of before has none.
    #[serde(skip)]
    pub data_digest_key: String,
    /// Makes pseudonyms, `key_id:hexadecimal`. A stack that was made before there was one goes on with the demonstration's: its customers
    /// would become other subjects.
    #[serde(default)]
    pub subject_key: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(***)")
    }
}

impl Keys {
    /// The keys in `dir`, made if there are none.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn of(dir: &Path) -> Result<Self> {
        let path = dir.join(KEYS);
        if let Ok(text) = fs::read(&path) {
            let keys: Self =
                serde_json::from_slice(&text).with_context(|| format!("{} is not ours", path.display()))?;
            return Ok(Self { data_digest_key: data_digest_key::of(dir)?, ..keys });
        }
        let (token_private, token_public) = auth::generate()?;
        let keys = Self {
            token_private,
            token_public,
            digest_key: hex::encode(rand::random::<[u8; 32]>()),
            checkpoint_key: hex::encode(rand::random::<[u8; 32]>()),
            webhook_secret: format!("whsec_{}", base64_of(&rand::random::<[u8; 32]>())),
            data_digest_key: data_digest_key::of(dir)?,
            subject_key: Some(format!("house-1:{}", hex::encode(rand::random::<[u8; 32]>()))),
        };
        fs::create_dir_all(dir)?;
        let mut file = fs::File::options().create_new(true).write(true).mode(0o600).open(&path)?;
        std::io::Write::write_all(&mut file, &serde_json::to_vec_pretty(&keys)?)?;
        Ok(keys)
    }

    /// Fills in what the configuration leaves open; what it says stands.
    pub fn fill(&self, settings: &mut Settings) {
        let audit = &mut settings.audit_sink;
        if audit.digest_key.is_empty() {
            audit.digest_key = self.digest_key.as_str().into();
        }
        if settings.audit_signer.key.is_empty() {
            settings.audit_signer.key = self.checkpoint_key.as_str().into();
        }
        if settings.ingest.digest_key.expose() == DEMO_DIGEST_KEY {
            settings.ingest.digest_key = self.data_digest_key.as_str().into();
        }
        for key in [&mut settings.read_api.token_key, &mut settings.ingest.door_token_key] {
            if key.is_empty() {
                key.clone_from(&self.token_public);
            }
        }
        let ingest = &mut settings.ingest;
        match &self.subject_key {
            _ if ingest.allow_demonstration_key => {}
            None => ingest.allow_demonstration_key = true,
            Some(key) => {
                let known = ingest.subject_keys.values_mut().filter(|key| key.expose() == ingest::config::DEMO_KEY);
                known.for_each(|known| *known = key.as_str().into());
            }
        }
    }
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Which servers a command talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    kafka: bool,
    database: bool,
}

impl Needs {
    /// Kafka alone.
    pub(crate) const KAFKA: Self = Self { kafka: true, database: false };
    /// PostgreSQL alone.
    pub const DATABASE: Self = Self { kafka: false, database: true };

    /// Either or both.
    pub fn of(kafka: bool, database: bool) -> Self {
        Self { kafka, database }
    }
}

/// Points the settings at the running local stack wherever they name no server of the user's.
///
/// # Errors
/// When neither is there, with what to type.
pub fn settle(settings: &mut Settings, stack_dir: &Path, needs: Needs) -> Result<()> {
    let lacks_kafka = needs.kafka && settings.kafka.bootstrap.is_empty();
    let lacks_database = needs.database && settings.database.url.is_empty();
    if !lacks_kafka && !lacks_database {
        return if needs.kafka { Ok(settings.kafka.check_plaintext()?) } else { Ok(()) };
    }
    let missing = if lacks_kafka { "--kafka HOST:PORT" } else { "--database URL" };
    let Ok(stack) = Stack::attach(stack_dir) else {
        bail!(
            "no servers: none run in {} (--stack, looked for in the current folder unless it begins with /); start them on this machine \
             with `defaultx up`, or name yours with {missing}",
            stack_dir.display()
        );
    };
    // A server of it may have ended. Its other one is no reason to be silent about that, or to start anew.
    let lacking = [
        (lacks_kafka && stack.bootstrap().is_empty(), "Kafka", "--kafka HOST:PORT"),
        (lacks_database && stack.database_url().is_empty(), "PostgreSQL", "--database URL"),
    ];
    if let Some((_, name, flag)) = lacking.into_iter().find(|(lacks, ..)| *lacks) {
        bail!(
            "{name} of the stack in {} does not run: `defaultx up` starts it and leaves the rest alone; or name yours with {flag}",
            stack_dir.display()
        );
    }
    let is_of_stack = settings.database.url.is_empty();
    point(settings, &stack);
    if is_of_stack {
        database::take_logins(&mut settings.database, stack_dir)?;
    }
    Keys::of(stack_dir)?.fill(settings);
    keep_notes(settings, stack_dir);
    Ok(settings.kafka.check_plaintext()?)
}

/// Fills in the keys of a stack on this machine, where one was made and the settings leave a server to it. Starts nothing, and asks
/// nobody whether it runs.
///
/// # Errors
/// When its file cannot be read.
pub(crate) fn fill_in(settings: &mut Settings, stack_dir: &Path) -> Result<()> {
    let leaves_open = settings.kafka.bootstrap.is_empty() || settings.database.url.is_empty();
    if leaves_open && stack_dir.join(KEYS).is_file() {
        Keys::of(stack_dir)?.fill(settings);
    }
    Ok(())
}

/// Gives the signer of a local stack its memory, where the configuration names none.
pub(crate) fn keep_notes(settings: &mut Settings, stack_dir: &Path) {
    let notes = &mut settings.audit_signer.notes_dir;
    if notes.is_empty() {
        *notes = stack_dir.join("audit-notes").display().to_string();
    }
}

/// Names a stack's servers in the settings, where they name none.
pub fn point(settings: &mut Settings, stack: &Stack) {
    if settings.kafka.bootstrap.is_empty() {
        stack.bootstrap().clone_into(&mut settings.kafka.bootstrap);
        settings.kafka.replication_factor = 1;
        log_in(&mut settings.kafka, stack);
    }
    if settings.database.url.is_empty() {
        settings.database.url = Secret::from(stack.database_url());
    }
}

/// Takes the logins of a stack: the one that may do everything for commands, and its own for each worker. One that is configured stands.
pub fn log_in(kafka: &mut KafkaConfig, stack: &Stack) {
    for (user, password) in stack.passwords() {
        let password = Some(Secret::from(password));
        if user == local::ADMIN {
            kafka.sasl_username.get_or_insert(user);
            kafka.sasl_password = kafka.sasl_password.take().or(password);
        } else {
            kafka.principals.entry(user).or_insert(Login { password, ..Login::default() });
        }
    }
}

/// Gives the workers of a stack their rights, where its broker asks for any; gives how many were added.
///
/// # Errors
/// When the broker refuses.
pub async fn give_rights(settings: &Settings, stack: &Stack) -> Result<usize> {
    if stack.passwords().is_empty() {
        return Ok(0);
    }
    let (kafka, senders) = (settings.kafka.clone(), settings.ingest.sender_topics());
    Ok(tokio::task::spawn_blocking(move || rights::apply(&kafka, &senders)).await??.added)
}

/// Users of a broker that is started here, one for each worker.
pub fn users() -> Vec<String> {
    let workers = Principal::ALL.into_iter().filter(|principal| *principal != Principal::Operator);
    workers.map(|principal| principal.name().to_owned()).collect()
}

/// Starts the servers that the settings do not name; `None` when they name both.
///
/// # Errors
/// Why a server did not start, with what to type.
pub(crate) fn start_stack(settings: &Settings, dir: &Path, install_packages: bool) -> Result<Option<Stack>> {
    Ok(options(settings, dir, install_packages).map(|options| Stack::start(&options)).transpose()?)
}

/// The same, but they stay: those that run already are found, and go on.
///
/// # Errors
/// Why a server did not start, with what to type.
pub(crate) fn lasting_stack(settings: &Settings, dir: &Path, install_packages: bool) -> Result<Option<(Stack, Found)>> {
    let options = options(settings, dir, install_packages).map(|options| Options {
        keep_running: true,
        thorough_compiler: true,
        ..options
    });
    Ok(options.map(|options| Stack::start_or_attach(&options)).transpose()?)
}

fn options(settings: &Settings, dir: &Path, install_packages: bool) -> Option<Options> {
    let (kafka, postgres) = (settings.kafka.bootstrap.is_empty(), settings.database.url.is_empty());
    // The broker's own topics need it as much as ours.
    let durable = settings.kafka.flush_every_record.then(|| ("log.flush.interval.messages".to_owned(), "1".to_owned()));
    let broker_properties = durable.into_iter().collect();
    let users = users();
    let options = Options { kafka, postgres, progress: true, broker_properties, users, ..Options::new(dir) };
    (kafka || postgres).then_some(Options { install_packages, ..options })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_given_way_to_configured_ones() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::of(dir.path()).unwrap();
        assert_eq!(Keys::of(dir.path()).unwrap().digest_key, keys.digest_key);
        let mut settings = Settings::default();
        settings.audit_sink.digest_key = "own".into();
        keys.fill(&mut settings);
        assert_eq!(settings.audit_sink.digest_key.expose(), "own");
        assert_eq!(settings.read_api.token_key, keys.token_public);
        assert_eq!(settings.ingest.digest_key.expose(), keys.data_digest_key);
        assert!(!settings.ingest.public_keys().contains(&"digest_key".to_owned()), "nobody else knows it");
        settings.ingest.digest_key = "own:00".into();
        keys.fill(&mut settings);
        assert_eq!(settings.ingest.digest_key.expose(), "own:00");
        assert!(settings.ingest.check_public_keys().is_ok() && !settings.ingest.allow_demonstration_key);
        assert!(Settings::default().ingest.check_public_keys().is_err(), "without a stack of its own");
    }

    #[test]
    fn a_stack_of_yesterday_keeps_its_pseudonyms() {
        let keys = Keys { subject_key: None, ..Keys::of(tempfile::tempdir().unwrap().path()).unwrap() };
        let mut settings = Settings::default();
        keys.fill(&mut settings);
        assert!(settings.ingest.check_public_keys().is_ok());
        assert_eq!(settings.ingest.subject_keys["demo"].expose(), ingest::config::DEMO_KEY);
    }

    #[test]
    fn without_servers_it_says_what_to_type() {
        let dir = tempfile::tempdir().unwrap();
        let error = settle(&mut Settings::default(), dir.path(), Needs::of(true, true)).unwrap_err().to_string();
        assert!(error.contains("defaultx up") && error.contains("--kafka"), "{error}");
        let mut own = Settings::default();
        own.kafka.bootstrap = "broker:9092".to_owned();
        let plain = settle(&mut own, dir.path(), Needs::KAFKA).unwrap_err().to_string();
        assert!(plain.contains("allow_plaintext_to_broker"), "{plain}");
        own.kafka.allow_plaintext_to_broker = true;
        assert!(settle(&mut own, dir.path(), Needs::KAFKA).is_ok());
        assert!(settle(&mut own, dir.path(), Needs::of(true, true)).unwrap_err().to_string().contains("--database"));
    }
}
