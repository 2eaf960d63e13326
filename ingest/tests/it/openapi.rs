//! The door's published description against a door that runs: every path with every method and status answers as it says.

use crate::cluster::Cluster;
use crate::corpus::good;
use crate::door::{open, realm};
use crate::http::{Answer, Running};
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::Config;
use ingest::door::SENDER_ROLES;
use ingest::refusal::Reason;
use jsonschema::Validator;
use runtime::auth::{generate, mint};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;

/// Headers that an answer has where the description says so, and nowhere else.
const TELLING: [&str; 5] = ["retry-after", "www-authenticate", "accept", "accept-encoding", "preference-applied"];
const METHODS: [&str; 7] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "BREW"];
const JSON: (&str, &str) = ("content-type", "application/json");

fn description() -> Value {
    schemas::openapi::door().unwrap()
}

fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    value["$ref"].as_str().map_or(value, |reference| document.pointer(&reference[1..]).unwrap())
}

fn validator(document: &Value, schema: &Value) -> Validator {
    let whole = json!({ "components": document["components"], "allOf": [schema] });
    jsonschema::draft202012::options().should_validate_formats(true).build(&whole).unwrap()
}

/// (path, method in capitals, operation).
fn operations(document: &Value) -> Vec<(&str, String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let each = paths.flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |of| (path.as_str(), of)));
    each.map(|(path, (method, operation))| (path, method.to_ascii_uppercase(), operation)).collect()
}

fn filled(path: &str) -> String {
    path.replace("{application_id}", "L-1")
}

/// Holds an answer against one response of an operation.
fn fits(document: &Value, response: &Value, answer: &Answer, place: &str) {
    let response = resolved(document, response);
    let (media_type, content) = response["content"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(answer.header("content-type"), Some(media_type.as_str()), "{place}");
    let faults: Vec<String> =
        validator(document, &content["schema"]).iter_errors(&answer.json()).map(|e| e.to_string()).collect();
    assert!(faults.is_empty(), "{place}: {faults:?} in {}", answer.json());
    for name in TELLING {
        let known = response["headers"].as_object().into_iter().flatten();
        let known = known.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, header)| header).next();
        let known = known.map(|header| resolved(document, header));
        match (answer.header(name), known) {
            (Some(value), Some(header)) => {
                let value = value.parse::<u64>().map_or_else(|_| Value::from(value), Value::from);
                assert!(validator(document, &header["schema"]).is_valid(&value), "{place}: {name}: {value}");
            }
            (None, Some(header)) => assert_ne!(header["required"], true, "{place} lacks {name}"),
            (Some(_), None) => panic!("{place}: {name} is not described"),
            (None, None) => {}
        }
    }
}

/// The doors of this walk.
struct Doors {
    cluster: Cluster,
    open: Running,
    guarded: Running,
    away: Running,
    small: Running,
    hasty: Running,
    crowded: Running,
    reading_token: String,
}

impl Doors {
    async fn open() -> Self {
        let cluster = Cluster::start();
        let (private, public) = generate().unwrap();
        let reading = mint(&private, &realm(), ("ana", "demo", &["Reviewer"]), 60).unwrap();
        Self {
            open: Running::with(&open(), &cluster).await,
            guarded: Running::alone(&Config { door_token_key: public, ..Config::default() }).await,
            away: Running::alone(&open()).await,
            small: Running::alone(&Config { door_max_request_bytes: 1000, ..open() }).await,
            hasty: Running::alone(&Config { door_body_grace_ms: 50, ..open() }).await,
            crowded: Running::alone(&Config { door_max_concurrent_per_tenant: 0, ..open() }).await,
            reading_token: format!("Bearer {reading}"),
            cluster,
        }
    }

    /// What brings an operation to a status; none where a test cannot.
    async fn brought(&self, id: &str, method: &str, path: &str, status: &str) -> Option<Answer> {
        let sent = if id == "submit" { good("L-1").0.body.unwrap() } else { b"{}".to_vec() };
        let ask = async |door: &Running, headers: &[(&str, &str)], body: &[u8]| {
            let all = [&[JSON][..], headers].concat();
            door.ask(method, path, &all, body).await
        };
        Some(match status {
            "202" => ask(&self.open, &[], &sent).await,
            "207" => {
                let headers = [("content-type", "application/x-ndjson"), ("prefer", "handling=lenient")];
                self.open.ask(method, path, &headers, &[&sent[..], b"\n{"].concat()).await
            }
            "400" => ask(&self.open, &[], b"{").await,
            "401" => ask(&self.guarded, &[], &sent).await,
            "403" => ask(&self.guarded, &[("authorization", &self.reading_token)], &sent).await,
            "408" => self.hasty.ask_of(method, path, &[JSON], b"{", 2).await,
            "413" => ask(&self.small, &[], &[b' '; 1001]).await,
            "415" => ask(&self.open, &[("content-encoding", "br")], &sent).await,
            "422" => ask(&self.open, &[], br#"{"tenant":1}"#).await,
            "429" => ask(&self.crowded, &[], &sent).await,
            "503" => ask(&self.away, &[], &sent).await,
            // A fault of the door's own is not to be had from outside; what is described is the problem of all answers.
            "500" | "default" => return None,
            other => panic!("{id}: nothing here brings {other}"),
        })
    }
}

#[tokio::test]
async fn every_status_of_every_operation_is_as_described() {
    let (document, doors) = (description(), Doors::open().await);
    let mut brought = 0;
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        for (status, response) in operation["responses"].as_object().unwrap() {
            let place = format!("{method} {path}: {status}");
            if let Some(answer) = doors.brought(id, &method, &filled(path), status).await {
                assert_eq!(answer.status.to_string(), *status, "{place}: {answer:?}");
                fits(&document, response, &answer, &place);
                brought += 1;
            }
        }
    }
    assert_eq!(brought, 21);
    doors.cluster.intake(3);
}

