//! The door without a Kafka behind it: what it refuses it refuses at once, and what it cannot keep it does not take.

use crate::cluster::Cluster;
use crate::corpus::good;
use crate::http::Running;
use crate::stack::{NOW_MS, kafka};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use ingest::door::{Door, router};
use ingest::publisher::{Grouping, Publisher};
use ingest::{Config, Metrics};
use runtime::auth::{DOOR_AUDIENCE, Realm, generate, mint};
use runtime::kafka::KafkaConfig;
use runtime::service::ServiceContext;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc::{Sender, channel, unbounded_channel};
use tower::ServiceExt;

fn door(config: &Config) -> Router {
    // Nobody listens on the discard port; the publisher finds out within its timeout.
    door_on(config, KafkaConfig { bootstrap: "127.0.0.1:9".to_owned(), ..kafka() }, 50)
}

/// A door before Kafka, which has so many milliseconds for any answer.
pub fn door_on(config: &Config, kafka: KafkaConfig, timeout_ms: u64) -> Router {
    let service = ServiceContext::new(kafka.clone());
    let metrics = Metrics::new(&service.registry).unwrap();
    let grouping = Grouping { id: "door".into(), max_records: 10, timeout_ms };
    let (publisher, _thread) = Publisher::start(kafka, grouping, metrics.clone(), |_| {}).unwrap();
    router(Arc::new(Door::new(config, &service, publisher, metrics, || NOW_MS).unwrap()))
}

/// A door that asks for no token.
pub fn open() -> Config {
    Config { door_allow_anonymous: true, ..Config::default() }
}

pub fn realm() -> Realm {
    Realm { audience: DOOR_AUDIENCE.to_owned(), ..Realm::default() }
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
    let router = door(&open());
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
        assert_eq!(problem["faults"][0]["type"], word, "{name}: {problem}");
    }
}

