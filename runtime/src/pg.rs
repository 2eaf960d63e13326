//! How to reach PostgreSQL: one section of the configuration with the logins of workers, single sessions and a bounded, measured
//! pool; [`offsets`], the rows that make Kafka → PostgreSQL exactly once; [`lease`], who writes them; and [`rows`], how a value
//! that the server refuses stops nobody. Knows no other table.

mod config;
mod error;
pub mod lease;
mod login;
pub mod offsets;
pub mod rows;
mod tls;
mod words;

pub use config::{DatabaseConfig, shown};
pub use error::{ConnectError, NoSession};
pub use login::{Acting, Login};

use crate::kafka::is_loopback;
use crate::metrics::registered;
use crate::outage::DATABASE;
use crate::task;
use crate::warn_unless_away;
use deadpool_postgres::{Manager, ManagerConfig, Object, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts};
use prometheus::{Histogram, HistogramOpts, Registry};
use std::time::Duration;
use tls::Tls;
use tokio_postgres::Client;
use tokio_postgres::config::{Host, SslMode};
pub use words::said;

/// Seconds that a caller waited for a session of a worker's pool, whether it got one or not.
pub(crate) const POOL_WAIT_SECONDS: &str = "defaultx_database_pool_wait_seconds";

/// A bounded pool of sessions that tells how long its callers wait. Connects when first asked.
#[derive(Debug, Clone)]
pub struct Pool {
    sessions: deadpool_postgres::Pool,
    wait: Histogram,
    /// Host and port, for lines of the log.
    place: String,
}

impl Pool {
    /// The pool of a worker.
    ///
    /// # Errors
    /// [`ConnectError`] when the URL does not parse, or the worker has a pool already.
    pub fn new(config: &DatabaseConfig, registry: &Registry, worker: &str) -> Result<Self, ConnectError> {
        let edges = vec![0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let wait = HistogramOpts::new(POOL_WAIT_SECONDS, "Seconds waited for a session of the pool").buckets(edges);
        let wait = registered(registry, Histogram::with_opts(wait.const_label("worker", worker))?)?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let (settings, tls) = settings(config)?;
        let place = place(&settings);
        let manager = Manager::from_config(settings, tls, recycling);
        let patience = Some(Duration::from_millis(config.connect_timeout_ms));
        let timeouts = Timeouts { wait: patience, create: patience, recycle: patience };
        let pool = deadpool_postgres::Pool::builder(manager).max_size(config.pool_size.max(1));
        Ok(Self { sessions: pool.runtime(Runtime::Tokio1).timeouts(timeouts).build()?, wait, place })
    }

    /// A session, given back when it is dropped.
    ///
    /// # Errors
    /// When there is none in time, or the server cannot be reached.
    pub async fn get(&self) -> Result<Object, NoSession> {
        let timer = self.wait.start_timer();
        let session = self.sessions.get().await;
        timer.observe_duration();
        match &session {
            Ok(_) => DATABASE.works(&self.place),
            Err(PoolError::Backend(error)) if words::is_away(error) => DATABASE.failed(&self.place, &said(error)),
            Err(PoolError::Timeout(TimeoutType::Create)) => DATABASE.failed(&self.place, "no connection in time"),
            Err(_) => {}
        }
        Ok(session?)
    }
}

impl DatabaseConfig {
    /// Whether it can be used, as far as that can be told without the server.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn check(&self) -> Result<(), ConnectError> {
        settings(self).map(drop)
    }
}

/// One session outside any pool, for leases and long transactions.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(config: &DatabaseConfig) -> Result<Client, ConnectError> {
    let (settings, tls) = settings(config)?;
    let place = place(&settings);
    let connected = settings.connect(tls).await;
    match &connected {
        Ok(_) => DATABASE.works(&place),
        Err(error) if words::is_away(error) => DATABASE.failed(&place, &said(error)),
        Err(_) => {}
    }
    let (client, connection) = connected?;
    task::spawn("pg-connection", async move {
        if let Err(error) = connection.await {
            warn_unless_away!(DATABASE, place, error = said(&error), "database session ended");
        }
    });
    Ok(client)
}

