//! Who may come in to the broker: users with passwords that the stack makes, kept in `logins.json` beside the broker's data and
//! readable by its owner only. Clients log in with SCRAM-SHA-512, which never sends the password; the broker itself with a user of
//! its own that stands in its settings, so that it needs nothing of what it stores. Says who somebody is, never what he may do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::state::{random_text, write_private};
use crate::{LocalError, process};

/// The user who may do everything.
pub const ADMIN: &str = "admin";
/// How clients log in.
pub(crate) const MECHANISM: &str = "SCRAM-SHA-512";

/// The broker, to itself and to its controller.
const BROKER: &str = "broker";
/// Characters of a password: 190 bits.
const PASSWORD_LENGTH: usize = 32;

/// Users and their passwords.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Logins {
    /// Of the broker itself.
    broker: String,
    users: BTreeMap<String, String>,
    /// Users that the broker has in its own store.
    known: BTreeSet<String>,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.users.keys()).finish()
    }
}

impl Logins {
    /// Users without passwords yet; [`ADMIN`] is one of them.
    pub(crate) fn of(users: &[String]) -> Logins {
        let names = users.iter().cloned().chain([ADMIN.to_owned()]);
        Logins { users: names.map(|name| (name, String::new())).collect(), ..Logins::default() }
    }

    /// Passwords by user.
    pub(crate) fn passwords(&self) -> BTreeMap<String, String> {
        self.users.clone()
    }

    /// Takes the passwords that are kept in the broker's directory, makes those that are not, and keeps them.
    pub(crate) fn settle(&mut self, dir: &Path) -> Result<(), LocalError> {
        let asked = std::mem::replace(self, kept(&path(dir))?);
        for name in asked.users.into_keys() {
            self.users.entry(name).or_default();
        }
        let empty = self.users.values_mut().chain([&mut self.broker]).filter(|password| password.is_empty());
        for password in empty {
            *password = random_text(PASSWORD_LENGTH)?;
        }
        self.keep(dir)
    }

    /// Users that the broker does not have.
    pub(crate) fn unknown(&self) -> Vec<String> {
        self.users.keys().filter(|name| !self.known.contains(*name)).cloned().collect()
    }

    /// The broker has all of them.
    pub(crate) fn all_known(&mut self, dir: &Path) -> Result<(), LocalError> {
        self.known = self.users.keys().cloned().collect();
        self.keep(dir)
    }

    /// In the words of the tool that formats the storage.
    pub(crate) fn credentials(&self) -> Vec<String> {
        self.users.iter().map(|(name, password)| format!("{MECHANISM}=[name={name},password={password}]")).collect()
    }

    fn keep(&self, dir: &Path) -> Result<(), LocalError> {
        let (path, fresh) = (path(dir), dir.join("logins.json.new"));
        serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::from)
            .and_then(|text| write_private(&fresh, &text))
            .and_then(|()| fs::rename(&fresh, &path))
            .map_err(LocalError::io(|| format!("writing {}", path.display())))
    }

    fn broker_login(&self) -> String {
        let Logins { broker, .. } = self;
        format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{BROKER}\" password=\"{broker}\""
        )
    }
}

/// The broker's settings: how it asks, and that nobody may do anything without a right.
pub(crate) fn settings(logins: Option<&Logins>) -> Vec<(&'static str, String)> {
    let protocols =
        |protocol: &str| ("listener.security.protocol.map", format!("BROKER:{protocol},CONTROLLER:{protocol}"));
    let Some(logins) = logins else { return vec![protocols("PLAINTEXT")] };
    let itself = format!("{} user_{BROKER}=\"{}\";", logins.broker_login(), logins.broker);
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    vec![
        protocols("SASL_PLAINTEXT"),
        ("sasl.mechanism.inter.broker.protocol", "PLAIN".to_owned()),
        ("sasl.mechanism.controller.protocol", "PLAIN".to_owned()),
        ("listener.name.broker.sasl.enabled.mechanisms", format!("{MECHANISM},PLAIN")),
        ("listener.name.broker.scram-sha-512.sasl.jaas.config", scram.to_owned()),
        ("listener.name.broker.plain.sasl.jaas.config", itself.clone()),
        ("listener.name.controller.sasl.enabled.mechanisms", "PLAIN".to_owned()),
        ("listener.name.controller.plain.sasl.jaas.config", itself),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned()),
        ("allow.everyone.if.no.acl.found", "false".to_owned()),
        ("super.users", format!("User:{BROKER};User:{ADMIN}")),
    ]
}

