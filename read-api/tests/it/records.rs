//! Who looked is on record: before an identity is shown, and within the minute for everything else. And tokens that were called back.

use crate::events::Loan;
use crate::stack::{database, kafka, records, run};
use crate::stand::{KEYS, PATIENCE, Stand, token};
use hyper::Method;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use read_api::metrics::ACCESS_RECORDS_TOTAL;
use runtime::auth::revocations::{UNREADABLE, key_of_subject, key_of_token};
use runtime::auth::{Claims, Realm, Verifier, mint};
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use schemas::access::Access;
use std::time::{Duration, Instant};

fn claims(token: &str) -> Claims {
    Verifier::new(&KEYS.1, &Realm::default(), 720).unwrap().verify(token).unwrap()
}

/// What is on record of a token.
async fn of_token(kafka: &KafkaConfig, token: &str) -> Vec<Access> {
    let (kafka, id) = (kafka.clone(), claims(token).jti);
    let all = tokio::task::spawn_blocking(move || records(&kafka, Topic::Access)).await.unwrap();
    let schema = schemas::catalogue::validator(schemas::access::RECORDED).unwrap();
    let mine = all.into_iter().filter(|(key, _)| key.ends_with(&format!("|{id}")));
    mine.map(|(key, body)| {
        assert!(schema.is_valid(&body), "{body}");
        let access: Access = serde_json::from_value(body).unwrap();
        assert_eq!(key, format!("{}|{}", access.tenant, access.token_id));
        access
    })
    .collect()
}

#[test]
fn every_look_is_on_record_with_who_looked() {
    run(async {
        let kafka = kafka("looks.").await;
        let stand = Stand::on(kafka.clone(), database("looks").await, |_| ()).await;
        stand.tell(&[Loan::new("bank", "L-1"), Loan::new("bank", "L-2")]).await;
        let officer = token("bank", "Officer");
        stand.get(&officer, "/v1/applications/L-1/identities").await.good();
        let seen = of_token(&kafka, &officer).await;
        assert_eq!(seen.len(), 1, "it is there before the answer is");
        let Access { actor, tenant, operation, applications, count, roles, .. } = &seen[0];
        assert_eq!((actor.as_str(), tenant.as_str(), operation.as_str(), *count), ("ana", "bank", "identity", 1));
        assert_eq!((applications.as_slice(), roles.as_slice()), (&["L-1".to_owned()][..], &["Officer".to_owned()][..]));

        // What is not shown is not recorded as shown.
        let reviewer = token("bank", "Reviewer");
        assert_eq!(stand.get(&reviewer, "/v1/applications/L-1/identities").await.status, 403);
        assert_eq!(stand.get(&officer, "/v1/applications/L-9/identities").await.status, 404);
        for path in [
            "/v1/applications",
            "/v1/applications",
            "/v1/applications/L-1",
            "/v1/applications/L-2",
            "/v1/kpis?from=2026-09-01&to=2026-10-01",
            "/v1/stream",
        ] {
            stand.get(&officer, path).await.good();
        }
        // The end of the worker writes what its minute has not.
        stand.service.shutdown.cancel();
        let running = stand.running.lock().await.take().unwrap();
        for worker in running.workers {
            worker.join().await.unwrap();
        }
        let mut seen = of_token(&kafka, &officer).await;
        seen.sort_by(|a, b| (&a.operation, &a.first_at).cmp(&(&b.operation, &b.first_at)));
        // A minute may have turned in between, so that one operation has two records.
        let total =
            |operation: &str| seen.iter().filter(|one| one.operation == operation).map(|one| one.count).sum::<u32>();
        assert_eq!(["application", "figures", "identity", "list", "stream"].map(total), [2, 1, 1, 2, 1], "{seen:?}");
        let mut named: Vec<&String> =
            seen.iter().filter(|one| one.operation == "application").flat_map(|one| &one.applications).collect();
        named.sort();
        assert_eq!(named, ["L-1", "L-2"]);
        assert_eq!(of_token(&kafka, &reviewer).await, []);
    });
}

#[test]
fn every_operation_of_the_description_leaves_a_record() {
    run(async {
        let kafka = kafka("operations.").await;
        let stand = Stand::on(kafka.clone(), database("operations").await, |_| ()).await;
        stand.tell(&[Loan::new("bank", "L-1")]).await;
        let description = serde_json::to_value(read_api::router::openapi()).unwrap();
        // What asks for no token tells of nobody.
        let asks = |item: &serde_json::Value| item["get"]["security"] != serde_json::json!([{}]);
        let paths = description["paths"].as_object().unwrap().iter().filter(|(_, item)| asks(item));
        let paths: Vec<String> = paths.map(|(path, _)| path.clone()).collect();
        let tokens: Vec<String> = paths.iter().map(|_| token("bank", "Admin")).collect();
        for (path, token) in paths.iter().zip(&tokens) {
            stand.get(token, &path.replace("{application_id}", "L-1")).await.good();
        }
        stand.service.shutdown.cancel();
        for worker in stand.running.lock().await.take().unwrap().workers {
            worker.join().await.unwrap();
        }
        for (path, token) in paths.iter().zip(&tokens) {
            assert_eq!(of_token(&kafka, token).await.len(), 1, "{path}");
        }
    });
}

