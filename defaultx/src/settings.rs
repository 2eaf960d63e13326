//! The whole configuration: a section for the process, for the TLS of its listeners, for Kafka, for PostgreSQL and for each worker. Knows no knob of a worker.

use crate::cli::PlaceArgs;
use crate::knobs;
use anyhow::{Context, Result, bail};
use domain::FieldClasses;
use notifier::filters::Known;
use runtime::config::{ConfigError, Origins, nearest};
use runtime::http::TlsConfig;
use runtime::kafka::KafkaConfig;
use runtime::latest::Latest;
use runtime::pg::DatabaseConfig;
use runtime::telemetry::Format;
use schemas::attributes::Published;
use schemas::logins::LOGINS;
use schemas::rights::Principal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// In front of environment variables, followed by two underscores.
pub(crate) const ENV_PREFIX: &str = "DEFAULTX";

/// Every section.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // each is described by its crate
pub struct Settings {
    pub process: Process,
    pub tls: TlsConfig,
    pub kafka: KafkaConfig,
    pub database: DatabaseConfig,
    pub ingest: ingest::Config,
    pub scorer: scorer::Config,
    pub decision: decision::Config,
    pub notifier: notifier::Config,
    #[serde(rename = "audit-sink")]
    pub audit_sink: audit_sink::Config,
    #[serde(rename = "audit-signer")]
    pub audit_signer: audit_sink::SignerConfig,
    #[serde(rename = "read-api")]
    pub read_api: read_api::Config,
}

impl Settings {
    /// What the feature contracts of `[scorer] models_dir` say of free members.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn classes(&self) -> Result<FieldClasses> {
        let folder = &self.scorer.models_dir;
        if !folder.exists() {
            let folder = folder.display().to_string();
            tracing::warn!(folder, "no feature contracts: no attribute is personal, and none is plain");
        }
        scorer::classes::of_folder(folder)
            .with_context(|| format!("the packages of [scorer] models_dir = {}", folder.display()))
    }

    /// The section of ingest, with what is no knob.
    ///
    /// # Errors
    /// As [`Self::classes`] and [`Self::attributes`].
    pub(crate) fn ingest_with_classes(&self) -> Result<ingest::Config> {
        Ok(ingest::Config { classes: self.classes()?, attributes: self.attributes()?, ..self.ingest.clone() })
    }

    /// What the packages of `[scorer] models_dir` read that the routes of `[scorer] routes_dir` name, with the currencies of each product. It
    /// is read again each time, and is then the same for every worker of these settings.
    ///
    /// # Errors
    /// When one of the folders is there and cannot be read.
    pub fn attributes(&self) -> Result<Latest<Published>> {
        let (models, routes) = (&self.scorer.models_dir, &self.scorer.routes_dir);
        let read = scorer::attributes::of_folders(models, routes);
        let folders = || {
            format!("the contracts of [scorer] models_dir = {} and routes_dir = {}", models.display(), routes.display())
        };
        let mut read = read.with_context(folders)?;
        self.ingest.products.iter().for_each(|(product, currencies)| read.lend(product, currencies));
        self.ingest.attributes.set(Published::new(read));
        Ok(self.ingest.attributes.clone())
    }

    /// The section of notifier, with the products and tenants that subscriptions may name.
    pub(crate) fn notifier_with_words(&self) -> notifier::Config {
        let ingest::Config { products, tenant_of_topic, subject_keys, .. } = &self.ingest;
        let tenants: BTreeSet<String> = tenant_of_topic.values().chain(subject_keys.keys()).cloned().collect();
        let products = products.iter().map(|(name, _)| name.to_owned()).collect();
        let known = Known { products, tenants: tenants.into_iter().collect() };
        notifier::Config { known, ..self.notifier.clone() }
    }
}

