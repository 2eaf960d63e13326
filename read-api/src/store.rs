//! Where answers come from: read-only transactions in which row-level security shows the rows of one tenant, whatever is asked.

use crate::problem::Problem;
use deadpool_postgres::Object;
use runtime::pg::Pool;
use tokio_postgres::{IsolationLevel, Transaction};

/// Names the tenant whose rows are there, until the transaction ends.
const NAME_TENANT: &str = "SELECT set_config('defaultx.tenant', $1, true)";

/// A pool, and the terms on which it is asked.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    /// Said at the start of every transaction.
    terms: String,
}

impl Store {
    /// Over a pool. Questions are asked under `role`, or the login's own without one; a statement ends after
    /// `statement_timeout_ms`.
    pub fn new(pool: Pool, role: Option<&str>, statement_timeout_ms: u64) -> Self {
        let role = role.map_or_else(String::new, |role| format!("SET LOCAL ROLE {role};"));
        // Compiling a statement takes longer than answering most of them.
        let settings = "SET LOCAL TimeZone = 'UTC'; SET LOCAL jit = off";
        let terms = format!("{role} SET LOCAL statement_timeout = {statement_timeout_ms}; {settings}");
        Self { pool, terms }
    }

    /// A session of the pool.
    ///
    /// # Errors
    /// 503 when there is none in time.
    pub async fn session(&self) -> Result<Object, Problem> {
        Ok(self.pool.get().await?)
    }

    /// One view of everything that has no tenant and of the rows of this one, unmoved by what is written meanwhile. Without a tenant no
    /// such row is there.
    ///
    /// # Errors
    /// 503.
    pub async fn snapshot<'a>(
        &self,
        session: &'a mut Object,
        tenant: Option<&str>,
    ) -> Result<Transaction<'a>, Problem> {
        let name = session.prepare_cached(NAME_TENANT).await?;
        let client: &mut tokio_postgres::Client = session;
        let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let tx = builder.start().await?;
        tx.batch_execute(&self.terms).await?;
        if let Some(tenant) = tenant {
            tx.execute(&name, &[&tenant]).await?;
        }
        Ok(tx)
    }
}
