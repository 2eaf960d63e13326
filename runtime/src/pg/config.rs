//! The section `[database]` of the configuration, with whose login a worker comes in.

use super::login::{Acting, Login};
use crate::config::{REDACTED, Secret};
use crate::kafka::{LoginError, password};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// Section `[database]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host:port/database`; with `?sslmode=require` over TLS, the server's name checked.
    #[serde(serialize_with = "without_password")]
    pub url: Secret,
    /// Whether a database that is not on this machine may be reached without TLS: logins and rows can then be read on the way.
    pub allow_plaintext_to_database: bool,
    /// PEM file of the authorities that sign the server, in place of the system's; with it TLS is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_ca_location: Option<String>,
    /// Most sessions of the pool; a worker that writes a log holds one more of its own for each shard.
    pub pool_size: usize,
    /// Milliseconds that a caller waits for a session of the pool, or for a connection.
    pub connect_timeout_ms: u64,
    /// Milliseconds after which the server ends a statement; 0 never.
    pub statement_timeout_ms: u64,
    /// `[database.logins.NAME]`: the login of each worker, by the names in `docs/OPERATIONS.md`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logins: BTreeMap<String, Login>,
    /// No knob: whose login is shown in place of the URL's. [`DatabaseConfig::of`] fills it in.
    #[serde(skip)]
    pub acting: Option<Acting>,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            allow_plaintext_to_database: false,
            ssl_ca_location: None,
            pool_size: 8,
            connect_timeout_ms: 5_000,
            statement_timeout_ms: 30_000,
            logins: BTreeMap::new(),
            acting: None,
        }
    }
}

impl DatabaseConfig {
    /// The same database for a worker: with its login where it has one, else as the URL says.
    #[must_use]
    pub fn of(&self, worker: &str) -> Self {
        let password = self.logins.get(worker).and_then(|login| login.password.clone());
        let acting = password.map(|password| Acting { user: self.user_of(worker), password });
        Self { acting, ..self.clone() }
    }

    /// The role that a worker comes in as, where it has a login.
    pub fn user_of(&self, worker: &str) -> String {
        let configured = self.logins.get(worker).and_then(|login| login.user.clone());
        configured.unwrap_or_else(|| format!("defaultx_{}", worker.replace('-', "_")))
    }

    /// Whether it is [of](Self::of) a worker with a login.
    pub fn has_login(&self) -> bool {
        self.acting.is_some()
    }

    /// Takes the passwords of logins out of their files.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn read_passwords(&mut self) -> Result<(), LoginError> {
        for (name, login) in &mut self.logins {
            let key = format!("database.logins.{name}.password");
            let read = password(&key, login.password.as_ref(), login.password_file.take())?;
            login.password = read.or(login.password.take());
        }
        Ok(())
    }
}

fn without_password<S: Serializer>(url: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown(url.expose()))
}

/// The URL with its password redacted; anything else than a URL wholly.
pub fn shown(url: &str) -> String {
    if url.is_empty() {
        return String::new();
    }
    let plain = || {
        let (scheme, rest) = url.split_once("://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
        let user = user.split_once(':').map_or_else(|| user.to_owned(), |(name, _)| format!("{name}:{REDACTED}"));
        let at = if user.is_empty() { "" } else { "@" };
        let query = match query {
            "" => "",
            query if query.contains("password") => "?***",
            _ => "?…",
        };
        Some(format!("{scheme}://{user}{at}{host}{query}"))
    };
    plain().unwrap_or_else(|| REDACTED.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_comes_in_as_itself_or_as_the_url_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret-f\n").unwrap();
        let text = format!(
            "url = \"postgres://op:secret-op@localhost/d\"\n[logins.audit-sink]\npassword = \"secret-a\"\n
             [logins.notifier]\nuser = \"prod-notifier\"\npassword_file = {:?}\n[logins.read-api]\nuser = \"prod-read\"\n",
            file.path()
        );
        let mut database: DatabaseConfig = toml::from_str(&text).unwrap();
        database.read_passwords().unwrap();
        let rows = [
            ("audit-sink", "defaultx_audit_sink", "secret-a"),
            ("notifier", "prod-notifier", "secret-f"),
            ("read-api", "op", "secret-op"), // no secret here: an operator's machine
            ("identity-store", "op", "secret-op"),
        ];
        for (worker, user, password) in rows {
            // Whoever it was before.
            let of = database.of("audit-sink").of(worker);
            let settings = crate::pg::settings(&of).unwrap().0;
            assert_eq!(settings.get_user(), Some(user), "{worker}");
            assert_eq!(settings.get_password(), Some(password.as_bytes()), "{worker}");
            assert_eq!(of.has_login(), user != "op", "{worker}");
            let shown = crate::config::show(&of).unwrap() + &format!("{of:?}");
            assert!(!shown.contains("secret"), "{shown}");
        }
        assert_eq!(database.user_of("read-api-log"), "defaultx_read_api_log");
        database.logins.get_mut("notifier").unwrap().password_file = Some("no such file".to_owned());
        let both = database.read_passwords().unwrap_err().to_string();
        assert!(both.contains("database.logins.notifier.password"), "{both}");
    }
}
