//! The door without a Kafka behind it: what it refuses it refuses at once, and what it cannot keep it does not take.

use crate::corpus::good;
use crate::house::{NOW_MS, kafka};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use ingest::door::{Door, router};
use ingest::publisher::{Grouping, Publisher};
use ingest::{Config, Metrics};
use runtime::auth::{Realm, generate, mint};
use runtime::kafka::KafkaConfig;
use runtime::shell::Shell;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;

fn door(config: &Config) -> Router {
    // Nobody listens on the discard port; the publisher finds out within its timeout.
    let kafka = KafkaConfig { bootstrap: "127.0.0.1:9".to_owned(), ..kafka() };
    let shell = Shell::new(kafka.clone());
    let metrics = Metrics::new(&shell.registry).unwrap();
    let grouping = Grouping { id: "door".into(), wait_ms: 1, max_records: 10, timeout_ms: 50 };
    let (publisher, _thread) = Publisher::start(kafka, grouping, metrics.clone(), |_| {}).unwrap();
    router(Arc::new(Door::new(config, &shell, publisher, metrics, || NOW_MS).unwrap()))
}

async fn ask(router: &Router, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (StatusCode, String, Value) {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    let content_type = response.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned());
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, content_type.unwrap_or_default(), serde_json::from_slice(&bytes).unwrap_or_default())
}

const PATH: &str = "/v1/applications";

fn body() -> Vec<u8> {
    good("L-1").0.body.unwrap()
}

fn changed(from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(body()).unwrap().replace(from, to).into_bytes()
}

#[tokio::test]
async fn refusals_are_problems() {
    let router = door(&Config::default());
    let json = ("content-type", "application/json");
    let events = ("content-type", "application/cloudevents+json");
    let long = "x".repeat(300);
    let rows: Vec<(&str, Vec<(&str, &str)>, Vec<u8>, u16, &str)> = vec![
        ("not JSON", vec![json], b"{".to_vec(), 400, "not_json"),
        ("another tenant", vec![json], changed("\"demo\"", "\"rival\""), 403, "tenant_mismatch"),
        ("an unknown field", vec![json], changed("\"channel\"", "\"chanel\""), 422, "unknown_field"),
        ("too large", vec![json], vec![b'x'; (4 << 20) + 1], 413, "body_too_large"),
        ("larger than a body", vec![json], vec![b'x'; (1 << 20) + 1], 413, "body_too_large"),
        ("avro", vec![("content-type", "application/avro")], body(), 415, "unsupported_media_type"),
        ("no event", vec![events], body(), 400, "bad_envelope"),
        ("nothing", vec![json], Vec::new(), 400, "empty"),
        ("a bad id", vec![json, ("ce-id", &long)], body(), 400, "bad_envelope"),
    ];
    for (name, headers, body, status, word) in rows {
        let (found, content_type, problem) = ask(&router, PATH, &headers, body).await;
        assert_eq!((found.as_u16(), content_type.as_str()), (status, "application/problem+json"), "{name}");
        assert_eq!(problem["type"], format!("urn:defaultx:problem:{word}"), "{name}");
        assert_eq!(problem["status"], status, "{name}");
    }
}

#[tokio::test]
async fn what_kafka_does_not_have_is_not_taken() {
    let router = door(&Config::default());
    let (status, _, problem) = ask(&router, PATH, &[("content-type", "application/json")], body()).await;
    assert_eq!((status.as_u16(), problem["type"].as_str()), (503, Some("urn:defaultx:problem:unavailable")));
    let (status, ..) = ask(&router, &format!("{PATH}/L-1/withdraw"), &[], Vec::new()).await;
    assert_eq!(status.as_u16(), 503);
}

#[tokio::test]
async fn lines_are_taken_together_or_not_at_all() {
    let router = door(&Config::default());
    let ndjson = [("content-type", "application/x-ndjson")];
    let lines = [body(), b"{".to_vec(), changed("\"revision\":1", "\"revision\":0")].join(&b'\n');
    let (status, _, problem) = ask(&router, PATH, &ndjson, lines).await;
    assert_eq!(status.as_u16(), 422);
    let told: Vec<_> = problem["lines"].as_array().unwrap().iter().map(|line| (&line["line"], &line["type"])).collect();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].0.as_u64(), told[1].0.as_u64()), (Some(2), Some(3)));
    assert_eq!(problem["lines"][1]["pointers"][0], "/revision");
}

#[tokio::test]
async fn a_withdrawal_says_no_more_than_it_may() {
    let router = door(&Config::default());
    let path = format!("{PATH}/L-1/withdraw");
    let rows: &[(&str, u16, &str)] = &[
        (r#"{"why":1}"#, 422, "unknown_field"),
        (r#"{"reason":"Changed my mind"}"#, 422, "bad_value"),
        (r#"{"withdrawn_at":"2999-01-01T00:00:00Z"}"#, 422, "future_time"),
    ];
    for (body, status, word) in rows {
        let (found, _, problem) = ask(&router, &path, &[], body.as_bytes().to_vec()).await;
        assert_eq!(
            (found.as_u16(), problem["type"].as_str().unwrap()),
            (*status, &*format!("urn:defaultx:problem:{word}"))
        );
    }
}

#[tokio::test]
async fn a_token_opens_the_door_of_its_tenant_only() {
    let (private, public) = generate().unwrap();
    let router = door(&Config { door_token_key: public, ..Config::default() });
    let token = |tenant: &str, role: &str| {
        format!("Bearer {}", mint(&private, &Realm::default(), ("los-1", tenant, &[role]), 60).unwrap())
    };
    let rows = [
        ("none", String::new(), 401),
        ("nonsense", "Bearer a.b.c".to_owned(), 401),
        ("no sender's role", token("demo", "Reviewer"), 403),
        ("a tenant without a key", token("rival", "Originator"), 403),
        ("good, but Kafka is away", token("demo", "Originator"), 503),
        ("an officer's", token("demo", "Officer"), 503),
        ("every tenant's", token("*", "Admin"), 503),
    ];
    for (name, authorization, status) in rows {
        let mut headers = vec![("content-type", "application/json")];
        if !authorization.is_empty() {
            headers.push(("authorization", authorization.as_str()));
        }
        assert_eq!(ask(&router, PATH, &headers, body()).await.0.as_u16(), status, "{name}");
    }
}

#[tokio::test]
async fn more_than_the_limit_waits_outside() {
    let json = [("content-type", "application/json")];
    let crowded = door(&Config { door_max_concurrent: 0, ..Config::default() });
    assert_eq!(ask(&crowded, PATH, &json, b"{".to_vec()).await.0.as_u16(), 503);
    let slow = door(&Config { door_requests_per_second: 1, ..Config::default() });
    assert_eq!(ask(&slow, PATH, &json, b"{".to_vec()).await.0.as_u16(), 400);
    assert_eq!(ask(&slow, PATH, &json, b"{".to_vec()).await.0.as_u16(), 429);
}
