//! One deployment for all tests of this binary, a database for each, decisions as the decision worker writes them, and workers whose
//! receipts can be looked at.

use local::{Options, Stack};
use notifier::deliver::Schedule;
use notifier::filters::Known;
use notifier::handler::Queueing;
use notifier::metrics::Meter;
use notifier::receipts::{Receipts, Told};
use notifier::sender::{DeliveryWorker, Pace};
use notifier::store::Store;
use notifier::webhook::{Endpoint, Poster};
use notifier::{Config, Subscription};
use prometheus::Registry;
use runtime::pg::{DatabaseConfig, connect};
use runtime::stream::pg::PgHandler;
use runtime::stream::{Offset, OwnedInput};
use schemas::catalogue;
use schemas::envelope::Envelope;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

/// How long anything may take that is not a measurement.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Two secrets, the newer first.
pub const SECRETS: [&str; 2] =
    ["whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy1zZWNyZXQ=", "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZC1zZWNyZXQ="];

pub fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| {
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("notifier-it");
        Stack::start(&Options::new(data_dir)).unwrap()
    })
}

/// A fresh database with the whole schema.
pub async fn database(name: &'static str) -> DatabaseConfig {
    let main = tokio::task::spawn_blocking(|| stack().database_url().to_owned()).await.unwrap();
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    client(&config(&main)).await.batch_execute(&drop).await.unwrap();
    let url = tokio::task::spawn_blocking(move || stack().create_database(name).unwrap()).await.unwrap();
    let config = config(&url);
    schemas::migrations::migrate(&mut client(&config).await).await.unwrap();
    config
}

fn config(url: &str) -> DatabaseConfig {
    DatabaseConfig { url: url.into(), ..DatabaseConfig::default() }
}

pub async fn client(config: &DatabaseConfig) -> Client {
    connect(config).await.unwrap()
}