#[tokio::test]
async fn a_problem_says_each_fault_as_a_reply_does() {
    let router = door(&open());
    let mut record = good("L-1").0;
    let text = changed("\"channel\"", "\"chanel\"");
    let text = String::from_utf8(text).unwrap().replace("\"decide\"", "\"approve\"").into_bytes();
    record.body = Some(text.clone());
    let replied = crate::stack::Stack::new().send(&record).reply()["problem"]["faults"].clone();
    assert_eq!(replied.as_array().map(Vec::len), Some(3), "{replied}");
    let (_, _, problem) = ask(&router, PATH, &[("content-type", "application/json")], text.clone()).await;
    assert_eq!(problem["faults"], replied);
    let lines = [body(), text].join(&b'\n');
    let (_, _, problem) = ask(&router, PATH, &[("content-type", "application/x-ndjson")], lines).await;
    assert_eq!((&problem["lines"][0]["line"], &problem["lines"][0]["faults"]), (&2.into(), &replied));
    let event =
        br#"{"specversion":"1.0","id":"e-1","source":"/los","type":"application.submitted.v1","data":{}}"#.to_vec();
    let (status, _, problem) = ask(&router, PATH, &[("content-type", "application/json")], event).await;
    let told = (status.as_u16(), problem["type"].as_str());
    assert_eq!(told, (400, Some("urn:defaultx:problem:structured_without_content_type")));
    let (_, _, problem) = ask(&router, &format!("{PATH}/L-1/withdraw"), &[], br#"{"raeson":"moved"}"#.to_vec()).await;
    assert_eq!(
        (&problem["faults"][0]["type"], &problem["faults"][0]["pointer"]),
        (&"unknown_field".into(), &"/raeson".into())
    );
}

#[tokio::test]
async fn what_kafka_does_not_have_is_not_taken() {
    let router = door(&open());
    let (status, _, problem) = ask(&router, PATH, &[("content-type", "application/json")], body()).await;
    assert_eq!((status.as_u16(), problem["type"].as_str()), (503, Some("urn:defaultx:problem:unavailable")));
    let (status, ..) = ask(&router, &format!("{PATH}/L-1/withdraw"), &[], Vec::new()).await;
    assert_eq!(status.as_u16(), 503);
}

#[tokio::test]
async fn lines_are_taken_together_or_not_at_all() {
    let router = door(&open());
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
    let router = door(&open());
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
        format!("Bearer {}", mint(&private, &realm(), ("los-1", tenant, &[role]), 60).unwrap())
    };
    let read = mint(&private, &Realm::default(), ("los-1", "demo", &["Originator"]), 60).unwrap();
    let read = format!("Bearer {read}");
    let rows = [
        ("none", String::new(), 401),
        ("nonsense", "Bearer a.b.c".to_owned(), 401),
        ("no sender's role", token("demo", "Reviewer"), 403),
        ("a tenant without a key", token("rival", "Originator"), 403),
        ("good, but Kafka is away", token("demo", "Originator"), 503),
        ("an officer's", token("demo", "Officer"), 503),
        ("every tenant's, which is none in particular", token("*", "Admin"), 403),
        ("an auditor's", token("demo", "Auditor"), 403),
        ("in small letters", token("demo", "Originator").replace("Bearer", "bearer"), 503),
        ("in capitals", token("demo", "Originator").replace("Bearer", "BEARER"), 503),
        ("in both, with spaces", token("demo", "Originator").replace("Bearer", "bEaReR  "), 503),
        ("another scheme", token("demo", "Originator").replace("Bearer", "Basic"), 401),
        ("no scheme", token("demo", "Originator").replace("Bearer ", ""), 401),
        ("for reading", read, 401),
    ];
    for (name, authorization, status) in rows {
        let mut headers = vec![("content-type", "application/json")];
        if !authorization.is_empty() {
            headers.push(("authorization", authorization.as_str()));
        }
        assert_eq!(ask(&router, PATH, &headers, body()).await.0.as_u16(), status, "{name}");
    }
    let good = token("demo", "Originator");
    let twice =
        [("content-type", "application/json"), ("authorization", good.as_str()), ("authorization", good.as_str())];
    assert_eq!(ask(&router, PATH, &twice, body()).await.0.as_u16(), 401, "two Authorization headers");
}

#[tokio::test]
async fn a_door_without_a_key_does_not_open() {
    let service = ServiceContext::new(kafka());
    let metrics = Metrics::new(&service.registry).unwrap();
    let grouping = Grouping { id: "door".into(), max_records: 10, timeout_ms: 50 };
    let (publisher, _thread) = Publisher::start(kafka(), grouping, metrics.clone(), |_| {}).unwrap();
    let refused = Door::new(&Config::default(), &service, publisher, metrics.clone(), || NOW_MS).map(drop).unwrap_err();
    assert!(refused.to_string().contains("door_token_key"), "{refused}");
    let own = ("demo".to_owned(), runtime::config::Secret::from(format!("k1:{}", "0f".repeat(32))));
    let keyless = Config {
        door_address: "127.0.0.1:0".to_owned(),
        subject_keys: [own.clone()].into(),
        digest_key: own.1.clone(),
        ..Config::default()
    };
    let beyond = Config { door_address: "0.0.0.0:0".to_owned(), door_allow_anonymous: true, ..keyless.clone() };
    let started = |config: Config| {
        ingest::start(config, ServiceContext::new(kafka())).map(drop).map_err(|error| error.to_string())
    };
    assert!(started(keyless).unwrap_err().contains("door_allow_anonymous"));
    let known = Config { allow_demonstration_key: false, ..Config::default() };
    assert!(started(known).unwrap_err().contains("allow_demonstration_key"));
    let bound = ingest::door::open(&beyond, &service, metrics).await.map(drop).unwrap_err();
    assert!(bound.to_string().contains("allow_plaintext_listeners"), "{bound}");
}

