//! A PostgreSQL for all tests of this binary, a database for each, and the loop's part of the work.

use audit_log::{DigestKey, Signer};
use audit_sink::checkpoint::Signing;
use audit_sink::handler::{AuditHandler, Settings};
use audit_sink::metrics::Metrics;
use audit_sink::source::Sources;
use local::{Options, Stack};
use prometheus::Registry;
use runtime::pg::offsets::{self, Stand};
use runtime::pg::{DatabaseConfig, connect};
use runtime::stream::pg::{PgHandler, Preparer};
use runtime::stream::{NextOffset, OwnedInput};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use tokio_postgres::Client;

/// Prefix of the topics.
pub const PREFIX: &str = "it.";
/// The consumer's name, as the loop makes it.
pub const CONSUMER: &str = "it.audit-sink";

fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| {
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-sink-it");
        Stack::start(&Options { kafka: false, ..Options::new(data_dir) }).unwrap()
    })
}

/// The address of a fresh database with the whole schema.
pub async fn database(name: &str) -> String {
    let url = tokio::task::spawn_blocking({
        let name = name.to_owned();
        move || {
            let stack = stack();
            (stack.database_url().to_owned(), name)
        }
    });
    let (main, name) = url.await.unwrap();
    drop_database(&main, &name).await;
    let url = tokio::task::spawn_blocking(move || stack().create_database(&name).unwrap()).await.unwrap();
    schemas::migrations::migrate(&mut client(&url).await).await.unwrap();
    url
}

/// A copy of a database that nobody is connected to.
pub async fn copy(from: &str, name: &str) -> String {
    let main = stack().database_url();
    drop_database(main, name).await;
    let template = from.rsplit_once('/').unwrap().1.to_owned();
    client(main).await.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
    from.replace(&template, name)
}

async fn drop_database(main: &str, name: &str) {
    client(main).await.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
}

/// A session of the superuser.
pub async fn client(url: &str) -> Client {
    connect(&DatabaseConfig { url: url.into(), ..DatabaseConfig::default() }).await.unwrap()
}

/// A writer of log 0 with the loop's bookkeeping.
pub struct Writer {
    pub client: Client,
    pub metrics: Metrics,
    handler: AuditHandler,
    seal: Preparer<<AuditHandler as PgHandler>::Work>,
    expected: BTreeMap<offsets::Place, NextOffset>,
}

impl Writer {
    pub async fn new(url: &str) -> Self {
        Self::with_segments(url, 64 << 10).await
    }

    /// With segments of that many bytes.
    pub async fn with_segments(url: &str, segment_bytes: usize) -> Self {
        let client = client(url).await;
        let settings = Settings {
            sources: Sources::new(PREFIX, &[]),
            key: DigestKey::new("k1", &[9; 32]).unwrap(),
            segment_bytes,
            zstd_level: 1,
            shards: 1,
        };
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let mut handler = AuditHandler::new(0, settings, metrics.clone());
        handler.reset(&client).await.unwrap();
        let stood = offsets::load(&client, CONSUMER).await.unwrap();
        let expected = stood.into_iter().map(|(place, stand)| (place, stand.next)).collect();
        let seal = handler.preparer();
        Self { client, metrics, handler, seal, expected }
    }

    /// What the loop does with a batch.
    pub async fn write(&mut self, batch: &[OwnedInput]) -> Result<(), String> {
        let work = prepared(&mut self.seal, batch);
        let tx = self.client.transaction().await.unwrap();
        let mut next = BTreeMap::new();
        for record in batch {
            next.insert((record.topic.clone(), record.partition), Stand::at(record.offset.next(), None));
        }
        let applied = self.handler.apply(&tx, work).await;
        if let Err(error) = applied {
            tx.rollback().await.unwrap();
            self.handler.reset(&self.client).await.unwrap();
            self.seal = self.handler.preparer();
            return Err(error.to_string());
        }
        assert!(offsets::advance(&tx, CONSUMER, &self.expected, &next).await.unwrap());
        tx.commit().await.unwrap();
        self.handler.committed();
        self.expected.extend(next.into_iter().map(|(place, stand)| (place, stand.next)));
        Ok(())
    }
}

/// What the reader makes of a batch.
pub fn prepared<W>(preparer: &mut Preparer<W>, batch: &[OwnedInput]) -> W {
    batch.iter().for_each(|record| preparer.take(&record.as_input()).unwrap());
    preparer.finish().unwrap()
}

/// Signs the tests' checkpoints.
pub fn signer() -> Signer {
    Signer::new("it.example/audit", &[3; 32]).unwrap()
}

/// The time at which everything is signed.
pub const SIGNED_AT: i64 = 1_790_000_100;

/// Signs what is due, in the signer's role; gives the note of log 0, if it was.
pub async fn sign(url: &str, signing: &Signing) -> Result<Option<String>, audit_sink::Error> {
    let mut client = client(url).await;
    client.batch_execute("SET ROLE defaultx_signer").await.unwrap();
    let (log, signed) = signing.sign_due(&mut client, SIGNED_AT).await.unwrap().remove(0);
    assert_eq!(log, 0);
    Ok(signed?.map(|head| signing.signer.sign(&head, SIGNED_AT)))
}