/// Hosts and ports, `host:port`; no login.
fn place(settings: &tokio_postgres::Config) -> String {
    let ports = settings.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    let hosts = settings.get_hosts().iter().enumerate().map(|(at, host)| match host {
        Host::Tcp(name) => format!("{name}:{}", port(at)),
        Host::Unix(path) => format!("{}:{}", path.display(), port(at)),
    });
    hosts.collect::<Vec<_>>().join(",")
}

fn settings(config: &DatabaseConfig) -> Result<(tokio_postgres::Config, Tls), ConnectError> {
    if config.url.is_empty() {
        return Err(ConnectError::Url("is not set".to_owned()));
    }
    // The parser's message names what is wrong, never the password.
    let parsed: Result<tokio_postgres::Config, _> = config.url.expose().parse();
    let mut settings = parsed.map_err(|error| ConnectError::Url(error.to_string()))?;
    if let Some(Acting { user, password }) = &config.acting {
        settings.user(user).password(password.expose());
    }
    let own = format!("-c statement_timeout={} {SERVER_KEEPALIVES}", config.statement_timeout_ms);
    let options = settings.get_options().map_or(own.clone(), |given| format!("{own} {given}"));
    settings.options(options);
    settings.connect_timeout(Duration::from_millis(config.connect_timeout_ms));
    keep_alive(&mut settings);
    if settings.get_application_name().is_none() {
        settings.application_name("defaultx");
    }
    // All or nothing: encryption that gives way when the other side asks for it protects nobody.
    let wants_tls = settings.get_ssl_mode() == SslMode::Require || config.ssl_ca_location.is_some();
    if !wants_tls
        && !config.allow_plaintext_to_database
        && let Some(host) = beyond_this_machine(&settings)
    {
        return Err(ConnectError::Plaintext(host));
    }
    settings.ssl_mode(if wants_tls { SslMode::Require } else { SslMode::Disable });
    let tls = if wants_tls { Tls::trusting(config.ssl_ca_location.as_deref())? } else { Tls::none() };
    Ok((settings, tls))
}

/// A host that is reached over a network. A name is one, whatever it resolves to now.
fn beyond_this_machine(settings: &tokio_postgres::Config) -> Option<String> {
    let addresses = settings.get_hostaddrs().iter();
    if let Some(address) = addresses.clone().find(|address| !address.to_canonical().is_loopback()) {
        return Some(address.to_string());
    }
    if addresses.len() > 0 {
        return None; // names are not resolved then
    }
    settings.get_hosts().iter().find_map(|host| match host {
        Host::Tcp(name) if !is_loopback(name) => Some(name.clone()),
        Host::Tcp(_) | Host::Unix(_) => None,
    })
}

/// What the server is asked to do when this machine is gone: it ends the session, with its transaction and its locks.
const SERVER_KEEPALIVES: &str = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 \
                                 -c tcp_user_timeout=30000";
/// Keepalives by the system's default begin after two hours.
const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