#[test]
fn without_its_record_an_identity_is_not_shown() {
    run(async {
        // The topic of access records is not there: nothing takes one.
        let whole = kafka("unrecorded.").await;
        let admin: rdkafka::admin::AdminClient<rdkafka::client::DefaultClientContext> =
            whole.client().create().unwrap();
        let access = Topic::Access.name("unrecorded.");
        admin.delete_topics(&[&access], &Default::default()).await.unwrap().remove(0).unwrap();
        let change = |config: &mut read_api::Config| config.access_timeout_ms = 300;
        let stand = Stand::on(whole, database("unrecorded").await, change).await;
        stand.tell(&[Loan::new("bank", "L-1")]).await;
        let officer = token("bank", "Officer");
        let answer = stand.get(&officer, "/v1/applications/L-1/identities").await;
        assert_eq!((answer.status, answer.problem()), (503, "unrecorded"));
        assert!(stand.counted(ACCESS_RECORDS_TOTAL, &[("outcome", "failed")]) >= 1.0);
        assert_eq!(stand.counted(read_api::metrics::IDENTITY_READS_TOTAL, &[("role", "Officer")]), 0.0);
        stand.get(&officer, "/v1/applications/L-1").await.good();
    });
}

#[test]
fn a_token_that_was_called_back_opens_nothing() {
    run(async {
        // The broker keeps its topics from one run of the tests to the next, and what was called back stays so.
        let kafka = kafka(&format!("revoked-{}.", runtime::clock::now_ms())).await;
        let stand = Stand::on(kafka.clone(), database("revoked").await, |_| ()).await;
        let (one, other) = (token("bank", "Officer"), token("bank", "Officer"));
        let broken = token("bank", "Officer");
        let of_bo = mint(&KEYS.0, &Realm::default(), ("bo", "bank", &["Auditor"]), 600).unwrap();
        for token in [&one, &other, &broken, &of_bo] {
            assert_eq!(stand.get(token, "/v1/applications").await.status, 200);
        }
        let id = claims(&one).jti;
        let at = "2999-01-01T00:00:00.000Z";
        let by_id = format!(r#"{{"token_id":"{id}","revoked_by":"it","revoked_at":"{at}"}}"#);
        let by_subject = format!(r#"{{"subject":"bo","not_before":"{at}","revoked_by":"it","revoked_at":"{at}"}}"#);
        let producer: BaseProducer = kafka.client().create().unwrap();
        let topic = Topic::Revocations.name(&kafka.topic_prefix);
        for (key, body) in [(key_of_token(&id), &by_id), (key_of_subject("bo"), &by_subject)] {
            producer.send(BaseRecord::to(&topic).key(&key).payload(body)).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        let started = Instant::now();
        while [&one, &of_bo].len() != revoked(&stand, [&one, &of_bo]).await {
            assert!(started.elapsed() < PATIENCE, "nobody heard of it");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(stand.get(&other, "/v1/applications").await.status, 200, "of the same subject, under another id");

        // What cannot be read calls back whom its key names, and whoever else asks is served.
        let id = claims(&broken).jti;
        producer.send(BaseRecord::to(&topic).key(&key_of_token(&id)).payload("{")).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
        while revoked(&stand, [&broken, &of_bo]).await != 2 {
            assert!(started.elapsed() < PATIENCE, "nobody is refused for what cannot be read");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let health = &stand.service.health.states()["read-api-revocations"];
        assert!(health.ready && health.reason.contains("1 that cannot be read"), "{health:?}");
        while stand.counted(UNREADABLE, &[]) != 1.0 {
            assert!(started.elapsed() < PATIENCE, "it is not counted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }

        // A server that starts later knows it from its start.
        let later = Stand::on(kafka, database("revoked_later").await, |_| ()).await;
        assert_eq!(revoked(&later, [&one, &of_bo]).await, 2);
        assert_eq!(revoked(&later, [&one, &broken]).await, 2);
        assert_eq!(later.get(&other, "/v1/applications").await.status, 200);
    });
}

async fn revoked(stand: &Stand, tokens: [&String; 2]) -> usize {
    let mut count = 0;
    for token in tokens {
        count += usize::from(stand.get(token, "/v1/applications").await.status == 401);
    }
    count
}

#[test]
fn before_it_is_known_what_was_revoked_no_token_is_judged() {
    run(async {
        let away = KafkaConfig { bootstrap: "127.0.0.1:9".to_owned(), ..KafkaConfig::default() };
        let mut service = runtime::service::ServiceContext::new(away);
        service.database = Some(database("unready").await);
        let config =
            read_api::Config { listen: "127.0.0.1:0".to_owned(), token_key: KEYS.1.clone(), ..Default::default() };
        let running = read_api::bind(config, service.clone()).await.unwrap();
        let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        let request = hyper::Request::builder()
            .method(Method::GET)
            .uri(format!("http://{}/v1/applications", running.local_addr))
            .header("authorization", format!("Bearer {}", token("bank", "Admin")))
            .body(http_body_util::Full::<bytes::Bytes>::default())
            .unwrap();
        assert_eq!(client.request(request).await.unwrap().status().as_u16(), 503);
        assert!(!service.health.is_ready());
        service.shutdown.cancel();
    });
}