/// What a raw request over a socket is answered.
async fn raw(address: std::net::SocketAddr, request: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_whitespace().nth(1).map_or(0, |status| status.parse().unwrap())
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request_and_only_a_large_one_too_large() {
    let stop = ServiceContext::new(kafka()).shutdown;
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let (address, _server) = runtime::http::serve("door", address, door(&open()), stop.clone()).await.unwrap();
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n");
    let large = "x".repeat((1 << 20) + 1);
    let rows = [
        ("no length of a chunk", "transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n".to_owned(), 400),
        ("an empty length", "transfer-encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n".to_owned(), 400),
        ("a chunk longer than it says", "transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n".to_owned(), 400),
        ("a length that overflows", "transfer-encoding: chunked\r\n\r\n10000000000000000\r\n{}".to_owned(), 400),
        ("whole and too large", format!("content-length: {}\r\n\r\n{large}", large.len()), 413),
    ];
    for (name, rest, status) in rows {
        assert_eq!(raw(address, &format!("{head}{rest}")).await, status, "{name}");
    }
    stop.cancel();
    // A sender that breaks off hears nothing any more; what the door makes of it is the same.
    let torn = || std::io::Error::other("the connection is gone");
    let body = Body::from_stream(futures_util::stream::iter([Ok(b"{".to_vec()), Err(torn())]));
    assert_eq!(ask_as(&door(&open()), "Bearer x", body).await.status().as_u16(), 400);
}

#[tokio::test]
async fn more_than_the_limit_waits_outside() {
    let json = [("content-type", "application/json")];
    let crowded = door(&Config { door_max_concurrent_per_tenant: 0, ..open() });
    assert_eq!(ask(&crowded, PATH, &json, b"{".to_vec()).await.0.as_u16(), 429);
    let slow = door(&Config { door_requests_per_second: 1, ..open() });
    assert_eq!(ask(&slow, PATH, &json, b"{".to_vec()).await.0.as_u16(), 400);
    while ask(&slow, PATH, &json, b"{".to_vec()).await.0.as_u16() != 429 {}
    let narrow = Config { door_max_held_bytes: 1 << 20, ..open() };
    let service = ServiceContext::new(kafka());
    let metrics = Metrics::new(&service.registry).unwrap();
    let grouping = Grouping { id: "door".into(), max_records: 10, timeout_ms: 50 };
    let (publisher, _thread) = Publisher::start(kafka(), grouping, metrics.clone(), |_| {}).unwrap();
    let refused = Door::new(&narrow, &service, publisher, metrics, || NOW_MS).map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("door_max_held_bytes"), "{refused}");
}

/// A door for two tenants, and the authorization of each.
fn shared_door(config: Config) -> (Router, [String; 2]) {
    let (private, public) = generate().unwrap();
    let key = config.subject_keys["demo"].clone();
    let subject_keys = ["demo", "rival"].map(|tenant| (tenant.to_owned(), key.clone())).into();
    let router = door(&Config { door_token_key: public, subject_keys, ..config });
    let bearer =
        |tenant| format!("Bearer {}", mint(&private, &realm(), ("los-1", tenant, &["Originator"]), 600).unwrap());
    (router, ["demo", "rival"].map(bearer))
}

async fn ask_as(router: &Router, bearer: &str, body: Body) -> Response {
    let request = Request::post(PATH).header("authorization", bearer).header("content-type", "application/x-ndjson");
    router.clone().oneshot(request.body(body).unwrap()).await.unwrap()
}

/// A body that comes in the parts that a test sends; it ends with the sender.
fn trickle() -> (Sender<Vec<u8>>, Body) {
    let (sender, mut parts) = channel::<Vec<u8>>(1);
    let parts = futures_util::stream::poll_fn(move |cx| parts.poll_recv(cx).map(|part| part.map(Ok::<_, Infallible>)));
    (sender, Body::from_stream(parts))
}

