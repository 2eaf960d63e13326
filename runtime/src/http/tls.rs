//! TLS of our own listeners, by the process's one TLS library. The certificate is read again when its files change, so that a renewal
//! needs no restart; a renewal that cannot be used is said, and the last one that could goes on. Asks clients for no certificate:
//! who somebody is stands in his token.

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio_rustls::TlsAcceptor;

/// Between two looks at the files, on a new connection.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Section `[tls]`: of the HTTP door and read-api, and of /livez, /readyz and /metrics where that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file of the certificate with those that sign it, the server's own first. Empty: listeners speak plain HTTP.
    pub certificate: String,
    /// PEM file of its key, without a password.
    pub key: String,
    /// Whether /livez, /readyz and /metrics are behind it too: then probes and Prometheus must say `https`.
    pub ops: bool,
}

/// Why a listener cannot have TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of the two is missing.
    #[error("[tls] {0} is not set: a listener needs both certificate and key")]
    Half(&'static str),
    /// A file cannot be used.
    #[error("[tls] {key} = {path:?}: {why}")]
    File {
        /// Which of them.
        key: &'static str,
        /// The file.
        path: String,
        /// In the words of the library.
        why: String,
    },
    /// The key is another certificate's, or of a kind that the library does not have.
    #[error("[tls] certificate and key do not go together: {0}")]
    Pair(String),
    /// The library refuses its settings.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
}

/// Makes connections secure. Clones share the certificate.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// As configured; none without a certificate.
    ///
    /// # Errors
    /// [`TlsError`], which names the key.
    pub fn of(config: &TlsConfig) -> Result<Option<Self>, TlsError> {
        match (config.certificate.is_empty(), config.key.is_empty()) {
            (true, true) => return Ok(None),
            (true, false) => return Err(TlsError::Half("certificate")),
            (false, true) => return Err(TlsError::Half("key")),
            (false, false) => {}
        }
        let renewed = Renewed::read(config.clone())?;
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut server = builder.with_cert_resolver(Arc::new(renewed));
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self(TlsAcceptor::from(Arc::new(server)))))
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.0
    }
}

/// The certificate in force, and the files that it comes from.
#[derive(Debug)]
struct Renewed {
    config: TlsConfig,
    inner: Mutex<InForce>,
}