/// What this side does when the server's machine is gone: half a minute later the session is an error. The URL may say otherwise.
fn keep_alive(settings: &mut tokio_postgres::Config) {
    if settings.get_keepalives_idle() == TWO_HOURS {
        settings.keepalives_idle(Duration::from_secs(10));
    }
    if settings.get_keepalives_interval().is_none() {
        settings.keepalives_interval(Duration::from_secs(5));
    }
    if settings.get_keepalives_retries().is_none() {
        settings.keepalives_retries(3);
    }
    if settings.get_tcp_user_timeout().is_none() {
        settings.tcp_user_timeout(Duration::from_secs(30));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn passwords_do_not_show() {
        let cases = [
            ("postgres://u:p@ss@h:5432/d", "postgres://u:***@h:5432/d"),
            ("postgres://u@h/d?password=x", "postgres://u@h/d?***"),
            ("postgres://u@h/d?sslmode=require", "postgres://u@h/d?…"),
            ("postgres://h/d", "postgres://h/d"),
            ("host=h password=p", "***"),
            ("", ""),
        ];
        for (url, wanted) in cases {
            assert_eq!(shown(url), wanted);
        }
        let config = DatabaseConfig { url: "postgres://u:hush@h/d".into(), ..DatabaseConfig::default() };
        let printed = crate::config::show(&config).unwrap() + &format!("{config:?}");
        assert!(!printed.contains("hush"), "{printed}");
    }

    #[test]
    fn the_server_is_told_the_statement_timeout() {
        let url = "postgres://u@localhost/d?options=-c%20search_path%3Dx";
        let config = DatabaseConfig { url: url.into(), statement_timeout_ms: 7, ..DatabaseConfig::default() };
        let wanted = format!("-c statement_timeout=7 {SERVER_KEEPALIVES} -c search_path=x");
        assert_eq!(settings(&config).unwrap().0.get_options(), Some(wanted.as_str()));
        assert!(settings(&DatabaseConfig::default()).is_err(), "no database is an error, not a default");
    }

    #[test]
    fn a_peer_that_is_gone_is_noticed_within_the_minute() {
        let seconds = |url: &str| {
            let config = DatabaseConfig { url: url.into(), ..DatabaseConfig::default() };
            let settings = settings(&config).unwrap().0;
            assert!(settings.get_keepalives());
            let (idle, interval) = (settings.get_keepalives_idle(), settings.get_keepalives_interval().unwrap());
            let retries = settings.get_keepalives_retries().unwrap();
            [idle + interval * retries, *settings.get_tcp_user_timeout().unwrap()]
        };
        assert_eq!(seconds("postgres://u@127.0.0.1/d"), [Duration::from_secs(25), Duration::from_secs(30)]);
        let asked =
            "postgres://u@[::1]/d?keepalives_idle=1&keepalives_interval=2&keepalives_retries=5&tcp_user_timeout=9";
        assert_eq!(seconds(asked), [Duration::from_secs(11), Duration::from_secs(9)]);
    }

    #[tokio::test]
    async fn a_wait_is_measured_whether_or_not_it_was_worth_it() {
        let registry = Registry::new();
        // Nobody listens on the discard port.
        let config = DatabaseConfig { url: "postgres://u@127.0.0.1:9/d".into(), ..DatabaseConfig::default() };
        let pool = Pool::new(&config, &registry, "notifier").unwrap();
        assert!(pool.get().await.is_err());
        assert_eq!(pool.wait.get_sample_count(), 1);
        assert!(Pool::new(&config, &registry, "read-api").is_ok(), "each worker has its own");
        assert!(matches!(Pool::new(&config, &registry, "notifier"), Err(ConnectError::Metrics(_))));
    }

    #[test]
    fn encryption_is_all_or_nothing() {
        let mode = |url: &str, ca: Option<&str>| {
            let ca = ca.map(str::to_owned);
            let config = DatabaseConfig { url: url.into(), ssl_ca_location: ca, ..DatabaseConfig::default() };
            settings(&config).map(|(settings, _)| settings.get_ssl_mode())
        };
        assert_eq!(mode("postgres://u@localhost/d", None).unwrap(), SslMode::Disable);
        assert_eq!(mode("postgres://u@localhost/d?sslmode=prefer", None).unwrap(), SslMode::Disable);
        assert_eq!(mode("postgres://u@h/d?sslmode=require", None).unwrap(), SslMode::Require);
        assert!(matches!(mode("postgres://u@h/d", Some("no such file")), Err(ConnectError::Tls(_))));
    }

    #[test]
    fn nothing_crosses_a_network_readable_unless_somebody_said_so() {
        let refused = |url: &str, allow_plaintext_to_database| {
            let config = DatabaseConfig { url: url.into(), allow_plaintext_to_database, ..DatabaseConfig::default() };
            matches!(settings(&config), Err(ConnectError::Plaintext(_)))
        };
        let rows = [
            ("postgres://u@localhost/d", false),
            ("postgres://u@127.0.0.2/d", false),
            ("host=/run/postgresql user=u", false),
            ("postgres://u@db/d", true),
            ("postgres://u@10.0.0.1/d", true),
            ("postgres://u@localhost,db/d", true),
            ("postgres://u@localhost.example/d", true),
            ("host=localhost hostaddr=10.0.0.1 user=u", true),
            ("host=db hostaddr=127.0.0.1 user=u", false),
            ("postgres://u@db/d?sslmode=prefer", true),
            ("postgres://u@db/d?sslmode=require", false),
        ];
        for (url, expected) in rows {
            assert_eq!(refused(url, false), expected, "{url}");
            assert!(!refused(url, true), "{url} is allowed");
        }
    }
}
