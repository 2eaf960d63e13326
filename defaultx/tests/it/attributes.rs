//! Attributes as senders meet them: the committed schemas are what the contracts say and take every public row; a misspelt one is a
//! warning in the reply of a worker that runs, or a refusal, through the topic and over HTTP.

use crate::kafka;
use defaultx::demo::applications;
use defaultx::reader::read_to_end;
use defaultx::run::{self, Running};
use defaultx::settings::Settings;
use defaultx::workers::Worker;
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use runtime::auth::{DOOR_AUDIENCE, Realm, generate, mint};
use runtime::clock;
use runtime::config::Secret;
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
/// Topic of the strict tenant.
const BANK_B: &str = "bank-b.applications.v1";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn schemas(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_defaultx"));
    command.args(["schemas", "attributes"]).args(arguments).current_dir(root()).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_committed_schemas_are_what_the_contracts_say() {
    let checked = schemas(&["--to", "schemas/json", "--check"]);
    let told = said(&checked.stdout) + &said(&checked.stderr);
    assert!(checked.status.success(), "cargo run --locked -- schemas attributes --to schemas/json\n{told}");
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().to_str().unwrap();
    assert_eq!(schemas(&["--to", to, "--check"]).status.code(), Some(1), "nothing is there");
    assert!(schemas(&["--to", to]).status.success());
    for product in ["credit_card", "small_business_term", "consumer_instalment"] {
        let file = format!("products/{product}.attributes.json");
        let committed = std::fs::read(root().join("schemas/json").join(&file)).unwrap();
        assert_eq!(std::fs::read(dir.path().join(&file)).unwrap(), committed, "{product}");
        assert_eq!(schemas(&[product]).stdout, committed, "{product}");
    }
    let files = std::fs::read_dir(root().join("schemas/json/products")).unwrap().count();
    assert_eq!(files, 3, "a file of a product that no route names");
    assert!(said(&schemas(&["boat_loan"]).stderr).contains("boat_loan"));
}

fn documents() -> Vec<Value> {
    let now = clock::rfc3339(clock::now());
    let all = applications::read(&root().join("training/data"), 1.0, &now).unwrap();
    all.iter().map(|document| serde_json::from_str(&document.data).unwrap()).collect()
}

/// Every row of the public data sets is what its schema says, but for 40 whose source does not know the stage of the business: the
/// mapping sends a word that no model knows.
#[test]
fn every_public_row_is_what_its_schema_says() {
    let validators: BTreeMap<String, jsonschema::Validator> =
        ["credit_card", "small_business_term", "consumer_instalment"]
            .map(|product| {
                let path = root().join(format!("schemas/json/products/{product}.attributes.json"));
                let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
                assert!(jsonschema::meta::is_valid(&schema), "{product}");
                (product.to_owned(), jsonschema::draft202012::new(&schema).unwrap())
            })
            .into();
    let (mut rows, mut unknown_stage) = (0, 0);
    for data in documents() {
        let mut attributes = data.get("attributes").cloned().unwrap_or_else(|| json!({}));
        // The mapping of loans to businesses has three that no model reads; the schema takes the rest.
        for unread in ["jobs_created", "jobs_retained", "urban_rural"] {
            attributes.as_object_mut().unwrap().remove(unread);
        }
        let errors: Vec<String> = validators[data["product"].as_str().unwrap()]
            .iter_errors(&attributes)
            .map(|error| error.instance_path().to_string())
            .collect();
        match errors.as_slice() {
            [] => {}
            [one] if one == "/business_stage" && attributes["business_stage"] == "unknown" => unknown_stage += 1,
            _ => panic!("{}: {errors:?}", data["application_id"]),
        }
        rows += 1;
    }
    assert_eq!((rows, unknown_stage), (53_308, 40));
}

/// Folders of a deployment: the shipped route, and packages that the test brings.
struct Stand {
    models: tempfile::TempDir,
    settings: Settings,
    token_of: BTreeMap<&'static str, String>,
}

impl Stand {
    fn new(kafka: KafkaConfig) -> Self {
        let models = tempfile::tempdir().unwrap();
        let (private, public) = generate().unwrap();
        let realm = Realm { audience: DOOR_AUDIENCE.to_owned(), ..Realm::default() };
        let token = |tenant| (tenant, mint(&private, &realm, ("los-1", tenant, &["Originator"]), 30).unwrap());
        let mut settings = Settings { kafka, ..Settings::default() };
        settings.process.ops_listen = "127.0.0.1:0".to_owned();
        settings.scorer.models_dir = models.path().to_owned();
        settings.scorer.routes_dir = root().join("routes");
        let ingest = &mut settings.ingest;
        ingest.tenant_of_topic = [("loan.applications.v1", "bank-a"), (BANK_B, "bank-b")]
            .map(|(topic, tenant)| (topic.to_owned(), tenant.to_owned()))
            .into();
        let key = |digit: &str| Secret::from(format!("k1:{}", digit.repeat(64)).as_str());
        ingest.subject_keys = [("bank-a".to_owned(), key("a")), ("bank-b".to_owned(), key("b"))].into();
        ingest.digest_key = key("c");
        ingest.strict_attributes = vec!["bank-b".to_owned()];
        ingest.door_token_key = public;
        ingest.door_address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let stand = Self { models, settings, token_of: [token("bank-a"), token("bank-b")].into() };
        for model in
            ["taiwan-scorecard", "taiwan-xgboost", "sba-lightgbm", "sba-scorecard", "sba-xgboost", "german-scorecard"]
        {
            stand.bring(model);
        }
        stand
    }

    /// Brings a package's contract: what ingest needs of it.
    fn bring(&self, model: &str) {
        let to = self.models.path().join(model).join("1.0.0");
        std::fs::create_dir_all(&to).unwrap();
        let from = root().join("models").join(model).join("1.0.0/manifest.toml");
        std::fs::copy(from, to.join("manifest.toml")).unwrap();
    }

    async fn start(&self) -> Running {
        let mut running = run::start(&self.settings, &[Worker::Ingest], CancellationToken::new()).await.unwrap();
        running.ready(PATIENCE).await.unwrap();
        running
    }

    fn publish(&self, topic: &str, id: &str, data: &Value) {
        let producer: BaseProducer = self.settings.kafka.client().create().unwrap();
        let topic = self.settings.kafka.topic(topic);
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", id),
            ("ce_source", "/test"),
            ("ce_type", "application.submitted.v1"),
            ("content-type", "application/json"),
        ];
        let headers = headers
            .into_iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
        let payload = data.to_string();
        let record = BaseRecord::<str, str>::to(&topic).payload(&payload).key(id).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    /// Waits for the reply to an event.
    fn reply(&self, id: &str) -> Value {
        let topic = self.settings.kafka.topic(Topic::LoanReplies.base_name());
        wait("a reply", || {
            let mut found = None;
            read_to_end(&self.settings.kafka, [topic.as_ref()], |message| {
                let reply: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
                if reply["origin_id"] == id {
                    found = Some(reply);
                }
                Ok(())
            })
            .unwrap();
            found
        })
    }

    /// An answer of the door, with its status.
    fn ask(&self, request: &str, headers: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.settings.ingest.door_address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: door\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }

    fn post(&self, tenant: &str, id: &str, data: &Value) -> (u16, Value) {
        let token = &self.token_of[tenant];
        let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\nce-id: {id}\r\n");
        self.ask("POST /v1/applications", &headers, &data.to_string())
    }
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(Instant::now() < until, "no {what} within {PATIENCE:?}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A row of the public cards as a tenant's application, with the payment of the last month under another name.
fn misspelt(row: &Value, tenant: &str, id: &str, name: &str) -> Value {
    let mut data = row.clone();
    data["tenant"] = json!(tenant);
    data["application_id"] = json!(id);
    let attributes = data["attributes"].as_object_mut().unwrap();
    let payment = attributes.remove("payment_amount_1").unwrap();
    attributes.insert(name.to_owned(), payment);
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_attribute_is_told_by_a_worker_that_runs() {
    let kafka = kafka("attributes.");
    let senders = [BANK_B.to_owned()];
    {
        let admin: rdkafka::admin::AdminClient<_> = kafka.client().create().unwrap();
        let name = kafka.topic(BANK_B);
        let topic = rdkafka::admin::NewTopic::new(&name, 1, rdkafka::admin::TopicReplication::Fixed(1))
            .set("message.timestamp.type", "LogAppendTime");
        admin.create_topics([&topic], &rdkafka::admin::AdminOptions::new()).await.unwrap();
    }
    defaultx::topics::apply(&kafka, &senders).await.unwrap();
    let given = kafka.clone();
    tokio::task::spawn_blocking(move || defaultx::topics::rights::apply(&given, &senders).unwrap()).await.unwrap();
    let stand = Stand::new(kafka);
    let running = stand.start().await;
    let done = tokio::task::spawn_blocking(move || {
        follows(&stand);
        both_modes(&stand);
    });
    done.await.unwrap();
    running.stop().await.unwrap();
}

/// One package of the cards is not there yet: no name is unknown. It comes, and the same worker knows.
fn follows(stand: &Stand) {
    let path = "/v1/products/credit_card/attributes.schema.json";
    let (status, schema) = stand.ask(&format!("GET {path}"), "", "");
    assert_eq!((status, &schema["additionalProperties"]), (200, &json!(true)));
    stand.bring("taiwan-lightgbm");
    let schema = wait("a schema of all contracts", || {
        let (_, schema) = stand.ask(&format!("GET {path}"), "", "");
        (schema["additionalProperties"] == json!(false)).then_some(schema)
    });
    let committed = std::fs::read(root().join("schemas/json/products/credit_card.attributes.json")).unwrap();
    assert_eq!(schema, serde_json::from_slice::<Value>(&committed).unwrap(), "what is served is what is committed");
    let (_, list) = stand.ask("GET /v1/products", "", "");
    assert_eq!(list["products"][1], json!({"product": "credit_card", "attributes_schema": path}));
}

fn both_modes(stand: &Stand) {
    let row = documents().remove(0);
    let misspelt = |tenant: &str, id: &str| misspelt(&row, tenant, id, "payment_amount1");
    let detail = json!([
        {"type": "unknown_attribute", "pointer": "/attributes/payment_amount1", "nearest": "payment_amount_1"}
    ]);

    stand.publish("loan.applications.v1", "e-1", &misspelt("bank-a", "a-1"));
    let reply = stand.reply("e-1");
    assert_eq!((&reply["status"], &reply["warnings"]), (&json!("accepted"), &json!(["unknown_attribute"])), "{reply}");
    assert_eq!(reply["warning_details"], detail);

    stand.publish(BANK_B, "e-2", &misspelt("bank-b", "b-2"));
    let reply = stand.reply("e-2");
    assert_eq!(
        (&reply["status"], &reply["problem"]["type"]),
        (&json!("rejected"), &json!("unknown_attribute")),
        "{reply}"
    );
    assert_eq!(reply["problem"]["pointers"], json!(["/attributes/payment_amount1"]));

    let (status, taken) = stand.post("bank-a", "e-3", &misspelt("bank-a", "a-3"));
    assert_eq!((status, &taken["warnings"]), (202, &json!(["unknown_attribute"])), "{taken}");
    assert_eq!(taken["warning_details"], detail);
    assert_eq!(stand.reply("e-3")["warning_details"], detail);

    let (status, problem) = stand.post("bank-b", "e-4", &misspelt("bank-b", "b-4"));
    assert_eq!((status, &problem["type"]), (422, &json!("urn:defaultx:problem:unknown_attribute")), "{problem}");

    let mut good = row.clone();
    good["tenant"] = json!("bank-b");
    let (status, taken) = stand.post("bank-b", "e-5", &good);
    assert_eq!((status, taken.get("warnings")), (202, None), "{taken}");
}