#[derive(Debug)]
struct InForce {
    pair: Arc<CertifiedKey>,
    /// When the files were written that were read last, whatever came of it.
    written: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Renewed {
    fn read(config: TlsConfig) -> Result<Self, TlsError> {
        let written = written(&config);
        let pair = Arc::new(pair(&config)?);
        Ok(Self { config, inner: Mutex::new(InForce { pair, written, looked: Instant::now() }) })
    }

    fn current(&self, now: Instant) -> Arc<CertifiedKey> {
        let mut inner = self.lock();
        if now.saturating_duration_since(inner.looked) >= LOOK_AFTER {
            inner.looked = now;
            self.look(&mut inner);
        }
        inner.pair.clone()
    }

    fn look(&self, inner: &mut InForce) {
        let written = written(&self.config);
        if written == inner.written {
            return;
        }
        inner.written = written;
        match pair(&self.config) {
            Ok(pair) => {
                inner.pair = Arc::new(pair);
                tracing::info!(certificate = self.config.certificate, "certificate renewed");
            }
            Err(error) => tracing::error!(%error, "the renewed certificate is not used; the one before stays"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, InForce> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Renewed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current(Instant::now()))
    }
}

fn written(config: &TlsConfig) -> [Option<SystemTime>; 2] {
    [&config.certificate, &config.key].map(|path| Path::new(path).metadata().and_then(|meta| meta.modified()).ok())
}

fn pair(config: &TlsConfig) -> Result<CertifiedKey, TlsError> {
    let wrong = |key: &'static str, path: &str, why: String| TlsError::File { key, path: path.to_owned(), why };
    let of_certificate = |why: String| wrong("certificate", &config.certificate, why);
    let chain = CertificateDer::pem_file_iter(&config.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| of_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(of_certificate("it holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&config.key)
        .map_err(|error| wrong("key", &config.key, format!("{error}; a PEM key without a password is needed")))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| TlsError::Pair(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::http::{Bounds, Listener, serve_within};
    use axum::Router;
    use axum::routing::get;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use std::fs;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_util::sync::CancellationToken;

    const OPENSSL: &str = "[req]\ndistinguished_name = dn\n[dn]\n[ext]\nbasicConstraints = critical, CA:FALSE\n\
                           subjectAltName = DNS:localhost\n";

    /// A certificate for localhost and its key, in PEM.
    fn certificate() -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("openssl.cnf"), OPENSSL).unwrap();
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
        openssl.args(["-subj", "/CN=localhost", "-extensions", "ext", "-config"]).arg(path("openssl.cnf"));
        openssl.arg("-keyout").arg(path("key")).arg("-out").arg(path("certificate"));
        let made = openssl.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (fs::read_to_string(path("certificate")).unwrap(), fs::read_to_string(path("key")).unwrap())
    }

    /// Writes both files with a time of their own: two writes may fall into one tick of the file system's clock.
    fn put(config: &TlsConfig, (certificate, key): &(String, String), second: u64) {
        for (path, text) in [(&config.certificate, certificate), (&config.key, key)] {
            fs::write(path, text).unwrap();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
        }
    }

    fn config(dir: &Path) -> TlsConfig {
        let path = |name: &str| dir.join(name).display().to_string();
        TlsConfig { certificate: path("tls.crt"), key: path("tls.key"), ops: false }
    }

    async fn ask(address: SocketAddr, trusted: &str) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let connector = TlsConnector::from(Arc::new(builder.with_no_client_auth()));
        let stream = TcpStream::connect(address).await?;
        let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8(answer).unwrap())
    }

    #[tokio::test]
    async fn a_listener_speaks_tls_alone_and_those_who_say_nothing_are_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let (config, made) = (config(dir.path()), certificate());
        put(&config, &made, 1);
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", get(|| async { "here" }));
        let listener = Listener { tls: Tls::of(&config).unwrap(), ..SocketAddr::from(([127, 0, 0, 1], 0)).into() };
        let bounds = Bounds { head: Duration::from_millis(300), ..Bounds::default() };
        let served = serve_within("test", listener, router, shutdown.clone(), bounds).await;
        let (address, handle) = served.unwrap();
        assert!(ask(address, &made.0).await.unwrap().ends_with("here"));
        ask(address, &certificate().0).await.unwrap_err(); // not the certificate that this client trusts
        // In the clear, and without a word: neither gets an answer, and neither stays.
        for said in [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], b"", b"\x16\x03\x01"] {
            let mut plain = TcpStream::connect(address).await.unwrap();
            plain.write_all(said).await.unwrap();
            let mut answer = Vec::new();
            let read = tokio::time::timeout(Duration::from_secs(30), plain.read_to_end(&mut answer)).await;
            drop(read.expect("it is closed"));
            assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
        }
        shutdown.cancel();
        handle.join().await.unwrap();
    }

    #[test]
    fn a_renewal_is_taken_and_a_broken_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let (first, second) = (certificate(), certificate());
        put(&config, &first, 1);
        let renewed = Renewed::read(config.clone()).unwrap();
        let start = renewed.lock().looked;
        let is = |at: u64, made: &(String, String)| {
            let current = renewed.current(start + Duration::from_secs(at));
            current.cert[0] == CertificateDer::from_pem_slice(made.0.as_bytes()).unwrap()
        };
        put(&config, &second, 2);
        assert!(is(0, &first), "not looked at yet");
        assert!(is(1, &second));
        // Half a renewal: the key is still the old one's. Then nonsense, then whole again.
        put(&config, &(first.0.clone(), second.1.clone()), 3);
        assert!(is(2, &second));
        put(&config, &("nonsense".to_owned(), first.1.clone()), 4);
        assert!(is(3, &second));
        fs::remove_file(&config.key).unwrap();
        assert!(is(4, &second));
        put(&config, &first, 5);
        assert!(is(5, &first));
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let whole = config(dir.path());
        put(&whole, &certificate(), 1);
        assert!(Tls::of(&TlsConfig::default()).unwrap().is_none());
        let other = dir.path().join("other.key").display().to_string();
        fs::write(&other, certificate().1).unwrap();
        let rows = [
            (TlsConfig { key: String::new(), ..whole.clone() }, "[tls] key is not set"),
            (TlsConfig { certificate: String::new(), ..whole.clone() }, "[tls] certificate is not set"),
            (TlsConfig { certificate: whole.key.clone(), ..whole.clone() }, "it holds no certificate"),
            (TlsConfig { key: "nowhere".to_owned(), ..whole.clone() }, "[tls] key = \"nowhere\""),
            (TlsConfig { key: other, ..whole.clone() }, "do not go together"),
        ];
        for (config, expected) in rows {
            let error = Tls::of(&config).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Tls::of(&whole).unwrap().is_some());
    }
}