#[tokio::test]
async fn slow_bodies_of_one_tenant_keep_no_other_out() {
    let (router, [demo, rival]) = shared_door(Config::default());
    let (answers, mut refused) = unbounded_channel();
    let mut bodies = Vec::new();
    for _ in 0..257 {
        let (sender, body) = trickle();
        bodies.push(sender);
        let (router, demo, answers) = (router.clone(), demo.clone(), answers.clone());
        runtime::task::spawn("slow", async move { answers.send(ask_as(&router, &demo, body).await.status()) });
    }
    for _ in 64..257 {
        assert_eq!(refused.recv().await.unwrap().as_u16(), 429);
    }
    let answered = |bearer: String| {
        let router = router.clone();
        async move { ask_as(&router, &bearer, Body::from("{")).await.status().as_u16() }
    };
    assert_eq!((answered(demo.clone()).await, answered(rival).await), (429, 422));
    // The bodies end without a line, and their places are free again.
    drop(bodies);
    for _ in 0..64 {
        assert_eq!(refused.recv().await.unwrap().as_u16(), 400);
    }
    assert_eq!(answered(demo).await, 422);
}

#[tokio::test]
async fn bodies_of_one_tenant_take_a_bounded_number_of_bytes() {
    let (router, [demo, rival]) = shared_door(Config { door_max_held_bytes_per_tenant: 4 << 20, ..Config::default() });
    let (sender, body) = trickle();
    sender.send(vec![b'x'; 3 << 20]).await.unwrap();
    let first = {
        let (router, demo) = (router.clone(), demo.clone());
        runtime::task::spawn("first", async move { ask_as(&router, &demo, body).await.status().as_u16() })
    };
    let large = || Body::from(vec![b'x'; 2 << 20]);
    drop(sender.reserve().await.unwrap());
    assert_eq!(ask_as(&router, &demo, large()).await.status().as_u16(), 429, "the first holds what came");
    assert_eq!(ask_as(&router, &rival, large()).await.status().as_u16(), 422);
    drop(sender);
    assert_eq!(first.await.unwrap(), 422);
    assert_eq!(ask_as(&router, &demo, large()).await.status().as_u16(), 422, "all is given back");
}

#[tokio::test]
async fn a_body_that_does_not_come_gives_its_place_to_another() {
    let (router, [demo, _]) =
        shared_door(Config { door_body_grace_ms: 50, door_max_concurrent_per_tenant: 1, ..Config::default() });
    let (sender, body) = trickle();
    sender.send(b"{".to_vec()).await.unwrap();
    assert_eq!(ask_as(&router, &demo, body).await.status().as_u16(), 408);
    assert_eq!(ask_as(&router, &demo, Body::from("{")).await.status().as_u16(), 422);
    drop(sender);
}

#[tokio::test]
async fn a_tenant_over_its_rate_is_told_when_to_come_again_and_others_are_not_held_up() {
    let (router, [demo, rival]) =
        shared_door(Config { door_records_per_second_per_tenant: 1, door_burst_seconds: 10, ..Config::default() });
    let lines = || Body::from("1\n".repeat(1000));
    assert_eq!(ask_as(&router, &demo, lines()).await.status().as_u16(), 422);
    let refused = ask_as(&router, &demo, lines()).await;
    assert_eq!(refused.status().as_u16(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=1000).contains(&wait), "each of a thousand lines counts: {wait}");
    assert_eq!(ask_as(&router, &rival, lines()).await.status().as_u16(), 422);
}