/// Section `[process]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Process {
    /// Stable id of this instance: its replacement takes the same, two at once never do.
    pub instance: String,
    /// Address of /livez, /readyz and /metrics. Port 0 takes a free one.
    pub ops_listen: String,
    /// Whether servers may listen beyond loopback without TLS: tokens and answers can then be read on the way.
    pub allow_plaintext_listeners: bool,
    /// Log lines for people (`text`) or collectors (`json`).
    pub log_format: Format,
    /// Which lines, such as `info,runtime=debug`.
    pub log_filter: String,
    /// Seconds that draining may take before the process ends anyway; below the supervisor's own patience.
    pub drain_seconds: u64,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            instance: "0".to_owned(),
            ops_listen: "127.0.0.1:9464".to_owned(),
            allow_plaintext_listeners: false,
            log_format: Format::Text,
            log_filter: "info,librdkafka=error,tract=error".to_owned(),
            drain_seconds: 25,
        }
    }
}

/// Loads file < environment < flags.
///
/// # Errors
/// What is wrong, with the key.
pub fn load(place: &PlaceArgs) -> Result<Settings> {
    Ok(load_traced(place)?.0)
}

/// The same, with where each key was set.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_traced(place: &PlaceArgs) -> Result<(Settings, Origins)> {
    let mut overrides = Vec::new();
    for pair in &place.set {
        let (key, value) = pair.split_once('=').with_context(|| format!("--set {pair}: expected section.key=value"))?;
        overrides.push((key.trim().to_owned(), value.to_owned()));
    }
    let flags =
        [("kafka.bootstrap", &place.kafka), ("database.url", &place.database), ("kafka.topic_prefix", &place.prefix)];
    overrides.extend(flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))));
    let (mut settings, origins): (Settings, Origins) =
        runtime::config::load(place.config.as_deref(), ENV_PREFIX, &overrides).map_err(with_unit)?;
    settings.audit_signer.take_former(&mut settings.audit_sink);
    settings.kafka.principals =
        known("kafka.principals", &Principal::ALL.map(Principal::name), settings.kafka.principals)?;
    settings.database.logins = known("database.logins", &LOGINS.map(|login| login.name), settings.database.logins)?;
    settings.kafka.read_passwords()?;
    settings.database.read_passwords()?;
    settings.audit_signer.cluster.read_passwords().context("[audit-signer.cluster]")?;
    Ok((settings, origins))
}

/// A number that is none is told with its unit.
fn with_unit(error: ConfigError) -> ConfigError {
    match error {
        ConfigError::Key { key, place, why } => {
            let why = match knobs::unit_of(&key) {
                Some(unit) if why.starts_with("wants a whole number") => {
                    why.replacen("a whole number", &format!("a whole number of {unit}"), 1)
                }
                Some(unit) if why.starts_with("wants a number") => {
                    why.replacen("a number", &format!("a number ({unit})"), 1)
                }
                _ => why,
            };
            ConfigError::Key { key, place, why }
        }
        ConfigError::Several(all) => ConfigError::Several(all.into_iter().map(with_unit).collect()),
        other => other,
    }
}

/// Variables that look like knobs and are none, each with what to write: a knob has two underscores behind its section's name, and in
/// front of it.
pub(crate) fn near_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let own = format!("{ENV_PREFIX}__");
    let near = names.filter(|name| !name.starts_with(&own)).filter_map(|name| {
        let rest = name.strip_prefix(ENV_PREFIX)?.strip_prefix('_')?;
        let section = knobs::Knob::sections().into_iter().find_map(|section| {
            let spelt = section.name().replace('-', "_").to_uppercase();
            Some((rest.strip_prefix(&format!("{spelt}_"))?.trim_start_matches('_').to_owned(), spelt))
        });
        let (key, section) = section?;
        Some(format!("{name} is not read: a knob is written {own}{section}__{key}, with two underscores"))
    });
    near.collect()
}

