//! Logins of workers: `[database.logins.NAME]`. What the database knows a worker as, and what the worker shows for it.

use super::DatabaseConfig;
use crate::config::Secret;
use crate::kafka::{LoginError, password};
use serde::{Deserialize, Serialize};

/// The login of one worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    /// Role of the database; when absent `defaultx_` and the worker's name, with underscores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its password. Without one the worker comes in as the URL says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// File with the password instead; its last line break does not count. Read once, at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
}

/// Who comes in where it is not whom the URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    pub(super) user: String,
    pub(super) password: Secret,
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
            let settings = super::super::settings(&of).unwrap().0;
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