/// Gives a running broker the users that it does not have: a directory that an older version formatted has none, and a newer one
/// may ask for more. Acts as the broker, whose password stands in its settings.
pub(crate) fn introduce(logins: &mut Logins, dir: &Path, port: u16, tool: Command) -> Result<(), LocalError> {
    let client = dir.join("introduce.properties");
    let text = format!(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={};\n",
        logins.broker_login()
    );
    write_private(&client, text.as_bytes()).map_err(LocalError::io(|| format!("writing {}", client.display())))?;
    let (address, settings) = (format!("127.0.0.1:{port}"), client.display().to_string());
    for name in logins.unknown() {
        let password = logins.users.get(&name).cloned().unwrap_or_default();
        let credential = format!("{MECHANISM}=[password={password}]");
        let words = [
            "kafka.admin.ConfigCommand",
            "--bootstrap-server",
            &address,
            "--command-config",
            &settings,
            "--alter",
            "--entity-type",
            "users",
            "--entity-name",
            &name,
            "--add-config",
            &credential,
        ];
        run_privately(&format!("making the login of {name}"), again(&tool), dir, &words)?;
    }
    fs::remove_file(&client).map_err(LocalError::io(|| format!("removing {}", client.display())))?;
    logins.all_known(dir)
}

/// Runs a tool of Kafka's with words that nobody may read in the table of processes: they stand in a file that is gone afterwards.
pub(crate) fn run_privately(doing: &str, mut tool: Command, dir: &Path, words: &[&str]) -> Result<(), LocalError> {
    let path = dir.join("tool.args");
    let quoted = |word: &&str| format!("\"{}\"\n", word.replace('\\', "\\\\").replace('"', "\\\""));
    let text: String = words.iter().map(quoted).collect();
    write_private(&path, text.as_bytes()).map_err(LocalError::io(|| format!("writing {}", path.display())))?;
    tool.arg(format!("@{}", path.display()));
    let ran = process::run(doing, tool);
    fs::remove_file(&path).map_err(LocalError::io(|| format!("removing {}", path.display())))?;
    ran.map(drop)
}

fn again(command: &Command) -> Command {
    let mut again = Command::new(command.get_program());
    again.args(command.get_args());
    again
}

/// What a file holds; nobody where there is none. One that cannot be read is not written over: whoever has a password of it would be
/// shut out without a word.
fn kept(path: &Path) -> Result<Logins, LocalError> {
    let reading = || format!("reading {}; without that file new passwords are made", path.display());
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(std::io::Error::from).map_err(LocalError::io(reading)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Logins::default()),
        Err(error) => Err(LocalError::io(reading)(error)),
    }
}

fn path(dir: &Path) -> std::path::PathBuf {
    dir.join("logins.json")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn passwords_are_made_once_and_more_users_may_come() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Logins::of(&["scorer".to_owned()]);
        first.settle(dir.path()).unwrap();
        assert_eq!(first.unknown(), ["admin", "scorer"]);
        first.all_known(dir.path()).unwrap();
        let mut second = Logins::of(&["door".to_owned()]);
        second.settle(dir.path()).unwrap();
        assert_eq!(second.unknown(), ["door"]);
        assert_eq!(second.passwords().len(), 3);
        assert!(first.passwords().iter().all(|(name, password)| second.passwords().get(name) == Some(password)));
        assert!(second.passwords().values().all(|password| password.len() == PASSWORD_LENGTH));
        assert_eq!(fs::metadata(path(dir.path())).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(path(dir.path()), "{").unwrap();
        let refused = Logins::of(&[]).settle(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("logins.json") && fs::read(path(dir.path())).unwrap() == b"{", "{refused}");
        let shown = format!("{second:?}");
        assert!(
            shown.contains("door") && second.passwords().values().all(|password| !shown.contains(password)),
            "{shown}"
        );
    }

    #[test]
    fn a_broker_without_logins_is_open_and_one_with_them_denies() {
        assert_eq!(settings(None).len(), 1);
        let mut logins = Logins::of(&[]);
        logins.settle(tempfile::tempdir().unwrap().path()).unwrap();
        let settings = settings(Some(&logins));
        assert!(settings.contains(&("allow.everyone.if.no.acl.found", "false".to_owned())));
        assert!(settings.iter().all(|(_, value)| !value.contains(&logins.passwords()[ADMIN])), "that one is stored");
    }
}