#[tokio::test]
async fn an_idempotency_key_is_for_one_body() {
    let router = door(&open());
    let asked = |key: &'static str, path: &'static str, body: Vec<u8>| {
        let router = router.clone();
        async move {
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            let (status, _, problem) = ask(&router, path, &headers, body).await;
            (status.as_u16(), problem["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned())
        }
    };
    let away = (503, "unavailable".to_owned());
    let other = || changed("\"revision\":1", "\"revision\":2");
    // Kafka is away and certainly has nothing: each key is free again.
    assert_eq!(asked("k-1", PATH, body()).await, away);
    assert_eq!(asked("k-1", PATH, other()).await, away);
    assert_eq!(asked("k-1", "/v1/applications/L-1/withdraw", Vec::new()).await, away);
    assert_eq!(asked("k-3", PATH, b"{".to_vec()).await, (400, "not_json".to_owned()));
    assert_eq!(asked("k-3", PATH, other()).await, away, "what was refused may be mended");
}

/// A door before a broker that goes away with the records of a request.
#[tokio::test]
async fn a_key_is_kept_for_what_kafka_has_or_may_have() {
    let cluster = Cluster::start();
    let door = Running::before(&open(), cluster.kafka(), 3_000).await;
    let asked = async |key: &str, path: &str, body: Vec<u8>| {
        let answer =
            door.ask("POST", path, &[("content-type", "application/json"), ("idempotency-key", key)], &body).await;
        let told = answer.json();
        (answer.status, told["title"].as_str().unwrap_or_default().to_owned())
    };
    let reused = (422, "The Idempotency-Key was used before with other content".to_owned());
    let other = || changed("\"revision\":1", "\"revision\":2");
    let withdrawal = |id: &str| format!("{PATH}/{id}/withdraw");
    assert_eq!(asked("k-1", PATH, body()).await.0, 202);
    assert_eq!(asked("k-1", PATH, other()).await, reused);
    assert_eq!(asked("k-1", PATH, body()).await.0, 202, "a repetition");
    assert_eq!(asked("k-1", &withdrawal("L-1"), Vec::new()).await, reused);
    assert_eq!(asked("k-2", &withdrawal("L-1"), Vec::new()).await.0, 202);
    assert_eq!(asked("k-2", &withdrawal("L-2"), Vec::new()).await, reused);
    cluster.away();
    let unknown = (503, "Kafka may have it; send the same again".to_owned());
    assert_eq!(asked("k-3", PATH, body()).await, unknown);
    assert_eq!(asked("k-3", PATH, other()).await, reused, "the first may come to be there");
}

#[tokio::test]
async fn what_the_models_read_is_told_to_everybody() {
    let config =
        Config { attributes: crate::attributes::known(), door_token_key: generate().unwrap().1, ..Config::default() };
    let router = door(&config);
    let get = async |path: &str| {
        let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, content_type, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (status, _, list) = get("/v1/products").await;
    let path = list["products"][0]["attributes_schema"].as_str().unwrap().to_owned();
    assert_eq!((status, list["products"][0]["product"].as_str()), (200, Some("credit_card")));
    let (status, content_type, schema) = get(&path).await;
    assert_eq!((status, content_type.as_str()), (200, "application/schema+json"));
    assert_eq!(schema["properties"]["stage"]["enum"], serde_json::json!(["existing", "new", null]));
    let (status, content_type, problem) = get("/v1/products/boat_loan/attributes.schema.json").await;
    assert_eq!((status, content_type.as_str()), (404, "application/problem+json"));
    assert_eq!(problem["type"], "urn:defaultx:problem:not_found");
}

#[tokio::test]
async fn a_strict_tenant_hears_at_once_which_attribute_is_not_read() {
    let strict_attributes = vec!["demo".to_owned()];
    let router = door(&Config { attributes: crate::attributes::known(), strict_attributes, ..open() });
    let json = [("content-type", "application/json")];
    let (status, _, problem) = ask(&router, PATH, &json, changed("\"utilisation\"", "\"utilisatoin\"")).await;
    assert_eq!((status.as_u16(), problem["type"].as_str()), (422, Some("urn:defaultx:problem:unknown_attribute")));
    assert_eq!(problem["pointers"], serde_json::json!(["/attributes/utilisatoin"]));
}
