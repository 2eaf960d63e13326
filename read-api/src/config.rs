//! The knobs of read-api.

use crate::error::Error;
use domain::FieldClasses;
use runtime::auth::{MAX_MINUTES, Realm, Verifier};
use runtime::config::Secret;
use runtime::latest::Latest;
use schemas::attributes::Published;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The role of the migrations that reads rows.
const READ_ROLE: &str = "defaultx_read";
/// The role beside it that reads the log.
const LOG_ROLE: &str = "defaultx_read_log";

/// Section `[read-api]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port; port 0 takes a free one. Loopback by default: a deployment puts its TLS end in front.
    pub listen: String,
    /// What tokens are checked with: a public Ed25519 key in PEM form, a JWK set, or the path of a file that holds one of them; a file
    /// is read again when it changes. Required.
    pub token_key: String,
    /// `iss` that a token must carry; empty takes any.
    pub token_issuer: String,
    /// `aud` that a token must carry: not that of the HTTP door, so that a token for sending reads nothing.
    pub token_audience: String,
    /// Minutes for which a token may be good, from when it was made; one that says more is refused.
    pub token_max_minutes: u32,
    /// Milliseconds that Kafka may take for the record of a look at an identity; without it nothing is shown. At most half of
    /// `timeout_ms` counts.
    pub access_timeout_ms: u64,
    /// Connection of its own, such as to a replica. Secret; empty asks `[database]`. The logins of `[database.logins]` hold for it too.
    pub database_url: Secret,
    /// Role that questions are asked under where `[database.logins]` has no login for them, made by the migrations; the URL's login must be
    /// a member, and of `defaultx_read_log` beside `defaultx_read`. Empty keeps that login's own rights.
    pub database_role: String,
    /// Milliseconds that a request may take before 503; a statement ends after four fifths of it.
    pub timeout_ms: u64,
    /// Requests answered at a time; one more gets 503 at once.
    pub concurrency: usize,
    /// Requests of one tenant answered at a time; one more gets 429 at once, so that no tenant takes the places of the others.
    pub concurrency_per_tenant: usize,
    /// Requests that one token holder may make in a minute before 429; 0 sets no limit.
    pub requests_per_minute: u32,
    /// Most applications on a page.
    pub page_size_max: u32,
    /// Applications on a page when the caller names no number.
    pub page_size: u32,
    /// Longest period of figures, in days: they are counted from rows.
    pub figures_days_max: u32,
    /// Who sees which free member. No knob: whoever starts the worker fills in what the feature contracts of `[scorer] models_dir` say.
    #[serde(skip)]
    pub classes: FieldClasses,
    /// What the models of each product read of `attributes`. No knob: whoever starts the worker fills it in, and replaces it when packages
    /// or routes change.
    #[serde(skip)]
    pub attributes: Latest<Published>,
}

impl Default for Config {
    fn default() -> Self {
        let realm = Realm::default();
        Self {
            listen: "127.0.0.1:8090".to_owned(),
            token_key: String::new(),
            token_issuer: realm.issuer,
            token_audience: realm.audience,
            token_max_minutes: MAX_MINUTES,
            access_timeout_ms: 3_000,
            database_url: Secret::default(),
            database_role: READ_ROLE.to_owned(),
            timeout_ms: 10_000,
            concurrency: 64,
            concurrency_per_tenant: 16,
            requests_per_minute: 600,
            page_size_max: 200,
            page_size: 50,
            figures_days_max: 400,
            classes: FieldClasses::default(),
            attributes: Latest::default(),
        }
    }
}

impl Config {
    /// What checks tokens.
    ///
    /// # Errors
    /// [`Error::Config`] when the key is absent, cannot be read or is none.
    pub fn verifier(&self) -> Result<Verifier, Error> {
        let realm = Realm { issuer: self.token_issuer.clone(), audience: self.token_audience.clone() };
        let bad = |why: String| Error::Config(format!("token_key: {why}"));
        if self.token_key.trim().is_empty() {
            return Err(bad("is not set; `defaultx token --help` says how a key is made".to_owned()));
        }
        Verifier::new(&self.token_key, &realm, self.token_max_minutes).map_err(|error| bad(error.to_string()))
    }

    /// The longest that a look at an identity waits for its record: less than the request may take, so that the answer can say so.
    pub(crate) fn access_timeout(&self) -> Duration {
        Duration::from_millis(self.access_timeout_ms.min(self.timeout_ms / 2).max(1))
    }

    /// Milliseconds after which the database gives a statement up: before the request does, so that the answer can say so.
    pub fn statement_timeout_ms(&self) -> u64 {
        (self.timeout_ms * 4 / 5).max(1)
    }

    /// The role as it may stand in a statement.
    ///
    /// # Errors
    /// [`Error::Config`] for anything but letters, digits and underscores.
    pub fn role(&self) -> Result<Option<String>, Error> {
        let plain = self.database_role.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain {
            return Err(Error::Config("database_role: letters, digits and underscores only".to_owned()));
        }
        Ok(Some(self.database_role.clone()).filter(|role| !role.is_empty()))
    }

    /// The role that the log is read under: a role of somebody's own reads both.
    ///
    /// # Errors
    /// As [`Self::role`].
    pub(crate) fn log_role(&self) -> Result<Option<String>, Error> {
        Ok(self.role()?.map(|role| if role == READ_ROLE { LOG_ROLE.to_owned() } else { role }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_key_may_be_inline_or_a_file() {
        let (_, public) = runtime::auth::generate().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.pem");
        std::fs::write(&path, &public).unwrap();
        let path = path.to_str().unwrap().to_owned();
        let cases = [(public, true), (path, true), (String::new(), false), ("/nowhere".to_owned(), false)];
        for (token_key, good) in cases {
            let config = Config { token_key, ..Config::default() };
            assert_eq!(config.verifier().is_ok(), good, "{}", config.token_key);
        }
    }

    #[test]
    fn a_role_is_a_plain_word() {
        for (role, good) in [("defaultx_read", true), ("", true), ("a; DROP", false), ("a\"b", false)] {
            let config = Config { database_role: role.to_owned(), ..Config::default() };
            assert_eq!(config.role().is_ok(), good, "{role}");
        }
    }
}
