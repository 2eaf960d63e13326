//! Where Kafka and PostgreSQL are: the user's own, or the local house; and the keys that a local house makes for itself. Starts
//! nothing on a cluster of the user's.

use crate::settings::Settings;
use crate::topics::rights;
use anyhow::{Context, Result, bail};
use local::{House, Options};
use runtime::auth;
use runtime::config::Secret;
use runtime::kafka::{KafkaConfig, Login};
use schemas::access::Principal;
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Secrets of a house on one machine, made when it is first started.
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
        let path = dir.join("keys.json");
        if let Ok(text) = fs::read(&path) {
            return serde_json::from_slice(&text).with_context(|| format!("{} is not ours", path.display()));
        }
        let (token_private, token_public) = auth::generate()?;
        let keys = Self {
            token_private,
            token_public,
            digest_key: hex::encode(rand::random::<[u8; 32]>()),
            checkpoint_key: hex::encode(rand::random::<[u8; 32]>()),
            webhook_secret: format!("whsec_{}", base64_of(&rand::random::<[u8; 32]>())),
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
        if audit.checkpoint_key.is_empty() {
            audit.checkpoint_key = self.checkpoint_key.as_str().into();
        }
        for key in [&mut settings.read_api.token_key, &mut settings.ingest.door_token_key] {
            if key.is_empty() {
                key.clone_from(&self.token_public);
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
    pub const KAFKA: Self = Self { kafka: true, database: false };
    /// PostgreSQL alone.
    pub const DATABASE: Self = Self { kafka: false, database: true };

    /// Either or both.
    pub fn of(kafka: bool, database: bool) -> Self {
        Self { kafka, database }
    }
}

/// Points the settings at the running local house wherever they name no server of the user's.
///
/// # Errors
/// When neither is there, with what to type.
pub fn settle(settings: &mut Settings, house_dir: &Path, needs: Needs) -> Result<()> {
    let lacks_kafka = needs.kafka && settings.kafka.bootstrap.is_empty();
    let lacks_database = needs.database && settings.database.url.is_empty();
    if !lacks_kafka && !lacks_database {
        return Ok(());
    }
    let missing = if lacks_kafka { "--kafka HOST:PORT" } else { "--database URL" };
    let Ok(house) = House::attach(house_dir) else {
        bail!("no servers: start them on this machine with `defaultx up`, or name yours with {missing}");
    };
    point(settings, &house);
    Keys::of(house_dir)?.fill(settings);
    Ok(())
}

/// Names a house's servers in the settings, where they name none.
pub fn point(settings: &mut Settings, house: &House) {
    if settings.kafka.bootstrap.is_empty() {
        house.bootstrap().clone_into(&mut settings.kafka.bootstrap);
        settings.kafka.replication_factor = 1;
        log_in(&mut settings.kafka, house);
    }
    if settings.database.url.is_empty() {
        settings.database.url = Secret::from(house.database_url());
    }
}

/// Takes the logins of a house: the one that may do everything for commands, and its own for each worker. One that is configured stands.
pub fn log_in(kafka: &mut KafkaConfig, house: &House) {
    for (user, password) in house.passwords() {
        let password = Some(Secret::from(password));
        if user == local::ADMIN {
            kafka.sasl_username.get_or_insert(user);
            kafka.sasl_password = kafka.sasl_password.take().or(password);
        } else {
            kafka.principals.entry(user).or_insert(Login { password, ..Login::default() });
        }
    }
}

/// Gives the workers of a house their rights, where its broker asks for any; gives how many were added.
///
/// # Errors
/// When the broker refuses.
pub async fn give_rights(settings: &Settings, house: &House) -> Result<usize> {
    if house.passwords().is_empty() {
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
pub fn start_house(settings: &Settings, dir: &Path) -> Result<Option<House>> {
    Ok(options(settings, dir).map(|options| House::start(&options)).transpose()?)
}

/// The same, but they stay: finds them where they run already, which the flag says.
///
/// # Errors
/// Why a server did not start, with what to type.
pub fn lasting_house(settings: &Settings, dir: &Path) -> Result<Option<(House, bool)>> {
    let options = options(settings, dir).map(|options| Options { keep_running: true, ..options });
    Ok(options.map(|options| House::start_or_attach(&options)).transpose()?)
}

fn options(settings: &Settings, dir: &Path) -> Option<Options> {
    let (kafka, postgres) = (settings.kafka.bootstrap.is_empty(), settings.database.url.is_empty());
    // The broker's own topics need it as much as ours.
    let durable = settings.kafka.flush_every_record.then(|| ("log.flush.interval.messages".to_owned(), "1".to_owned()));
    let broker_properties = durable.into_iter().collect();
    let users = users();
    (kafka || postgres).then(|| Options {
        kafka,
        postgres,
        progress: true,
        broker_properties,
        users,
        ..Options::new(dir)
    })
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
    }

    #[test]
    fn without_servers_it_says_what_to_type() {
        let dir = tempfile::tempdir().unwrap();
        let error = settle(&mut Settings::default(), dir.path(), Needs::of(true, true)).unwrap_err().to_string();
        assert!(error.contains("defaultx up") && error.contains("--kafka"), "{error}");
        let mut own = Settings::default();
        own.kafka.bootstrap = "broker:9092".to_owned();
        assert!(settle(&mut own, dir.path(), Needs::KAFKA).is_ok());
        assert!(settle(&mut own, dir.path(), Needs::of(true, true)).unwrap_err().to_string().contains("--database"));
    }
}
