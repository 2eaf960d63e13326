//! Who logs in to PostgreSQL: one login for each worker, in the role of the migrations that has what its statements need, and in no
//! other (ADR 35). Nobody else connects to the database. `defaultx migrate --logins` makes them, `docs/OPERATIONS.md` shows them.

use crate::migrations::in_full;
use tokio_postgres::{Client, Error, Transaction};

/// Somebody whom the database knows by a login of his own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseLogin {
    /// The name in `[database.logins]`; a worker's is that of its principal.
    pub name: &'static str,
    /// The role that it is in.
    pub role: &'static str,
    /// Whether row-level security lets it pass: it writes with COPY FROM, which PostgreSQL refuses otherwise.
    pub copies: bool,
}

/// The login of read-api for segments, in which tenants are mixed.
pub const READ_API_LOG: &str = "read-api-log";
/// The login of `audit verify`, `find`, `checkpoint export` and `epoch list`, and of `gaps list`.
pub const VERIFIER: &str = "verifier";
/// The login of `audit rebuild`.
pub const REBUILDER: &str = "rebuilder";
/// The login of dashboards, which no process of ours uses.
pub const DASHBOARDS: &str = "dashboards";

/// Every login.
pub const LOGINS: [DatabaseLogin; 9] = [
    DatabaseLogin { name: "audit-sink", role: "defaultx_audit", copies: true },
    DatabaseLogin { name: "identity-store", role: "defaultx_identity", copies: true },
    DatabaseLogin { name: "audit-signer", role: "defaultx_signer", copies: false },
    DatabaseLogin { name: "notifier", role: "defaultx_notify", copies: false },
    DatabaseLogin { name: "read-api", role: "defaultx_read", copies: false },
    DatabaseLogin { name: READ_API_LOG, role: "defaultx_read_log", copies: false },
    DatabaseLogin { name: VERIFIER, role: "defaultx_verify", copies: false },
    DatabaseLogin { name: REBUILDER, role: "defaultx_rebuild", copies: false },
    DatabaseLogin { name: DASHBOARDS, role: "defaultx_dashboard", copies: false },
];

/// Whether the session may say who connects to its database; a superuser may.
const OWNS_DATABASE: &str =
    "SELECT pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname = current_database()";
/// Whether anybody with a login on the server may connect.
const IS_OPEN: &str = "SELECT has_database_privilege('public', current_database(), 'CONNECT')";

/// Why a login is not made.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// It is there, and may do what no worker may.
    #[error(
        "{user} is there and is {what}: a worker's login must not be; name another one, `user` in [database.logins.{name}]"
    )]
    TooMuch {
        /// Whose it is to be.
        name: &'static str,
        /// The role.
        user: String,
        /// What it is.
        what: String,
    },
    /// The database refuses.
    #[error(
        "making {user}: {}; it takes a superuser, or from PostgreSQL 16 on who has CREATEROLE and BYPASSRLS and made the roles",
        in_full(.source)
    )]
    Refused {
        /// The role.
        user: String,
        /// From the database.
        source: Error,
    },
    /// From the database.
    #[error("database: {}", in_full(.0))]
    Database(#[from] Error),
}

/// Makes logins, given as who, user and password; one that is there gets this password. All or none. Gives the users that were not there.
///
/// # Errors
/// [`LoginError`].
pub async fn make(client: &mut Client, logins: &[(DatabaseLogin, String, &str)]) -> Result<Vec<String>, LoginError> {
    let tx = client.transaction().await?;
    let mut made = Vec::new();
    for (login, user, password) in logins {
        let is_new = !is_there(&tx, *login, user).await?;
        let refused = |source| LoginError::Refused { user: user.clone(), source };
        // The server never hears the password, so that no log of statements has it.
        let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
        change(&tx, if is_new { "CREATE" } else { "ALTER" }, *login, user, &verifier).await.map_err(refused)?;
        made.extend(is_new.then(|| user.clone()));
    }
    tx.commit().await?;
    Ok(made)
}

/// Lets into this database whoever is in the role of a login or in the owner's, and takes that right from everybody else. Gives whether it
/// is so: where the session is not that of the database's owner, nothing is changed.
///
/// # Errors
/// [`LoginError::Database`].
pub async fn close(client: &Client) -> Result<bool, LoginError> {
    if client.query_one(OWNS_DATABASE, &[]).await?.get(0) {
        let roles = LOGINS.map(|login| login.role).join(", ");
        let words = "SELECT format('GRANT CONNECT ON DATABASE %1$I TO defaultx_owner, %2$s; REVOKE CONNECT ON DATABASE %1$I FROM PUBLIC',
                         current_database(), $1::text)";
        let row = client.query_one(words, &[&roles]).await?;
        client.batch_execute(row.get(0)).await?;
    }
    let is_open: bool = client.query_one(IS_OPEN, &[]).await?.get(0);
    Ok(!is_open)
}

/// Whether there is a role of that name; an error where it may do more than a worker's login.
async fn is_there(tx: &Transaction<'_>, login: DatabaseLogin, user: &str) -> Result<bool, LoginError> {
    let look = "SELECT array_remove(ARRAY[
                    CASE WHEN rolsuper THEN 'a superuser' END, CASE WHEN rolcreaterole THEN 'one who makes roles' END,
                    CASE WHEN rolcreatedb THEN 'one who makes databases' END, CASE WHEN rolreplication THEN 'one who replicates' END,
                    CASE WHEN rolbypassrls AND NOT $2 THEN 'past row-level security' END,
                    (SELECT 'a member of ' || min(m.roleid::regrole::text) FROM pg_auth_members m
                     WHERE m.member = r.oid AND m.roleid::regrole::text <> $3)], NULL)
                FROM pg_roles r WHERE rolname = $1";
    let Some(row) = tx.query_opt(look, &[&user, &login.copies, &login.role]).await? else { return Ok(false) };
    match row.get::<_, Vec<String>>(0).into_iter().next() {
        None => Ok(true),
        Some(what) => Err(LoginError::TooMuch { name: login.name, user: user.to_owned(), what }),
    }
}

/// Names and verifiers are quoted by the server.
async fn change(
    tx: &Transaction<'_>,
    verb: &str,
    login: DatabaseLogin,
    user: &str,
    verifier: &str,
) -> Result<(), Error> {
    let words = "SELECT format('%s ROLE %I LOGIN PASSWORD %L %s; GRANT %I TO %I', $1::text, $2::text, $3::text,
                     CASE WHEN $4 AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $2 AND rolbypassrls) THEN 'BYPASSRLS' ELSE '' END,
                     $5::text, $2)";
    let row = tx.query_one(words, &[&verb, &user, &verifier, &login.copies, &login.role]).await?;
    tx.batch_execute(row.get(0)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::Principal;

    #[test]
    fn workers_log_in_under_the_names_that_the_brokers_know() {
        let workers =
            LOGINS.iter().filter(|login| ![READ_API_LOG, VERIFIER, REBUILDER, DASHBOARDS].contains(&login.name));
        for login in workers {
            assert!(Principal::ALL.iter().any(|principal| principal.name() == login.name), "{}", login.name);
        }
        let mut roles = LOGINS.map(|login| login.role);
        roles.sort_unstable();
        assert!(roles.windows(2).all(|pair| pair[0] != pair[1]), "a role is one login's");
    }
}
