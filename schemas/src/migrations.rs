//! The SQL migrations, embedded in the order of their numbers. Applied ones are never edited: their checksums are kept in the
//! database and compared.

mod embedded {
    #![allow(missing_docs, clippy::unwrap_used)] // what the macro writes
    refinery::embed_migrations!("migrations");
}

/// Where the record of applied migrations stands, so that it needs no schema of its own.
const HISTORY: &str = "defaultx_migrations";
/// Only one process migrates a database at a time; the others wait and find nothing to do.
const LOCK: i64 = 0x6465_6661_756c_7478;

/// Brings a database up to the newest migration; gives the names of those it applied.
///
/// # Errors
/// [`MigrateError`]: a statement failed, or an applied migration is not the one embedded here.
pub async fn migrate(client: &mut tokio_postgres::Client) -> Result<Vec<String>, MigrateError> {
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(HISTORY);
    let ran = runner.run_async(client).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    Ok(ran?.applied_migrations().iter().map(ToString::to_string).collect())
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
}

/// The innermost source says what the server said.
fn in_full(error: &dyn std::error::Error) -> String {
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
