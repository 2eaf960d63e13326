//! Rows from records: what PostgreSQL refuses of them is set aside row by row, so that nothing that somebody writes into a record
//! stops its writer. Only what is wrong with a value counts as refused; a server that is away, full or locked, or that lacks a
//! table or a right, is an error as ever, and the batch is read again.

use std::future::Future;
use std::ops::Range;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Transaction};

/// Rows of one table that an open transaction is to take.
pub trait Rows: Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// Writes some of them in one statement; gives how many were not there yet.
    fn insert(&self, tx: &Transaction<'_>, rows: Range<usize>) -> impl Future<Output = Result<u64, Error>> + Send;
}

/// What became of rows.
#[derive(Debug, Default)]
pub struct Inserted {
    /// Rows that were not there yet.
    pub written: u64,
    /// Rows that the server refuses, each with the word of its refusal.
    pub refused: Vec<(usize, SqlState)>,
}

/// Runs `write` under a savepoint; false when the server refuses a value of it, and nothing of it is written.
///
/// # Errors
/// Whatever is not a refusal of values. The transaction must then be rolled back.
pub async fn all_or_none(tx: &Transaction<'_>, write: impl Future<Output = Result<(), Error>>) -> Result<bool, Error> {
    tx.batch_execute("SAVEPOINT all_rows").await?;
    match write.await {
        Ok(()) => {
            tx.batch_execute("RELEASE SAVEPOINT all_rows").await?;
            Ok(true)
        }
        Err(error) if error.code().is_some_and(refuses_values) => {
            tx.batch_execute("ROLLBACK TO SAVEPOINT all_rows; RELEASE SAVEPOINT all_rows").await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Writes all rows that the server takes. What it refuses is found by halving, each step under a savepoint: the rest of the
/// transaction stands.
///
/// # Errors
/// Whatever is not a refusal of values. The transaction must then be rolled back.
pub async fn insert_what_fits(tx: &Transaction<'_>, rows: &impl Rows) -> Result<Inserted, Error> {
    let mut inserted = Inserted::default();
    let mut left = vec![std::ops::Range { start: 0, end: rows.count() }];
    while let Some(range) = left.pop() {
        if range.is_empty() {
            continue;
        }
        tx.batch_execute("SAVEPOINT some_rows").await?;
        match rows.insert(tx, range.clone()).await {
            Ok(written) => {
                tx.batch_execute("RELEASE SAVEPOINT some_rows").await?;
                inserted.written += written;
            }
            Err(error) => {
                let Some(word) = error.code().filter(|word| refuses_values(word)).cloned() else { return Err(error) };
                tx.batch_execute("ROLLBACK TO SAVEPOINT some_rows; RELEASE SAVEPOINT some_rows").await?;
                if range.len() == 1 {
                    inserted.refused.push((range.start, word));
                } else {
                    let middle = range.start + range.len() / 2;
                    left.extend([middle..range.end, range.start..middle]);
                }
            }
        }
    }
    Ok(inserted)
}

/// Data exceptions (22), broken constraints (23), and values beyond a limit of the server (54), such as an index row too large.
fn refuses_values(word: &SqlState) -> bool {
    ["22", "23", "54"].iter().any(|class| word.code().starts_with(class))
}

/// Whether a text column takes it: at most `most` bytes, and no U+0000, which PostgreSQL holds in no text.
pub fn holds(text: &str, most: usize) -> bool {
    text.len() <= most && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_with_a_value_is_a_refusal() {
        let refusals = [
            SqlState::UNTRANSLATABLE_CHARACTER,
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            SqlState::INVALID_TEXT_REPRESENTATION,
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            SqlState::DATETIME_FIELD_OVERFLOW,
            SqlState::CHECK_VIOLATION,
            SqlState::NOT_NULL_VIOLATION,
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            SqlState::STATEMENT_TOO_COMPLEX,
        ];
        let outages = [
            SqlState::CONNECTION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::DISK_FULL,
            SqlState::OUT_OF_MEMORY,
            SqlState::QUERY_CANCELED,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::UNDEFINED_TABLE,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IO_ERROR,
        ];
        for word in &refusals {
            assert!(refuses_values(word), "{word:?}");
        }
        for word in &outages {
            assert!(!refuses_values(word), "{word:?}");
        }
    }

    #[test]
    fn text_is_bounded_and_has_no_nul() {
        assert!(holds("four", 4) && holds("", 0));
        assert!(!holds("four", 3) && !holds("n\0l", 10));
    }
}
