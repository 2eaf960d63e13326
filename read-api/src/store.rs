//! Sessions that can only read: a read-only transaction under the read role, whatever the login may do.

use crate::problem::Problem;
use deadpool_postgres::{Object, Pool};
use tokio_postgres::{IsolationLevel, Transaction};

/// Where answers come from.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    statement_timeout_ms: u64,
}

impl Store {
    /// Over a pool; a statement is given up after `statement_timeout_ms`.
    pub fn new(pool: Pool, statement_timeout_ms: u64) -> Self {
        Self { pool, statement_timeout_ms }
    }

    /// A session of the pool.
    ///
    /// # Errors
    /// 503 when there is none in time.
    pub async fn session(&self) -> Result<Object, Problem> {
        Ok(self.pool.get().await?)
    }

    /// One snapshot of everything, under the read role.
    ///
    /// # Errors
    /// 503.
    pub async fn snapshot<'a>(&self, session: &'a mut Object) -> Result<Transaction<'a>, Problem> {
        let client: &mut tokio_postgres::Client = session;
        let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let tx = builder.start().await?;
        let timeout = self.statement_timeout_ms;
        tx.batch_execute(&format!("SET LOCAL ROLE defaultx_read; SET LOCAL statement_timeout = {timeout}")).await?;
        Ok(tx)
    }
}
