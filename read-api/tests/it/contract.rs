//! The published description: it is OpenAPI 3.1, it names every route, and a change of it is seen.

use crate::stack::{database, run};
use crate::stand::{Stand, shared};
use hyper::Method;
use read_api::caller::{ADMIN, AUDITOR, OFFICER, REVIEWER};
use runtime::latest::Latest;
use schemas::attributes::Published;
use serde_json::Value;
use std::path::Path;

#[test]
fn the_description_is_served_and_lists_every_route() {
    run(async {
        let stand = shared().await;
        let served = stand.ask(Method::GET, "/openapi.json", None, "").await.good();
        assert_eq!(served, serde_json::to_value(read_api::router::openapi()).unwrap());
        assert!(served["openapi"].as_str().unwrap().starts_with("3.1."), "{}", served["openapi"]);
        let routes: Vec<String> =
            served["paths"].as_object().unwrap().iter().map(|(path, item)| route(path, item)).collect();
        insta::assert_snapshot!("routes", routes.join("\n"));
        for (path, item) in served["paths"].as_object().unwrap() {
            // No security of its own: what everybody's is.
            if item["get"]["security"] == serde_json::json!([{}]) {
                continue;
            }
            let asked = path.replace("{application_id}", "L-1");
            let answer = stand.ask(Method::GET, &asked, None, "").await;
            assert_eq!(answer.problem(), "unauthorized", "{path} exists and wants a token");
        }
    });
}

#[test]
fn what_the_models_read_is_told_without_a_token() {
    run(async {
        let mut attributes = domain::Attributes::default();
        attributes.and("naics", domain::Attribute::of(domain::attributes::Form::Text));
        let mut all = domain::ProductAttributes::default();
        all.set("loan", None, attributes);
        let published = Latest::new(Published::new(all));
        let stand = Stand::new(database("products").await, |config| config.attributes = published).await;
        let list = stand.ask(Method::GET, "/v1/products", None, "").await.good();
        let path = "/v1/products/loan/attributes.schema.json";
        assert_eq!(list["products"][0], serde_json::json!({"product": "loan", "attributes_schema": path}));
        let answer = stand.ask(Method::GET, path, None, "").await;
        assert_eq!(answer.headers["content-type"], "application/schema+json");
        assert_eq!(answer.good()["properties"]["naics"]["type"], serde_json::json!(["string", "null"]));
        let answer = stand.ask(Method::GET, "/v1/products/boat/attributes.schema.json", None, "").await;
        assert_eq!((answer.status, answer.problem()), (404, "not_found"));
    });
}

/// Senders and the attack suite read the committed document. What it should be is written beside the other results of tests.
#[test]
fn a_change_of_the_contract_is_seen() {
    let description = serde_json::to_string_pretty(&read_api::router::openapi()).unwrap() + "\n";
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/openapi/read-api.json");
    let renewed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("read-api.json");
    std::fs::write(&renewed, &description).unwrap();
    let is_same = std::fs::read_to_string(&committed).unwrap() == description;
    assert!(is_same, "the contract has changed: if that is meant, cp {} {}", renewed.display(), committed.display());
}

#[test]
fn the_roles_of_the_contract_are_those_that_are_let_in() {
    let description = serde_json::to_value(read_api::router::openapi()).unwrap();
    let roles = |security: &Value| -> Vec<String> {
        let alternatives = security.as_array().unwrap().iter();
        alternatives.map(|one| one["token"][0].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(roles(&description["security"]), [ADMIN, OFFICER, REVIEWER, AUDITOR]);
    let identities = &description["paths"]["/v1/applications/{application_id}/identities"]["get"]["security"];
    assert_eq!(roles(identities), [ADMIN, OFFICER]);
}

#[test]
fn every_reference_leads_somewhere() {
    let description = serde_json::to_value(read_api::router::openapi()).unwrap();
    let mut references = Vec::new();
    gather(&description, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let found = description.pointer(reference.strip_prefix('#').unwrap());
        assert!(found.is_some(), "{reference}");
    }
}

/// A route as one line: method, path, parameters.
fn route(path: &str, item: &Value) -> String {
    let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
    let names: Vec<_> = parameters.map(|parameter| parameter["name"].as_str().unwrap()).collect();
    let methods: Vec<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
    format!("{} {path} ({})", methods.join(","), names.join(", "))
}

fn gather<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| gather(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, references)),
        _ => {}
    }
}
