//! The worker as started by the binary, a writer beside it, tokens, and a plain HTTP client.

use crate::events::Loan;
use crate::stack::{Writer, database, kafka};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use read_api::{Config, Running, bind};
use runtime::auth::{Realm, generate, mint};
use runtime::kafka::KafkaConfig;
use runtime::pg::DatabaseConfig;
use runtime::service::ServiceContext;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OnceCell};

/// Nothing waits this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Keys of tokens: (private, public).
pub static KEYS: LazyLock<(String, String)> = LazyLock::new(|| generate().unwrap());

/// A worker with its database.
pub struct Stand {
    pub address: SocketAddr,
    pub service: ServiceContext,
    pub running: Mutex<Option<Running>>,
    pub writer: Mutex<Writer>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

/// The stand that tests share, each under a tenant of its own.
pub async fn shared() -> &'static Stand {
    static SHARED: OnceCell<Stand> = OnceCell::const_new();
    SHARED.get_or_init(|| async { Stand::new(database("shared").await, |_| ()).await }).await
}

impl Stand {
    /// Over a migrated database, with the configuration that `change` leaves.
    pub async fn new(database: DatabaseConfig, change: impl FnOnce(&mut Config)) -> Self {
        Self::on(kafka("t.").await, database, change).await
    }

    /// The same with topics of its own.
    pub async fn on(kafka: KafkaConfig, database: DatabaseConfig, change: impl FnOnce(&mut Config)) -> Self {
        let writer = Mutex::new(Writer::new(&database).await);
        let mut service = ServiceContext::new(kafka);
        service.database = Some(database);
        let mut config = Config {
            listen: "127.0.0.1:0".to_owned(),
            token_key: KEYS.1.clone(),
            requests_per_minute: 0,
            ..Config::default()
        };
        change(&mut config);
        let running = bind(config, service.clone()).await.unwrap();
        let started = Instant::now();
        while !service.health.states().get("read-api-revocations").is_some_and(|state| state.ready) {
            assert!(started.elapsed() < PATIENCE, "{:?}", service.health.states());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address: running.local_addr, service, running: Mutex::new(Some(running)), writer, client }
    }

    /// Writes what became of these applications.
    pub async fn tell(&self, loans: &[Loan]) {
        let records: Vec<_> = loans.iter().flat_map(Loan::records).collect();
        self.writer.lock().await.write(&records).await;
    }

    /// Asks with a token.
    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(Method::GET, path, Some(&format!("Bearer {token}")), "").await
    }

    /// Asks anything.
    pub async fn ask(&self, method: Method, path: &str, authorization: Option<&str>, body: &'static str) -> Answer {
        self.ask_with(method, path, authorization.as_slice(), body).await
    }

    /// Asks with as many Authorization headers as there are.
    pub async fn ask_with(&self, method: Method, path: &str, authorization: &[&str], body: &'static str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for authorization in authorization {
            request = request.header("authorization", *authorization);
        }
        let response = self.client.request(request.body(Full::from(body)).unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        Answer { status, headers, body }
    }

    /// The value of a counter or gauge of the worker.
    pub fn counted(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let families = self.service.registry.gather();
        let metrics = families.iter().filter(|family| family.name() == name).flat_map(|family| family.get_metric());
        let has = |metric: &&prometheus::proto::Metric| {
            labels
                .iter()
                .all(|(name, value)| metric.get_label().iter().any(|l| l.name() == *name && l.value() == *value))
        };
        metrics
            .filter(has)
            .map(|metric| {
                let observed = metric.get_histogram().get_sample_count() as f64;
                metric.get_counter().get_value() + metric.get_gauge().get_value() + observed
            })
            .sum()
    }
}

impl Stand {
    /// Requests being answered.
    pub fn in_flight(&self) -> f64 {
        let families = self.service.registry.gather();
        let gauge = families.iter().find(|family| family.name() == read_api::metrics::IN_FLIGHT).unwrap();
        gauge.get_metric()[0].get_gauge().get_value()
    }
}

impl Answer {
    /// The word of a problem, after checking that it is one.
    pub fn problem(&self) -> &str {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status, "{self:?}");
        assert!(self.body["title"].is_string(), "{self:?}");
        self.body["type"].as_str().unwrap().strip_prefix("urn:defaultx:problem:").unwrap()
    }

    /// A good answer's body.
    pub fn good(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.headers["cache-control"], "no-store");
        self.body
    }
}

/// A token of a tenant with one role.
pub fn token(tenant: &str, role: &str) -> String {
    mint(&KEYS.0, &Realm::default(), ("ana", tenant, &[role]), 600).unwrap()
}
