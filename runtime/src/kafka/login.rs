//! Logins of workers: `[kafka.principals.NAME]`. What a broker knows a worker as, and what the worker shows for it.

use crate::config::Secret;
use serde::{Deserialize, Serialize};

/// What a password is used with where nothing else is configured.
pub(super) const MECHANISM: &str = "SCRAM-SHA-512";

/// The login of one worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    /// User as the brokers' ACLs name it, without `User:`; the worker's own name when absent. With a certificate it is what the
    /// brokers make of its subject, such as `CN=scorer,O=bank`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password of SASL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// File with the password instead; its last line break does not count. Read once, at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// PEM file of the worker's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_certificate_location: Option<String>,
    /// PEM file of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_key_location: Option<String>,
    /// Password of that key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_key_password: Option<Secret>,
}

/// Why a login cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// A password and a file of one.
    #[error("{key} and {key}_file are both set: keep one of them")]
    Both {
        /// Dotted, without `_file`.
        key: String,
    },
    /// The file cannot be read, or holds nothing.
    #[error("{key}_file = {path:?}: {why}")]
    File {
        /// Dotted, without `_file`.
        key: String,
        /// The file.
        path: String,
        /// From the file system.
        why: String,
    },
}

impl Login {
    pub(super) fn read_password(&mut self, principal: &str) -> Result<(), LoginError> {
        let key = format!("kafka.principals.{principal}.password");
        let read = password(&key, self.password.as_ref(), self.password_file.take())?;
        self.password = read.or(self.password.take());
        Ok(())
    }
}

/// The password in a file, if one is named.
pub(crate) fn password(key: &str, plain: Option<&Secret>, file: Option<String>) -> Result<Option<Secret>, LoginError> {
    let Some(path) = file else { return Ok(None) };
    if plain.is_some() {
        return Err(LoginError::Both { key: key.to_owned() });
    }
    let wrong = |why: String| LoginError::File { key: key.to_owned(), path: path.clone(), why };
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(wrong("it is empty; it should hold the password alone".to_owned())),
        password => Ok(Some(password.into())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::kafka::KafkaConfig;

    fn kafka(text: &str) -> KafkaConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn each_worker_has_its_own_login_or_the_one_of_all() {
        let kafka = kafka(
            "bootstrap = \"127.0.0.1:9092\"\nsasl_username = \"op\"\nsasl_password = \"secret-op\"\n
             [principals.scorer]\npassword = \"secret-s\"\n
             [principals.decision]\nuser = \"prod-decision\"\npassword = \"secret-d\"\n
             [principals.notifier]\nuser = \"CN=notifier\"\nssl_certificate_location = \"n.pem\"\nssl_key_location = \"n.key\"\n
             [principals.door]\nuser = \"prod-door\"\n",
        );
        let rows = [
            ("scorer", "scorer", "scorer"),
            ("decision", "prod-decision", "prod-decision"),
            ("door", "op", "prod-door"), // no secret here: an operator's machine, which only writes its ACLs
            ("ingest", "op", "ingest"),
        ];
        for (name, shown, known_as) in rows {
            let client = kafka.of(name).client();
            assert_eq!(client.get("sasl.username"), Some(shown), "{name}");
            assert_eq!(client.get("sasl.mechanism"), Some(MECHANISM), "{name}");
            assert_eq!(kafka.user_of(name), known_as, "{name}");
        }
        let notifier = kafka.of("notifier").client();
        assert_eq!(notifier.get("ssl.certificate.location"), Some("n.pem"));
        assert_eq!(notifier.get("ssl.key.location"), Some("n.key"));
        assert_eq!(kafka.of("scorer").of("decision").client().get("sasl.password"), Some("secret-d"));
        let shown = crate::config::show(&kafka).unwrap() + &format!("{kafka:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_password_travels_in_the_clear_on_loopback_alone() {
        let rows = [
            ("127.0.0.1:9092", "sasl_plaintext"),
            ("localhost:9092,[::1]:9093", "sasl_plaintext"),
            ("broker:9092", "sasl_ssl"),
            ("127.0.0.1:9092,10.0.0.7:9092", "sasl_ssl"),
        ];
        for (bootstrap, expected) in rows {
            let mut kafka = kafka("sasl_username = \"u\"\nsasl_password = \"p\"\n");
            bootstrap.clone_into(&mut kafka.bootstrap);
            assert_eq!(kafka.client().get("security.protocol"), Some(expected), "{bootstrap}");
            kafka.security_protocol = Some("ssl".to_owned());
            assert_eq!(kafka.client().get("security.protocol"), Some("ssl"), "as configured");
        }
        assert_eq!(KafkaConfig::default().client().get("security.protocol"), None);
    }

    #[test]
    fn a_password_may_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from a file\n").unwrap();
        let path = file.path().display();
        let mut good =
            kafka(&format!("sasl_password_file = \"{path}\"\n[principals.scorer]\npassword_file = \"{path}\"\n"));
        good.read_passwords().unwrap();
        assert_eq!(good.sasl_password, Some("from a file".into()));
        assert_eq!(good.of("scorer").client().get("sasl.password"), Some("from a file"));
        let rows = [
            (
                format!("[principals.scorer]\npassword = \"x\"\npassword_file = \"{path}\"\n"),
                "principals.scorer.password_file",
            ),
            ("sasl_password_file = \"nowhere\"\n".to_owned(), "sasl_password_file"),
        ];
        for (text, named) in rows {
            let error = kafka(&text).read_passwords().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        std::fs::write(file.path(), "\n").unwrap();
        let error = kafka(&format!("sasl_password_file = \"{path}\"\n")).read_passwords().unwrap_err().to_string();
        assert!(error.contains("empty"), "{error}");
    }
}
