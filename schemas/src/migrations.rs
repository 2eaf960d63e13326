//! The SQL migrations, embedded in the order of their numbers. Applied ones are never edited: their checksums are kept in the
//! database and compared.

mod embedded {
    #![allow(missing_docs, clippy::unwrap_used)] // what the macro writes
    refinery::embed_migrations!("migrations");
}

/// The record of applied migrations. It stands in the schema that was the login's own when the first one ran.
const HISTORY: &str = "defaultx_migrations";
/// Schemas that hold such a record, as far as the login may look into it.
const HISTORIES: &str = "
    SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = $1 AND c.relkind = 'r'
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    ORDER BY 1";
/// Gives the owner that nobody logs in with what a migration made: its maker is whoever ran it. The schema first, because a table's new owner
/// must be let in there.
const HAND_OVER: &str = "DO $$
    DECLARE
        change text;
    BEGIN
        FOR change IN
            SELECT format('ALTER SCHEMA %s OWNER TO defaultx_owner', n.oid::regnamespace)
            FROM pg_namespace n WHERE n.nspname IN ('defaultx', 'identity') AND n.nspowner <> 'defaultx_owner'::regrole
            UNION ALL
            SELECT format('ALTER TABLE %s OWNER TO defaultx_owner', c.oid::regclass)
            FROM pg_class c
            WHERE c.relnamespace IN ('defaultx'::regnamespace, 'identity'::regnamespace) AND c.relowner <> 'defaultx_owner'::regrole
              AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                              AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
            UNION ALL
            SELECT format('ALTER ROUTINE %s OWNER TO defaultx_owner', p.oid::regprocedure)
            FROM pg_proc p
            WHERE p.pronamespace IN ('defaultx'::regnamespace, 'identity'::regnamespace) AND p.proowner <> 'defaultx_owner'::regrole
        LOOP
            EXECUTE change;
        END LOOP;
    END $$";
/// Only one process migrates a database at a time; the others wait and find nothing to do.
const LOCK: i64 = 0x6465_6661_756c_7478;

/// Brings a database up to the newest migration; gives the names of those it applied. What they made belongs to `defaultx_owner`, whoever
/// runs them: a superuser, or whoever owned all of it with CREATEROLE.
///
/// # Errors
/// [`MigrateError`]: a statement failed, or an applied migration is not the one embedded here.
pub async fn migrate(client: &mut tokio_postgres::Client) -> Result<Vec<String>, MigrateError> {
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    let ran = run(client).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    ran
}

async fn run(client: &mut tokio_postgres::Client) -> Result<Vec<String>, MigrateError> {
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(history(client).await?);
    let ran = runner.run_async(client).await?;
    client.batch_execute(HAND_OVER).await?;
    Ok(ran.applied_migrations().iter().map(ToString::to_string).collect())
}

/// The table with the history, by its full name. The search path alone does not find it: the first migration makes a schema,
/// and where the login has that schema's name, PostgreSQL looks there first from then on.
async fn history(client: &tokio_postgres::Client) -> Result<String, MigrateError> {
    let mut found: Vec<String> = Vec::new();
    for row in client.query(HISTORIES, &[&HISTORY]).await? {
        let schema: String = row.get(0);
        let has_rows = format!("SELECT EXISTS (SELECT FROM {schema}.{HISTORY})");
        if client.query_one(&has_rows, &[]).await?.get(0) {
            found.push(schema);
        }
    }
    match found.as_slice() {
        [] => {
            let row = client.query_one("SELECT quote_ident(current_schema()::text)", &[]).await?;
            let schema: Option<String> = row.get(0);
            Ok(schema.map_or_else(|| HISTORY.to_owned(), |schema| format!("{schema}.{HISTORY}")))
        }
        [schema] => Ok(format!("{schema}.{HISTORY}")),
        _ => Err(MigrateError::Histories(found.join(", "))),
    }
}

/// Why a database is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// From the database.
    #[error("database: {}", in_full(.0))]
    Database(#[from] tokio_postgres::Error),
    /// From the migrations.
    #[error("migration: {}: {}", .0, in_full(.0))]
    Migration(#[from] refinery::Error),
    /// More than one history.
    #[error("the schemas {0} each hold a history of migrations ({HISTORY}): drop the one that is not this database's")]
    Histories(String),
}

/// The innermost source says what the server said.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::embedded::migrations::runner;

    #[test]
    fn numbers_are_unique_and_start_with_the_base() {
        let mut numbers: Vec<_> = runner().get_migrations().iter().map(refinery::Migration::version).collect();
        numbers.sort_unstable();
        let count = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "two migrations share a number");
        assert_eq!(numbers.first(), Some(&1));
    }
}
