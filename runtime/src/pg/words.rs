//! What PostgreSQL said, in one line: the client's own errors only say that it said something.

use std::error::Error as _;
use tokio_postgres::error::SqlState;

/// The server's message with its code and the constraint that refused, or what stood between. Without the server's detail, which
/// repeats the values of a row.
pub fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{} ({})", server.message(), server.code().code()),
        None => error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
    }
}

/// Whether the server was not reached, or is on its way up or down: what it says of a login or a statement is another matter.
pub(super) fn is_away(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(server) => *server.code() == SqlState::CANNOT_CONNECT_NOW,
        None => error.source().is_none_or(|source| source.is::<std::io::Error>() || error.is_closed()),
    }
}