/// The logins under the names of the table; a variable of the environment spells them with `_`.
fn known<T>(section: &str, names: &[&str], logins: BTreeMap<String, T>) -> Result<BTreeMap<String, T>> {
    let spelt = |name: String| match name.replace('_', "-") {
        known if names.contains(&known.as_str()) => Ok(known),
        known => {
            let near = nearest(&known, names.iter().copied()).map(|near| format!("the nearest is `{near}`; "));
            bail!(
                "[{section}.{name}]: there is no such login; {}there are {}",
                near.unwrap_or_default(),
                names.join(", ")
            )
        }
    };
    logins.into_iter().map(|(name, login)| Ok((spelt(name)?, login))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn defaults_show_and_load_again() {
        let shown = runtime::config::show(&Settings::default()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &shown).unwrap();
        let place = PlaceArgs { config: Some(file.path().to_owned()), ..PlaceArgs::default() };
        let loaded = load(&place).unwrap();
        assert_eq!(runtime::config::show(&loaded).unwrap(), shown);
    }

    fn of_file(text: &str) -> Result<Settings> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        load(&PlaceArgs { config: Some(file.path().to_owned()), ..PlaceArgs::default() })
    }

    #[test]
    fn knobs_of_the_signer_that_stand_where_they_stood_are_read() {
        let key = "07".repeat(32);
        let loaded =
            of_file(&format!("[audit-sink]\ncheckpoint_key = \"{key}\"\ncheckpoint_interval_s = 3\n")).unwrap();
        assert_eq!(loaded.audit_signer.key.expose(), "07".repeat(32));
        assert_eq!(loaded.audit_signer.interval_s, 3);
        assert_eq!(loaded.audit_sink, audit_sink::Config::default());
    }

    #[test]
    fn a_login_is_a_known_principals() {
        let with = |key: &str| of_file(&format!("[{key}]\npassword = \"1234\"\n"));
        let loaded = with("kafka.principals.audit_sink").unwrap(); // as in DEFAULTX__KAFKA__PRINCIPALS__AUDIT_SINK__PASSWORD
        assert_eq!(loaded.kafka.of("audit-sink").client().get("sasl.password"), Some("1234"));
        let loaded = with("database.logins.read_api_log").unwrap();
        assert!(loaded.database.of("read-api-log").has_login() && !loaded.database.of("read-api").has_login());
        for unknown in ["kafka.principals.scorrer", "database.logins.scorer"] {
            let error = with(unknown).unwrap_err().to_string();
            assert!(error.contains(unknown) && error.contains("identity-store"), "{error}");
        }
    }

    #[test]
    fn a_variable_with_one_underscore_is_told_and_others_are_nobodys_business() {
        let near = |name: &str| near_variables([name.to_owned()].into_iter()).concat();
        for name in ["DEFAULTX_KAFKA_BOOTSTRAP", "DEFAULTX_KAFKA__BOOTSTRAP"] {
            assert!(near(name).contains("DEFAULTX__KAFKA__BOOTSTRAP"), "{name}: {}", near(name));
        }
        assert!(near("DEFAULTX_AUDIT_SINK_SHARDS").contains("DEFAULTX__AUDIT_SINK__SHARDS"));
        for name in
            ["DEFAULTX__KAFKA__BOOTSTRAP", "DEFAULTX_CONFIG", "DEFAULTX_CACHE", "DEFAULTX_INSTALL_PACKAGES", "KAFKA_X"]
        {
            assert_eq!(near(name), "", "{name}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_told_with_its_unit() {
        let rows = [
            ("[notifier]\nrequest_timeout_ms = '15s'\n", "wants a whole number of milliseconds, and this is text"),
            ("[notifier]\njitter = 'much'\n", "wants a number (share, 0 to 1), and this is text"),
            ("[notifier]\nretry_after_s = 5\n", "wants a list"),
            ("[scorer.tuning]\npace_ms = true\n", "wants a whole number of milliseconds, and this is true or false"),
            ("[ingest]\nmax_depth = -1\n", "wants a whole number of levels, and this is none"),
        ];
        for (file, wanted) in rows {
            let error = of_file(file).unwrap_err().to_string();
            assert!(error.contains(wanted) && error.contains("line 2"), "{error}");
        }
    }

    #[test]
    fn flags_win() {
        let place = PlaceArgs {
            kafka: Some("broker:9092".to_owned()),
            set: vec!["scorer.block=7".to_owned(), "audit-sink.shards=3".to_owned()],
            ..PlaceArgs::default()
        };
        let loaded = load(&place).unwrap();
        assert_eq!((loaded.kafka.bootstrap.as_str(), loaded.scorer.block), ("broker:9092", 7));
        assert_eq!(loaded.audit_sink.shards, 3);
        let typo = PlaceArgs { set: vec!["scorer.blok=7".to_owned()], ..PlaceArgs::default() };
        assert!(load(&typo).unwrap_err().to_string().contains("scorer.blok"));
    }
}
