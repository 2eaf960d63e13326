//! A sender as a Java shop writes one, with Kafka's client and the CloudEvents SDK: every way in which it may publish, and every
//! mistake that such clients make, has the reply that the documentation gives.

use crate::stack::whole;
use e2e::stage::root;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

/// The attributes that the client gives, each under another transport's name.
const HEADERS: [&str; 4] =
    ["header_spelling id", "header_spelling source", "header_spelling specversion", "header_spelling type"];

/// What the client is told of a record.
fn told(line: &Value) -> Value {
    let reply = &line["reply"];
    let faults = reply["problem"]["faults"].as_array().into_iter().flatten();
    let mut faults: Vec<String> = faults
        .map(|fault| {
            let place = fault["pointer"].as_str().or(fault["attribute"].as_str()).unwrap_or("");
            format!("{} {place}", fault["type"].as_str().unwrap_or(""))
        })
        .collect();
    faults.sort();
    json!([reply["status"], reply["problem"]["type"], faults])
}

#[test]
fn a_java_sender_is_answered_as_the_documentation_says() {
    let whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let logins = std::fs::read(whole.dir.join("kafka/logins.json")).unwrap();
    let logins: Value = serde_json::from_slice(&logins).unwrap();
    let password = logins["users"]["sender"].as_str().unwrap();
    let properties = folder.path().join("client.properties");
    let login = format!(
        "bootstrap.servers={}\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=\
         org.apache.kafka.common.security.scram.ScramLoginModule required username=\"sender\" password=\"{password}\";\n",
        whole.kafka().bootstrap
    );
    std::fs::write(&properties, login).unwrap();
    let body = folder.path().join("application.json");
    std::fs::write(&body, &whole.event("java", 5).body).unwrap();

    let prefix = &whole.kafka().topic_prefix;
    let output = Command::new(root().join("e2e/clients/java/run"))
        .arg("--properties")
        .arg(&properties)
        .arg("--body")
        .arg(&body)
        .args(["--applications", &format!("{prefix}loan.applications.v1")])
        .args(["--replies", &format!("{prefix}loan.replies.v1"), "--run", "java"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let replies: BTreeMap<&str, Value> = lines.iter().map(|line| (line["how"].as_str().unwrap(), told(line))).collect();
    let taken = |status: &str| json!([status, null, []]);
    let refused = |word: &str, faults: &[&str]| json!(["rejected", word, faults]);
    let expected = BTreeMap::from([
        ("binary", taken("accepted")),
        ("structured", taken("duplicate")),
        ("time with milliseconds", taken("duplicate")),
        ("empty lists", taken("duplicate")),
        ("other content", json!(["conflict", "conflict", ["conflict "]])),
        ("composed", taken("accepted")),
        ("decomposed", taken("duplicate")),
        ("media type with charset", taken("accepted")),
        ("media type with a suffix", taken("accepted")),
        ("data_base64 and a null attribute", taken("accepted")),
        ("ce_traceparent", taken("accepted")),
        (
            "no content type",
            refused("structured_without_content_type", &["structured_without_content_type datacontenttype"]),
        ),
        ("HTTP's spelling", refused("header_spelling", &HEADERS)),
        ("upper case", refused("header_spelling", &HEADERS)),
        ("JMS spelling", refused("header_spelling", &HEADERS)),
        (
            "only an id",
            refused("bad_envelope", &["bad_envelope source", "bad_envelope specversion", "bad_envelope type"]),
        ),
        (
            "three faults",
            refused("missing_field", &["bad_time /submitted_at", "missing_field /product", "unknown_word /intent"]),
        ),
    ]);
    assert_eq!(replies, expected);
    let traced = lines.iter().find(|line| line["how"] == "ce_traceparent").unwrap();
    let trace = traced["traceparent"].as_str().unwrap();
    assert!(trace.contains("0af7651916cd43dd8448eb211c80319c"), "{trace}");
}
