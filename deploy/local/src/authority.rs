//! An authority, and what it signs: a broker that speaks TLS shows a certificate that its clients can check. Made by openssl, good
//! for 30 days and for 127.0.0.1; for tests and measurements. A deployment brings certificates of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::secrets::write_private;
use crate::{LocalError, process};

/// Extensions: of an authority, and of those whom it signs. A broker is also a client, of itself.
const CONFIG: &str = "\
[req]
distinguished_name = dn
[dn]
[authority]
basicConstraints = critical, CA:TRUE
[member]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
extendedKeyUsage = serverAuth, clientAuth
";

/// A folder with the key and certificate of an authority, and of everybody whom it signed.
#[derive(Debug)]
pub struct Authority {
    dir: PathBuf,
}

impl Authority {
    /// Makes an authority in a folder that is not there yet.
    ///
    /// # Errors
    /// When the folder cannot be made or openssl fails.
    pub fn new(dir: impl Into<PathBuf>) -> Result<Authority, LocalError> {
        let dir = dir.into();
        fs::create_dir(&dir).map_err(LocalError::io(|| format!("creating {}", dir.display())))?;
        let authority = Authority { dir };
        authority.write("openssl.cnf", CONFIG)?;
        authority.make("ca", "/CN=authority", &["-extensions", "authority"])?;
        Ok(authority)
    }

    /// Signs a certificate for a subject (`/OU=…/CN=…`), which then stands under `name`.
    ///
    /// # Errors
    /// When openssl fails.
    pub fn sign(&self, name: &str, subject: &str) -> Result<(), LocalError> {
        let (certificate, key) = (self.trusted(), self.key("ca"));
        self.make(name, subject, &["-extensions", "member", "-CA", &certificate, "-CAkey", &key])
    }

    /// PEM file of the authority's own certificate: what clients must believe in.
    pub fn trusted(&self) -> String {
        self.certificate("ca")
    }

    /// PEM file of a certificate.
    pub fn certificate(&self, name: &str) -> String {
        self.path(&format!("{name}.crt"))
    }

    /// PEM file of its key.
    pub fn key(&self, name: &str) -> String {
        self.path(&format!("{name}.key"))
    }

    /// Settings by which a broker shows the certificate under `name`, and believes whom this authority signed.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn broker_settings(&self, name: &str) -> Result<[(&'static str, String); 4], LocalError> {
        let read = |path: String| fs::read_to_string(&path).map_err(LocalError::io(|| format!("reading {path}")));
        // Key and certificate in one file, as the broker wants them.
        let store = format!("{name}.pem");
        self.write(&store, &(read(self.key(name))? + &read(self.certificate(name))?))?;
        Ok([
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.location", self.path(&store)),
            ("ssl.truststore.type", "PEM".to_owned()),
            ("ssl.truststore.location", self.trusted()),
        ])
    }

    fn make(&self, name: &str, subject: &str, more: &[&str]) -> Result<(), LocalError> {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
        openssl.args(["-subj", subject, "-config", &self.path("openssl.cnf")]).args(more);
        openssl.args(["-keyout", &self.key(name), "-out", &self.certificate(name)]);
        process::run(&format!("making a certificate for {subject}"), openssl).map(drop)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), LocalError> {
        let path = self.dir.join(name);
        write_private(&path, text.as_bytes()).map_err(LocalError::io(|| format!("writing {}", path.display())))
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }
}