#[tokio::test]
async fn whatever_is_not_described_is_refused_as_described() {
    let (document, door) = (description(), Running::alone(&open()).await);
    let described = operations(&document);
    for (path, _, operation) in &described {
        let takes: Vec<&str> = described.iter().filter(|one| one.0 == *path).map(|one| one.1.as_str()).collect();
        for method in METHODS.iter().filter(|method| !takes.contains(*method)) {
            let place = format!("{method} {path}");
            let answer = door.ask(method, &filled(path), &[], b"").await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some(takes.join(",").as_str())), "{place}");
            fits(&document, &operation["responses"]["default"], &answer, &place);
        }
        let answer = door.ask("POST", &format!("{}/more", filled(path)), &[], b"").await;
        assert_eq!(answer.status, 404, "{path}/more");
        fits(&document, &operation["responses"]["default"], &answer, path);
    }
}

#[tokio::test]
async fn every_example_of_a_request_is_taken() {
    let (document, cluster) = (description(), Cluster::start());
    let mut taken = 0;
    for (path, method, operation) in operations(&document) {
        // Of its own, for the example of a key is for one request.
        let door = Running::with(&open(), &cluster).await;
        for (media_type, content) in operation["requestBody"]["content"].as_object().unwrap() {
            for (name, example) in content["examples"].as_object().unwrap() {
                let value = &example["value"];
                let body = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let headers = [("content-type", media_type.as_str())];
                let answer = door.ask(&method, &filled(path), &headers, body.as_bytes()).await;
                assert_eq!(answer.status, 202, "{method} {path}: {name}: {answer:?}");
                taken += 1;
            }
        }
        // All headers at once, as their examples have them.
        let parameters = operation["parameters"].as_array().unwrap().iter();
        let parameters: Vec<&Value> = parameters.map(|parameter| resolved(&document, parameter)).collect();
        let of = |place: &str| -> Vec<(&str, &str)> {
            let named = parameters.iter().filter(|parameter| parameter["in"] == place);
            named.map(|one| (one["name"].as_str().unwrap(), one["example"].as_str().expect("an example"))).collect()
        };
        let path =
            of("path").iter().fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        let subject = parameters.iter().find(|one| one["name"] == "ce-subject").unwrap()["example"].as_str().unwrap();
        let sent = if path.ends_with("withdraw") { b"{}".to_vec() } else { good(subject).0.body.unwrap() };
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&sent).unwrap();
        let answer = door.ask(&method, &path, &[&[JSON][..], &of("header")].concat(), &packed.finish().unwrap()).await;
        assert_eq!(answer.status, 202, "{method} {path}: {answer:?}");
    }
    assert!(taken >= 8, "{taken}");
}

#[tokio::test]
async fn the_description_is_served_whole_and_asks_for_no_token() {
    let (_, public) = generate().unwrap();
    let door = Running::alone(&Config { door_token_key: public, ..Config::default() }).await;
    let answer = door.ask("GET", "/openapi.json", &[], b"").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json(), description());
    let text = String::from_utf8(answer.body).unwrap();
    assert!(!text.contains("../"), "what is served refers to nothing beside it");
}

/// The words of `receive` are told as it tells them.
#[test]
fn the_examples_of_problems_are_of_the_doors_own_words() {
    let document = description();
    let mut seen = BTreeSet::new();
    for (_, _, operation) in operations(&document) {
        for response in operation["responses"].as_object().unwrap().values() {
            let content = &resolved(&document, response)["content"]["application/problem+json"];
            for (word, example) in content["examples"].as_object().into_iter().flatten() {
                let Some(reason) = Reason::ALL.iter().find(|reason| reason.as_str() == word) else { continue };
                let told = (example["value"]["status"].as_u64(), example["value"]["title"].as_str());
                assert_eq!(told, (Some(reason.http_status().into()), Some(reason.title())), "{word}");
                seen.insert(*reason);
            }
        }
    }
    assert!(seen.len() >= 6, "{seen:?}");
}

#[test]
fn the_roles_of_the_description_are_those_that_may_send() {
    let document = description();
    let paths: Vec<&str> = operations(&document).iter().map(|one| one.0).collect();
    assert_eq!(paths, ["/v1/applications", "/v1/applications/{application_id}/withdraw"]);
    for (path, _, operation) in operations(&document) {
        let alternatives = operation["security"].as_array().unwrap().iter();
        let roles: Vec<&str> = alternatives.map(|one| one["token"][0].as_str().unwrap()).collect();
        assert_eq!(roles, SENDER_ROLES, "{path}");
    }
}
