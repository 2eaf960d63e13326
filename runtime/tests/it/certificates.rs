//! A broker that knows its clients by their certificates: who somebody is stands in the subject, what he may do in the rights of
//! that name.

use crate::assert_once;
use crate::bench::{Bench, numbers};
use crate::rights::{OF_A_WORKER, give};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};
use runtime::kafka::{KafkaConfig, Login};
use runtime::stream::{Output, Route, TransactionError, Transactions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Whoever is let in is let in sooner.
const AT_THE_DOOR: Duration = Duration::from_secs(10);
/// Extensions: of an authority, and of those whom it signs. The broker is also a client, of itself.
const OPENSSL: &str = "[req]\ndistinguished_name = dn\n[dn]\n[authority]\nbasicConstraints = critical, CA:TRUE\n\
                       [member]\nbasicConstraints = critical, CA:FALSE\nsubjectAltName = IP:127.0.0.1\n\
                       extendedKeyUsage = serverAuth, clientAuth\n";

/// An authority in a folder of its own, and what it has signed there.
struct Authority {
    dir: PathBuf,
}

impl Authority {
    fn new(dir: PathBuf) -> Self {
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("openssl.cnf"), OPENSSL).unwrap();
        let authority = Self { dir };
        authority.make("ca", "/CN=authority", &["-extensions", "authority"]);
        authority
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// Signs a certificate for a subject.
    fn sign(&self, name: &str, subject: &str) {
        let (certificate, key) = (self.path("ca.crt"), self.path("ca.key"));
        self.make(name, subject, &["-extensions", "member", "-CA", &certificate, "-CAkey", &key]);
    }

    fn make(&self, name: &str, subject: &str, more: &[&str]) {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
        openssl.args(["-subj", subject, "-config", &self.path("openssl.cnf")]).args(more);
        openssl.args(["-keyout", &self.path(&format!("{name}.key")), "-out", &self.path(&format!("{name}.crt"))]);
        let made = openssl.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// Key and certificate in one file, as the broker wants them.
    fn store_of(&self, name: &str) -> String {
        let text = |ending: &str| std::fs::read_to_string(self.path(&format!("{name}.{ending}"))).unwrap();
        std::fs::write(self.dir.join("store.pem"), text("key") + &text("crt")).unwrap();
        self.path("store.pem")
    }

    fn login(&self, name: &str) -> Login {
        Login {
            ssl_certificate_location: Some(self.path(&format!("{name}.crt"))),
            ssl_key_location: Some(self.path(&format!("{name}.key"))),
            ..Login::default()
        }
    }
}

/// A broker whose clients show certificates, its authority, and how each of those is reached whom the authority signed.
fn start(dir: &Path) -> (Bench, Authority, KafkaConfig) {
    let authority = Authority::new(dir.join("authority"));
    authority.sign("broker", "/OU=brokers/CN=broker");
    authority.sign("admin", "/OU=workers/CN=admin");
    authority.sign("worker", "/OU=workers/CN=worker");
    // The name is the worker's, the unit is not.
    authority.sign("visitor", "/OU=visitors/CN=worker");
    let (store, trusted) = (authority.store_of("broker"), authority.path("ca.crt"));
    let settings: [(&str, &str); 7] = [
        ("listener.security.protocol.map", "BROKER:SSL,CONTROLLER:SASL_PLAINTEXT"),
        ("ssl.client.auth", "required"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", &store),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", &trusted),
        ("ssl.principal.mapping.rules", "RULE:^CN=([^,]+),OU=(brokers|workers)$/$1/,DEFAULT"),
    ];
    let mut reached = KafkaConfig::default();
    let bench = Bench::start_as(&settings, |kafka, _| {
        let principals = ["admin", "worker", "visitor"].map(|name| (name.to_owned(), authority.login(name))).into();
        let (security_protocol, ssl_ca_location) = (Some("ssl".to_owned()), Some(trusted.clone()));
        reached = KafkaConfig { security_protocol, ssl_ca_location, principals, ..kafka };
        reached.of("admin")
    });
    (bench, authority, reached)
}

/// Writes a record to a topic in a transaction; what the broker says.
fn write(bench: &Bench, kafka: &KafkaConfig, topic: &str) -> Result<(), RDKafkaErrorCode> {
    let (topic, payload) = (bench.topic(topic), Some(b"x".to_vec()));
    let output = Output { topic, route: Route::ByKey, key: None, payload, headers: vec![] };
    let code = |error: TransactionError| error.into_source().rdkafka_error_code().unwrap();
    let mut producer = Transactions::connect(kafka, "admit-other", 10_000).map_err(code)?;
    producer.write([(Some(0), &output)]).map_err(code)
}

#[test]
fn a_worker_shows_its_certificate_and_may_do_what_its_name_may() {
    let dir = tempfile::tempdir().unwrap();
    let (mut bench, authority, kafka) = start(dir.path());
    give(&bench.kafka, &OF_A_WORKER);
    bench.publish("in", numbers(0..300));
    let admin = std::mem::replace(&mut bench.kafka, kafka.of("worker"));
    let worker = bench.run("0");
    bench.kafka = admin;
    bench.wait_handled(300);
    worker.stop().unwrap();
    assert_once(&bench, 300);

    // Its own topics, and no other; and nobody is a worker for having the name in another place of the subject.
    assert_eq!(write(&bench, &kafka.of("worker"), "dead"), Ok(()));
    write(&bench, &kafka.of("worker"), "in").unwrap_err();
    assert_eq!(bench.read_all("in").len(), 300, "nothing was forged");
    let refused = Err(RDKafkaErrorCode::TransactionalIdAuthorizationFailed);
    assert_eq!(write(&bench, &kafka.of("visitor"), "dead"), refused);

    // Whom another authority signed, or nobody, does not get as far as that; and a client does not talk to just any broker.
    let other = Authority::new(dir.path().join("other"));
    other.sign("admin", "/OU=workers/CN=admin");
    let strange = KafkaConfig { principals: [("admin".to_owned(), other.login("admin"))].into(), ..kafka.clone() };
    let elsewhere = KafkaConfig { ssl_ca_location: Some(other.path("ca.crt")), ..kafka.of("admin") };
    let plain = KafkaConfig { security_protocol: None, ..kafka.of("admin") };
    let rows = [
        ("as it should be", kafka.of("admin"), true),
        ("signed by another authority", strange.of("admin"), false),
        ("without a certificate", kafka.of("nobody"), false),
        ("the broker is signed by another authority", elsewhere, false),
        ("in the clear", plain, false),
    ];
    for (who, kafka, is_let_in) in rows {
        let client: BaseProducer = kafka.client().create().unwrap();
        let answered = client.client().fetch_metadata(Some(&bench.topic("in")), AT_THE_DOOR);
        assert_eq!(answered.is_ok(), is_let_in, "{who}: {:?}", answered.err());
    }
    drop(authority);
}
