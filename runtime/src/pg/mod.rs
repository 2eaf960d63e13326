//! PostgreSQL: how to reach it, one connection or a bounded pool of them.

pub mod offsets;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio_postgres::{Client, Config, NoTls};

/// Connection settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host:port/database`; never printed.
    pub url: SecretString,
    /// Most connections of a pool.
    pub pool_size: usize,
    /// Milliseconds that a statement may take; 0 means without end.
    pub statement_timeout_ms: u64,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: SecretString::from(String::new()), pool_size: 8, statement_timeout_ms: 30_000 }
    }
}

/// Why the database cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// From the driver.
    #[error("database: {0}")]
    Driver(#[from] tokio_postgres::Error),
    /// From the pool's builder.
    #[error("database pool: {0}")]
    Pool(String),
}

impl DatabaseConfig {
    /// Settings of a database by its URL.
    pub fn of_url(url: &str) -> Self {
        Self { url: SecretString::from(url.to_owned()), ..Self::default() }
    }

    fn driver(&self) -> Result<Config, DatabaseError> {
        let mut config: Config = self.url.expose_secret().parse()?;
        config.application_name("defaultx");
        config.options(format!("-c statement_timeout={}", self.statement_timeout_ms));
        Ok(config)
    }

    /// A bounded pool.
    ///
    /// # Errors
    /// [`DatabaseError`] when the URL does not parse.
    pub fn pool(&self) -> Result<Pool, DatabaseError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.driver()?, NoTls, recycling);
        Pool::builder(manager).max_size(self.pool_size).build().map_err(|error| DatabaseError::Pool(error.to_string()))
    }
}

/// Opens one connection. Its task ends with it.
///
/// # Errors
/// [`DatabaseError`] when the URL does not parse or nobody answers.
pub async fn connect(config: &DatabaseConfig) -> Result<Client, DatabaseError> {
    let (client, connection) = config.driver()?.connect(NoTls).await?;
    crate::task::spawn("pg-connection", async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "database connection ended");
        }
    });
    Ok(client)
}
