//! Refusals, and what bounds a request.

use crate::events::Loan;
use crate::stack::{client, database, run};
use crate::stand::{Stand, shared, token};
use hyper::Method;
use prometheus::Registry;
use read_api::metrics::{REQUEST_SECONDS, REQUESTS_TOTAL};
use read_api::store::Store;
use runtime::pg::DatabaseConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn what_cannot_be_answered_is_a_problem() {
    run(async {
        let stand = shared().await;
        let bearer = format!("Bearer {}", token("problems", "Admin"));
        let long = format!("/v1/applications/{}", "x".repeat(65));
        let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
        let cases = [
            (&get, "/", "", 404, "not_found"),
            (&get, "/v1/nothing", "", 404, "not_found"),
            (&get, "/v1/applications/none-such", "", 404, "not_found"),
            (&get, "/v1/applications/a%20b", "", 404, "not_found"),
            (&get, "/v1/applications/a%00b", "", 404, "not_found"),
            (&get, "/v1/applications/%ff", "", 404, "not_found"),
            (&get, &long, "", 404, "not_found"),
            (&post, "/v1/applications", "", 405, "method_not_allowed"),
            (&delete, "/v1/applications/L-1", "", 405, "method_not_allowed"),
            (&get, "/v1/applications", "{}", 400, "body_not_taken"),
            (&get, "/v1/applications?limit=0", "", 400, "bad_request"),
            (&get, "/v1/applications?limit=201", "", 400, "bad_request"),
            (&get, "/v1/applications?limit=-1", "", 400, "bad_request"),
            (&get, "/v1/applications?limit=ten", "", 400, "bad_request"),
            (&get, "/v1/applications?cursor=AAAA", "", 400, "bad_request"),
            (&get, "/v1/applications?outcom=approve", "", 400, "bad_request"),
            (&get, "/v1/applications?outcome=approve&outcome=refer", "", 400, "bad_request"),
            (&get, "/v1/applications?product=a%00", "", 400, "bad_request"),
            (&get, "/v1/applications?product=", "", 400, "bad_request"),
            (&get, "/v1/applications?from=yesterday", "", 400, "bad_request"),
            (&get, "/v1/applications?from=2026-02-01&to=2026-01-01", "", 400, "bad_request"),
            (&get, "/v1/applications/L-1?revision=first", "", 400, "bad_request"),
            (&get, "/v1/kpis?from=2020-01-01&to=2026-01-01", "", 400, "bad_request"),
            (&get, "/v1/kpis?outcome=approve", "", 400, "bad_request"),
            (&get, "/v1/stream?verbose=1", "", 400, "bad_request"),
            (&get, "/v1/applications?tenant=another", "", 403, "forbidden"),
        ];
        for (method, path, body, status, word) in cases {
            let answer = stand.ask(method.clone(), path, Some(&bearer), body).await;
            assert_eq!((answer.status, answer.problem()), (status, word), "{method} {path}");
            let allowed = answer.headers.get("allow").map(|methods| methods.to_str().unwrap());
            assert_eq!(allowed, (status == 405).then_some("GET,HEAD"), "{method} {path}");
        }
        let typo = stand.get(&token("problems", "Admin"), "/v1/applications?outcom=approve").await;
        assert!(typo.body["detail"].as_str().unwrap().contains("outcom"), "it names the typo: {typo:?}");
        let injected = "/v1/applications?product=x'%20OR%20true--";
        assert_eq!(stand.get(&token("problems", "Admin"), injected).await.good()["items"].as_array().unwrap().len(), 0);
        assert_eq!(stand.ask(Method::HEAD, "/v1/applications", Some(&bearer), "").await.status, 200);
    });
}

#[test]
fn a_body_that_breaks_off_is_a_bad_request_and_one_that_is_there_is_not_taken() {
    run(async {
        let stand = shared().await;
        let head = "GET /v1/applications HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
        let rows = [
            ("transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "400"),
            ("transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}", "400"),
            ("transfer-encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n", "400"),
            ("transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "400"),
            ("content-length: 2\r\n\r\n{}", "400"),
            ("transfer-encoding: chunked\r\n\r\n0\r\n\r\n", "401"),
        ];
        for (rest, status) in rows {
            let mut stream = tokio::net::TcpStream::connect(stand.address).await.unwrap();
            stream.write_all(format!("{head}{rest}").as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer.split_whitespace().nth(1), Some(status), "{rest:?}: {answer}");
        }
    });
}

#[test]
fn labels_are_routes_never_paths() {
    run(async {
        let stand = Stand::new(database("labels").await, |_| ()).await;
        let token = token("bank", "Admin");
        for path in ["/v1/applications/a", "/v1/applications/b", "/secret/path", "/v1/kpis"] {
            stand.get(&token, path).await;
        }
        let counted = |route, status| stand.counted(REQUESTS_TOTAL, &[("route", route), ("status", status)]);
        assert_eq!(counted("/v1/applications/{application_id}", "404"), 2.0);
        assert_eq!((counted("unmatched", "404"), counted("/v1/kpis", "200")), (1.0, 1.0));
        assert_eq!(stand.counted(REQUEST_SECONDS, &[]), 4.0);
        assert_eq!(stand.in_flight(), 0.0);
    });
}

#[test]
fn a_holder_may_not_ask_without_end() {
    run(async {
        let stand = Stand::new(database("rate").await, |config| config.requests_per_minute = 2).await;
        let greedy = token("bank", "Officer");
        let mut statuses = Vec::new();
        // Five requests meet at most two minutes: at least one is over the limit of two in each.
        for _ in 0..5 {
            let answer = stand.get(&greedy, "/v1/applications").await;
            if answer.status == 429 {
                assert_eq!(answer.problem(), "too_many_requests");
                let again: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=60).contains(&again));
            }
            statuses.push(answer.status);
        }
        assert!(statuses.contains(&429) && statuses[0] == 200, "{statuses:?}");
        assert_eq!(
            stand.get(&token("other", "Officer"), "/v1/applications").await.status,
            200,
            "others are not held up"
        );
    });
}

