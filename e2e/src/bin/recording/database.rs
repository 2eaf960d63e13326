//! The database of a hop, asked in a few plain statements.

use anyhow::{Context, Result};
use e2e::stage::runtime;
use runtime::task;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, Row};

/// A session.
pub struct Database {
    runtime: Runtime,
    client: Client,
}

impl Database {
    /// Connects as the superuser.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn connect(url: &str) -> Result<Self> {
        let runtime = runtime()?;
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            drop(task::spawn("recording", connection));
            anyhow::Ok(client)
        })?;
        Ok(Self { runtime, client })
    }

    /// The rows of a question.
    ///
    /// # Errors
    /// The database's.
    pub fn rows(&self, question: &str) -> Result<Vec<Row>> {
        let asked = self.runtime.block_on(self.client.query(question, &[]));
        asked.with_context(|| format!("asking the database: {question}"))
    }

    /// The one number of a question.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn number(&self, question: &str) -> Result<i64> {
        self.rows(question)?.first().context("no row")?.try_get(0).context("no number")
    }

    /// The rows of a table as JSON, one a line, in an order of their own.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn table(&self, table: &str) -> Result<Vec<String>> {
        let rows = self.rows(&format!("SELECT row_to_json(t)::text FROM {table} t"))?;
        let mut lines = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        lines.sort();
        Ok(lines)
    }
}
