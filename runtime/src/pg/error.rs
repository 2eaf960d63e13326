//! Why there is no session.

use super::words::said;
use deadpool_postgres::PoolError;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No database is configured, or its URL does not parse.
    #[error("[database] url: {0}")]
    Url(String),
    /// Without TLS over a network.
    #[error(
        "[database] url leads to {0} without TLS: add ?sslmode=require or set ssl_ca_location; where the network is trusted as a whole, \
         [database] allow_plaintext_to_database = true takes it"
    )]
    Plaintext(String),
    /// TLS is wanted and its authorities cannot be read.
    #[error("TLS to PostgreSQL: {0}")]
    Tls(String),
    /// The server refuses or cannot be reached.
    #[error("connecting to PostgreSQL: {}", said(.0))]
    Connect(#[from] tokio_postgres::Error),
    /// The pool cannot be made.
    #[error("pool of PostgreSQL sessions: {0}")]
    Pool(#[from] deadpool_postgres::BuildError),
    /// Its metrics cannot be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl ConnectError {
    /// Whether trying again can help. What never does is a knob of this process, which nobody changes while it runs.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Tls(_) | Self::Connect(_) => true,
            Self::Url(_) | Self::Plaintext(_) | Self::Pool(_) | Self::Metrics(_) => false,
        }
    }
}

/// Why the pool gives no session: it waited too long for one, or the server gave none, in the server's words.
#[derive(Debug, thiserror::Error)]
#[error("pool of database sessions: {}", of_pool(.0))]
pub struct NoSession(#[from] PoolError);

/// The pool's own error hides what the server said behind "db error".
fn of_pool(error: &PoolError) -> String {
    match error {
        PoolError::Backend(server) => said(server),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::pg::{DatabaseConfig, Pool};
    use crate::task;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn what_the_server_says_comes_out_of_the_pool() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://u@{}/d", listener.local_addr().unwrap());
        let server = task::spawn("server", async move {
            let (mut session, _) = listener.accept().await.unwrap();
            let mut startup = vec![0; session.read_i32().await.unwrap() as usize - 4];
            session.read_exact(&mut startup).await.unwrap();
            let fields = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0";
            session.write_u8(b'E').await.unwrap();
            session.write_i32(fields.len() as i32 + 4).await.unwrap();
            session.write_all(fields).await.unwrap();
        });
        let config = DatabaseConfig { url: url.into(), ..DatabaseConfig::default() };
        let pool = Pool::new(&config, &prometheus::Registry::new(), "notifier").unwrap();
        let refused = pool.get().await.unwrap_err().to_string();
        assert_eq!(refused, "pool of database sessions: sorry, too many clients already (53300)");
        server.await.unwrap();
    }
}