#[test]
fn a_database_that_hangs_costs_a_bounded_time_and_place() {
    run(async {
        let database = database("hangs").await;
        let stand = Stand::new(database.clone(), |config| (config.timeout_ms, config.concurrency) = (1000, 1)).await;
        stand.tell(&[Loan::new("bank", "L-1")]).await;
        let token = token("bank", "Officer");
        let mut blocker = client(&database).await;
        let tx = blocker.transaction().await.unwrap();
        tx.batch_execute("LOCK TABLE defaultx.applications IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let second = async {
            while stand.in_flight() < 1.0 {
                tokio::task::yield_now().await;
            }
            stand.get(&token, "/v1/applications").await
        };
        let (first, second) = tokio::join!(stand.get(&token, "/v1/applications"), second);
        assert_eq!((first.status, first.problem()), (503, "timeout"));
        assert_eq!((second.status, second.problem()), (503, "busy"), "the only place is taken");
        tx.rollback().await.unwrap();
        assert_eq!(stand.get(&token, "/v1/applications").await.status, 200, "the place is free again");
    });
}

#[test]
fn a_tenant_that_asks_slow_questions_leaves_places_to_the_others() {
    run(async {
        let database = database("turns").await;
        let stand = Stand::new(database.clone(), |config| {
            (config.timeout_ms, config.concurrency_per_tenant) = (60_000, 1);
        })
        .await;
        let mut blocker = client(&database).await;
        let tx = blocker.transaction().await.unwrap();
        tx.batch_execute("LOCK TABLE defaultx.applications IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let (slow, other) = (token("bank", "Officer"), token("other", "Officer"));
        let meanwhile = async {
            let waiting = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database \
                           WHERE NOT granted AND datname = current_database()";
            while tx.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
                tokio::task::yield_now().await;
            }
            let refused = stand.get(&slow, "/v1/applications?limit=0").await;
            let others = stand.get(&other, "/v1/applications?limit=0").await;
            tx.rollback().await.unwrap();
            (refused, others)
        };
        let (first, (refused, others)) = tokio::join!(stand.get(&slow, "/v1/applications"), meanwhile);
        assert_eq!((first.status, refused.problem(), others.status), (200, "too_many_requests", 400));
        assert!(refused.headers.contains_key("retry-after"));
    });
}

#[test]
fn without_a_database_it_says_so_and_waits() {
    run(async {
        let good = database("away").await;
        let stand = Stand::new(good, |config| config.database_url = "postgres://nobody@127.0.0.1:1/none".into()).await;
        let answer = stand.get(&token("bank", "Officer"), "/v1/applications").await;
        assert_eq!((answer.status, answer.problem()), (503, "unavailable"));
        assert!(answer.headers.contains_key("retry-after"));
        assert!(!answer.body.to_string().contains("127.0.0.1"), "where the database is stays inside");
        assert!(!stand.service.health.is_ready());
    });
}

#[test]
fn it_asks_under_a_role_that_can_only_read() {
    run(async {
        let database = database("roles").await;
        let pool = runtime::pg::Pool::new(&database, &Registry::new(), "read-api").unwrap();
        let store = Store::new(pool, Some("defaultx_read"), 1000);
        let mut session = store.session().await.unwrap();
        let tx = store.snapshot(&mut session, None).await.unwrap();
        let row = tx.query_one("SELECT current_user::text, current_setting('statement_timeout')", &[]).await.unwrap();
        assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("defaultx_read", "1s"));
        let row = "INSERT INTO defaultx.stream_offsets VALUES ('x', 'y', 0, 0)";
        assert!(tx.execute(row, &[]).await.is_err(), "read only");
        drop(tx);
        let client = client(&DatabaseConfig { url: database.url, ..DatabaseConfig::default() }).await;
        client.batch_execute("SET ROLE defaultx_read").await.unwrap();
        for forbidden in [row, "DELETE FROM identity.identities", "UPDATE defaultx.applications SET revision = 2"] {
            assert!(client.execute(forbidden, &[]).await.is_err(), "{forbidden}: the role itself may not write");
        }
    });
}

#[test]
fn at_shutdown_it_ends_well() {
    run(async {
        let stand = Stand::new(database("ends").await, |_| ()).await;
        assert_eq!(stand.get(&token("bank", "Officer"), "/v1/applications").await.status, 200);
        stand.service.shutdown.cancel();
        for worker in stand.running.lock().await.take().unwrap().workers {
            let name = worker.name();
            assert!(worker.join().await.is_ok(), "{name}");
        }
        assert!(tokio::net::TcpStream::connect(stand.address).await.is_err(), "nobody listens any more");
        assert!(!stand.service.health.is_ready());
    });
}
