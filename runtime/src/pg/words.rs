//! What PostgreSQL said, in one line: the client's own errors only say that it said something.

use std::error::Error as _;

/// The server's message with its code and the constraint that refused, or what stood between. Without the server's detail, which
/// repeats the values of a row.
pub fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{} ({})", server.message(), server.code().code()),
        None => error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
    }
}
