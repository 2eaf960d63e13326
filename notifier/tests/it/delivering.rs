//! What a receiver sees: signature, body, retries; and where nothing may be sent.

use crate::receiver::{Answer, Receiver};
use crate::stand::*;
use notifier::deliver::{Attempt, Cause};
use runtime::clock;
use schemas::catalogue;
use serde_json::Value;
use standardwebhooks::Webhook;
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_thin_and_verifies_under_either_secret() {
    let database = database("signature").await;
    let receiver = Receiver::start(|_| Answer::Status(204)).await;
    let los = subscription("los", &receiver.url());
    queue(&database, std::slice::from_ref(&los), 0..1).await;
    let worker = Worker::start(&database, &los, pace(), 5_000);
    let client = client(&database).await;
    until_rows(&client, "delivered", 1).await;

    let seen = receiver.seen();
    let [request] = &seen[..] else { panic!("{} requests", seen.len()) };
    for secret in SECRETS {
        Webhook::new(secret).unwrap().verify(&request.body, &request.headers).unwrap();
    }
    assert!(Webhook::new("whsec_b3RoZXI=").unwrap().verify(&request.body, &request.headers).is_err());
    assert_eq!(request.headers["content-type"], "application/json");
    assert!(request.headers.contains_key("traceparent"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert!(catalogue::validator("webhook.v1").unwrap().is_valid(&body), "{body}");
    assert_eq!(body["data"]["application_id"], "L-0");

    let ledger = worker.stop().await;
    assert_eq!(ledger.ended(), [(request.id(), "delivered".to_owned(), 1)]);
    let receipt = serde_json::to_value(&ledger.taken.lock().unwrap()[0].receipt).unwrap();
    assert!(catalogue::validator("notification.delivered.v1").unwrap().is_valid(&receipt), "{receipt}");
    assert_eq!(receipt["http_status"], 204);
    assert_eq!(ledger.taken.lock().unwrap()[0].correlation_id.as_deref(), Some("thread-0"));
}

/// Subscription; what the receiver answers to the first, second, third attempt; what becomes of it; attempts; status and cause
/// of the last.
type Case = (&'static str, [Answer; 3], &'static str, u32, Option<i32>, Option<&'static str>);

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_tried_again_under_the_same_id_until_the_schedule_ends() {
    let database = database("retries").await;
    let cases: [Case; 5] = [
        (
            "server-error",
            [Answer::Status(500), Answer::Status(503), Answer::Status(200)],
            "delivered",
            3,
            Some(200),
            None,
        ),
        ("timeout", [Answer::Hang, Answer::Status(200), Answer::Hang], "delivered", 2, Some(200), None),
        ("never", [Answer::Status(500); 3], "failed", 3, Some(500), Some("server_error")),
        ("hangs", [Answer::Hang; 3], "failed", 3, None, Some("timeout")),
        ("redirect", [Answer::Redirect; 3], "failed", 3, Some(302), Some("redirect")),
    ];
    let client = client(&database).await;
    for (id, answers, status, attempts, http_status, last_error) in cases {
        let mut script = answers.into_iter();
        let receiver = Receiver::start(move |_| script.next().unwrap()).await;
        let subscription = subscription(id, &receiver.url());
        queue(&database, std::slice::from_ref(&subscription), 0..1).await;
        let worker = Worker::start(&database, &subscription, pace(), 1_500);
        let ledger = worker.ledger.clone();
        until(id, || !ledger.ended().is_empty()).await;
        worker.stop().await;

        let seen = receiver.seen();
        assert_eq!(seen.len(), attempts as usize, "{id}");
        assert!(seen.iter().all(|request| request.path == "/hook"), "{id}: no redirect is followed");
        assert_eq!(seen.iter().map(|request| request.id()).collect::<BTreeSet<_>>().len(), 1, "{id}: one id");
        assert_eq!(seen.iter().map(|request| request.body.clone()).collect::<BTreeSet<_>>().len(), 1, "{id}: one body");
        assert_eq!(ledger.ended(), [(seen[0].id(), status.to_owned(), attempts)], "{id}");
        let query = "SELECT status, attempts, http_status, last_error FROM defaultx.deliveries WHERE subscription = $1";
        let row = client.query_one(query, &[&id]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), status, "{id}");
        assert_eq!(row.get::<_, i32>(1), i32::try_from(attempts).unwrap(), "{id}");
        assert_eq!((row.get(2), row.get(3)), (http_status, last_error), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_resolves_to_a_private_address_is_not_connected_to() {
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let by_name = endpoint(&subscription("by-name", &format!("http://localhost:{}/", receiver.port)));
    let post = async |allow_private| {
        poster(5_000, allow_private).post(&by_name, Uuid::nil(), None, "{}".to_owned(), clock::now()).await
    };
    assert_eq!(post(false).await, Attempt::Unanswered(Cause::AddressForbidden));
    assert!(receiver.seen().is_empty(), "nothing reached the inside");
    assert_eq!(post(true).await.status(), Some(200));

    let unresolvable = endpoint(&subscription("dns", "https://nowhere.invalid/"));
    let attempt = poster(5_000, true).post(&unresolvable, Uuid::nil(), None, "{}".to_owned(), clock::now()).await;
    assert_eq!(attempt, Attempt::Unanswered(Cause::Dns));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_read_no_further_than_the_bound_and_its_status_counts() {
    let receiver = Receiver::start(|_| Answer::Long(64 << 20)).await;
    let endpoint = endpoint(&subscription("long", &receiver.url()));
    let poster = poster(PATIENCE.as_millis() as u64, true);
    let attempt = poster.post(&endpoint, Uuid::nil(), None, "{}".to_owned(), clock::now());
    let attempt = tokio::time::timeout(Duration::from_secs(30), attempt).await.unwrap();
    assert_eq!(attempt.status(), Some(200));
}

#[tokio::test]
async fn a_receiver_says_when_to_come_again_in_seconds_or_as_a_date() {
    let at = chrono::DateTime::from_timestamp(784_111_777, 0).unwrap(); // Sun, 06 Nov 1994 08:49:37 GMT
    let rows = [
        ("120", Some(120)),
        ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
        ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("tomorrow", None),
    ];
    for (asked, seconds) in rows {
        let receiver = Receiver::start(move |_| Answer::Busy(asked)).await;
        let endpoint = endpoint(&subscription("los", &receiver.url()));
        let poster = poster(PATIENCE.as_millis() as u64, true);
        let attempt = poster.post(&endpoint, Uuid::nil(), None, "{}".to_owned(), at).await;
        let expected = Attempt::Answered { status: 503, retry_after: seconds.map(Duration::from_secs) };
        assert_eq!(attempt, expected, "{asked}");
    }
}
