//! A session of a database for one question.

use anyhow::Result;
use e2e::stage::runtime;
use tokio_postgres::Client;

/// Asks a database over a session of its own.
pub fn ask<T>(url: &str, question: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
    runtime()?.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        let connection = runtime::task::spawn("ask", connection);
        let answer = question(&client).await;
        drop(client);
        connection.await??;
        answer
    })
}
