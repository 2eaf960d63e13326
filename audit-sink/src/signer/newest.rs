//! The newest note of a log in the database: what witnesses and time-stamping authorities are asked about.

use crate::error::Error;
use audit_log::{Head, NoteVerifier};
use tokio_postgres::Client;

/// Rows that are looked at for the newest one with a valid signature.
const ROWS_LOOKED_AT: i64 = 100;

/// The newest head of a log with a valid signature, and its note: of the newest epoch, the largest.
pub(super) async fn newest_note(
    client: &Client,
    verifiers: &[NoteVerifier],
    log: i32,
) -> Result<Option<(Head, String)>, Error> {
    let query = "SELECT note FROM defaultx.audit_checkpoints WHERE log = $1 ORDER BY size DESC LIMIT $2";
    let rows = client.query(query, &[&log, &ROWS_LOOKED_AT]).await?;
    let opened = rows.iter().filter_map(|row| {
        let note: &str = row.get(0);
        let opened = verifiers.iter().find_map(|verifier| verifier.open(note).ok())?;
        (opened.head.log == log).then(|| (opened.head, note.to_owned()))
    });
    Ok(opened.max_by_key(|(head, _)| (head.epoch, head.size)))
}
