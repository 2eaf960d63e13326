//! The snapshot in which projections are held against the log. Names mean what the server means by them: whoever owns the database may
//! put operators of their own in front, and `=` would then be whatever they say.

use crate::error::Error;
use tokio_postgres::{Client, IsolationLevel, Transaction};

/// `pg_temp` would be looked into first if it were not named.
const OWN_NAMES: &str = "SET LOCAL search_path = pg_catalog, pg_temp";

/// Begins one that only reads.
///
/// # Errors
/// The database's.
pub(crate) async fn reading(client: &mut Client) -> Result<Transaction<'_>, Error> {
    begin(client, true).await
}

/// Begins one that may write.
///
/// # Errors
/// The database's.
pub(crate) async fn writing(client: &mut Client) -> Result<Transaction<'_>, Error> {
    begin(client, false).await
}

async fn begin(client: &mut Client, is_read_only: bool) -> Result<Transaction<'_>, Error> {
    let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(is_read_only);
    let tx = builder.start().await?;
    tx.batch_execute(OWN_NAMES).await?;
    Ok(tx)
}