pub fn subscription(id: &str, url: &str) -> Subscription {
    let secrets = SECRETS.map(|secret| format!("{secret:?}")).join(",");
    let text = format!(r#"{{"id":{id:?},"url":{url:?},"secrets":[{secrets}],"tenants":["demo"]}}"#);
    serde_json::from_str(&text).unwrap()
}

/// The decision of application `n` as a record at offset `n`.
pub fn decision(topic: &str, n: usize) -> OwnedInput {
    let example =
        catalogue::find("decision.made.v1").unwrap().examples.iter().find(|e| e.name == "good-approve").unwrap();
    let mut body: Value = serde_json::from_str(example.text).unwrap();
    let id = format!("L-{n}");
    body["application"]["application_id"] = Value::from(id.clone());
    let envelope = Envelope {
        id: schemas::event_id::event_id("decision.made.v1", "demo", &id, 1, "1").to_string(),
        source: "/defaultx/decision".to_owned(),
        event_type: "decision.made.v1".to_owned(),
        subject: Some(id.clone()),
        correlation_id: Some(format!("thread-{n}")),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        ..Envelope::default()
    };
    OwnedInput {
        topic: topic.to_owned(),
        offset: Offset::new(i64::try_from(n).unwrap()),
        key: Some(format!("demo|{id}").into_bytes()),
        payload: Some(body.to_string().into_bytes()),
        headers: envelope.to_headers().into_iter().map(|(key, value)| (key.to_owned(), Some(value))).collect(),
        ..OwnedInput::default()
    }
}

/// What the reader makes of a batch.
pub fn prepared(handler: &mut Queueing, batch: &[OwnedInput]) -> <Queueing as PgHandler>::Work {
    let mut preparer = handler.preparer();
    batch.iter().for_each(|record| preparer.take(&record.as_input()).unwrap());
    preparer.finish().unwrap()
}

/// Queues the decisions of applications in `range`, as the loop would.
pub async fn queue(database: &DatabaseConfig, subscriptions: &[Subscription], range: std::ops::Range<usize>) {
    let meter = Meter::new(&Registry::new()).unwrap();
    let mut handler = Queueing::new(subscriptions.to_vec().into(), meter, Arc::new(Notify::new()));
    let mut client = client(database).await;
    let batch: Vec<OwnedInput> = range.map(|n| decision("credit.decisions.v1", n)).collect();
    let tx = client.transaction().await.unwrap();
    let work = prepared(&mut handler, &batch);
    handler.apply(&tx, work).await.unwrap();
    tx.commit().await.unwrap();
    handler.committed();
}

/// Receipts in memory.
#[derive(Clone, Default)]
pub struct Ledger {
    pub taken: Arc<Mutex<Vec<Told>>>,
    /// Kafka is away.
    pub refuses: Arc<Mutex<bool>>,
}

impl Receipts for Ledger {
    async fn publish(&self, receipts: Vec<Told>) -> Vec<bool> {
        let takes = !*self.refuses.lock().unwrap();
        let answers = vec![takes; receipts.len()];
        if takes {
            self.taken.lock().unwrap().extend(receipts);
        }
        answers
    }
}

impl Ledger {
    /// (delivery id, status, attempts), in order.
    pub fn ended(&self) -> Vec<(String, String, u32)> {
        let taken = self.taken.lock().unwrap();
        taken
            .iter()
            .map(|t| (t.receipt.delivery_id.clone(), t.receipt.status.to_string(), t.receipt.attempts))
            .collect()
    }
}

/// What subscriptions of these tests may name.
pub fn known() -> Known {
    Known { products: vec!["credit_card".to_owned()], tenants: vec!["demo".to_owned()] }
}

/// A worker of one subscription.
pub struct Worker {
    /// What it measures.
    pub registry: Registry,
    pub delivery_worker: Arc<DeliveryWorker<Ledger>>,
    pub ledger: Ledger,
    running: tokio::task::JoinHandle<Result<(), notifier::Error>>,
}

/// Numbers for tests: everything soon.
pub fn pace() -> Pace {
    Pace {
        claim_rows: 20,
        concurrency: 8,
        lease: Duration::from_secs(30),
        attempt: Duration::from_secs(10),
        idle_poll: Duration::from_millis(50),
        sweep: Duration::from_millis(50),
        keep_days: 90,
        schedule: Schedule { waits: vec![Duration::from_millis(10); 2], jitter: 0.5 },
    }
}

pub fn poster(request_timeout_ms: u64, allow_private_addresses: bool) -> Poster {
    Poster::new(&Config { request_timeout_ms, allow_private_addresses, ..Config::default() }).unwrap()
}

pub fn endpoint(subscription: &Subscription) -> Endpoint {
    Endpoint::new(subscription, true).unwrap()
}

impl Worker {
    pub fn start(database: &DatabaseConfig, subscription: &Subscription, pace: Pace, request_timeout_ms: u64) -> Self {
        let (ledger, registry) = (Ledger::default(), Registry::new());
        let delivery_worker = Arc::new(DeliveryWorker {
            store: store(database),
            poster: poster(request_timeout_ms, true),
            receipts: ledger.clone(),
            meter: Meter::new(&registry).unwrap(),
            standing: notifier::standing::Standing::new(
                runtime::health::Health::default().component("notifier-send"),
                1,
            ),
            pace,
            chance: || 0.5,
            wake: Arc::new(Notify::new()),
            shutdown: CancellationToken::new(),
        });
        let running = runtime::task::spawn("worker", delivery_worker.clone().work(endpoint(subscription)));
        Self { registry, delivery_worker, ledger, running }
    }

    /// Deliveries that failed for good for a reason, as the metric has them.
    pub fn failed(&self, subscription: &str, reason: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == "defaultx_deliveries_failed_total");
        let metrics = family.map_or(&[][..], |family| family.get_metric());
        let labels = |metric: &prometheus::proto::Metric| -> BTreeSet<String> {
            metric.get_label().iter().map(|label| format!("{}={}", label.name(), label.value())).collect()
        };
        let wanted = BTreeSet::from([format!("subscription={subscription}"), format!("reason={reason}")]);
        metrics
            .iter()
            .filter(|metric| labels(metric) == wanted)
            .map(|metric| metric.get_counter().get_value() as u64)
            .sum()
    }

    /// Drains.
    pub async fn stop(self) -> Ledger {
        self.delivery_worker.shutdown.cancel();
        self.running.await.unwrap().unwrap();
        self.ledger
    }
}

pub fn store(database: &DatabaseConfig) -> Store {
    Store::new(runtime::pg::Pool::new(database, &Registry::new(), "notifier").unwrap())
}

/// Rows by status.
pub async fn rows(client: &Client, status: &str) -> usize {
    let count = "SELECT count(*) FROM defaultx.deliveries WHERE status = $1";
    usize::try_from(client.query_one(count, &[&status]).await.unwrap().get::<_, i64>(0)).unwrap()
}

/// Waits until that many rows have a status.
pub async fn until_rows(client: &Client, status: &str, wanted: usize) {
    let started = Instant::now();
    loop {
        let found = rows(client, status).await;
        if found == wanted {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{found} rows are {status}, waited for {wanted}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
