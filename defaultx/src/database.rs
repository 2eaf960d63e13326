//! The database's tables and the logins that workers use it with: brought up to date, made, and for a stack on one machine kept
//! beside its keys.

use anyhow::{Context, Result};
use runtime::config::Secret;
use runtime::pg::{self, DatabaseConfig};
use schemas::logins::{self, DatabaseLogin, LOGINS};
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Where a stack keeps the passwords, by name. Losing it costs nothing: `up` makes others.
pub const FILE: &str = "database-logins.json";

/// Brings a database up to date as whoever its URL names; gives the names of the migrations that it lacked.
///
/// # Errors
/// The database's.
pub async fn migrate(database: &DatabaseConfig) -> Result<Vec<String>> {
    // The index of a large log takes as long as it takes.
    let unhurried = DatabaseConfig { statement_timeout_ms: 0, acting: None, ..database.clone() };
    let mut client = pg::connect(&unhurried).await?;
    Ok(schemas::migrations::migrate(&mut client).await?)
}

/// What became of logins.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Users that were not there.
    pub made: Vec<String>,
    /// Users that were there, and have the configured password now.
    pub renewed: Vec<String>,
    /// Names without a password, so that nothing was done.
    pub left: Vec<&'static str>,
    /// Whether nobody connects to the database but who is in one of the roles; only its owner may say so.
    pub is_closed: bool,
}

/// Makes the logins that have a password in the configuration, and closes the database to others, as whoever the URL names.
///
/// # Errors
/// When one of them may do more than its work, or the database refuses; then none is made.
pub async fn apply(database: &DatabaseConfig) -> Result<Applied> {
    let password = |login: &DatabaseLogin| database.logins.get(login.name).and_then(|login| login.password.as_ref());
    let wanted =
        LOGINS.iter().filter_map(|login| Some((*login, database.user_of(login.name), password(login)?.expose())));
    let wanted: Vec<_> = wanted.collect();
    let mut client = pg::connect(&DatabaseConfig { acting: None, ..database.clone() }).await?;
    let made = logins::make(&mut client, &wanted).await?;
    let renewed = wanted.into_iter().map(|(_, user, _)| user).filter(|user| !made.contains(user)).collect();
    let left = LOGINS.iter().filter(|login| password(login).is_none()).map(|login| login.name).collect();
    let is_closed = logins::close(&client).await?;
    Ok(Applied { made, renewed, left, is_closed })
}

/// Makes the logins of a stack's database, with the passwords that are kept in `dir` or new ones, and takes them into the settings.
///
/// # Errors
/// As [`apply`], or when the file cannot be read or written.
pub async fn give_logins(database: &mut DatabaseConfig, dir: &Path) -> Result<Applied> {
    let mut passwords = kept(dir)?;
    for login in LOGINS {
        passwords.entry(login.name.to_owned()).or_insert_with(|| hex::encode(rand::random::<[u8; 32]>()));
    }
    take(database, &passwords);
    let applied = apply(database).await?;
    // Last, so that whoever finds a password here can log in with it.
    keep(dir, &passwords).with_context(|| format!("writing {FILE} in {}", dir.display()))?;
    Ok(applied)
}

/// Takes the logins that a stack has into the settings; one that is configured stands. A stack of before has none until its next `up`.
///
/// # Errors
/// When the file is there and cannot be read.
pub(crate) fn take_logins(database: &mut DatabaseConfig, dir: &Path) -> Result<()> {
    take(database, &kept(dir)?);
    Ok(())
}

fn take(database: &mut DatabaseConfig, passwords: &BTreeMap<String, String>) {
    for (name, password) in passwords {
        let login = database.logins.entry(name.clone()).or_default();
        login.password.get_or_insert_with(|| Secret::from(password.as_str()));
    }
}

fn kept(dir: &Path) -> Result<BTreeMap<String, String>> {
    let path = dir.join(FILE);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} is not ours", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// Whole before it has its name.
fn keep(dir: &Path, passwords: &BTreeMap<String, String>) -> Result<()> {
    let fresh = dir.join(format!("{FILE}.{:016x}", rand::random::<u64>()));
    let mut file = fs::File::options().create_new(true).write(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec_pretty(passwords)?)?;
    Ok(fs::rename(&fresh, dir.join(FILE))?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_stack_takes_the_logins_that_it_has_and_a_configured_one_stands() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = DatabaseConfig::default();
        take_logins(&mut database, dir.path()).unwrap();
        assert_eq!(database, DatabaseConfig::default(), "a stack of before");
        let passwords = ["notifier", "read-api"].map(|name| (name.to_owned(), format!("secret of {name}")));
        keep(dir.path(), &passwords.into()).unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        database.logins.entry("notifier".to_owned()).or_default().password = Some("own".into());
        take_logins(&mut database, dir.path()).unwrap();
        let password = |name: &str| database.logins[name].password.as_ref().unwrap().expose().to_owned();
        assert_eq!((password("notifier"), password("read-api")), ("own".to_owned(), "secret of read-api".to_owned()));
        fs::write(path, "{").unwrap();
        assert!(take_logins(&mut database, dir.path()).unwrap_err().to_string().contains(FILE));
    }
}
